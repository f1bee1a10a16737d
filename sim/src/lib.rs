//! Seeded fault simulation for [`outbox`]: find any bug from a seed, shrink it, show it.
//!
//! [`swarm`](swarm::swarm) draws a [`Scenario`](scenario::Scenario) from a seed; [`run`] plays it with the
//! real core in a simulated world and watches with every [`oracle`].

pub mod app;
pub mod herd;
pub mod matrix;
pub mod moment;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod oracle;
pub mod rng;
pub mod scenario;
pub mod shrink;
pub mod standard;
pub mod swarm;
pub mod trace;
pub mod viewer;
pub mod world;

pub use world::{Report, Violation, run, run_judged, run_with};
