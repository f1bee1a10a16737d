//! `Effect`: the whole vocabulary of what an [`Outbox`](crate::Outbox) wants done, and what it tells.

use alloc::{string::String, sync::Arc, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    error::{CallError, HookError},
    input::{AskId, CallId, Poke},
    item::{AttemptId, Item, ItemId, Outcome, Seq, SerializedError},
    storage::{Fence, OpId, Scope, StorageError, Write},
    time::Timestamp,
};

/// One thing to do, in order, and before the next input is handled [whose `Sleep` would come too early].
/// Closed on purpose: a driver carries out every one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    // Storage: answered by an input with the same `op`; one is in flight at a time (R4).
    /// Raise the epoch and load everything (R27). Answered by `Loaded`.
    Acquire {
        /// The operation.
        op: OpId,
    },
    /// Read. Answered by `Loaded`; refused as `Fenced` if `fence` is given and does not match.
    Load {
        /// The operation.
        op: OpId,
        /// What must match.
        fence: Option<Fence>,
        /// What to read.
        scope: Scope,
    },
    /// Write, all or nothing. Answered by `Persisted`; refused as `Fenced` if `fence` is given and does
    /// not match.
    Persist {
        /// The operation.
        op: OpId,
        /// What must match.
        fence: Option<Fence>,
        /// The writes, in order.
        writes: Vec<Write>,
    },

    // Attempts.
    /// Call the mutator. Answered by `Resolved`.
    Dispatch {
        /// The attempt.
        attempt: AttemptId,
        /// The item, with `retryCount` = the attempt's number.
        item: Arc<Item>,
        /// When it will be cancelled (R14). The core cancels; a mutator may use it to bound its own waits.
        deadline: Timestamp,
    },
    /// Stop waiting for an attempt: abort its request. Its result, should it come, is still welcome.
    Cancel(AttemptId),

    // The hook.
    /// Ask `beforeRetry` (R17). Answered by `Answered` within 10 s.
    AskBeforeRetry {
        /// The question.
        ask: AskId,
        /// The items it is about, in seq order.
        items: Vec<AskedItem>,
    },

    // Leadership.
    /// Release the leader's lock, and queue for it again (R27). This replica leads no more.
    Resign,
    /// Take the lock from this holder, if it still holds it (R26).
    Steal(String),
    /// Ask a replica, or all, whether it is alive and which of these mutators it has (R26, R27).
    Ping {
        /// One replica, or all.
        to: Option<String>,
        /// Mutators that this leader has parked items of.
        parked: Vec<String>,
    },
    /// Answer a ping.
    Pong {
        /// The one that asked.
        to: String,
        /// Those of the asked mutators that are registered here.
        registered: Vec<String>,
    },
    /// Tell the other replicas that storage changed (R28).
    Poke(Poke),

    // Time.
    /// Send [`Input::Tick`](crate::Input::Tick) at `until`; `None`: no need. Replaces the sleep before it
    /// (R31).
    Sleep {
        /// Later than the `now` of the input that caused it.
        until: Option<Timestamp>,
    },

    // Telling.
    /// The one answer to a call.
    Reply {
        /// The call.
        call: CallId,
        /// What it came to.
        result: Result<Reply, CallError>,
    },
    /// The list of pending items changed (R22): feed it to a [`View`](crate::View).
    View(ViewChange),
    /// Something worth telling.
    Notify(Event),
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// `Enqueue`, `RetryFailure`: it is durable, at this place.
    Enqueued {
        /// The item.
        id: ItemId,
        /// Its place.
        seq: Seq,
    },
    /// `Remove`, `DismissFailure`, `Pause`, `Resume`: whether storage had it to do. For `RetryFailure`
    /// only `false`: there is no such failure record.
    Done(bool),
}

/// An item that the hook is asked about (R17).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedItem {
    /// The item.
    pub item: Item,
    /// Whether the server can have seen it. Rewriting a [`Sent::Maybe`] item can apply both.
    pub sent: Sent,
}

/// Whether the server can have seen an item (R17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sent {
    /// It was never claimed. The server can have seen it all the same if a leader that could not write its
    /// claim to a full disk sent it (R5), and leads no more.
    Never,
    /// It was claimed at least once.
    Maybe,
}

/// A position in the list of pending items (R22): by seq; items still being written come last, in the
/// order they were enqueued here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// Stored.
    Stored(Seq),
    /// Being written: the n-th enqueue of this replica.
    Writing(u64),
}

/// One change of the list of pending items (R22).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ViewChange {
    /// An item appeared, or its args changed.
    Set {
        /// Where.
        place: Place,
        /// The item as it is now.
        item: Arc<Item>,
    },
    /// An item that was being written got its place.
    Moved {
        /// Where it was.
        from: Place,
        /// Where it is.
        to: Place,
    },
    /// An item left: settled durably, or its write failed (`outcome` is `None`).
    Left {
        /// Where it was.
        place: Place,
        /// How it ended.
        outcome: Option<Outcome>,
    },
}

/// Something worth telling to waiters, subscribers and logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// The item's outcome is known; tell who waits for it (R29). For a commit this comes at the server's
    /// answer, before the item is durably gone.
    Resolved {
        /// The item.
        id: ItemId,
        /// Its outcome, never `Squashed`: the survivor's is told.
        outcome: Outcome,
    },
    /// The item is durably gone: once per item and epoch.
    Settled {
        /// The item.
        id: ItemId,
        /// Its place.
        seq: Seq,
        /// Its outcome.
        outcome: Outcome,
    },
    /// An attempt failed and will be repeated (or parked).
    AttemptFailed {
        /// The item.
        id: ItemId,
        /// The attempt's number.
        attempt: u32,
        /// Why.
        error: SerializedError,
        /// Not sent again before this.
        next_attempt_at: Timestamp,
    },
    /// An item has failed ten times (R16).
    Stuck {
        /// The item.
        id: ItemId,
        /// Attempts so far.
        attempts: u32,
    },
    /// An item is parked (R16), or the first of its mutator or version is (R23).
    Parked {
        /// The item.
        id: ItemId,
        /// Its mutator.
        mutator_name: String,
        /// Why.
        reason: ParkReason,
    },
    /// A record cannot be read (R24): it stays stored byte for byte, holds nothing up, and is not shown.
    Quarantined {
        /// Its place.
        seq: Seq,
        /// Its bytes.
        record: Vec<u8>,
        /// What is wrong with it.
        problem: String,
    },
    /// A failure record made way for newer ones or for space (R5, R15).
    FailureEvicted {
        /// The failure record.
        id: ItemId,
    },
    /// The hook failed (R17).
    HookFailed(HookError),
    /// This replica leads, or no longer does (R26).
    Leading(bool),
    /// Storage failed; what it was asked is repeated or its caller told (R4, R5).
    StorageFailed(StorageError),
    /// Storage works again.
    StorageRecovered,
    /// The pause reasons changed (R20).
    Paused {
        /// All of them now; empty: not paused.
        reasons: Vec<String>,
    },
}

/// Why an item is held back until a named condition changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ParkReason {
    /// Its mutator is not registered in this replica (R23).
    Unregistered,
    /// Its record is of a newer version (R23).
    NewerVersion {
        /// The version.
        version: u32,
    },
    /// Its record's head can be read, its body cannot (R24).
    Unreadable,
    /// It used up its attempts (R16).
    Attempts {
        /// How many.
        attempts: u32,
    },
}
