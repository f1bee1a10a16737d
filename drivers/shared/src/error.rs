//! Errors of an app's calls: each says what, where and what to do, and carries its cause.

use outbox::{InputError, ItemId};
use thiserror::Error;

/// Why a call to a running executor failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// The call was refused, or the store failed; its words say whether anything was stored.
    #[error(transparent)]
    Call(#[from] outbox::CallError),
    /// The executor was shut down, or its runtime or page was, before the call was answered. An enqueue may
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
    #[error("the executor stopped before `{id}` was settled; what is still stored, the next one sends")]
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
