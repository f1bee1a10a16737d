//! `LeaderLock`: leadership between processes (R26), by a lock on a file that the system takes back when
//! its holder dies, however it dies.
//!
//! The lock gives liveness. Safety is the fence's (R27): where the lock fails to exclude (a network
//! file system, a lock file that somebody deleted), two leaders cost time and no correctness.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use thiserror::Error;

/// How long one who resigned keeps out of the queue. The system does not promise that the lock goes to
/// the one who waits longest; without this the one who resigned could win it straight back.
const RESIGNED_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait before trying again when the system refuses to lock (its lock table is full, say).
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// A place in the queue for the leader's lock, and the lock once it is won.
///
/// Dropping it leaves the queue and releases the lock before `drop` returns. The system's wait for a
/// lock cannot be interrupted, so a thread that waits in vain stays behind until the holder lets go; it
/// then releases the lock at once and ends. It does not keep the process alive, and there is at most
/// one for each `LeaderLock`.
#[derive(Debug)]
pub struct LeaderLock {
    shared: Arc<Shared>,
}

/// Why there can be no lock.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// The lock file cannot be made or opened.
    #[error("{}: the lock file cannot be opened; its folder must be there and writable", path.display())]
    Open {
        /// The lock file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The file system cannot lock.
    #[error("{}: cannot be locked; put it on a local disk", path.display())]
    Unsupported {
        /// The lock file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The thread that waits for the lock cannot be started.
    #[error("the thread that waits for the leader's lock cannot be started")]
    Thread(#[source] io::Error),
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when `state` is no longer `Held`, or is `Closed`.
    left: Condvar,
}

#[derive(Debug)]
enum State {
    Queued,
    /// Closing the file releases the lock.
    Held(#[expect(dead_code, reason = "holding it is its use")] File),
    Closed,
}

impl LeaderLock {
    /// Queues for the lock on the file at `path`, which is made if it is not there and never deleted.
    ///
    /// `elected` is called from a thread of its own each time the lock is won; it must not block.
    ///
    /// # Errors
    /// [`LockError`] if the file cannot be opened or locked at all. What goes wrong later is tried again.
    pub fn start(path: &Path, elected: impl Fn() + Send + 'static) -> Result<Self, LockError> {
        let file = open(path).map_err(|source| LockError::Open { path: path.into(), source })?;
        let held = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(source)) => {
                return Err(LockError::Unsupported { path: path.into(), source });
            }
        };
        let shared = Arc::new(Shared { state: Mutex::new(State::Queued), left: Condvar::new() });
        let (path, in_thread) = (path.to_owned(), Arc::clone(&shared));
        let thread = thread::Builder::new().name("outbox-lock".into());
        let first = if held { First::Locked(file) } else { First::Open(file) };
        thread.spawn(move || in_thread.run(&path, first, elected)).map_err(LockError::Thread)?;
        Ok(Self { shared })
    }

    /// Releases the lock and queues for it again (R27), behind those who wait already. Does nothing
    /// while the lock is not held.
    pub fn resign(&self) {
        let mut state = self.shared.state();
        if matches!(*state, State::Held(_)) {
            *state = State::Queued;
            self.shared.left.notify_all();
        }
    }
}

impl Drop for LeaderLock {
    fn drop(&mut self) {
        *self.shared.state() = State::Closed;
        self.shared.left.notify_all();
    }
}

/// What `start` has found out about the lock file.
enum First {
    Open(File),
    Locked(File),
}

impl Shared {
    /// The thread: waits for the lock, tells, waits until it is given up; until closed.
    fn run(&self, path: &Path, first: First, elected: impl Fn()) {
        let mut file = match first {
            First::Open(file) => wait(file),
            First::Locked(file) => Ok(file),
        };
        loop {
            let pause = match file {
                Ok(file) => {
                    if !self.hold(file) {
                        return;
                    }
                    elected();
                    self.wait_until_left();
                    RESIGNED_PAUSE
                }
                Err(_) => REFUSED_PAUSE, // liveness only: trying again is all there is to do
            };
            if self.closed_within(pause) {
                return;
            }
            file = open(path).and_then(wait);
        }
    }

    /// Whether the lock is wanted still; if not, it is released here.
    fn hold(&self, file: File) -> bool {
        let mut state = self.state();
        let wanted = matches!(*state, State::Queued);
        if wanted {
            *state = State::Held(file);
        }
        wanted
    }

    fn wait_until_left(&self) {
        let held = |state: &mut State| matches!(state, State::Held(_));
        drop(self.left.wait_while(self.state(), held).unwrap_or_else(PoisonError::into_inner));
    }

    fn closed_within(&self, pause: Duration) -> bool {
        let open = |state: &mut State| !matches!(state, State::Closed);
        let waited = self.left.wait_timeout_while(self.state(), pause, open);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Closed)
    }

    /// No code panics while it holds this mutex, and each state is complete in itself.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

/// Blocks until the lock is won.
fn wait(file: File) -> io::Result<File> {
    loop {
        match file.lock() {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
