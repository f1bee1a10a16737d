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
//! - `executor` (default): the Rust API.
//! - `npm`: the flat surface that the npm package is built on. Without `executor` it needs no `std`, whose
//!   reports of panics a page would download and never show.

#![cfg_attr(not(feature = "executor"), no_std)]

extern crate alloc;

#[cfg(all(not(feature = "executor"), target_arch = "wasm32"))]
mod bare;
mod channel;
mod clock;
mod engine;
#[cfg(feature = "executor")]
mod executor;
#[cfg(feature = "executor")]
mod ids;
mod leadership;
#[cfg(feature = "npm")]
pub mod npm;
mod page;
mod store;
mod task;
#[cfg(feature = "executor")]
mod web;

pub use engine::Stopped;
#[cfg(feature = "executor")]
pub use executor::{
    AbortSignal, Attempt, Builder, Events, Executor, Lagged, LeaderElection, Live, MutatorError, StartError,
};
pub use leadership::ElectionPort;
pub use outbox;
#[cfg(feature = "executor")]
pub use outbox_driver::{EnqueueOptions, ExecutorError, Handle, Settled, WaitError};
pub use store::{Request, StoragePort};
#[cfg(feature = "executor")]
pub use web::{Durability, indexed_db};
