//! Errors: each says what, where and what to do, and who is to blame (caller, storage).

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{item::ItemId, storage::StorageError};

/// Bad input, refused before anything happened (R32). The caller is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum InputError {
    /// Text that is not JSON, or a value that JSON cannot carry.
    #[error("not JSON: {cause}")]
    NotJson {
        /// What is wrong, with line and column.
        cause: String,
    },
    /// A text that must not be empty is.
    #[error("`{field}` is empty; it needs at least one character")]
    Empty {
        /// The field.
        field: String,
    },
    /// A text or a list is longer than its limit.
    #[error("`{field}` is {len} {unit} long; the limit is {max}")]
    TooLong {
        /// The field.
        field: String,
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
        /// What is counted: `bytes`, `keys`.
        unit: String,
    },
    /// A field has the wrong JSON type.
    #[error("`{field}` must be {expected}")]
    WrongType {
        /// The field.
        field: String,
        /// What is wanted.
        expected: String,
    },
    /// The mutator is not registered in this replica.
    #[error("no mutator is registered as `{name}`; register it before the outbox starts")]
    UnknownMutator {
        /// The name asked for.
        name: String,
    },
}

impl InputError {
    #[expect(clippy::needless_pass_by_value, reason = "used as a map_err argument")]
    pub(crate) fn not_json(cause: impl ToString) -> Self {
        Self::NotJson { cause: cause.to_string() }
    }

    pub(crate) fn check_text(field: &str, text: &str, max_bytes: usize) -> Result<(), Self> {
        if text.is_empty() {
            return Err(Self::Empty { field: field.into() });
        }
        Self::check_len(field, text.len(), max_bytes, "bytes")
    }

    pub(crate) fn check_len(field: &str, len: usize, max: usize, unit: &str) -> Result<(), Self> {
        if len > max {
            return Err(Self::TooLong { field: field.into(), len, max, unit: unit.into() });
        }
        Ok(())
    }
}

/// A [`Config`](crate::Config) that cannot be used (R32).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[error("config: `{field}` is {value}; it must be {expected}")]
pub struct ConfigError {
    /// The field, with its path.
    pub field: String,
    /// What it is.
    pub value: String,
    /// What it must be.
    pub expected: String,
}

/// Why a call (enqueue, remove, retry, dismiss, pause, resume) failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum CallError {
    /// The input was refused; nothing happened.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The mutator's configuration was refused; nothing happened (R32).
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An item with this id is stored already; nothing happened (R32).
    #[error("an item with the id `{id}` is in the outbox already; ids must be unique")]
    Duplicate {
        /// The id.
        id: ItemId,
    },
    /// The store refused or failed; see its words for whether anything was written.
    #[error("the outbox's store failed: {0}")]
    Storage(#[from] StorageError),
}

/// Why the answer of `beforeRetry` was not accepted (R17). The hook is asked again, with backoff.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum HookError {
    /// The hook threw.
    #[error("beforeRetry threw: {message}")]
    Threw {
        /// What it threw.
        message: String,
    },
    /// The hook did not answer within its limit of 10 s.
    #[error("beforeRetry did not answer within {limit_ms} ms")]
    Late {
        /// The limit.
        limit_ms: u64,
    },
    /// The answer names an item that was not asked about, or the same one twice.
    #[error("beforeRetry answered `{id}`, which it was not asked about, or twice; new ids are not allowed")]
    NotAsked {
        /// The item's id.
        id: ItemId,
    },
    /// The answer changes what may not change.
    #[error("beforeRetry changed `{field}` of `{id}`; only args, key and metadata may change")]
    Immutable {
        /// The item.
        id: ItemId,
        /// The field.
        field: String,
    },
    /// An item is squashed into one that does not stay.
    #[error("beforeRetry squashed `{id}` into `{into}`, which is not in its answer")]
    SquashTarget {
        /// The squashed item.
        id: ItemId,
        /// The would-be survivor.
        into: ItemId,
    },
    /// New args, key or metadata are bad input.
    #[error("beforeRetry rewrote `{id}`: {cause}")]
    Input {
        /// The item.
        id: ItemId,
        /// Why.
        cause: InputError,
    },
}
