//! Opening the file: made if it is not there, and refused, untouched, if it is not this outbox's.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use outbox::MAX_NAME_BYTES;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};
use thiserror::Error;

use super::{
    SqliteStore, data_version,
    identity::Identity,
    is_full,
    reserve::{CHECKPOINT_PAGES, Reserve},
};

/// How long a request waits for another connection's transaction before it is `Unavailable`.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Marks a SQLite file as an outbox ("OUTB").
const APPLICATION_ID: i32 = 0x4f55_5442;
/// The version of `schema.sql`.
const SCHEMA_VERSION: i32 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// More than there are statements, so that each is prepared once.
const STATEMENTS_MAX: usize = 48;

/// Why a file could not be opened as an outbox. It is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The outbox's name is empty or too long.
    #[error("an outbox's name must be 1 to {MAX_NAME_BYTES} bytes long; this one is {len}")]
    Name {
        /// Its length in bytes.
        len: usize,
    },
    /// The folder is not there.
    #[error("{}: its folder does not exist; make it first", path.display())]
    NoFolder {
        /// The file asked for.
        path: PathBuf,
    },
    /// It cannot be written: the file, its folder (three more files are kept beside it) or the file system.
    #[error("{}: cannot be written; an outbox needs a writable file in a writable folder", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is something else.
    #[error("{}: not a SQLite database; choose another path, this file is left alone", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// A database, but not an outbox: it belongs to another program.
    #[error(
        "{}: a SQLite database of another program (application id {application_id:#x}); choose another path",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its `PRAGMA application_id`; 0 if it has none.
        application_id: i32,
    },
    /// An outbox written by a newer version of this library.
    #[error("{}: made by a newer version (schema {found}, this one knows {known}); upgrade", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema's version.
        found: i32,
        /// The newest that this build knows.
        known: i32,
    },
    /// An outbox of another name (R20).
    #[error("{}: holds the outbox `{found}`, not `{wanted}`; give each its own file", path.display())]
    OtherName {
        /// The file.
        path: PathBuf,
        /// The name it was made with.
        found: String,
        /// The name asked for.
        wanted: String,
    },
    /// The file is damaged.
    #[error("{}: damaged; keep a copy, then restore a backup or use sqlite3's .recover", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// Another program holds a lock and did not let go in time.
    #[error("{}: locked by another program for too long; close what holds it and try again", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// There is no room to make it.
    #[error("{}: the disk is full; free some space and try again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// The file system (a network one, say), or a path such as `:memory:`, cannot have a write-ahead log.
    #[error("{}: no write-ahead log is possible here (only `{mode}`); use a local disk", path.display())]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The journal mode that SQLite offers.
        mode: String,
    },
    /// Anything else.
    #[error("{}: cannot be opened", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
}

impl SqliteStore {
    /// Opens the outbox `name` in the file at `path`; makes it if there is none.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong and what to do; the file is as it was.
    pub fn open(path: impl AsRef<Path>, name: &str) -> Result<Self, OpenError> {
        Self::open_with(path, name, BUSY_TIMEOUT)
    }

    /// As [`open`](Self::open), with another limit than [`BUSY_TIMEOUT`], also for each later request.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, name: &str, busy_timeout: Duration) -> Result<Self, OpenError> {
        let path = path.as_ref();
        if !(1..=MAX_NAME_BYTES).contains(&name.len()) {
            return Err(OpenError::Name { len: name.len() });
        }
        if path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            return Err(OpenError::NoFolder { path: path.into() });
        }
        let connection = connect(path, busy_timeout).map_err(|error| open_error(path, error))?;
        check_owner(&connection, path)?;
        prepare(&connection, path, busy_timeout)?;
        make(&connection, path, name)?;
        check_name(&connection, path, name)?;
        let data_version = data_version(&connection).map_err(|error| open_error(path, error))?;
        let reserve = Reserve::beside(path);
        reserve.make(); // without it, what is stored can still be read and sent
        let file = Identity::of(path);
        Ok(Self { connection, path: path.into(), file, reserve, data_version })
    }
}

fn connect(path: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Refuses what is not ours before anything is changed. A file with nothing in it is nobody's.
fn check_owner(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    // In one transaction: another process may be making the file.
    let owner = || -> rusqlite::Result<(i32, i32, bool)> {
        let transaction = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
        let application_id = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
        let empty = transaction.query_row(sql, [], |row| row.get(0))?;
        Ok((application_id, version(&transaction)?, empty))
    };
    let (application_id, found, empty) = owner().map_err(|error| open_error(path, error))?;
    if application_id != APPLICATION_ID && !(application_id == 0 && found == 0 && empty) {
        return Err(OpenError::Foreign { path: path.into(), application_id });
    }
    if found > SCHEMA_VERSION {
        return Err(OpenError::NewerSchema { path: path.into(), found, known: SCHEMA_VERSION });
    }
    match connection.is_readonly("main") {
        Ok(false) => Ok(()),
        Ok(true) => {
            Err(OpenError::ReadOnly { path: path.into(), source: "the file is opened read-only".into() })
        }
        Err(error) => Err(open_error(path, error)),
    }
}

/// Sets what holds for a connection, and the write-ahead log, which holds for the file.
fn prepare(connection: &Connection, path: &Path, busy_timeout: Duration) -> Result<(), OpenError> {
    let deadline = Instant::now() + busy_timeout;
    let mode: String = loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)) {
            // SQLite does not wait for this lock itself: another process may be making the same file.
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            result => break result.map_err(|error| open_error(path, error))?,
        }
    };
    if mode != "wal" {
        return Err(OpenError::NoWal { path: path.into(), mode });
    }
    let pragmas = format!(
        // What lets one statement be taken back is kept in memory: it needs no room on a disk that is full.
        "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; \
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};"
    );
    connection.execute_batch(&pragmas).map_err(|error| open_error(path, error))
}

/// Makes the tables if there are none: in one transaction, which of several processes one wins.
fn make(connection: &Connection, path: &Path, name: &str) -> Result<(), OpenError> {
    let made = || -> rusqlite::Result<()> {
        if version(connection)? == SCHEMA_VERSION {
            return Ok(());
        }
        let transaction = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        if version(&transaction)? == 0 {
            transaction.execute_batch(SCHEMA)?;
            let sql = "INSERT INTO meta VALUES (1, ?, lower(hex(randomblob(16))), 0)";
            transaction.execute(sql, [name])?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        transaction.commit()
    };
    made().map_err(|error| open_error(path, error))
}

fn version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check_name(connection: &Connection, path: &Path, wanted: &str) -> Result<(), OpenError> {
    let found = connection.query_row("SELECT name FROM meta", [], |row| row.get(0)).optional();
    match found {
        Ok(Some(found)) if found == wanted => Ok(()),
        Ok(Some(found)) => Err(OpenError::OtherName { path: path.into(), found, wanted: wanted.into() }),
        Ok(None) => {
            Err(OpenError::Corrupt { path: path.into(), source: rusqlite::Error::QueryReturnedNoRows })
        }
        Err(error) => Err(open_error(path, error)),
    }
}

fn is_locked(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn open_error(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = PathBuf::from(path);
    if is_full(&source) {
        return OpenError::Full { path, source };
    }
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path, source },
        // Unknown: a table of this schema is missing or is not as it should be.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => OpenError::Corrupt { path, source },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path, source },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            OpenError::ReadOnly { path, source: source.into() }
        }
        _ => match write_error(&path) {
            Some(error) => OpenError::ReadOnly { path, source: error.into() },
            None => OpenError::Failed { path, source },
        },
    }
}

/// The system's own reason why the file, or what is kept beside it, cannot be written. SQLite says only
/// "unable to open database file". The file itself is not opened: to close it again would end the locks that
/// other connections of this process have on it (POSIX).
fn write_error(path: &Path) -> Option<io::Error> {
    let beside = |ending: &str| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        PathBuf::from(beside)
    };
    let read_only = path.metadata().is_ok_and(|file| file.permissions().readonly());
    let file = read_only.then(|| io::ErrorKind::PermissionDenied.into());
    let log = OpenOptions::new().append(true).open(beside("-wal")).err();
    let probe = beside(&format!("-probe-{}", process::id()));
    let folder = File::create_new(&probe).and_then(|_| fs::remove_file(&probe)).err();
    let denied = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
    [file, log, folder].into_iter().flatten().find(|error: &io::Error| denied.contains(&error.kind()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// How many POSIX locks there are on a file.
    fn locks(path: &Path) -> usize {
        let inode = format!(":{} ", path.metadata().expect("the file is there").ino());
        let locks = fs::read_to_string("/proc/locks").expect("Linux lists its locks");
        locks.lines().filter(|line| line.contains("POSIX") && line.contains(&inode)).count()
    }

    #[test]
    fn why_a_file_cannot_be_opened_is_looked_up_without_a_trace() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("outbox.db");
        let store = SqliteStore::open(&path, "traces").expect("a new file");
        let names = || fs::read_dir(folder.path()).expect("it can be listed").count();
        let before = (locks(&path), names());
        assert!(before.0 > 0, "an open file is locked");
        assert!(write_error(&path).is_none(), "it can be written");
        assert_eq!((locks(&path), names()), before);
        drop(store);
    }
}
