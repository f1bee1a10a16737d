//! `Leadership`: who leads (R26): the holder of the lock file, or the only one there can be.

use std::{path::Path, sync::Arc};

use outbox::Input;

use super::Engine;
use crate::lock::{LeaderLock, LockError};

/// This executor's claim to lead. Dropping it releases the lock.
pub(crate) enum Leadership {
    /// It does not lead yet.
    None,
    /// Others may lead; the lock decides.
    Lock(LeaderLock),
    /// Nobody else has the store.
    Alone,
}

impl Leadership {
    /// Queues for the lock, if there is one; its thread says `Elected` when this executor holds it.
    pub(crate) fn start(lock: Option<&Path>, engine: &Arc<Engine>) -> Result<Self, LockError> {
        let Some(path) = lock else { return Ok(Self::Alone) };
        let engine = Arc::downgrade(engine); // the thread may stay behind; see `LeaderLock`
        let elected = move || {
            if let Some(engine) = engine.upgrade() {
                engine.feed(Input::Elected);
            }
        };
        LeaderLock::start(path, elected).map(Self::Lock)
    }

    /// Releases the lock and queues for it again (R27). What it says follows from that at once.
    pub(crate) fn resign(&self) -> Option<Input> {
        match self {
            Self::None => None,
            Self::Lock(lock) => {
                lock.resign();
                None
            }
            Self::Alone => Some(Input::Elected),
        }
    }
}
