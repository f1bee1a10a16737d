//! `Item`: one stored mutation, and the small types it is made of.

use alloc::{boxed::Box, string::String, sync::Arc};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Visitor};

use crate::{
    error::InputError,
    json::{self, Json},
    keys::Key,
    storage::{Fence, StoreId},
    time::Timestamp,
};

/// The longest [`ItemId`] in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// An item's identity, chosen by the caller (a UUID, say); unique in one store.
///
/// 1 to 256 bytes of text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ItemId(Arc<str>);

impl ItemId {
    /// Takes `id` if it is 1 to 256 bytes long.
    ///
    /// # Errors
    /// [`InputError::Empty`] or [`InputError::TooLong`] (R32).
    pub fn new(id: impl Into<Arc<str>>) -> Result<Self, InputError> {
        let id = id.into();
        InputError::check_text("id", &id, MAX_ID_BYTES)?;
        Ok(Self(id))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn text(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl TryFrom<String> for ItemId {
    type Error = InputError;

    fn try_from(id: String) -> Result<Self, InputError> {
        Self::new(id)
    }
}

impl<'de> Deserialize<'de> for ItemId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = ItemId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<ItemId, E> {
                ItemId::new(id).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(IdVisitor)
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An item's place in the one total order (R3): allocated by storage at commit, from 1, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The fencing token (R27): storage adds one at each takeover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// One dispatch of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The store that the item is in [one that is made anew gives epochs and places again].
    pub store: StoreId,
    /// The epoch of the leader that dispatched it.
    pub epoch: Epoch,
    /// The item's place.
    pub seq: Seq,
    /// The attempt's number, from 1: the item's `retryCount` once claimed.
    pub attempt: u32,
}

impl AttemptId {
    /// The fence of the leader that dispatched it.
    #[must_use]
    pub const fn fence(self) -> Fence {
        Fence { store: self.store, epoch: self.epoch }
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.seq, self.attempt, self.epoch.0)
    }
}

/// How an attempt failed; told by type, never by message text (R12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Class {
    /// No answer came: connect error, broken connection, timeout.
    Transport,
    /// An answer that asks for a retry (408, 425, 429, 5xx), or any error that nobody has branded.
    Server,
    /// The server, or the mutator, refuses it for good.
    NonRetriable,
}

/// The longest stored error name plus message in bytes (R25).
pub const MAX_ERROR_BYTES: usize = 1024;

/// What is kept of an error: name and message, at most 1 KiB together; no stacks, headers, tokens (R25).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SerializedError {
    /// The error's name or type, such as `TimeoutError`.
    pub name: String,
    /// What happened, for people.
    pub message: String,
}

impl SerializedError {
    /// Name and message, cut at a character boundary to 1 KiB together.
    #[must_use]
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        let (mut name, mut message) = (name.into(), message.into());
        cut(&mut name, 128);
        let room = MAX_ERROR_BYTES - name.len();
        cut(&mut message, room);
        Self { name, message }
    }
}

impl fmt::Display for SerializedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

fn cut(text: &mut String, max_bytes: usize) {
    if text.len() > max_bytes {
        let mut end = max_bytes;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

/// One stored mutation.
///
/// Its stored form is the record of [`crate::record`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Chosen by the caller.
    pub id: ItemId,
    /// Its place in the total order; `None` while it is being written.
    #[serde(default)]
    pub seq: Option<Seq>,
    /// The registered mutator.
    pub mutator_name: Arc<str>,
    /// The mutator's arguments.
    pub args: Json,
    /// Its lanes.
    pub key: Key,
    /// The same on every attempt with these args (R21).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Arc<str>>,
    /// When it was enqueued, by the clock of the replica that did.
    pub created_at: Timestamp,
    /// How many attempts were claimed; never falls (R25).
    pub retry_count: u32,
    /// Not sent before this.
    pub next_attempt_at: Timestamp,
    /// A floor that the server set with `Retry-After` (R11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Timestamp>,
    /// How the last attempt with a recorded result failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_class: Option<Class>,
    /// The error of that attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<Box<SerializedError>>,
    /// Anything the app wants to keep with it; an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// Claimed, and no result recorded yet (R25).
    #[serde(default)]
    pub claimed: bool,
    /// Waits for everything before it and holds everything after it (R7).
    #[serde(default)]
    pub barrier: bool,
    /// How often its args were rewritten: the n-th rewrite's idempotency key ends in `.n+1` (R21).
    #[serde(default)]
    pub rewrites: u32,
    /// The record's version; above [`crate::record::VERSION`] it is parked, its bytes untouched (R23).
    pub version: u32,
}

/// A mutation to enqueue: what the app says, before it has a place.
///
/// Make it with [`Registry::draft`](crate::Registry::draft), which derives the key from typed args, or by
/// hand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Draft {
    /// The new item's id; unique in the store.
    pub id: ItemId,
    /// A mutator of [`Config::mutators`](crate::Config::mutators).
    pub mutator_name: String,
    /// Its args.
    pub args: Json,
    /// The key if the call, the mutator or the key extractor gave one; else it is derived from
    /// `args.id`, `args.ids`, else `unknown` (R7).
    pub key: Option<Key>,
    /// The idempotency key if the call gave one (R21); else made if the mutator asks for one.
    pub idempotency_key: Option<String>,
    /// An object to keep with the item.
    pub metadata: Option<Json>,
}

impl Draft {
    /// A draft with nothing but the necessary.
    #[must_use]
    pub fn new(id: ItemId, mutator_name: impl Into<String>, args: Json) -> Self {
        Self { id, mutator_name: mutator_name.into(), args, key: None, idempotency_key: None, metadata: None }
    }

    /// The same with a key given by the call.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }
}

/// An item's end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The server has it.
    Committed {
        /// What the mutator returned; `None` if it returned nothing, or the value was over 64 KiB or is
        /// not known in this replica (R29).
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::that_is_there")]
        result: Option<Json>,
    },
    /// Refused for good (R15, R16); a failure record keeps it until the app dismisses it.
    Dropped {
        /// Why.
        error: SerializedError,
    },
    /// Taken out by [`Input::Remove`](crate::Input::Remove) or by the hook.
    Removed,
    /// Squashed by the hook: the survivor's outcome is this item's outcome (R17).
    Squashed {
        /// The survivor.
        into: ItemId,
    },
    /// It is no longer stored and left no failure record: committed or removed, unknown here (R29).
    Gone,
}

/// What an app sees of an item that was refused for good (R15). Kept until dismissed, across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureRecord {
    /// When it was dropped.
    pub failed_at: Timestamp,
    /// Why.
    pub error: SerializedError,
    /// The item as it was.
    pub item: Item,
}
