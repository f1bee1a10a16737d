//! What goes wrong with real files: each fault is a typed error that says where and what to do, nothing
//! that was acknowledged is lost, and the store works again when the fault is gone.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use outbox::{
    ItemId, Outcome, Seq,
    storage::{Committed, Contents, Row, Scope, StorageError, Store, Write, WriteResult},
};
use outbox_tokio::store::{OpenError, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

/// Short: these tests wait it out.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);

struct Fixture {
    _folder: TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.db");
        Self { path, _folder: folder }
    }

    /// A store with one item.
    fn with_item() -> Self {
        let fixture = Self::new();
        fixture.open().unwrap().persist(None, &[insert("a", "A")]).unwrap();
        fixture
    }

    fn open(&self) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_with(&self.path, "faults", BUSY_TIMEOUT)
    }

    fn plain(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    /// The error of opening; the file's bytes are as they were, and its message names the file.
    fn refused(&self) -> OpenError {
        let before = fs::read(&self.path).unwrap();
        let error = self.open().expect_err("it must be refused");
        assert!(error.to_string().contains(&*self.path.to_string_lossy()), "it says where: {error}");
        assert_eq!(fs::read(&self.path).unwrap(), before, "the file is as it was");
        error
    }
}

fn insert(id: &str, record: &str) -> Write {
    Write::Insert { id: ItemId::new(id).unwrap(), record: record.into() }
}

fn delete(seq: u64) -> Write {
    Write::Delete { seq: Seq(seq), outcome: Outcome::Removed }
}

fn rows(store: &mut SqliteStore) -> Vec<(u64, Vec<u8>)> {
    match store.load(None, &Scope::Full).unwrap().contents {
        Contents::Full { rows, .. } => {
            rows.into_iter().map(|Row { seq, record }| (seq.0, record.into_bytes())).collect()
        }
        Contents::Part { .. } => panic!("a full load is full"),
    }
}

/// The store holds item `a` at #1, takes another and gives it back.
fn assert_works(store: &mut SqliteStore) {
    assert_eq!(rows(store)[0], (1, b"A".to_vec()), "nothing was lost");
    let Committed { results, .. } = store.persist(None, &[insert("again", "again")]).unwrap();
    let [WriteResult::Inserted(seq)] = results[..] else { panic!("{results:?}") };
    assert_eq!(store.persist(None, &[delete(seq.0)]).unwrap().results, [WriteResult::Done]);
}

fn unavailable(result: Result<Committed, StorageError>) -> String {
    match result {
        Err(StorageError::Unavailable { cause }) => cause,
        other => panic!("expected `Unavailable`, got {other:?}"),
    }
}

#[test]
fn random_bytes_are_not_a_database() {
    let fixture = Fixture::new();
    let noise: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&fixture.path, noise).unwrap();
    let error = fixture.refused();
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    assert!(error.source().is_some(), "with its cause");
}

#[test]
fn a_truncated_file_is_corrupt() {
    let fixture = Fixture::with_item();
    let whole = fs::read(&fixture.path).unwrap();
    fs::write(&fixture.path, &whole[..whole.len() / 2]).unwrap();
    let error = fixture.refused();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    fs::write(&fixture.path, whole).unwrap();
    assert_works(&mut fixture.open().unwrap());
}

#[test]
fn damage_inside_is_an_error_and_not_a_panic() {
    let fixture = Fixture::with_item();
    let whole = fs::read(&fixture.path).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0xa5); // every page but the schema's
    fs::write(&fixture.path, damaged).unwrap();
    match fixture.open() {
        Err(error) => assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}"),
        Ok(mut store) => assert!(unavailable(store.persist(None, &[insert("b", "B")])).contains("malformed")),
    }
    fs::write(&fixture.path, whole).unwrap();
    assert_works(&mut fixture.open().unwrap());
}

#[test]
fn a_file_of_another_program_is_foreign() {
    let fixture = Fixture::new();
    fixture.plain().execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (7)").unwrap();
    let error = fixture.refused();
    assert!(matches!(error, OpenError::Foreign { application_id: 0, .. }), "{error:?}");
    fixture.plain().pragma_update(None, "application_id", 0x1234).unwrap();
    let error = fixture.refused();
    assert!(matches!(error, OpenError::Foreign { application_id: 0x1234, .. }), "{error:?}");
    let theirs: i64 = fixture.plain().query_row("SELECT x FROM theirs", [], |row| row.get(0)).unwrap();
    assert_eq!(theirs, 7);
}

#[test]
fn a_newer_schema_is_refused() {
    let fixture = Fixture::with_item();
    fixture.plain().pragma_update(None, "user_version", 9).unwrap();
    let error = fixture.refused();
    assert!(matches!(error, OpenError::NewerSchema { found: 9, known: 1, .. }), "{error:?}");
    fixture.plain().pragma_update(None, "user_version", 1).unwrap();
    assert_works(&mut fixture.open().unwrap());
}

#[test]
fn a_missing_table_is_corrupt() {
    let fixture = Fixture::with_item();
    fixture.plain().execute_batch("DROP TABLE meta").unwrap();
    let error = fixture.refused();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

/// R20: one user's items are never sent as another's.
#[test]
fn a_file_of_another_name_is_refused() {
    let fixture = Fixture::with_item();
    let error = SqliteStore::open(&fixture.path, "bob").unwrap_err();
    let OpenError::OtherName { found, wanted, .. } = &error else { panic!("{error:?}") };
    assert_eq!((&**found, &**wanted), ("faults", "bob"));
    assert_works(&mut fixture.open().unwrap());
    for name in ["", &"x".repeat(257)] {
        let error = SqliteStore::open(&fixture.path, name).unwrap_err();
        assert!(matches!(error, OpenError::Name { len } if len == name.len()), "{error:?}");
    }
}

#[test]
fn a_missing_folder_and_a_path_without_a_log_are_typed() {
    let fixture = Fixture::new();
    let error = SqliteStore::open(fixture.path.join("deeper"), "faults").unwrap_err();
    assert!(matches!(error, OpenError::NoFolder { .. }), "{error:?}");
    let error = SqliteStore::open(":memory:", "faults").unwrap_err();
    assert!(matches!(&error, OpenError::NoWal { mode, .. } if mode == "memory"), "{error:?}");
    let error = SqliteStore::open(fixture.path.parent().unwrap(), "faults").unwrap_err();
    assert!(matches!(error, OpenError::Failed { .. }), "a folder is no file: {error:?}");
}

#[test]
fn a_read_only_folder_is_typed() {
    let fixture = Fixture::with_item();
    let folder = fixture.path.parent().unwrap();
    let Some(read_only) = ReadOnly::make(folder) else { return };
    let error = fixture.refused();
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
    let error = SqliteStore::open(folder.join("new.db"), "faults").unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
    drop(read_only);
    assert_works(&mut fixture.open().unwrap());
}

#[test]
fn a_file_that_is_locked_is_unavailable_until_it_is_not() {
    let fixture = Fixture::with_item();
    let mut store = fixture.open().unwrap();
    let other = fixture.plain();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(unavailable(store.persist(None, &[insert("b", "B")])).contains("locked"));
    assert_eq!(rows(&mut store).len(), 1, "readers do not wait for a writer");
    assert!(matches!(store.acquire(), Err(StorageError::Unavailable { .. })));
    other.execute_batch("ROLLBACK").unwrap();
    assert_works(&mut store);
}

#[test]
fn a_file_that_is_deleted_or_replaced_while_it_is_open_takes_nothing_more() {
    let deleted = |path: &Path| fs::remove_file(path).unwrap();
    let replaced = |path: &Path| {
        fs::rename(path, path.with_extension("old")).unwrap();
        fs::write(path, "another").unwrap();
    };
    for happens in [deleted as fn(&Path), replaced] {
        let fixture = Fixture::with_item();
        let mut store = fixture.open().unwrap();
        happens(&fixture.path);
        let said = unavailable(store.persist(None, &[insert("b", "B")]));
        assert!(said.contains("deleted or replaced"), "{said}");
        assert!(said.contains(&*fixture.path.to_string_lossy()), "it says where: {said}");
        assert!(store.load(None, &Scope::Full).is_err(), "nor is what was there taken for what is");
    }
}

#[test]
fn a_file_that_is_locked_whole_cannot_be_opened() {
    let fixture = Fixture::with_item();
    let other = fixture.plain();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM pauses; COMMIT")
        .unwrap();
    let error = fixture.refused();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    drop(other);
    assert_works(&mut fixture.open().unwrap());
}

/// R5: what frees space is not blocked by the lack of it.
#[test]
fn a_disk_that_is_full_drains() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Mount::tmpfs(folder.path(), "12m") else { return };
    let mut store = SqliteStore::open(folder.path().join("outbox.db"), "faults").unwrap();
    store.persist(None, &[insert("a", "A")]).unwrap();
    for round in 0..3 {
        let kept = fill(&mut store, &format!("r{round}-"));
        assert!(kept.len() > 100, "there was room for {}", kept.len());
        let stored: Vec<u64> = rows(&mut store).into_iter().map(|row| row.0).collect();
        assert_eq!(stored[1..], kept, "nothing was lost, and nothing is there that was refused");
        for seq in &kept {
            let committed = store.persist(None, &[delete(*seq)]).unwrap();
            assert_eq!(committed.results, [WriteResult::Done], "a full disk drains");
        }
        assert_works(&mut store);
    }
    drop(store);
    assert_works(&mut SqliteStore::open(folder.path().join("outbox.db"), "faults").unwrap());
}

#[test]
fn a_disk_that_others_fill_is_full_until_they_leave() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Mount::tmpfs(folder.path(), "12m") else { return };
    let mut store = SqliteStore::open(folder.path().join("outbox.db"), "faults").unwrap();
    store.persist(None, &[insert("a", "A")]).unwrap();
    let filler = folder.path().join("filler");
    fs::write(&filler, vec![0; 16 << 20]).expect_err("the disk is smaller");
    let kept = fill(&mut store, "i");
    assert_eq!(rows(&mut store).len(), 1 + kept.len());
    let bury = Write::Bury { seq: Seq(1), id: ItemId::new("a").unwrap(), failure: "F".into() };
    store.persist(None, &[bury]).expect("bookkeeping goes on");
    let retry = Write::RetryFailure {
        failure: ItemId::new("a").unwrap(),
        id: ItemId::new("a").unwrap(),
        record: "A".into(),
    };
    assert_eq!(store.persist(None, std::slice::from_ref(&retry)), Err(StorageError::Full));
    fs::remove_file(&filler).unwrap();
    assert_eq!(store.persist(None, &[retry]).unwrap().results.len(), 1, "there is room again");
}

/// Inserts until the disk is full; returns the places of what was stored.
fn fill(store: &mut SqliteStore, prefix: &str) -> Vec<u64> {
    let record = "x".repeat(20_000);
    let mut kept = Vec::new();
    for n in 0..2000 {
        match store.persist(None, &[insert(&format!("{prefix}{n}"), &record)]) {
            Ok(Committed { results, .. }) => match results[..] {
                [WriteResult::Inserted(Seq(seq))] => kept.push(seq),
                _ => panic!("{results:?}"),
            },
            Err(error) => {
                assert_eq!(error, StorageError::Full);
                return kept;
            }
        }
    }
    panic!("a disk of a few MiB must fill up");
}

#[test]
fn a_disk_without_room_for_a_store_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Mount::tmpfs(folder.path(), "8k") else { return };
    let error = SqliteStore::open(folder.path().join("outbox.db"), "faults").unwrap_err();
    assert!(matches!(error, OpenError::Full { .. }), "{error:?}");
}

/// R24: damage that the schema forbids, done behind its back, comes out as bytes.
#[test]
fn damaged_records_are_delivered_as_bytes() {
    let fixture = Fixture::with_item();
    let plain = fixture.plain();
    plain.execute("INSERT INTO items (id, record) VALUES ('utf8', CAST(x'ff00fe' AS TEXT))", []).unwrap();
    plain.execute_batch("PRAGMA writable_schema = ON").unwrap();
    let strictness = |from: &str, to: &str| {
        let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'items'";
        assert_eq!(plain.execute(sql, [from, to]).unwrap(), 1);
        plain.pragma_update(None, "schema_version", 1000 + to.len() as i64).unwrap();
    };
    strictness(") STRICT", ")");
    let lax = fixture.plain();
    lax.execute("INSERT INTO items (id, record) VALUES ('blob', x'0102')", []).unwrap();
    drop(lax);
    strictness("JSON\n)", "JSON\n) STRICT");
    drop(plain);
    let expected = [(1, b"A".to_vec()), (2, vec![0xff, 0, 0xfe]), (3, vec![1, 2])];
    let mut store = fixture.open().unwrap();
    assert_eq!(rows(&mut store), expected);
    let remove = Write::Remove { id: ItemId::new("blob").unwrap() };
    assert_eq!(store.persist(None, &[remove]).unwrap().results, [WriteResult::Done]);
    assert_works(&mut store);
}

#[test]
fn others_can_read_it_with_plain_sql() {
    let fixture = Fixture::with_item();
    let mut store = fixture.open().unwrap();
    let bury = Write::Bury { seq: Seq(2), id: ItemId::new("b").unwrap(), failure: "F".into() };
    store.persist(None, &[insert("b", "B"), bury, Write::Pause { reason: "auth".into() }]).unwrap();
    store.persist(None, &[insert("c", "C"), delete(3)]).unwrap();
    let plain = fixture.plain();
    let text = |sql: &str| -> String { plain.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(text("SELECT group_concat(seq || id || record) FROM items"), "1aA");
    assert_eq!(text("SELECT group_concat(id || record) FROM failures"), "bF");
    assert_eq!(text("SELECT group_concat(reason) FROM pauses"), "auth");
    assert_eq!(text("SELECT name || ' ' || epoch FROM meta"), "faults 0");
    assert_eq!(
        text("SELECT group_concat(name || ' ' || seq) FROM sqlite_sequence ORDER BY name"),
        "change 3,items 3"
    );
    assert_eq!(text("SELECT outcome FROM changes WHERE what = 'gone' AND seq = 3"), "\"removed\"");
    assert_eq!(text("PRAGMA journal_mode"), "wal");
    assert_eq!(text("PRAGMA integrity_check"), "ok");
}

#[test]
fn another_connection_s_commit_is_noticed_once() {
    let fixture = Fixture::with_item();
    let (mut here, mut there) = (fixture.open().unwrap(), fixture.open().unwrap());
    assert!(!here.changed_elsewhere().unwrap());
    here.persist(None, &[insert("mine", "")]).unwrap();
    assert!(!here.changed_elsewhere().unwrap(), "its own commit is not news");
    there.persist(None, &[insert("theirs", "")]).unwrap();
    assert!(here.changed_elsewhere().unwrap());
    assert!(!here.changed_elsewhere().unwrap());
}

/// The change log is bounded, by count and by bytes, and says so when it was cut.
#[test]
fn the_change_log_is_bounded() {
    let fixture = Fixture::with_item();
    let mut store = fixture.open().unwrap();
    let put = |n: usize| Write::Put { seq: Seq(1), record: if n == 0 { "A" } else { "B" }.into() };
    for _ in 0..30 {
        let writes: Vec<Write> = (0..200).rev().map(put).collect();
        store.persist(None, &writes).unwrap();
    }
    let entries: i64 =
        fixture.plain().query_row("SELECT count(*) FROM changes", [], |row| row.get(0)).unwrap();
    assert_eq!(entries, 4096);
    let contents = |store: &mut SqliteStore, change| {
        store.load(None, &Scope::Since { change, through: Seq(1) }).unwrap().contents
    };
    assert!(matches!(contents(&mut store, 5), Contents::Full { .. }), "the log does not reach back");
    assert!(matches!(contents(&mut store, 20), Contents::Part { rows, .. } if rows.len() == 1));
    let result = outbox::Json::from_text(&format!("\"{}\"", "x".repeat(64 << 10))).unwrap();
    for n in 0..80 {
        let outcome = Outcome::Committed { result: Some(result.clone()) };
        store
            .persist(None, &[insert(&format!("i{n}"), ""), Write::Delete { seq: Seq(n + 2), outcome }])
            .unwrap();
    }
    let sql = "SELECT sum(length(outcome)) FROM changes";
    let bytes: i64 = fixture.plain().query_row(sql, [], |row| row.get(0)).unwrap();
    assert!((3 << 20..=5 << 20).contains(&bytes), "{bytes} bytes of outcomes");
}

/// Which of them makes the file is left to chance; all of them open the same store.
#[test]
fn many_open_a_new_file_at_once() {
    for _ in 0..10 {
        let fixture = Fixture::new();
        let (start, path) = (Arc::new(Barrier::new(6)), &fixture.path);
        let ids: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|_| {
                    let start = Arc::clone(&start);
                    scope.spawn(move || {
                        start.wait();
                        let mut store = SqliteStore::open(path, "faults").unwrap();
                        store.load(None, &Scope::Full).unwrap().store
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

/// A mount, for as long as it lives. Needs root; without it, tests that need one say so and pass.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn tmpfs(folder: &'a Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], folder).then_some(Self(folder))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[expect(clippy::print_stderr, reason = "a test that could not run must say so")]
fn mount(arguments: &[&str], folder: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(folder).output();
    let mounted = output.is_ok_and(|output| output.status.success());
    if !mounted {
        eprintln!("SKIPPED: cannot mount {arguments:?} here; run as root on Linux");
    }
    mounted
}

/// Makes a folder read-only, by its permissions or, for root, whom they do not bind, by a read-only mount.
enum ReadOnly<'a> {
    Permissions(&'a Path, fs::Permissions),
    Mount { _mount: Mount<'a> },
}

impl<'a> ReadOnly<'a> {
    fn make(folder: &'a Path) -> Option<Self> {
        let before = fs::metadata(folder).unwrap().permissions();
        let mut read_only = before.clone();
        read_only.set_readonly(true);
        fs::set_permissions(folder, read_only).unwrap();
        let probe = folder.join("probe");
        if fs::write(&probe, "").is_err() {
            return Some(Self::Permissions(folder, before));
        }
        fs::set_permissions(folder, before).unwrap();
        fs::remove_file(probe).unwrap();
        if !mount(&["--bind", &folder.to_string_lossy()], folder) {
            return None;
        }
        let bound = Mount(folder);
        mount(&["-o", "remount,bind,ro"], folder).then_some(Self::Mount { _mount: bound })
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        if let Self::Permissions(folder, before) = self {
            let _ = fs::set_permissions(folder, before.clone());
        }
    }
}
