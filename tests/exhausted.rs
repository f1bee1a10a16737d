//! Attempt limits (R16): off by default; a mutator may park or drop its items after N attempts.

mod common;

use common::*;
use outbox::{
    AttemptLimit, Config, Event, Exhausted, MutatorConfig, Outcome, ParkReason, Reason, storage::StorageError,
};

fn limited(attempts: u32, then: Exhausted) -> Config {
    let limit = AttemptLimit { attempts, then };
    with_mutator(config(), "limited", MutatorConfig { max_attempts: Some(limit), ..MutatorConfig::default() })
}

/// `a`, of the mutator `limited`, has failed `n` times.
fn failed(world: &mut World, n: usize) {
    world.enqueue_draft(0, draft("a", "limited", "a"));
    for _ in 1..n {
        world.fail_and_wait("a", server());
    }
    world.fail("a", server());
}

#[test]
fn park_holds_the_item_and_its_lane() {
    let mut world = World::led(limited(3, Exhausted::Park));
    failed(&mut world, 2);
    assert_eq!(world.reason(0, "a"), Reason::Backoff, "one attempt is left");
    world.advance_ms(2_000);
    world.fail("a", server());
    assert_eq!(world.reason(0, "a"), Reason::Parked(ParkReason::Attempts { attempts: 3 }));
    assert_eq!(world.until_ms(0, "a"), None);
    world.enqueue(0, "behind", "a");
    world.enqueue(0, "beside", "b");
    world.advance_ms(3_600_000);
    assert_eq!(world.dispatched(0).last().map(String::as_str), Some("beside"));
    assert!(matches!(world.reason(0, "behind"), Reason::Behind { .. }));
    assert_eq!(world.told(0, |event| matches!(event, Event::Parked { .. })), 1);
    assert_eq!(world.stored(), ["a", "behind", "beside"]);
}

#[test]
fn a_parked_item_is_parked_after_a_restart_too() {
    let mut world = World::led(limited(3, Exhausted::Park));
    failed(&mut world, 3);
    let told = world.told(0, |event| matches!(event, Event::Parked { .. }));
    world.restart_and_lead(0);
    world.advance_ms(3_600_000);
    assert_eq!(world.dispatched(0).len(), 3);
    assert_eq!(world.reason(0, "a"), Reason::Parked(ParkReason::Attempts { attempts: 3 }));
    let again = world.told(0, |event| matches!(event, Event::Parked { .. }));
    assert_eq!(again, told + 1, "who starts anew is told, too");
}

#[test]
fn a_registration_that_allows_more_attempts_releases_it() {
    let mut world = World::led(limited(3, Exhausted::Park));
    failed(&mut world, 3);
    let limited = limited(4, Exhausted::Park).mutators.remove("limited").expect("it is there");
    world.register(0, "limited", limited);
    world.advance_ms(4_000);
    assert_eq!(world.attempt("a").attempt, 4);
}

#[test]
fn a_registration_that_comes_before_its_last_failure_is_stored_keeps_its_floor() {
    let mut world = World::led(limited(1, Exhausted::Park));
    world.enqueue_draft(0, draft("a", "limited", "a"));
    world.store_fails(StorageError::Unavailable { cause: "locked".into() });
    world.fail("a", server_after_ms(60_000));
    let limited = limited(2, Exhausted::Park).mutators.remove("limited").expect("it is there");
    world.register(0, "limited", limited);
    assert_eq!(world.until_ms(0, "a"), Some(60_000));
}

#[test]
fn an_attempt_that_a_failed_removal_has_cancelled_counts() {
    let mut world = World::led(limited(1, Exhausted::Park));
    world.enqueue_draft(0, draft("a", "limited", "a"));
    world.store_fails(StorageError::Unavailable { cause: "locked".into() });
    world.remove(0, "a");
    world.advance_ms(60_000);
    assert_eq!(world.dispatched(0), ["a"]);
    assert_eq!(world.reason(0, "a"), Reason::Parked(ParkReason::Attempts { attempts: 1 }));
}

#[test]
fn a_full_disk_drains_past_an_item_that_was_sent_unclaimed_and_is_parked() {
    let mut world = World::led(limited(1, Exhausted::Park));
    world.pause(0, "auth");
    world.enqueue_draft(0, draft("a", "limited", "a"));
    world.enqueue(0, "b", "b");
    world.disk_full(true);
    world.resume(0, "auth");
    world.fail("a", server());
    assert_eq!(world.in_flight(0), ["b"]);
}

#[test]
fn a_mutator_registered_late_with_fewer_attempts_than_were_made_parks_its_items() {
    let mut world = World::led(limited(4, Exhausted::Park));
    failed(&mut world, 3);
    let limited = world.config_mut(0).mutators.remove("limited").expect("it is there");
    world.restart_and_lead(0);
    assert_eq!(world.reason(0, "a"), Reason::Parked(ParkReason::Unregistered));
    let limit = AttemptLimit { attempts: 3, then: Exhausted::Park };
    world.register(0, "limited", MutatorConfig { max_attempts: Some(limit), ..limited });
    assert_eq!(world.reason(0, "a"), Reason::Parked(ParkReason::Attempts { attempts: 3 }));
}

#[test]
fn a_configuration_that_allows_more_attempts_releases_it() {
    let mut world = World::led(limited(3, Exhausted::Park));
    failed(&mut world, 3);
    *world.config_mut(0) = limited(4, Exhausted::Park);
    world.restart_and_lead(0);
    world.advance_ms(4_000);
    assert_eq!(world.attempt("a").attempt, 4);
}

#[test]
fn removing_a_parked_item_frees_its_lane() {
    let mut world = World::led(limited(3, Exhausted::Park));
    failed(&mut world, 3);
    world.enqueue(0, "behind", "a");
    let removal = world.remove(0, "a");
    assert!(world.done(removal));
    assert_eq!(world.in_flight(0), ["behind"]);
}

#[test]
fn drop_leaves_a_failure_record() {
    let mut world = World::led(limited(3, Exhausted::Drop));
    failed(&mut world, 3);
    assert!(world.stored().is_empty());
    assert_eq!(world.stored_failures(), ["a"]);
    assert!(matches!(&world.settled(0, "a")[..], [Outcome::Dropped { .. }]));
}

#[test]
fn one_attempt_may_be_all_there_is() {
    let mut world = World::led(limited(1, Exhausted::Drop));
    failed(&mut world, 1);
    assert_eq!(world.stored_failures(), ["a"]);
}

#[test]
fn a_timeout_uses_up_an_attempt() {
    let mut world = World::led(limited(1, Exhausted::Drop));
    world.enqueue_draft(0, draft("a", "limited", "a"));
    world.advance_ms(15_000);
    assert_eq!(world.stored_failures(), ["a"]);
}

#[test]
fn the_default_is_neither() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    for _ in 0..100 {
        world.fail_and_wait("a", server());
    }
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn ten_attempts_are_told_once() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    let stuck = |event: &Event| matches!(event, Event::Stuck { .. });
    for _ in 0..9 {
        world.fail_and_wait("a", server());
    }
    assert_eq!(world.told(0, stuck), 0);
    for _ in 0..9 {
        world.fail_and_wait("a", server());
    }
    assert_eq!(world.told(0, stuck), 1);
    let told = world.events(0).iter().find(|event| stuck(event));
    assert_eq!(told, Some(&Event::Stuck { id: item_id("a"), attempts: 10 }));
}

#[test]
fn a_row_that_a_leader_can_read_later_and_that_is_used_up_is_parked() {
    let mut world = World::led(Config { shared: true, ..limited(3, Exhausted::Park) });
    failed(&mut world, 3);
    let (seq, record) = world.store.rows().next().map(|(seq, record)| (seq, record.to_vec())).unwrap();
    world.store.put_raw(seq, b"garbage".to_vec());
    world.restart_and_lead(0);
    world.store.put_raw(seq, record);
    world.focus(0);
    world.advance_ms(3_600_000);
    assert_eq!(world.reason(0, "a"), Reason::Parked(ParkReason::Attempts { attempts: 3 }));
    assert_eq!(world.dispatched(0), ["a"; 3], "no attempt is left (R16)");
}
