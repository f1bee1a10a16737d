//! The native driver of [`outbox`]: turns the core's effects into I/O under tokio, and results into inputs.
//!
//! An app registers the mutators that send its mutations and starts an [`Executor`]. What it enqueues is
//! stored before anything else happens, and is sent when it can be: in order per key, in parallel across
//! keys, with backoff, by one process at a time, until the server has it or refuses it for good.
//!
//! ```
//! use outbox_tokio::{Executor, Settled, outbox::Mutator};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct AddTodo {
//!     id: String,
//!     text: String,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("todos.db");
//! let executor = Executor::builder("todos")
//!     .mutator(Mutator::<AddTodo>::new("addTodo").idempotency_key(), |attempt| async move {
//!         // Send `attempt.args` and `attempt.idempotency_key` to the server. Any error is tried again.
//!         Ok(format!("the server has {}", attempt.args.text))
//!     })
//!     .sqlite(path)
//!     .start()
//!     .await?;
//!
//! let todo = AddTodo { id: "1".into(), text: "milk".into() };
//! let handle = executor.enqueue("addTodo", &todo).await?; // it is stored
//! let settled = handle.typed::<String>().await?; // the server has it
//! assert_eq!(settled, Settled::Committed(Some("the server has milk".into())));
//! # executor.shutdown(std::time::Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How it is built
//!
//! The driver decides nothing: every rule is the core's. The [`Outbox`](outbox::Outbox) lies behind one
//! lock, and whoever brings an input hands it in and carries out what follows: a caller its call, an
//! attempt's task (with a `tracing` span `attempt`: `item`, `mutator`, `attempt`, `outcome`) its result, the
//! plain thread that owns the store its answer, and one more task the time. Another thread waits for the
//! leader's lock ([`lock`]). The lock is held for microseconds, and never while code of the app runs.
//!
//! While a transaction runs, what is enqueued gathers in the core and becomes the next one; and before that
//! leaves, those who were just answered have some microseconds to come back. So many enqueuers share one
//! commit, and so do the results of one wave of attempts and the claims of the next.
//!
//! Processes that share a file have no channel besides it. They learn of each other's writes by SQLite's
//! `data_version`, looked at every 50 ms; so a leader cannot ask the others whether they could run what it
//! has parked, and does not step down for that (R27).
//!
//! # Features
//!
//! - `http`: the module of that name, which maps HTTP answers and reqwest errors to outcomes.

mod attempt;
mod builder;
mod clock;
mod engine;
mod error;
mod events;
mod executor;
#[cfg(feature = "http")]
pub mod http;
mod live;
pub mod lock;
mod mutator_error;
mod mutators;
pub mod store;

pub use attempt::Attempt;
pub use builder::Builder;
pub use engine::Stopped;
pub use error::StartError;
pub use events::{Events, Lagged};
pub use executor::Executor;
pub use live::Live;
pub use mutator_error::MutatorError;
pub use outbox;
pub use outbox_driver::{EnqueueOptions, ExecutorError, Handle, Settled, WaitError};

/// The README's examples, run as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
