//! `Leadership`: who leads (R26): the holder of the lock file, or the only one there can be.

use std::path::PathBuf;

use outbox::Input;
use tokio::sync::mpsc::UnboundedSender;

use crate::lock::{LeaderLock, LockError};

/// This executor's claim to lead. Dropping it releases the lock.
pub(crate) enum Leadership {
    /// Others may lead; the lock decides.
    Lock(LeaderLock),
    /// Nobody else has the store.
    Alone(UnboundedSender<Input>),
}

impl Leadership {
    /// Queues for the lock; says `Elected` when this executor holds it.
    pub(crate) fn start(lock: Option<PathBuf>, inbox: UnboundedSender<Input>) -> Result<Self, LockError> {
        if let Some(path) = lock {
            return LeaderLock::start(&path, move || drop(inbox.send(Input::Elected))).map(Self::Lock);
        }
        let _ = inbox.send(Input::Elected); // the run loop that reads it is being built
        Ok(Self::Alone(inbox))
    }

    /// Releases the lock and queues for it again (R27).
    pub(crate) fn resign(&self) {
        match self {
            Self::Lock(lock) => lock.resign(),
            Self::Alone(inbox) => drop(inbox.send(Input::Elected)),
        }
    }
}
