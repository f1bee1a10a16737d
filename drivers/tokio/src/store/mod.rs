//! Stores for native programs. Each implements [`outbox::storage::Store`] and passes its conformance suite.

