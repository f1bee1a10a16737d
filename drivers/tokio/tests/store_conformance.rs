//! The native stores pass the conformance suite: SQLite with two real connections on one real file,
//! closed and opened again where a case says so.

use outbox::storage::conformance::{self, Harness};
use outbox_tokio::store::SqliteStore;
use tempfile::TempDir;

struct Sqlite(TempDir);

impl Harness for Sqlite {
    type Store = SqliteStore;

    fn fresh(&mut self) {
        self.0 = tempfile::tempdir().expect("the temporary folder is writable");
    }

    fn open(&mut self, _replica: usize) -> SqliteStore {
        SqliteStore::open(self.0.path().join("outbox.db"), "conformance").expect("the file is this outbox's")
    }
}

#[test]
fn sqlite_conforms() {
    let mut harness = Sqlite(tempfile::tempdir().unwrap());
    let report = conformance::run(&mut harness).unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(report.cases.len(), conformance::cases().len());
}
