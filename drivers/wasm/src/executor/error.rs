//! Why an executor did not start: each error says what, where and what to do, and carries its cause.

use outbox::{ConfigError, MAX_NAME_BYTES, storage::StorageError};
use thiserror::Error;

/// Why an executor did not start. Nothing was sent; what is stored stays stored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is out of its limits (R32).
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The outbox's name is empty or too long.
    #[error("the outbox's name is {len} bytes long; it must be 1 to {MAX_NAME_BYTES} bytes long")]
    Name {
        /// Its length in bytes.
        len: usize,
    },
    /// The storage could not be opened, or failed its first load: its words say why. An app that can do
    /// without it chooses `.memory()`; nothing does so by itself (R1).
    #[error("the stored items could not be loaded: {0}")]
    Load(#[source] StorageError),
}
