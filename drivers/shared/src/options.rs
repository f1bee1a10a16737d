//! `EnqueueOptions`: what an enqueue may say beside mutator and args.

use outbox::{Draft, InputError, ItemId, Json, Key, Registry};
use serde::Serialize;

use crate::error::ExecutorError;

/// What an enqueue may say beside mutator and args.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct EnqueueOptions {
    id: Option<ItemId>,
    key: Option<Key>,
    idempotency_key: Option<String>,
    metadata: Option<Json>,
}

impl EnqueueOptions {
    /// Nothing but the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The item's id, instead of a new UUID. Enqueuing it again while it is stored is refused as a
    /// duplicate, so an app that names its items can repeat an enqueue safely.
    pub fn id(mut self, id: ItemId) -> Self {
        self.id = Some(id);
        self
    }

    /// The key, before the mutator's and the key extractor's (R7).
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// The idempotency key, instead of one made if the mutator asks for it (R21).
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// An object to keep with the item.
    pub fn metadata(mut self, metadata: Json) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// The mutation to enqueue, checked by the registry; `new_id` makes the id if none was given.
    ///
    /// # Errors
    /// [`ExecutorError::Call`] if the mutator is not registered, or the args are not what it takes (R32).
    pub fn draft<A: Serialize + ?Sized>(
        self,
        registry: &Registry,
        mutator: &str,
        args: &A,
        new_id: impl FnOnce() -> Result<ItemId, InputError>,
    ) -> Result<Draft, ExecutorError> {
        let Self { id, key, idempotency_key, metadata } = self;
        let id = id.map_or_else(new_id, Ok)?;
        let mut draft = registry.draft(id, mutator, Json::from_value(args)?)?;
        draft.key = key.or(draft.key);
        draft.idempotency_key = idempotency_key;
        draft.metadata = metadata;
        Ok(draft)
    }
}
