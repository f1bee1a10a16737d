//! Exhaustive check of small worlds: two replicas with the real core share the real store, and every order
//! of events is played, with each fault at every point.
//!
//! The state of the model *is* [`Outbox`](outbox::Outbox) and
//! [`MemoryStore`](outbox::storage::MemoryStore), which are plain data; around them are the requests,
//! answers, pokes and attempts on their way, the leader's lock, the server's ledger, and what the app was
//! told. A world is given items to enqueue and a [`Budget`] of faults and wishes; what the checker shows, it
//! shows for all runs within that budget:
//!
//! * no step breaks a rule (`rules`: R1–R6, R8, R15, R18, R27, R29), nor an invariant of the core;
//! * whenever nothing but faults and wishes is left to happen, everything is settled, every replica knows
//!   it, no call is left without an answer, and somebody leads (R5, R26, R28). Time passes at most 40 times
//!   on the way. As op ids and times only grow, no run goes in circles: so every run that is not disturbed
//!   for ever settles;
//! * the marks named with it have happened: the check is not vacuous.
//!
//! What is abstracted, and why that hides nothing that is claimed here:
//!
//! * *Time* stands still while anything is on its way, then passes to the next timer, and there is no
//!   jitter: the order of events is free, so delays matter only where the core compares times. A *leap* lets
//!   5 s (a claim's ack comes too late) or 20 s (timeouts, a silent store) pass at any point.
//! * *A frozen tab* is one that nothing happens to: no order is imposed on the tabs. A stolen lock makes it
//!   a zombie that learns of it at any later point.
//! * *The server* has an item when its answer arrives, or never, or, after a crash or a cancel, at any later
//!   time. That it had it some time before its answer makes no difference to anyone: an item is sent only
//!   when none before it in its lane is stored, which is checked at each dispatch.
//! * *A request of a dead tab* runs before the crash or never. One that runs later is that of a zombie.
//! * *The tabs are interchangeable* (one configuration, and no name tells them apart), so of two states that
//!   differ in which tab is which one is enough. The items are enqueued in one order, from any tab.
//!
//! Hooks, pauses, several builds and full disks are left to the simulator.
//!
//! Each check pins its number of unique states: a number that drifts is a protocol that changed. Larger
//! worlds run with `OUTBOX_CHECK=large`, and want `--release`.

#[path = "model_check/actions.rs"]
mod actions;
#[path = "model_check/effects.rs"]
mod effects;
#[path = "model_check/marks.rs"]
mod marks;
#[path = "model_check/rules.rs"]
mod rules;
#[path = "model_check/run.rs"]
mod run;
#[path = "model_check/state.rs"]
mod state;
#[path = "model_check/world.rs"]
mod world;

use marks::Mark;
use run::{exhaust, exhaust_large, found};
use state::Budget;
use world::{NO_RULE_IS_BROKEN, Planted, WHAT_ENDS_ENDS_SETTLED, World};

const NOTHING: Budget = Budget {
    removals: 0,
    crashes: 0,
    steals: 0,
    lost_pokes: 0,
    failures: 0,
    doubts: 0,
    unanswered: 0,
    refusals: 0,
    leaps: 0,
};

type Items = &'static [&'static [&'static str]];
const ONE: Items = &[&["k"]];
const LANE: Items = &[&["k"], &["k"]];
const APART: Items = &[&["k"], &["l"]];
const THREE_APART: Items = &[&["k"], &["l"], &["m"]];
/// The third waits for both.
const JOINED: Items = &[&["k"], &["l"], &["k", "l"]];

/// Tabs that hear each other.
fn talking(items: Items, left: Budget) -> World {
    World { items, left, pokes: true, ..World::default() }
}

/// Three items that share one slot: the third is claimed ahead of it (R2). The tabs do not hear each other.
fn one_slot(left: Budget) -> World {
    World { slots: 1, ..silent(THREE_APART, left) }
}

/// Tabs that do not.
fn silent(items: Items, left: Budget) -> World {
    World { items, left, ..World::default() }
}

#[test]
fn a_lane() {
    exhaust(talking(LANE, NOTHING), 26_434, &[Mark::BornClaimed]);
}

#[test]
fn two_lanes_and_an_item_in_both() {
    exhaust(silent(JOINED, NOTHING), 44_271, &[Mark::BornClaimed]);
}

#[test]
fn three_items_and_one_slot() {
    exhaust(one_slot(NOTHING), 23_901, &[Mark::ClaimedAhead]);
}

#[test]
fn two_tabs_just_opened() {
    exhaust(World { settled_in: false, ..silent(LANE, NOTHING) }, 6_568, &[]);
}

#[test]
fn a_crash() {
    let marks = [Mark::CrashAfterCommit, Mark::Inherited, Mark::StrayApplied, Mark::Repeated];
    exhaust(silent(LANE, Budget { crashes: 1, ..NOTHING }), 55_563, &marks);
    exhaust(talking(ONE, Budget { crashes: 1, ..NOTHING }), 4_627, &marks);
}

#[test]
fn a_zombie() {
    let marks = [Mark::ZombieDispatch, Mark::Fenced, Mark::FencedRead, Mark::Resigned, Mark::LateResult];
    exhaust(silent(LANE, Budget { steals: 1, ..NOTHING }), 45_759, &marks);
    exhaust(talking(ONE, Budget { steals: 1, ..NOTHING }), 2_994, &marks);
}

#[test]
fn a_zombie_that_was_frozen() {
    let marks = [Mark::ZombieDispatch, Mark::Fenced, Mark::FencedRead];
    exhaust(silent(ONE, Budget { steals: 1, leaps: 1, ..NOTHING }), 25_356, &marks);
}

#[test]
fn a_long_silence() {
    let silence = World { leap_ms: 20_000, ..silent(ONE, Budget { leaps: 1, ..NOTHING }) };
    exhaust(silence, 1_534, &[Mark::Resigned, Mark::LateResult]);
}

#[test]
fn lost_pokes_and_a_removal() {
    let marks = [Mark::PokeLost, Mark::RemovedInFlight, Mark::RemovalInVain];
    exhaust(talking(ONE, Budget { lost_pokes: 2, removals: 1, ..NOTHING }), 8_976, &marks);
}

#[test]
fn a_removal_that_fails() {
    let marks = [Mark::RemovalFailed, Mark::EnqueueFailed];
    exhaust(talking(ONE, Budget { removals: 1, failures: 1, ..NOTHING }), 11_740, &marks);
}

#[test]
fn a_removal_and_a_store_in_doubt() {
    let marks = [Mark::EnqueueInDoubt, Mark::RemovedInFlight];
    exhaust(talking(ONE, Budget { removals: 1, doubts: 1, ..NOTHING }), 31_432, &marks);
}

#[test]
fn a_failed_attempt_and_a_refusal() {
    let marks = [Mark::Buried, Mark::Repeated];
    exhaust(silent(LANE, Budget { unanswered: 1, refusals: 1, ..NOTHING }), 9_551, &marks);
}

#[test]
fn planted_faults_are_found() {
    let zombie = Budget { steals: 1, ..NOTHING };
    let planted = |planted, left| found(World { planted: Some(planted), ..silent(ONE, left) });
    let rule = planted(Planted::FenceIgnored, zombie);
    assert_eq!(
        rule,
        Some((NO_RULE_IS_BROKEN, Some("R27: a write of a replica that leads no more was committed")))
    );
    let rule = planted(Planted::CommitLost, NOTHING);
    assert_eq!(rule, Some((NO_RULE_IS_BROKEN, Some("R3: an item was told another place than it has"))));
    let rule = planted(Planted::AnswerLost, NOTHING);
    assert_eq!(rule, Some((WHAT_ENDS_ENDS_SETTLED, None)));
}

#[test]
fn large_two_crashes() {
    exhaust_large(silent(ONE, Budget { crashes: 2, ..NOTHING }), 14_807, &[Mark::Inherited]);
    exhaust_large(silent(APART, Budget { crashes: 1, ..NOTHING }), 76_543, &[Mark::Inherited]);
}

#[test]
fn large_a_lane_with_a_crash() {
    exhaust_large(talking(LANE, Budget { crashes: 1, ..NOTHING }), 1_068_433, &[Mark::Inherited]);
}

#[test]
fn large_a_lane_with_a_zombie() {
    exhaust_large(talking(LANE, Budget { steals: 1, ..NOTHING }), 879_718, &[Mark::ZombieDispatch]);
}

#[test]
fn large_one_slot_and_a_crash() {
    let left = Budget { crashes: 1, ..NOTHING };
    exhaust_large(one_slot(left), 1_849_718, &[Mark::ClaimedAhead, Mark::Inherited]);
}

#[test]
fn large_one_slot_and_a_zombie() {
    let left = Budget { steals: 1, ..NOTHING };
    exhaust_large(one_slot(left), 1_881_130, &[Mark::ClaimedAhead, Mark::ZombieDispatch]);
}

#[test]
fn large_one_slot_and_a_removal() {
    let left = Budget { removals: 1, ..NOTHING };
    exhaust_large(one_slot(left), 1_269_879, &[Mark::ClaimedAhead, Mark::RemovedInFlight]);
}

#[test]
fn large_lost_pokes() {
    exhaust_large(talking(LANE, Budget { lost_pokes: 1, ..NOTHING }), 63_266, &[Mark::PokeLost]);
    exhaust_large(talking(APART, NOTHING), 41_907, &[]);
}

#[test]
fn large_a_removal_and_a_crash() {
    let left = Budget { removals: 1, crashes: 1, ..NOTHING };
    exhaust_large(silent(LANE, left), 1_785_774, &[Mark::Inherited, Mark::RemovedInFlight]);
}

#[test]
fn large_a_removal_and_a_zombie() {
    let left = Budget { removals: 1, steals: 1, ..NOTHING };
    exhaust_large(silent(LANE, left), 1_429_584, &[Mark::ZombieDispatch, Mark::RemovedInFlight]);
}

#[test]
fn large_a_removal_that_fails() {
    let left = Budget { removals: 1, failures: 1, ..NOTHING };
    exhaust_large(silent(LANE, left), 223_161, &[Mark::RemovalFailed]);
}

#[test]
fn large_a_failed_attempt_and_a_zombie() {
    let left = Budget { unanswered: 1, steals: 1, ..NOTHING };
    exhaust_large(silent(LANE, left), 235_754, &[Mark::Repeated]);
}

#[test]
fn large_a_crash_and_a_zombie() {
    let left = Budget { crashes: 1, steals: 1, ..NOTHING };
    exhaust_large(silent(ONE, left), 53_484, &[Mark::ZombieDispatch, Mark::CrashAfterCommit]);
}

#[test]
fn large_three_items_and_a_crash() {
    exhaust_large(silent(JOINED, Budget { crashes: 1, ..NOTHING }), 2_640_950, &[Mark::Inherited]);
}

#[test]
fn large_three_items_and_a_zombie() {
    exhaust_large(silent(JOINED, Budget { steals: 1, ..NOTHING }), 2_380_470, &[Mark::ZombieDispatch]);
}

#[test]
fn large_a_lane_and_a_store_in_doubt() {
    let left = Budget { doubts: 1, steals: 1, ..NOTHING };
    exhaust_large(silent(LANE, left), 763_672, &[Mark::EnqueueInDoubt]);
}

#[test]
fn large_a_removal_and_two_zombies() {
    let left = Budget { removals: 1, steals: 2, ..NOTHING };
    exhaust_large(silent(ONE, left), 425_793, &[Mark::ZombieDispatch, Mark::RemovedInFlight]);
}
