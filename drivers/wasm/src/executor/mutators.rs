//! The app's mutators: registered before the start, and while the executor runs (R23).

use std::{cell::RefCell, rc::Rc};

use outbox::Mutator;
use serde::de::DeserializeOwned;

use super::attempt::MutatorFn;

pub(crate) type Mutators = outbox_driver::Mutators<MutatorFn>;

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
    pub(crate) fn register<A: DeserializeOwned + 'static>(&self, mutator: Mutator<A>, send: MutatorFn) {
        let mut next = Mutators::clone(&self.now());
        next.register(mutator, send);
        drop(self.0.replace(Rc::new(next))); // the app's, dropped when nothing is borrowed
    }
}
