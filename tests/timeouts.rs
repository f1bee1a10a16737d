//! Timeouts and late results (R14): an attempt ends after 15 s for the outbox, but its answer, should it
//! come, is not thrown away when it can still be trusted.

mod common;

use common::*;
use outbox::{AttemptId, Class, Config, MutatorConfig, Outcome, Reason};

/// `a` has timed out once; its first attempt is returned. It is due again in a second.
fn timed_out() -> (World, AttemptId) {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    let first = world.attempt("a");
    world.advance_ms(15_000);
    assert_eq!(world.reason(0, "a"), Reason::Backoff);
    (world, first)
}

const COMMITTED: Outcome = Outcome::Committed { result: None };

#[test]
fn an_attempt_is_cancelled_after_fifteen_seconds() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    let first = world.attempt("a");
    world.advance_ms(14_999);
    assert_eq!(world.in_flight(0), ["a"]);
    world.advance_ms(1);
    assert_eq!(world.cancelled(0), [first]);
    assert_eq!(world.stored_item("a").last_class, Some(Class::Transport));
    assert_eq!(world.until_ms(0, "a"), Some(1_000), "backoff as after any failure");
    world.advance_ms(1_000);
    assert_eq!(world.attempt("a").attempt, 2);
}

#[test]
fn a_mutator_may_have_its_own_timeout() {
    let slow = MutatorConfig { timeout_ms: Some(60_000), ..MutatorConfig::default() };
    let mut world = World::led(with_mutator(Config { timeout_ms: 2_000, ..config() }, "upload", slow));
    world.enqueue_draft(0, draft("slow", "upload", "s"));
    world.enqueue(0, "quick", "q");
    world.advance_ms(2_000);
    assert_eq!(world.in_flight(0), ["slow"]);
    world.online(0, false); // nothing new
    world.advance_ms(57_999);
    assert!(world.in_flight(0).contains(&"slow".into()));
    world.advance_ms(1);
    assert!(!world.in_flight(0).contains(&"slow".into()));
}

#[test]
fn a_late_success_settles_the_item() {
    let (mut world, first) = timed_out();
    world.resolve(0, first, success());
    assert!(world.stored().is_empty());
    assert_eq!(world.settled(0, "a"), [COMMITTED]);
    world.advance_ms(120_000);
    assert_eq!(world.dispatched(0), ["a"], "and it is not sent again");
}

#[test]
fn a_late_success_supersedes_a_claim_under_way() {
    let (mut world, first) = timed_out();
    world.hold_storage();
    world.advance_ms(1_000);
    assert_eq!(world.reason(0, "a"), Reason::Claiming);
    world.resolve(0, first, success());
    world.release_storage();
    assert_eq!(world.dispatched(0), ["a"]);
    assert!(world.stored().is_empty());
    assert_eq!(world.settled(0, "a"), [COMMITTED]);
}

#[test]
fn a_late_success_cancels_a_newer_attempt() {
    let (mut world, first) = timed_out();
    world.begin_trace();
    world.note("the reply to the first attempt is slow; the second is sent");
    world.advance_ms(1_000);
    let second = world.attempt("a");
    world.note("the first reply arrives after all");
    world.resolve(0, first, success());
    assert_eq!(world.cancelled(0), [first, second]);
    assert!(world.stored().is_empty());

    world.note("what the second attempt says now changes nothing");
    world.resolve(0, second, refused());
    snapshot("a_late_success_cancels_a_newer_attempt", &world);
    assert_eq!(world.settled(0, "a"), [COMMITTED]);
    assert!(world.stored_failures().is_empty());
}

#[test]
fn a_late_refusal_settles_an_item_with_no_newer_attempt_in_flight() {
    let (mut world, first) = timed_out();
    world.resolve(0, first, refused());
    assert!(world.stored().is_empty());
    assert_eq!(world.stored_failures(), ["a"]);
}

#[test]
fn a_late_refusal_is_ignored_while_a_newer_attempt_is_in_flight() {
    let (mut world, first) = timed_out();
    world.advance_ms(1_000);
    world.resolve(0, first, refused());
    assert_eq!(world.in_flight(0), ["a"]);
    world.succeed("a");
    assert_eq!(world.settled(0, "a"), [COMMITTED]);
    assert!(world.stored_failures().is_empty());
}

#[test]
fn any_other_late_failure_is_ignored() {
    for late in [transport(), server(), server_after_ms(3_600_000)] {
        let (mut world, first) = timed_out();
        let before = world.record("a");
        world.resolve(0, first, late.clone());
        assert_eq!(world.record("a"), before);
        assert_eq!(world.until_ms(0, "a"), Some(1_000));
        world.advance_ms(1_000);
        world.resolve(0, first, late);
        assert_eq!(world.in_flight(0), ["a"], "nor does it touch the newer attempt");
    }
}

#[test]
fn a_result_told_twice_counts_once() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    let first = world.attempt("a");
    world.fail("a", server());
    let before = world.record("a");
    world.resolve(0, first, server());
    assert_eq!(world.record("a"), before);
    world.advance_ms(1_000);
    world.succeed("a");
    world.resolve(0, first, success());
    assert_eq!(world.settled(0, "a"), [COMMITTED]);
}

#[test]
fn a_result_of_another_epoch_changes_nothing() {
    let mut world = World::shared(1);
    world.enqueue(0, "a", "a");
    let old = world.attempt("a");
    world.depose(0);
    world.elect(0);
    let before = world.record("a");
    for outcome in [success(), refused(), server()] {
        world.resolve(0, old, outcome);
    }
    assert_eq!(world.record("a"), before);
    assert!(world.resolved(0, "a").is_empty());
    assert_eq!(world.drain(), ["a"]);
}

#[test]
fn after_a_drop_is_decided_late_results_change_nothing() {
    let (mut world, first) = timed_out();
    world.advance_ms(1_000);
    world.hold_storage();
    world.fail("a", refused());
    world.resolve(0, first, success());
    world.release_storage();
    assert_eq!(world.stored_failures(), ["a"]);
    assert_eq!(world.settled(0, "a"), [Outcome::Dropped { error: refusal() }]);
}

#[test]
fn after_a_removal_is_decided_late_results_change_nothing() {
    let (mut world, first) = timed_out();
    world.hold_storage();
    let removal = world.remove(0, "a");
    world.resolve(0, first, success());
    world.release_storage();
    assert!(world.done(removal));
    assert_eq!(world.settled(0, "a"), [Outcome::Removed]);
}

#[test]
fn a_hung_item_delays_no_other_lane() {
    let mut world = World::solo();
    world.enqueue(0, "hung", "h");
    for i in 0..20 {
        let id = format!("i{i}");
        world.enqueue(0, &id, "other");
        assert!(world.in_flight(0).contains(&id));
        world.succeed(&id);
    }
    assert_eq!(world.elapsed_ms(), 0);
    assert_eq!(world.in_flight(0), ["hung"]);
}
