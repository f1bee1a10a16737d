//! Oracles: what must hold, each in its own file, each named after its rules.
//!
//! An oracle sees every [`Moment`] and may look at the whole [`World`], and at the [`Facts`] that the moments
//! so far amount to; it keeps what else it must remember itself, apart from the core, and says precisely
//! what it compared to what.

pub mod backoff;
pub mod bounds;
pub mod calls;
pub mod claim;
pub mod concurrency;
pub mod deleted;
pub mod durability;
pub mod election;
pub mod facts;
pub mod fencing;
pub mod hook;
pub mod idempotency;
pub mod kept;
pub mod liveness;
pub mod order;
pub mod outcome;
mod per_tab;
pub mod settle_once;
pub mod stored_bytes;
#[cfg(test)]
mod tamper;
pub mod view;

pub use facts::Facts;

use crate::{moment::Moment, scenario::Scenario, world::World};

/// A judge of one promise.
pub trait Oracle {
    /// Its name, as reports cite it.
    fn name(&self) -> &'static str;

    /// The rules it judges, such as `R1`.
    fn rules(&self) -> &'static [&'static str];

    /// Something happened; `world` is as it is right then, and `facts` include it.
    ///
    /// # Errors
    /// What is violated, in words: what was expected, and what was found.
    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String>;
}

/// All oracles of the core.
#[must_use]
pub fn all(scenario: &Scenario) -> Vec<Box<dyn Oracle>> {
    vec![
        Box::new(bounds::Bounds::new(scenario)),
        Box::new(calls::Calls::default()),
        Box::new(election::Election::new(scenario)),
        Box::new(fencing::Fencing::default()),
        Box::new(hook::Hook::default()),
        Box::new(idempotency::Idempotency::default()),
        Box::new(kept::Kept::default()),
        Box::new(outcome::Outcomes::default()),
        Box::new(settle_once::SettleOnce::default()),
        Box::new(view::View::default()),
        Box::new(durability::Durability::default()),
        Box::new(claim::Claim::default()),
        Box::new(order::Order::default()),
        Box::new(concurrency::Concurrency::default()),
        Box::new(backoff::Backoff::default()),
        Box::new(stored_bytes::StoredBytes),
        Box::new(deleted::Deleted::default()),
        Box::new(liveness::Liveness),
    ]
}
