//! The storage contract (DESIGN §5): what the core asks of a store, as plain messages.
//!
//! A store is a table of items in `seq` order, a table of failure records, a set of pause reasons, and
//! four numbers: store id, epoch, change counter, highest seq ever allocated. One request is in flight
//! per replica (R4); each is one atomic transaction, and requests of one replica run in the order they
//! were asked. [`conformance`] runs every clause against a store.
//!
//! | request | does | answered by |
//! |---|---|---|
//! | [`Effect::Acquire`](crate::Effect::Acquire) | epoch + 1 and a full load, in one transaction | `Input::Loaded` |
//! | [`Effect::Load`](crate::Effect::Load) | reads what [`Scope`] names, in one transaction | `Input::Loaded` |
//! | [`Effect::Persist`](crate::Effect::Persist) | all writes or none, in the order given | `Input::Persisted` |

use alloc::{rc::Rc, string::String, sync::Arc, vec::Vec};
use core::{cell::RefCell, fmt};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::{
    memory::MemoryStore,
    row::{Record, Row},
};
use crate::item::{AttemptId, Epoch, ItemId, Outcome, Seq};

pub mod conformance;
mod memory;
mod row;

/// Names one storage request; answers carry it back (R4). Never reused inside a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpId(pub u64);

/// Random per store, made with it [a store deleted and made again restarts its epochs] (R27).
///
/// Serialised as 32 hex digits. It also seeds jitter, so that two clients never share a schedule (R10).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId(pub u128);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<StoreId> for String {
    fn from(id: StoreId) -> Self {
        alloc::format!("{id}")
    }
}

impl TryFrom<String> for StoreId {
    type Error = core::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// What a leader's write or read must match exactly, else the whole request is refused as
/// [`StorageError::Fenced`] (R27). Equality, not order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The store it acquired.
    pub store: StoreId,
    /// The epoch it was given.
    pub epoch: Epoch,
}

impl Fence {
    /// The n-th attempt of an item by the leader that holds this fence.
    #[must_use]
    pub const fn attempt(self, seq: Seq, attempt: u32) -> AttemptId {
        AttemptId { store: self.store, epoch: self.epoch, seq, attempt }
    }
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Write {
    /// Deletes the item at `seq` → `Done`, or `Missing` if there is none. `outcome` is for replicas that
    /// load later ([`Gone::outcome`]); a store that keeps no change log ignores it.
    Delete {
        /// The item's place.
        seq: Seq,
        /// How it ended.
        outcome: Outcome,
    },
    /// Deletes the item at `seq` and adds a failure record under `id`, which replaces one of that id and
    /// is then the newest → `Done`, or `Missing` (and adds nothing) if there is no such item.
    Bury {
        /// The item's place.
        seq: Seq,
        /// The item's id, which names the failure record.
        id: ItemId,
        /// The failure record's text.
        failure: Arc<str>,
    },
    /// Deletes the item with this id → `Done` or `Missing`. Outcome: removed.
    Remove {
        /// The item.
        id: ItemId,
    },
    /// Replaces the record at `seq` → `Done`, or `Missing`; never makes a row.
    Put {
        /// The item's place.
        seq: Seq,
        /// The new record's text.
        record: Arc<str>,
    },
    /// Adds an item → `Inserted(seq)` with the next seq (no holes on abort, never reused), or
    /// `Duplicate` if an item or another insert of this transaction has the id.
    Insert {
        /// The new item's id.
        id: ItemId,
        /// Its record's text.
        record: Arc<str>,
    },
    /// Deletes the failure record `failure` and adds an item → as `Insert`, or `Missing` (adding
    /// nothing) if there is no such failure record. On `Duplicate` the failure record stays.
    RetryFailure {
        /// The failure record to take back.
        failure: ItemId,
        /// The new item's id.
        id: ItemId,
        /// The new item's record.
        record: Arc<str>,
    },
    /// Deletes a failure record → `Done` or `Missing`.
    DismissFailure {
        /// The failure record.
        id: ItemId,
    },
    /// Adds a pause reason → `Done`, also if it was there (R20).
    Pause {
        /// Such as `auth`.
        reason: Arc<str>,
    },
    /// Takes a pause reason away → `Done`, or `Missing`.
    Resume {
        /// Such as `auth`.
        reason: Arc<str>,
    },
}

/// What one [`Write`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WriteResult {
    /// The item was added at this place.
    Inserted(Seq),
    /// Nothing was added: the id is taken.
    Duplicate,
    /// Done.
    Done,
    /// Nothing was done: no such row.
    Missing,
}

/// A committed transaction. `Missing` and `Duplicate` do not abort it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Committed {
    /// One result per write, in order.
    pub results: Vec<WriteResult>,
    /// The change counter after this transaction: one more than before it.
    pub change: u64,
}

/// What a [`Effect::Load`](crate::Effect::Load) reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// Everything.
    Full,
    /// What changed after the transaction that made the change counter `change`: rows put since, rows
    /// with a seq above `through`, and rows gone since (those it never knew, too). A store that cannot
    /// tell (it keeps no change log, or `change` is older than its log, or from another store) answers
    /// with everything, as [`Contents::Full`].
    Since {
        /// The change counter the replica knows.
        change: u64,
        /// The highest seq the replica knows.
        through: Seq,
    },
    /// The rows at these places, answered as [`Contents::Part`]; places with no row are in `gone`.
    Items(Vec<Seq>),
}

/// A stored failure record, as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FailureRow {
    /// The id of the item it was.
    pub id: ItemId,
    /// The record's bytes, untouched.
    pub record: Vec<u8>,
}

/// A row that is no longer there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gone {
    /// Its place.
    pub seq: Seq,
    /// How it ended, if the store's change log still knows. A buried row's failure record tells it instead.
    pub outcome: Option<Outcome>,
}

/// The rows of a load.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Contents {
    /// Everything there is.
    Full {
        /// All items, in seq order.
        rows: Vec<Row>,
        /// All failure records, oldest first.
        failures: Vec<FailureRow>,
    },
    /// What was asked for by `Since` or `Items`; rows not named are as they were.
    Part {
        /// Rows, in seq order.
        rows: Vec<Row>,
        /// Rows that are not there, in seq order.
        gone: Vec<Gone>,
        /// All failure records, oldest first, if any was added or deleted since; always `None` for `Items`.
        failures: Option<Vec<FailureRow>>,
    },
}

/// The answer to a load or an acquire, all read in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// The store's id.
    pub store: StoreId,
    /// The epoch: after the raise, for an acquire.
    pub epoch: Epoch,
    /// The change counter.
    pub change: u64,
    /// The highest seq ever allocated (R3); zero if none was.
    pub through: Seq,
    /// The rows.
    pub contents: Contents,
    /// All pause reasons, in order.
    pub paused: Vec<String>,
}

/// Why a storage request failed; says who is to blame and whether anything was written.
///
/// Closed on purpose: the core decides for every one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[serde(rename_all = "camelCase")]
pub enum StorageError {
    /// No room: nothing was written. Freeing space helps.
    #[error("the store is full: free disk space or raise the quota; nothing was written")]
    Full,
    /// The fence did not match: another replica leads. Nothing was written.
    #[error("another replica leads this outbox; nothing was written")]
    Fenced,
    /// The store cannot tell whether it committed (R4).
    #[error("the store cannot tell whether the write was committed: it may have been stored")]
    Unknown,
    /// The store did not do it and nothing was written: locked, closed, I/O error, read-only.
    #[error("the store is not available; nothing was written: {cause}")]
    Unavailable {
        /// The store's own words.
        cause: String,
    },
}

/// A store whose requests are answered before they return: what a driver runs in a thread of its own.
///
/// Each method is one atomic transaction. [`MemoryStore`] is the reference implementation;
/// [`conformance`] runs every clause of the contract against any other.
pub trait Store {
    /// Raises the epoch by one and reads everything, as [`Contents::Full`]. The change counter stays: no
    /// row changed.
    ///
    /// # Errors
    /// Any [`StorageError`] but `Fenced`.
    fn acquire(&mut self) -> Result<Snapshot, StorageError>;

    /// Reads what `scope` names.
    ///
    /// # Errors
    /// `Fenced` if `fence` is given and does not match; else as the store fails.
    fn load(&mut self, fence: Option<Fence>, scope: &Scope) -> Result<Snapshot, StorageError>;

    /// Carries out all writes in order, or none.
    ///
    /// # Errors
    /// `Fenced` if `fence` is given and does not match; else as the store fails.
    fn persist(&mut self, fence: Option<Fence>, writes: &[Write]) -> Result<Committed, StorageError>;
}

/// Replicas of one thread share a store; a call never outlasts its borrow.
impl<S: Store + ?Sized> Store for Rc<RefCell<S>> {
    fn acquire(&mut self) -> Result<Snapshot, StorageError> {
        self.borrow_mut().acquire()
    }

    fn load(&mut self, fence: Option<Fence>, scope: &Scope) -> Result<Snapshot, StorageError> {
        self.borrow_mut().load(fence, scope)
    }

    fn persist(&mut self, fence: Option<Fence>, writes: &[Write]) -> Result<Committed, StorageError> {
        self.borrow_mut().persist(fence, writes)
    }
}
