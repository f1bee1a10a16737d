//! `SqliteStore`: one outbox in one SQLite file, shared by any number of processes.
//!
//! WAL and `synchronous=FULL`: what was acknowledged survives a power cut. Every request is one
//! transaction; a write takes SQLite's one writer lock at its beginning, so no transaction is ever
//! retried half way. `schema.sql` beside this file says what is in it.
//!
//! Errors at run time are mapped by what they say of the disk, not by what was asked:
//!
//! | SQLite says | answer | because |
//! |---|---|---|
//! | nothing: the file is gone | `Unavailable` | it is asked nothing: nobody would find what was written |
//! | `FULL` | `Full` | rolled back; the reserve is given up, so that the next delete finds room |
//! | `IOERR` at `COMMIT` | `Unknown` | the commit frame may or may not be on disk |
//! | anything else | `Unavailable` | rolled back, or never begun |

use std::{
    fmt,
    path::{Path, PathBuf},
};

use outbox::Epoch;
use outbox::storage::{Committed, Contents, Fence, Scope, Snapshot, StorageError, Store, StoreId, Write};
use rusqlite::{Connection, ErrorCode, ffi};

pub use self::open::{BUSY_TIMEOUT, OpenError};
use self::{
    identity::Identity,
    reserve::{FREE_PAGES_MIN, Reserve},
};

mod identity;
mod open;
mod read;
mod reserve;
mod write;

/// A durable store in a SQLite file.
///
/// Calls block: run it in a thread of its own. Dropping it closes the file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    file: Identity,
    reserve: Reserve,
    /// `PRAGMA data_version` when last looked at.
    data_version: i64,
}

const GONE: &str = "the file was deleted or replaced while it was open; what it held is gone with it. \
                    Restart, to go on with the file that is there or a new one";

/// Why a transaction was given up.
enum Abort {
    /// The fence did not match.
    Fenced,
    /// SQLite failed.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Abort {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// How a transaction begins.
#[derive(Clone, Copy)]
enum Begin {
    /// With a reader's snapshot.
    Read,
    /// With the writer's lock.
    Write,
}

/// The one row of `meta`.
struct Meta {
    store: StoreId,
    epoch: Epoch,
    change: u64,
}

impl Meta {
    fn check(&self, fence: Option<Fence>) -> Result<(), Abort> {
        let current = Fence { store: self.store, epoch: self.epoch };
        if fence.is_none_or(|fence| fence == current) { Ok(()) } else { Err(Abort::Fenced) }
    }
}

impl SqliteStore {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether another connection, in this process or another, has committed since this was last asked
    /// (or since the file was opened). Reads one number and no table: cheap enough to ask often (R28).
    ///
    /// # Errors
    /// `Unavailable`, with SQLite's words.
    pub fn changed_elsewhere(&mut self) -> Result<bool, StorageError> {
        let data_version = data_version(&self.connection).map_err(|error| self.unavailable(&error))?;
        Ok(std::mem::replace(&mut self.data_version, data_version) != data_version)
    }

    /// Whether items may be added without taking the room that deletes may need; see `Reserve`.
    fn has_room(&self) -> bool {
        let free_pages = || -> rusqlite::Result<u32> {
            self.connection.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))
        };
        self.reserve.is_whole()
            || free_pages().is_ok_and(|pages| pages >= FREE_PAGES_MIN)
            || self.reserve.make()
    }

    /// Runs `work` in one transaction: all of it happens, or nothing.
    fn transaction<T>(
        &mut self,
        begin: Begin,
        work: impl FnOnce(&Connection) -> Result<T, Abort>,
    ) -> Result<T, StorageError> {
        let begin = match begin {
            Begin::Read => "BEGIN",
            Begin::Write => "BEGIN IMMEDIATE",
        };
        if self.file.is_gone() {
            return Err(self.unavailable(&GONE));
        }
        execute(&self.connection, begin).map_err(|error| self.refused(&error))?;
        match work(&self.connection) {
            Ok(done) => match execute(&self.connection, "COMMIT") {
                Ok(()) => Ok(done),
                Err(error) => Err(self.commit_failed(&error)),
            },
            Err(Abort::Fenced) => {
                self.roll_back();
                Err(StorageError::Fenced)
            }
            Err(Abort::Sqlite(error)) => {
                self.roll_back();
                Err(self.refused(&error))
            }
        }
    }

    /// Whether anything was written, after a `COMMIT` that failed.
    fn commit_failed(&self, error: &rusqlite::Error) -> StorageError {
        self.roll_back();
        if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
            return StorageError::Unknown; // the commit frame may be in the log, and recovery may find it
        }
        self.refused(error)
    }

    /// Leaves a transaction that failed, so that the connection can begin the next one.
    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // It fails only if SQLite has rolled back already, which is all that is wanted.
            let _ = execute(&self.connection, "ROLLBACK");
        }
    }

    /// The answer for a transaction that wrote nothing.
    fn refused(&self, error: &rusqlite::Error) -> StorageError {
        if !is_full(error) {
            return self.unavailable(error);
        }
        self.reserve.release();
        // Best effort: another connection's reader may stand in the way, this time.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        StorageError::Full
    }

    fn unavailable(&self, why: &dyn fmt::Display) -> StorageError {
        StorageError::Unavailable { cause: format!("{}: {why}", self.path.display()) }
    }
}

impl Store for SqliteStore {
    fn acquire(&mut self) -> Result<Snapshot, StorageError> {
        self.transaction(Begin::Write, |connection| {
            let meta = write::raise_epoch(connection)?;
            let contents = read::full(connection)?;
            read::snapshot(connection, &meta, contents)
        })
    }

    fn load(&mut self, fence: Option<Fence>, scope: &Scope) -> Result<Snapshot, StorageError> {
        self.transaction(Begin::Read, |connection| {
            let meta = read::meta(connection)?;
            meta.check(fence)?;
            let contents: Contents = match scope {
                Scope::Full => read::full(connection)?,
                Scope::Since { change, through } => read::since(connection, &meta, *change, *through)?,
                Scope::Items(seqs) => read::items(connection, seqs)?,
            };
            read::snapshot(connection, &meta, contents)
        })
    }

    fn persist(&mut self, fence: Option<Fence>, writes: &[Write]) -> Result<Committed, StorageError> {
        if writes.iter().any(write::adds_item) && !self.has_room() {
            return Err(StorageError::Full);
        }
        self.transaction(Begin::Write, |connection| {
            let meta = write::raise_change(connection)?;
            meta.check(fence)?;
            let mut log = write::Log::new(meta.change);
            let results = write::write_all(connection, &mut log, writes)?;
            log.prune(connection)?;
            Ok(Committed { results, change: meta.change })
        })
    }
}

/// Runs a statement that returns no rows, prepared once.
fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// Whether there was no room. SQLite maps a shared-memory file that cannot grow to an I/O error.
fn is_full(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error();
    code.is_some_and(|code| {
        code.code == ErrorCode::DiskFull || code.extended_code == ffi::SQLITE_IOERR_SHMSIZE
    })
}
