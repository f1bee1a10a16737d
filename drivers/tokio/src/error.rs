//! Errors of the executor: each says what, where and what to do, and carries its cause.

use outbox::{ConfigError, InputError, ItemId, MAX_NAME_BYTES, storage::StorageError};
use thiserror::Error;

use crate::{lock::LockError, store::OpenError};

/// Why an executor did not start. Nothing was sent; what is stored stays stored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// No store was chosen. Memory counts as storage only when the app says so (R1).
    #[error(
        "no store was chosen; call `.sqlite(path)`, or `.memory()` if nothing needs to outlive the process"
    )]
    NoStore,
    /// The configuration is out of its limits (R32).
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The outbox's name is empty or too long.
    #[error("the outbox's name is {len} bytes long; it must be 1 to {MAX_NAME_BYTES} bytes long")]
    Name {
        /// Its length in bytes.
        len: usize,
    },
    /// The store could not be opened.
    #[error("the store could not be opened: {0}")]
    Open(#[from] OpenError),
    /// The lock file beside the database could not be opened (R26).
    #[error("the leader's lock could not be set up: {0}")]
    Lock(#[from] LockError),
    /// The store opened, and then failed its first load.
    #[error("the stored items could not be loaded: {0}")]
    Load(#[source] StorageError),
    /// The operating system gave no thread for the store.
    #[error("no thread could be started for the store: {0}")]
    Thread(#[source] std::io::Error),
}

/// Why a call to a running executor failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// The call was refused, or the store failed; its words say whether anything was stored.
    #[error(transparent)]
    Call(#[from] outbox::CallError),
    /// The executor was shut down, or its runtime was, before the call was answered. An enqueue may
    /// have been stored: repeat it with the same id, and [`outbox::CallError::Duplicate`] tells.
    #[error(
        "the executor has stopped; start a new one on the same store and repeat the call with the same id"
    )]
    Stopped,
}

impl From<InputError> for ExecutorError {
    fn from(error: InputError) -> Self {
        Self::Call(error.into())
    }
}

/// Why a [`Handle`](crate::Handle) cannot say how its item ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The executor stopped first. The item is still stored, unless it was settled meanwhile.
    #[error("the executor stopped before `{id}` was settled; ask a new one with `executor.handle(id)`")]
    Stopped {
        /// The item.
        id: ItemId,
    },
    /// The item is committed, but what its mutator returned is no value of the awaited type.
    #[error("`{id}` is committed, but its result is not of the awaited type: {source}")]
    Result {
        /// The item.
        id: ItemId,
        /// What serde says.
        source: serde_json::Error,
    },
}
