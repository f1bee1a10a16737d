//! The native driver of [`outbox`]: turns the core's effects into I/O under tokio, and results into inputs.

pub mod lock;
pub mod store;
