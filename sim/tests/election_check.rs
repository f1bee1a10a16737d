//! Exhaustive check of the lease election alone (R26): two replicas, every order and every delay of
//! messages, late timers, crashes, resignations, lost messages, for ever: time has no end. (Freezes and a
//! third replica are in the model, but no budget with one of them ends within two minutes.)
//!
//! What is shown, for all runs within a budget of faults:
//!
//! * No two replicas hold a lease at one time, if every message is handled in less than the longest delay
//!   `D` after it was sent, or after the end of a freeze of `D` or more.
//! * If messages are lost or late: from every state that can be reached, a calm run (nothing lost, nobody
//!   freezes any more) comes to exactly one leader within three leases and 16 `D`.
//!
//! What is abstracted, and why that hides nothing: time goes in steps of a millisecond, with `D` of 2 to 4 of
//! them and a lease of 8 `D`, the shortest that is allowed. Two states are one if they differ only in what no
//! later step can tell: the time of day, how many messages were sent, deadlines that have all passed (see
//! `canon`). Each replica's draws come from one of two seeds, in every combination. The clocks run at one
//! speed; that they show different times makes no difference, as no two are compared.
//!
//! Larger worlds run with `OUTBOX_CHECK=large`, and want `--release`.

#[path = "election_check/canon.rs"]
mod canon;
#[path = "election_check/model.rs"]
mod model;

use model::{Budget, THERE_IS_A_LEADER, World};
use stateright::{Checker, HasDiscoveries, Model};

const CALM: Budget = Budget { crashes: 0, freezes: 0, resigns: 0, stragglers: 0 };

fn world(replicas: usize, left: Budget) -> World {
    World { replicas, left, delay_ms: 2, late_ms: 0, hears_nothing: false }
}

/// The same with timers that are late. A candidate wakes every `D / 2` and takes a wait of `D` for a freeze:
/// with a `D` of 2 ms every late wake is one.
fn late(world: World) -> World {
    World { delay_ms: 3, late_ms: 1, ..world }
}

/// Plays everything that can happen in `world`. No property may be violated, and it must have been
/// `pinned` states.
fn exhaust(world: World, pinned: usize) {
    let checker = world.checker().spawn_dfs().join();
    if checker.discoveries().into_keys().any(|property| property != THERE_IS_A_LEADER) {
        panic!("{}", shortest(world).unwrap_or_else(|| "a violation that was not found again".into()));
    }
    assert!(checker.discovery(THERE_IS_A_LEADER).is_some(), "in this world nobody ever leads");
    let states = checker.unique_state_count();
    assert_eq!(
        states, pinned,
        "the number of states has drifted from {pinned} to {states}: the election has changed. Find out \
         which of your changes did it, and whether you meant it; then pin {states} here",
    );
}

fn exhaust_large(world: World, pinned: usize) {
    if std::env::var("OUTBOX_CHECK").is_ok_and(|wanted| wanted == "large") {
        exhaust(world, pinned);
    }
}

/// The shortest way to a violation, in words.
fn shortest(world: World) -> Option<String> {
    let checker = world.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut found = checker.discoveries().into_iter();
    let (property, path) = found.find(|(property, _)| *property != THERE_IS_A_LEADER)?;
    let last = path.last_state().clone();
    let steps: Vec<String> = path.into_actions().iter().map(|action| format!("  {action:?}")).collect();
    Some(format!("not {property}, after {} steps:\n{}\n{last:#?}", steps.len(), steps.join("\n")))
}

#[test]
fn two_replicas() {
    exhaust(world(2, CALM), 7_300);
    exhaust(late(world(2, CALM)), 31_309);
}

#[test]
fn a_resignation() {
    exhaust(world(2, Budget { resigns: 1, ..CALM }), 25_510);
}

#[test]
fn a_message_that_is_late_or_lost() {
    exhaust(world(2, Budget { stragglers: 1, ..CALM }), 40_592);
}

#[test]
fn a_crash() {
    exhaust(world(2, Budget { crashes: 1, ..CALM }), 77_228);
}

#[test]
fn a_planted_fault_is_found() {
    let deaf = World { hears_nothing: true, ..world(2, CALM) };
    let violation = shortest(deaf).expect("two that do not hear each other both lead");
    assert!(violation.starts_with("not no two leases overlap"), "{violation}");
}

#[test]
fn large_two_late_messages() {
    exhaust_large(world(2, Budget { stragglers: 2, ..CALM }), 150_304);
}

#[test]
fn large_late_timers_and_a_resignation() {
    exhaust_large(late(world(2, Budget { resigns: 1, ..CALM })), 129_141);
}
