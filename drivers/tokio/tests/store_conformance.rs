//! The native stores pass the conformance suite: SQLite with two real connections on one real file,
//! closed and opened again where a case says so.

use outbox::{
    ItemId,
    storage::{
        MemoryStore, Scope, Store, StoreId, Write,
        conformance::{self, Harness},
    },
};
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

/// Many inserts go by few statements: that must not be seen, whichever of them is a duplicate.
#[test]
fn a_run_of_inserts_is_as_each_by_itself() {
    let insert = |id: usize| Write::Insert {
        id: ItemId::new(format!("id-{id}")).unwrap(),
        record: format!("{id}").into(),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut sqlite = SqliteStore::open(folder.path().join("outbox.db"), "runs").unwrap();
    let mut memory = MemoryStore::new(StoreId(1));
    let mut fresh = 1000;
    for len in [1, 15, 16, 17, 40] {
        for duplicate in (0..len).map(Some).chain([None]) {
            let mut writes: Vec<Write> = (fresh..fresh + len).map(insert).collect();
            if let Some(at) = duplicate {
                // Of one that is stored, or of its neighbour in the same transaction.
                writes[at] = insert(if at % 2 == 0 { 1000 } else { fresh + at - 1 });
            }
            writes.insert(len % 3, Write::Pause { reason: "another write".into() });
            fresh += len;
            let expected = memory.persist(None, &writes).unwrap();
            assert_eq!(sqlite.persist(None, &writes).unwrap(), expected, "{len} with {duplicate:?}");
        }
    }
    let contents = |store: &mut dyn Store| store.load(None, &Scope::Full).unwrap().contents;
    assert_eq!(contents(&mut sqlite), contents(&mut memory));
}
