//! Why an executor did not start: each error says what, where and what to do, and carries its cause.

use outbox::{ConfigError, MAX_NAME_BYTES, storage::StorageError};
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
