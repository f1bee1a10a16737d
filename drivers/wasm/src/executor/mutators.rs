//! `Mutators`: the app's mutators by name; registered before the start, and while the executor runs (R23).

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use outbox::{Mutator, Registry};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    attempt::{Attempt, MutatorFn, erase},
    mutator_error::MutatorError,
};

/// What the core and the calls need to know of each mutator, and what sends for it.
#[derive(Clone, Default)]
pub(crate) struct Mutators {
    pub(crate) registry: Registry,
    send: BTreeMap<String, MutatorFn>,
}

impl Mutators {
    /// Adds a mutator; one that is registered under the same name already is replaced.
    pub(crate) fn register<A, R, F, Fut>(&mut self, mutator: Mutator<A>, send: F)
    where
        A: DeserializeOwned + 'static,
        R: Serialize,
        F: Fn(Attempt<A>) -> Fut + 'static,
        Fut: Future<Output = Result<R, MutatorError>> + 'static,
    {
        self.send.insert(mutator.name().to_owned(), erase(send));
        self.registry.register(mutator);
    }

    /// What sends for the mutator of this name.
    pub(crate) fn send(&self, name: &str) -> Option<&MutatorFn> {
        self.send.get(name)
    }
}

/// The mutators as they are now. They are not borrowed while code of the app runs, which may register some.
pub(crate) struct Registered(RefCell<Rc<Mutators>>);

impl Registered {
    pub(crate) fn new(mutators: Mutators) -> Self {
        Self(RefCell::new(Rc::new(mutators)))
    }

    pub(crate) fn now(&self) -> Rc<Mutators> {
        Rc::clone(&self.0.borrow())
    }

    /// Registers one more, or replaces one.
    pub(crate) fn register<A, R, F, Fut>(&self, mutator: Mutator<A>, send: F)
    where
        A: DeserializeOwned + 'static,
        R: Serialize,
        F: Fn(Attempt<A>) -> Fut + 'static,
        Fut: Future<Output = Result<R, MutatorError>> + 'static,
    {
        let mut next = Mutators::clone(&self.now());
        next.register(mutator, send);
        drop(self.0.replace(Rc::new(next))); // the app's, dropped when nothing is borrowed
    }
}
