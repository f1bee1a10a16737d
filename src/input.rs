//! `Input`: the whole vocabulary of what can happen to an [`Outbox`](crate::Outbox).

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    before_retry::Verdict,
    config::MutatorConfig,
    error::HookError,
    item::{AttemptId, Class, Draft, ItemId, Outcome, Seq, SerializedError},
    json::{self, Json},
    storage::{Committed, OpId, Snapshot, StorageError, StoreId},
};

/// Names one call of the app; [`Effect::Reply`](crate::Effect::Reply) carries it back. The driver
/// chooses it and never reuses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u64);

/// Names one question to the hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskId(pub u64);

/// One thing that happened. Closed on purpose: a driver that is not exhaustive over the core's
/// vocabulary is not a driver.
///
/// Calls of the app carry a [`CallId`] and get exactly one [`Effect::Reply`](crate::Effect::Reply).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Input {
    // Calls of the app.
    /// Store a mutation (R1); replied when it is durable.
    Enqueue {
        /// The call.
        call: CallId,
        /// What to store.
        draft: Draft,
    },
    /// Take an item out, whatever its stage (R18); replied when that is durable.
    Remove {
        /// The call.
        call: CallId,
        /// The item.
        id: ItemId,
    },
    /// Make a failure record an item again, with a new id (R15).
    RetryFailure {
        /// The call.
        call: CallId,
        /// The failure record.
        failure: ItemId,
        /// The new item's id.
        id: ItemId,
    },
    /// Forget a failure record (R15).
    DismissFailure {
        /// The call.
        call: CallId,
        /// The failure record.
        id: ItemId,
    },
    /// Stop new dispatches for a reason (R20); at once here, durable when replied.
    Pause {
        /// The call.
        call: CallId,
        /// Such as `auth`: 1 to 256 bytes.
        reason: String,
    },
    /// Take that reason back (R20).
    Resume {
        /// The call.
        call: CallId,
        /// The reason.
        reason: String,
    },

    /// Register a mutator while the outbox runs, or give it another configuration (R23): for parts of an
    /// app that are loaded late. What was parked for want of it is read again, so that the driver can bring
    /// stored args up to date, and released. Replied with `Done(true)` at once; a refused configuration
    /// changes nothing.
    Register {
        /// The call.
        call: CallId,
        /// Its name.
        name: String,
        /// How its items behave.
        mutator: MutatorConfig,
    },

    // The environment.
    /// The connectivity hint changed (R8, R13). Online is assumed until told otherwise.
    Online(bool),
    /// Something that makes a retry promising (R13).
    Wake(Trigger),
    /// Time passed: what [`Effect::Sleep`](crate::Effect::Sleep) asked for. A spurious one does nothing.
    Tick,

    // Leadership.
    /// This replica holds the leader's lock (R26).
    Elected,
    /// It no longer does (R26, R27).
    Deposed,
    /// Who holds the leader's lock, as far as the driver can tell (R26).
    Holder(Option<String>),
    /// Another replica asks whether this one is alive, and whether it has any of these mutators (R26, R27).
    Ping {
        /// The one that asks.
        from: String,
        /// Mutators that it has parked items of.
        parked: Vec<String>,
    },
    /// The answer to a ping.
    Pong {
        /// The one that answers.
        from: String,
        /// Those of the asked mutators that it has registered.
        registered: Vec<String>,
    },
    /// Another replica committed something (R28); a hint.
    Poked(Poke),

    // Answers to effects.
    /// To [`Effect::Acquire`](crate::Effect::Acquire) and [`Effect::Load`](crate::Effect::Load).
    Loaded {
        /// The operation.
        op: OpId,
        /// What was read.
        result: Result<Snapshot, StorageError>,
    },
    /// To [`Effect::Persist`](crate::Effect::Persist).
    Persisted {
        /// The operation.
        op: OpId,
        /// What was done.
        result: Result<Committed, StorageError>,
    },
    /// To [`Effect::Dispatch`](crate::Effect::Dispatch): the attempt ended. Also welcome after a
    /// cancel: a late success still counts (R14).
    Resolved {
        /// The attempt.
        attempt: AttemptId,
        /// How it ended.
        outcome: AttemptOutcome,
    },
    /// To [`Effect::AskBeforeRetry`](crate::Effect::AskBeforeRetry).
    Answered {
        /// The question.
        ask: AskId,
        /// One verdict per item asked about; an item left out is removed (R17).
        verdicts: Result<Vec<(ItemId, Verdict)>, HookError>,
    },
}

/// What makes a retry promising (R13), besides an online edge and a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// The replica starts: send this once, first. It also starts the first load.
    Init,
    /// The page became visible.
    Visible,
    /// The page was focused; also compares the change counter (R28).
    Focus,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptOutcome {
    /// The server has it.
    Success {
        /// What the mutator returned.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::that_is_there")]
        result: Option<Json>,
    },
    /// It failed.
    Failure(Failure),
}

/// How an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its class (R12).
    pub class: Class,
    /// What to keep and show of it.
    pub error: SerializedError,
    /// What the server's `Retry-After` asks for, in milliseconds from now (R11);
    /// see [`retry_after_ms`](crate::retry_after_ms).
    pub retry_after_ms: Option<u64>,
}

/// A hint that storage changed (R28). It may be lost, repeated or late.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Poke {
    /// Something changed, nobody knows what: another process wrote to the file, say.
    Unknown,
    /// One transaction, after its commit.
    Committed {
        /// The store that committed it: one that was made anew counts from the beginning.
        store: StoreId,
        /// The change counter before it.
        from: u64,
        /// The change counter after it.
        to: u64,
        /// Items that settled in it, and how.
        settled: Vec<(Seq, ItemId, Outcome)>,
        /// Items that were added or put in it.
        changed: Vec<Seq>,
        /// It changed more than that (failure records, pause reasons).
        more: bool,
    },
}
