//! The app's mutators: registered before the start, and while the executor runs (R23).

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
};

use outbox::Mutator;
use serde::de::DeserializeOwned;

use crate::{attempt::MutatorFn, engine::flights::panic_message};

pub(crate) type Mutators = outbox_driver::Mutators<MutatorFn>;

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
    pub(crate) fn register<A: DeserializeOwned + 'static>(
        &self,
        mutator: Mutator<A>,
        send: MutatorFn,
    ) -> Arc<Mutators> {
        let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Mutators::clone(&now);
        next.register(guarded(mutator), send);
        mem::replace(&mut now, Arc::new(next))
    }
}

/// The same mutator, but a panic of its upgrade refuses the args, as an error does (R23).
pub(crate) fn guarded<A: DeserializeOwned + 'static>(mutator: Mutator<A>) -> Mutator<A> {
    mutator.upgrade_within(|upgrade| {
        let upgraded = catch_unwind(AssertUnwindSafe(upgrade));
        upgraded.unwrap_or_else(|panic| Err(format!("it panicked: {}", panic_message(panic.as_ref()))))
    })
}
