//! What is written to the file: one statement or two per write, and the change log.

use std::ops::RangeInclusive;

use outbox::storage::{Write, WriteResult};
use outbox::{ItemId, Outcome, Seq};
use rusqlite::{Connection, OptionalExtension, ffi, params, params_from_iter};

use super::{
    Abort, Meta,
    read::{meta, place},
};

/// How long the change log is; see `changes` in `schema.sql` for what counts.
const LOG_LEN_MAX: i64 = 4096;
/// An outcome counts as one more entry for each so many bytes.
const LOG_ENTRY_BYTES: i64 = 1024;

const INSERT: &str = "INSERT INTO items (id, record) VALUES (?, ?)";
/// So many inserts go by one statement, the most that there are: SQLite then looks up and stores the last seq
/// once for all of them, and 64 rows take two thirds of the time, without their sync. Runs of 32 or 64 gain
/// nothing more; the short ones take a fifth off a transaction of 27.
const RUNS: [usize; 4] = [16, 8, 4, 2];

/// Adds one to the epoch.
pub(super) fn raise_epoch(connection: &Connection) -> Result<Meta, Abort> {
    connection.prepare_cached("UPDATE meta SET epoch = epoch + 1")?.execute([])?;
    meta(connection)
}

/// Adds one to the change counter.
pub(super) fn raise_change(connection: &Connection) -> Result<Meta, Abort> {
    let sql = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'change'";
    connection.prepare_cached(sql)?.execute([])?;
    meta(connection)
}

/// Whether it makes the file grow by an item; what else grows, grows by little.
pub(super) fn adds_item(write: &Write) -> bool {
    matches!(write, Write::Insert { .. } | Write::RetryFailure { .. })
}

/// All of them, in order.
pub(super) fn write_all(
    connection: &Connection,
    log: &mut Log,
    mut writes: &[Write],
) -> Result<Vec<WriteResult>, Abort> {
    let mut results = Vec::with_capacity(writes.len());
    while !writes.is_empty() {
        let run = RUNS.into_iter().find(|&run| inserts(writes, run));
        let (next, others) = writes.split_at(run.unwrap_or(1));
        writes = others;
        match run.map(|_| insert_run(connection, next)).transpose()?.flatten() {
            Some(seqs) => results.extend(seqs.map(|seq| WriteResult::Inserted(Seq(seq)))),
            None => {
                for next in next {
                    results.push(write(connection, log, next)?);
                }
            }
        }
    }
    Ok(results)
}

fn write(connection: &Connection, log: &mut Log, write: &Write) -> Result<WriteResult, Abort> {
    match write {
        Write::Delete { seq, outcome } => delete(connection, log, *seq, Some(outcome)),
        Write::Bury { seq, id, failure } => {
            let result = delete(connection, log, *seq, None)?;
            if result == WriteResult::Done {
                let sql = "INSERT OR REPLACE INTO failures (id, record) VALUES (?, ?)";
                connection.prepare_cached(sql)?.execute((id.as_str(), &**failure))?;
                log.failures(connection)?;
            }
            Ok(result)
        }
        Write::Remove { id } => {
            let mut statement = connection.prepare_cached("SELECT seq FROM items WHERE id = ?")?;
            match statement.query_row([id.as_str()], |row| row.get::<_, i64>(0)).optional()? {
                Some(seq) => delete(connection, log, Seq(seq.unsigned_abs()), Some(&Outcome::Removed)),
                None => Ok(WriteResult::Missing),
            }
        }
        Write::Put { seq, record } => {
            let sql = "UPDATE items SET record = ? WHERE seq = ?";
            let found = connection.prepare_cached(sql)?.execute((&**record, place(*seq)))?;
            if found > 0 {
                log.put(connection, *seq)?;
            }
            Ok(done_if(found))
        }
        Write::Insert { id, record } => insert(connection, id, record),
        Write::RetryFailure { failure, id, record } => {
            let mut statement = connection.prepare_cached("SELECT 1 FROM failures WHERE id = ?")?;
            if !statement.exists([failure.as_str()])? {
                return Ok(WriteResult::Missing);
            }
            let result = insert(connection, id, record)?;
            if result != WriteResult::Duplicate {
                dismiss(connection, log, failure)?;
            }
            Ok(result)
        }
        Write::DismissFailure { id } => dismiss(connection, log, id),
        Write::Pause { reason } => {
            let sql = "INSERT OR IGNORE INTO pauses (reason) VALUES (?)";
            connection.prepare_cached(sql)?.execute([&**reason])?;
            Ok(WriteResult::Done)
        }
        Write::Resume { reason } => {
            let sql = "DELETE FROM pauses WHERE reason = ?";
            Ok(done_if(connection.prepare_cached(sql)?.execute([&**reason])?))
        }
    }
}

/// Whether the next `run` writes all insert.
fn inserts(writes: &[Write], run: usize) -> bool {
    writes.get(..run).is_some_and(|next| next.iter().all(|write| matches!(write, Write::Insert { .. })))
}

/// Inserts a run; its seqs, which come one after another. `None`: one of them is a duplicate, nothing was
/// inserted [a statement that fails leaves no row], and each is to go by itself.
fn insert_run(connection: &Connection, run: &[Write]) -> Result<Option<RangeInclusive<u64>>, Abort> {
    let more = run.len() - 1;
    let sql = format!("{INSERT}{}", ", (?, ?)".repeat(more));
    let values = run.iter().filter_map(|write| match write {
        Write::Insert { id, record } => Some([id.as_str(), record]),
        _ => None,
    });
    match connection.prepare_cached(&sql)?.execute(params_from_iter(values.flatten())) {
        Ok(_) => {
            let last = connection.last_insert_rowid().unsigned_abs();
            Ok(Some(last - more as u64..=last))
        }
        Err(error) if is_duplicate(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Lets the insert itself find the duplicate: a statement that fails takes back the seq it allocated.
fn insert(connection: &Connection, id: &ItemId, record: &str) -> Result<WriteResult, Abort> {
    let mut statement = connection.prepare_cached(INSERT)?;
    match statement.execute((id.as_str(), record)) {
        Ok(_) => Ok(WriteResult::Inserted(Seq(connection.last_insert_rowid().unsigned_abs()))),
        Err(error) if is_duplicate(&error) => Ok(WriteResult::Duplicate),
        Err(error) => Err(error.into()),
    }
}

fn delete(
    connection: &Connection,
    log: &mut Log,
    seq: Seq,
    outcome: Option<&Outcome>,
) -> Result<WriteResult, Abort> {
    let found = connection.prepare_cached("DELETE FROM items WHERE seq = ?")?.execute([place(seq)])?;
    if found > 0 {
        log.gone(connection, seq, outcome)?;
    }
    Ok(done_if(found))
}

fn dismiss(connection: &Connection, log: &mut Log, failure: &ItemId) -> Result<WriteResult, Abort> {
    let sql = "DELETE FROM failures WHERE id = ?";
    let found = connection.prepare_cached(sql)?.execute([failure.as_str()])?;
    if found > 0 {
        log.failures(connection)?;
    }
    Ok(done_if(found))
}

fn done_if(found: usize) -> WriteResult {
    if found > 0 { WriteResult::Done } else { WriteResult::Missing }
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE)
}

/// The change log, for one transaction.
pub(super) struct Log {
    change: u64,
    /// Where the next entry goes, once the first has asked.
    next: Option<i64>,
}

impl Log {
    pub(super) fn new(change: u64) -> Self {
        Self { change, next: None }
    }

    fn put(&mut self, connection: &Connection, seq: Seq) -> Result<(), Abort> {
        self.append(connection, "put", Some(seq), None)
    }

    /// A buried item has no outcome here: its failure record tells.
    fn gone(&mut self, connection: &Connection, seq: Seq, outcome: Option<&Outcome>) -> Result<(), Abort> {
        let outcome = outcome.map(|outcome| {
            serde_json::to_string(outcome).expect("an outcome holds only strings, numbers and JSON")
        });
        self.append(connection, "gone", Some(seq), outcome.as_deref())
    }

    fn failures(&mut self, connection: &Connection) -> Result<(), Abort> {
        self.append(connection, "failures", None, None)
    }

    fn append(
        &mut self,
        connection: &Connection,
        what: &str,
        seq: Option<Seq>,
        outcome: Option<&str>,
    ) -> Result<(), Abort> {
        let n = match self.next {
            Some(n) => n,
            None => after_last(connection)?,
        };
        let outcome_bytes = i64::try_from(outcome.map_or(0, str::len)).unwrap_or(i64::MAX);
        self.next = Some(n + weight(outcome_bytes));
        let change = i64::try_from(self.change).unwrap_or(i64::MAX);
        let sql = "INSERT INTO changes (n, change, what, seq, outcome) VALUES (?, ?, ?, ?, ?)";
        connection.prepare_cached(sql)?.execute(params![n, change, what, seq.map(place), outcome])?;
        Ok(())
    }

    /// Drops what this transaction has pushed out of the log.
    pub(super) fn prune(&self, connection: &Connection) -> Result<(), Abort> {
        if let Some(next) = self.next {
            connection.prepare_cached("DELETE FROM changes WHERE n < ?")?.execute([next - LOG_LEN_MAX])?;
        }
        Ok(())
    }
}

fn after_last(connection: &Connection) -> Result<i64, Abort> {
    let sql = "SELECT n, ifnull(octet_length(outcome), 0) FROM changes ORDER BY n DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let last =
        statement.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()?;
    Ok(last.map_or(1, |(n, outcome_bytes)| n + weight(outcome_bytes)))
}

/// How many entries an entry counts as.
fn weight(outcome_bytes: i64) -> i64 {
    1 + outcome_bytes / LOG_ENTRY_BYTES
}
