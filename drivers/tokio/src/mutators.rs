//! `Mutators`: the app's mutators by name; registered before the start, and while the executor runs (R23).

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, PoisonError, RwLock},
};

use outbox::{Mutator, Registry};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    attempt::{Attempt, MutatorFn, erase},
    mutator_error::MutatorError,
};

/// What the core and the calls need to know of each mutator, and what sends for it.
#[derive(Clone, Default)]
pub(crate) struct Mutators {
    pub(crate) registry: Registry,
    send: HashMap<String, MutatorFn>,
}

impl Mutators {
    /// Adds a mutator; one that is registered under the same name already is replaced.
    pub(crate) fn register<A, R, F, Fut>(&mut self, mutator: Mutator<A>, send: F)
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(Attempt<A>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, MutatorError>> + Send + 'static,
    {
        self.send.insert(mutator.name().to_owned(), erase(send));
        self.registry.register(mutator);
    }

    /// What sends for the mutator of this name.
    pub(crate) fn send(&self, name: &str) -> Option<&MutatorFn> {
        self.send.get(name)
    }
}

/// The mutators as they are now. Their lock is held for microseconds, and never while code of the
/// app runs.
pub(crate) struct Registered(RwLock<Arc<Mutators>>);

impl Registered {
    pub(crate) fn new(mutators: Mutators) -> Self {
        Self(RwLock::new(Arc::new(mutators)))
    }

    pub(crate) fn now(&self) -> Arc<Mutators> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether nothing was registered since these were the mutators.
    pub(crate) fn are(&self, mutators: &Arc<Mutators>) -> bool {
        Arc::ptr_eq(&self.now(), mutators)
    }

    /// Registers one more. What were the mutators is given back, to be dropped where code of the app may run.
    pub(crate) fn register<A, R, F, Fut>(&self, mutator: Mutator<A>, send: F) -> Arc<Mutators>
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(Attempt<A>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, MutatorError>> + Send + 'static,
    {
        let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Mutators::clone(&now);
        next.register(mutator, send);
        mem::replace(&mut now, Arc::new(next))
    }
}
