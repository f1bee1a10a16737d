//! Offline-first transactions that lose nothing: a deterministic, sans-IO outbox.
//!
//! [`Outbox`] is a pure state machine: [`Input`]s go in with the time, [`Effect`]s come out. It does no
//! I/O, reads no clock and owns no randomness, so the same code runs under tokio, in a browser, and in
//! a simulator that replays any disaster from a seed.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod backoff;
mod before_retry;
mod config;
mod draw;
mod effect;
mod error;
mod explain;
mod index;
mod input;
mod item;
mod json;
mod keys;
mod lane;
pub mod lease;
#[cfg(feature = "marks")]
pub mod marks;
#[cfg(not(feature = "marks"))]
mod marks;
#[cfg(feature = "mutants")]
pub mod mutants;
#[cfg(not(feature = "mutants"))]
mod mutants;
mod optimistic;
mod outbox;
pub mod record;
mod recording;
mod registry;
mod retry_after;
mod sorted;
pub mod storage;
mod time;
mod timeline;
mod trace;
pub mod wire;

pub use before_retry::{RetryBatch, Rewrite, Verdict, verdicts};
pub use config::{
    AttemptLimit, Config, Exhausted, MAX_CONCURRENCY, MAX_NAME_BYTES, MAX_TIMEOUT_MS, MutatorConfig,
};
pub use effect::{AskedItem, Effect, Event, ParkReason, Place, Reply, Sent, ViewChange};
pub use error::{CallError, ConfigError, HookError, InputError};
pub use explain::{Blocked, Reason};
pub use input::{AskId, AttemptOutcome, CallId, Failure, Input, Poke, Trigger};
pub use item::{
    AttemptId, Class, Draft, Epoch, FailureRecord, Item, ItemId, MAX_ERROR_BYTES, MAX_ID_BYTES, Outcome, Seq,
    SerializedError,
};
pub use json::Json;
pub use keys::{Key, MAX_KEY_BYTES, MAX_KEYS};
pub use optimistic::{Projection, Unapplied, View};
pub use outbox::Outbox;
pub use recording::{Recording, replay};
pub use registry::{IntoKey, Mutator, NotUpgraded, Registry};
pub use retry_after::retry_after_ms;
pub use time::Timestamp;
