//! Stores for native programs. Each implements [`Store`] and passes its
//! [conformance suite](outbox::storage::conformance).

pub use outbox::storage::{MemoryStore, Store};

pub use self::sqlite::{BUSY_TIMEOUT, OpenError, SqliteStore};

mod sqlite;
