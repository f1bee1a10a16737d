//! What the Rust drivers of [`outbox`] share: the app's side of a call, from its options to the end of its
//! item.
//!
//! Apps use a driver, `outbox-tokio` or `outbox-wasm`, which shows these types as its own. Who writes a
//! driver for another event loop finds here what need not be written again.

mod error;
mod handle;
mod lookups;
mod mutators;
mod options;
mod waiters;

pub use error::{ExecutorError, WaitError};
pub use handle::{Handle, Settled};
pub use lookups::{Known, Lookup, Lookups};
pub use mutators::Mutators;
pub use options::EnqueueOptions;
pub use waiters::{Answer, AnswerSender, OutcomeSender, Waiters};
