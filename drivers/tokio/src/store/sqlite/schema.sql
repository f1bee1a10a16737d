-- An outbox's file. Open it with the sqlite3 tool and read; write only through the outbox.

-- One row: which outbox this is, and who may write.
CREATE TABLE meta (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    name   TEXT NOT NULL,    -- the outbox's name: one user's items are never sent as another's
    store  TEXT NOT NULL,    -- this file's random id, 32 hex digits; half of the fence
    epoch  INTEGER NOT NULL  -- the other half: one more at each takeover
) STRICT;

-- The items, in the order in which they were made. seq is never used again.
CREATE TABLE items (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    id     TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL -- JSON
) STRICT;

-- The change counter, one more at each transaction. It lies beside the items' last seq, in SQLite's table for
-- such numbers: a transaction that inserts writes one page for both.
INSERT INTO sqlite_sequence (name, seq) VALUES ('change', 0);

-- What was refused for good, oldest first, until the app dismisses it.
CREATE TABLE failures (
    n      INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL -- JSON
) STRICT;

-- Why nothing is sent; no row: it is.
CREATE TABLE pauses (
    reason TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What changed lately, so that other processes need not read everything again. The oldest rows are
-- deleted; n counts rows, and long outcomes as several. Inserts are not in it: their seq tells.
CREATE TABLE changes (
    n       INTEGER PRIMARY KEY,
    change  INTEGER NOT NULL,                                      -- the change counter after the transaction
    what    TEXT NOT NULL CHECK (what IN ('put', 'gone', 'failures')),
    seq     INTEGER,                                               -- NULL for failures
    outcome TEXT                                                   -- JSON; how an item that is gone ended
) STRICT;
