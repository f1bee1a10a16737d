//! `Retry-After` (R11): a floor under the backoff, above its cap if need be, that no trigger shortens.

mod common;

use common::*;
use outbox::Reason;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn asked_to_wait(millis: u64) -> World {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.fail("a", server_after_ms(millis));
    world
}

/// Asserts that `a` is sent in exactly `millis` from now.
#[track_caller]
fn assert_sent_in(world: &mut World, millis: u64) {
    assert_eq!(world.reason(0, "a"), Reason::Backoff);
    assert_eq!(world.until_ms(0, "a"), Some(millis));
    world.advance_ms(millis - 1);
    assert!(world.in_flight(0).is_empty());
    world.advance_ms(1);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn the_larger_of_it_and_the_backoff_counts() {
    assert_sent_in(&mut asked_to_wait(120_000), 120_000);
    assert_sent_in(&mut asked_to_wait(1_001), 1_001);
    assert_sent_in(&mut asked_to_wait(10), 1_000);
    assert_sent_in(&mut asked_to_wait(0), 1_000);
}

#[test]
fn it_is_clamped_to_a_day() {
    assert_sent_in(&mut asked_to_wait(DAY_MS), DAY_MS);
    assert_sent_in(&mut asked_to_wait(DAY_MS + 1), DAY_MS);
    assert_sent_in(&mut asked_to_wait(u64::MAX), DAY_MS);
}

#[test]
fn no_trigger_shortens_it() {
    let mut world = asked_to_wait(120_000);
    world.focus(0);
    world.step(0, outbox::Input::Wake(outbox::Trigger::Visible));
    world.online(0, false);
    world.online(0, true);
    world.enqueue(0, "b", "b");
    world.succeed("b");
    assert_sent_in(&mut world, 120_000);
}

#[test]
fn a_restart_does_not_shorten_it() {
    let mut world = asked_to_wait(120_000);
    world.advance_ms(20_000);
    world.restart_and_lead(0);
    assert_sent_in(&mut world, 100_000);
}

#[test]
fn a_new_leader_keeps_it() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.fail("a", server_after_ms(120_000));
    world.crash(0);
    world.elect(1);
    world.advance_ms(119_999);
    assert!(world.in_flight(1).is_empty());
    world.advance_ms(1);
    assert_eq!(world.in_flight(1), ["a"]);
}

#[test]
fn the_next_failure_without_it_takes_the_floor_away() {
    let mut world = asked_to_wait(120_000);
    world.advance_ms(120_000);
    world.fail("a", server());
    assert_eq!(world.stored_item("a").retry_after, None);
    assert_sent_in(&mut world, 2_000);
}

#[test]
fn it_holds_its_own_lane_only() {
    let mut world = asked_to_wait(120_000);
    world.enqueue(0, "a2", "a");
    world.enqueue(0, "b", "b");
    assert_eq!(world.in_flight(0), ["b"]);
}

#[test]
fn it_is_stored_as_a_time() {
    let world = asked_to_wait(120_000);
    assert_eq!(world.stored_item("a").retry_after, Some(world.now().plus_ms(120_000)));
}
