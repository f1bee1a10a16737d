//! The browser driver of [`outbox`]: turns the core's effects into I/O of the web platform, and results
//! into inputs.
//!
//! It decides nothing: every rule is the core's. The engine owns the [`Outbox`](outbox::Outbox) and carries
//! its effects out through ports, which are plain objects of JavaScript (see `js/types.d.ts`): a storage
//! (IndexedDB), leadership (Web Locks), a channel between tabs (BroadcastChannel) and the page's events.
//! Nothing assumes a window: it runs in workers too.
//!
//! # Features
//!
//! - `npm`: the flat surface that the npm package is built on.

mod channel;
mod clock;
mod engine;
mod executor;
mod ids;
mod leadership;
#[cfg(feature = "npm")]
pub mod npm;
mod page;
mod store;
mod web;

pub use engine::Stopped;
pub use executor::{
    AbortSignal, Attempt, Builder, Events, Executor, Lagged, LeaderElection, Live, MutatorError, StartError,
};
pub use leadership::ElectionPort;
pub use outbox;
pub use outbox_driver::{EnqueueOptions, ExecutorError, Handle, Settled, WaitError};
pub use store::{Request, StoragePort};
pub use web::{Durability, indexed_db};
