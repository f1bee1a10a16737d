//! `Mutators`: the app's mutators by name.

use std::collections::BTreeMap;

use outbox::{Mutator, Registry};
use serde::de::DeserializeOwned;

/// What the core and the calls need to know of each mutator, and what sends for it: an `S`.
#[derive(Clone)]
pub struct Mutators<S> {
    /// What the core and the calls need to know.
    pub registry: Registry,
    send: BTreeMap<String, S>,
}

impl<S> Default for Mutators<S> {
    fn default() -> Self {
        Self { registry: Registry::default(), send: BTreeMap::new() }
    }
}

impl<S> Mutators<S> {
    /// Adds a mutator; one that is registered under the same name already is replaced.
    pub fn register<A: DeserializeOwned + 'static>(&mut self, mutator: Mutator<A>, send: S) {
        self.send.insert(mutator.name().to_owned(), send);
        self.registry.register(mutator);
    }

    /// What sends for the mutator of this name.
    #[must_use]
    pub fn send(&self, name: &str) -> Option<&S> {
        self.send.get(name)
    }
}
