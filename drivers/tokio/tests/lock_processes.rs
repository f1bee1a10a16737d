//! R26: one leader between processes and within one; the next leads the moment the lock is free, also
//! when its holder was killed.

use std::{
    env,
    fs::{self, File},
    io::{self, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use outbox_tokio::lock::{LeaderLock, LockError};

/// Far more than an election takes, also on a machine that is busy.
const SOON: Duration = Duration::from_secs(20);
/// The promise.
const FAILOVER_MAX: Duration = Duration::from_secs(1);
/// Names the folder to a child process; see `holder`.
const FOLDER: &str = "OUTBOX_LOCK_TEST_FOLDER";

fn start(path: &Path) -> (LeaderLock, Receiver<()>) {
    let (tell, elected) = mpsc::channel();
    let lock =
        LeaderLock::start(path, move || tell.send(()).unwrap_or_default()).expect("the folder is writable");
    (lock, elected)
}

#[test]
fn two_locks_in_one_process_exclude_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.lock");
    let (first, first_elected) = start(&path);
    first_elected.recv_timeout(SOON).unwrap();
    let (_second, second_elected) = start(&path);
    assert!(second_elected.recv_timeout(Duration::from_millis(200)).is_err(), "the first one holds it");
    drop(first);
    second_elected.recv_timeout(SOON).unwrap();
}

#[test]
fn one_who_resigns_queues_behind_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.lock");
    let (first, first_elected) = start(&path);
    first_elected.recv_timeout(SOON).unwrap();
    let (second, second_elected) = start(&path);
    thread::sleep(Duration::from_millis(50)); // the second one's thread waits in the system's queue
    first.resign();
    second_elected.recv_timeout(SOON).unwrap();
    assert!(first_elected.recv_timeout(Duration::from_millis(300)).is_err(), "the second one holds it");
    second.resign();
    first_elected.recv_timeout(SOON).unwrap();
    second.resign(); // it does not hold it: nothing happens
    assert!(second_elected.recv_timeout(Duration::from_millis(300)).is_err());
}

#[test]
fn one_who_resigns_alone_is_elected_again() {
    let folder = tempfile::tempdir().unwrap();
    let (lock, elected) = start(&folder.path().join("outbox.lock"));
    for _ in 0..3 {
        elected.recv_timeout(SOON).unwrap();
        lock.resign();
    }
}

#[test]
fn dropping_one_that_waits_does_not_hang_and_leaves_the_lock_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.lock");
    let (holder, holder_elected) = start(&path);
    holder_elected.recv_timeout(SOON).unwrap();
    let (waiting, waiting_elected) = start(&path);
    let began = Instant::now();
    drop(waiting);
    assert!(began.elapsed() < FAILOVER_MAX, "dropping does not wait for the lock");
    drop(holder);
    let (_next, next_elected) = start(&path);
    next_elected.recv_timeout(SOON).unwrap();
    assert!(waiting_elected.try_recv().is_err(), "who has left the queue is not elected");
}

#[test]
fn a_missing_folder_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("outbox.lock");
    let error = LeaderLock::start(&path, || ()).unwrap_err();
    assert!(matches!(&error, LockError::Open { source, .. } if source.kind() == io::ErrorKind::NotFound));
    assert!(error.to_string().contains("missing"), "it says where: {error}");
}

#[test]
fn the_next_process_leads_within_a_second_of_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = spawn(folder.path());
    wait_for(&folder.path().join(first.id().to_string()));
    let (_here, elected) = start(&folder.path().join("outbox.lock"));
    let mut second = spawn(folder.path());
    assert!(elected.recv_timeout(Duration::from_millis(200)).is_err(), "the first process holds it");
    let killed = Instant::now();
    first.kill().unwrap(); // SIGKILL: no destructor runs
    let second_leads = folder.path().join(second.id().to_string());
    while elected.try_recv().is_err() && !second_leads.exists() {
        assert!(killed.elapsed() < FAILOVER_MAX, "nobody leads");
        thread::sleep(Duration::from_millis(1));
    }
    first.wait().unwrap();
    second.kill().unwrap();
    second.wait().unwrap();
}

/// Not a test: what the test above runs in processes of their own. Holds the lock until killed, or until
/// the process that started it is gone.
#[test]
#[ignore = "the child process of another test"]
fn holder() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let (_lock, elected) = start(&Path::new(&folder).join("outbox.lock"));
    thread::spawn(move || {
        elected.recv().unwrap();
        File::create(Path::new(&folder).join(std::process::id().to_string())).unwrap();
    });
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

fn spawn(folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "holder", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for(file: &Path) {
    let deadline = Instant::now() + SOON;
    while fs::metadata(file).is_err() {
        assert!(Instant::now() < deadline, "{} was never made", file.display());
        thread::sleep(Duration::from_millis(1));
    }
}
