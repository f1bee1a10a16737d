//! Pause (R20): from any replica, for reasons that are stored; each must be taken back.

mod common;

use common::*;
use outbox::{Event, Reason, storage::StorageError};

fn paused_for(reasons: &[&str]) -> Reason {
    Reason::Paused { reasons: reasons.iter().map(ToString::to_string).collect() }
}

#[test]
fn it_stops_new_dispatches_and_resume_starts_them() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    let pause = world.pause(0, "auth");
    assert!(world.done(pause));
    world.enqueue(0, "b", "b");
    assert_eq!(world.in_flight(0), ["a"], "flights go on");
    assert_eq!(world.reason(0, "b"), paused_for(&["auth"]));
    let resume = world.resume(0, "auth");
    assert!(world.done(resume));
    assert_eq!(world.in_flight(0), ["a", "b"]);
}

#[test]
fn it_acts_at_once_and_is_replied_when_durable() {
    let mut world = World::solo();
    world.hold_storage();
    let pause = world.pause(0, "auth");
    assert_eq!(world.reply(pause), None);
    world.enqueue(0, "a", "a");
    assert_eq!(world.outbox(0).paused().collect::<Vec<_>>(), ["auth"]);
    world.release_storage();
    assert!(world.done(pause));
    assert!(world.in_flight(0).is_empty());
    assert_eq!(world.store.paused().collect::<Vec<_>>(), ["auth"]);
}

#[test]
fn each_reason_must_be_taken_back() {
    let mut world = World::solo();
    world.pause(0, "auth");
    world.pause(0, "billing");
    world.enqueue(0, "a", "a");
    assert_eq!(world.reason(0, "a"), paused_for(&["auth", "billing"]));
    world.resume(0, "auth");
    assert_eq!(world.reason(0, "a"), paused_for(&["billing"]));
    assert!(world.in_flight(0).is_empty());
    world.resume(0, "billing");
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_reason_counts_once_however_often_it_is_given() {
    let mut world = World::solo();
    world.pause(0, "auth");
    world.pause(0, "auth");
    world.enqueue(0, "a", "a");
    world.resume(0, "auth");
    assert_eq!(world.in_flight(0), ["a"]);
    let again = world.resume(0, "auth");
    assert!(!world.done(again), "it was not there any more");
}

#[test]
fn acquire_loads_the_reasons() {
    let mut world = World::solo();
    world.pause(0, "auth");
    world.enqueue(0, "a", "a");
    world.restart_and_lead(0);
    world.advance_ms(600_000);
    assert!(world.dispatched(0).is_empty());
    assert_eq!(world.reason(0, "a"), paused_for(&["auth"]));
    world.resume(0, "auth");
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_follower_can_pause_and_resume_the_leader() {
    let mut world = World::shared(2);
    world.pause(1, "auth");
    world.enqueue(0, "a", "a");
    assert!(world.in_flight(0).is_empty(), "the leader was poked");
    world.resume(1, "auth");
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_pause_whose_poke_is_lost_reaches_the_leader_with_its_next_counter_check() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.pause(1, "auth");
    world.lose_mail();
    world.advance_ms(5_000);
    world.enqueue(0, "a", "a");
    assert!(world.in_flight(0).is_empty());
}

#[test]
fn every_change_is_told_with_all_reasons() {
    let mut world = World::solo();
    world.pause(0, "auth");
    world.pause(0, "billing");
    world.resume(0, "auth");
    let told: Vec<Vec<String>> = world
        .events(0)
        .iter()
        .filter_map(|event| if let Event::Paused { reasons } = event { Some(reasons.clone()) } else { None })
        .collect();
    assert_eq!(told, [vec!["auth"], vec!["auth", "billing"], vec!["billing"]]);
}

#[test]
fn changes_that_are_stored_together_are_told_once_each() {
    let mut world = World::solo();
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.pause(0, "auth");
    world.pause(0, "billing");
    world.resume(0, "auth");
    world.release_storage();
    assert_eq!(world.told(0, |event| matches!(event, Event::Paused { .. })), 3);
}

#[test]
fn a_pause_that_cannot_be_stored_says_so() {
    let mut world = World::solo();
    world.store_broken(Some(StorageError::Full));
    let pause = world.pause(0, "auth");
    world.advance_ms(5_000);
    world.store_broken(None);
    world.advance_ms(60_000);
    if let Some(Ok(_)) = world.reply(pause) {
        assert_eq!(world.store.paused().len(), 1);
    } else {
        assert_eq!(world.storage_error(pause), &StorageError::Full);
        assert_eq!(world.store.paused().len(), 0);
        assert_eq!(world.outbox(0).paused().count(), 0, "what was refused does not hold");
    }
}

#[test]
fn backoff_runs_on_while_paused() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.pause(0, "auth");
    world.advance_ms(5_000);
    world.resume(0, "auth");
    assert_eq!(world.in_flight(0), ["a"]);
}
