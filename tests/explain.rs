//! `explain` (R19): every reason why an item is not being sent, and when that can next change.

mod common;

use common::*;
use outbox::{AttemptLimit, Config, Exhausted, MutatorConfig, ParkReason, Reason};

#[test]
fn writing() {
    let mut world = World::solo();
    world.hold_storage();
    world.enqueue(0, "a", "a");
    assert_eq!(world.reason(0, "a"), Reason::Writing);
}

#[test]
fn in_flight_since() {
    let mut world = World::solo();
    world.advance_ms(500);
    world.enqueue(0, "a", "a");
    let since = world.now();
    world.advance_ms(3_000);
    assert_eq!(world.reason(0, "a"), Reason::InFlight { attempt: 1, since });
    assert_eq!(world.until_ms(0, "a"), Some(12_000), "when it times out");
}

#[test]
fn settling() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.succeed("a");
    assert_eq!(world.reason(0, "a"), Reason::Settling);
}

#[test]
fn removing() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.remove(0, "a");
    assert_eq!(world.reason(0, "a"), Reason::Removing);
}

#[test]
fn claiming() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.hold_storage();
    world.advance_ms(1_000);
    assert_eq!(world.reason(0, "a"), Reason::Claiming);
}

#[test]
fn parked_because_unregistered() {
    let mut world = World::led(with_mutator(config(), "old", MutatorConfig::default()));
    world.online(0, false);
    world.enqueue_draft(0, draft("a", "old", "a"));
    world.config_mut(0).mutators.remove("old");
    world.restart_and_lead(0);
    assert_eq!(world.reason(0, "a"), Reason::Parked(ParkReason::Unregistered));
    assert_eq!(world.until_ms(0, "a"), None);
}

#[test]
fn parked_because_newer_or_unreadable() {
    let mut world = World::empty();
    world.store.insert_raw(br#"{"version":9,"id":"newer","key":["n"]}"#.to_vec());
    world.store.insert_raw(br#"{"version":1,"id":"broken","key":["b"],"retryCount":"many"}"#.to_vec());
    world.start(config());
    world.elect(0);
    assert_eq!(world.reason(0, "newer"), Reason::Parked(ParkReason::NewerVersion { version: 9 }));
    assert_eq!(world.reason(0, "broken"), Reason::Parked(ParkReason::Unreadable));
}

#[test]
fn parked_after_its_attempts() {
    let limit = AttemptLimit { attempts: 1, then: Exhausted::Park };
    let limited = MutatorConfig { max_attempts: Some(limit), ..MutatorConfig::default() };
    let mut world = World::led(with_mutator(config(), "limited", limited));
    world.enqueue_draft(0, draft("a", "limited", "a"));
    world.fail("a", server());
    assert_eq!(world.reason(0, "a"), Reason::Parked(ParkReason::Attempts { attempts: 1 }));
}

#[test]
fn follower() {
    let mut world = World::shared(2);
    world.enqueue(1, "a", "a");
    assert_eq!(world.reason(1, "a"), Reason::Follower);
}

#[test]
fn loading() {
    let mut world = World::shared(2);
    world.online(0, false);
    world.enqueue(0, "a", "a");
    world.crash(0);
    world.hold_storage();
    world.elect(1);
    assert_eq!(world.reason(1, "a"), Reason::Loading);
    world.release_storage();
    assert_eq!(world.drain(), ["a"]);
}

#[test]
fn paused() {
    let mut world = World::solo();
    world.pause(0, "auth");
    world.enqueue(0, "a", "a");
    assert_eq!(world.reason(0, "a"), Reason::Paused { reasons: vec!["auth".into()] });
    assert_eq!(world.until_ms(0, "a"), None);
}

#[test]
fn behind_an_item_in_a_lane() {
    let mut world = World::solo();
    let head = world.enqueue(0, "head", "k");
    world.enqueue(0, "a", "j+k");
    let seq = world.seq(head);
    assert_eq!(world.reason(0, "a"), Reason::Behind { id: item_id("head"), seq, lane: "k".into() });
}

#[test]
fn backoff_until() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.fail("a", server_after_ms(90_000));
    world.advance_ms(30_000);
    assert_eq!(world.reason(0, "a"), Reason::Backoff);
    assert_eq!(world.until_ms(0, "a"), Some(60_000));
}

#[test]
fn hook() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.advance_ms(1_000);
    assert_eq!(world.reason(0, "a"), Reason::Hook);
    assert!(world.until_ms(0, "a").is_none_or(|ms| ms <= 10_000));
}

#[test]
fn offline_until_the_next_probe() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "a");
    assert_eq!(world.reason(0, "a"), Reason::Offline);
    assert!(world.until_ms(0, "a").is_some_and(|ms| ms <= 60_000), "one probe a minute");
}

#[test]
fn concurrency() {
    let mut world = World::led(Config { max_concurrency: 1, ..config() });
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    assert_eq!(world.reason(0, "b"), Reason::Concurrency);
}

#[test]
fn store_full() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    world.disk_full(true);
    world.online(0, true);
    world.advance_ms(5_000);
    assert_eq!(world.in_flight(0), ["a"], "one at a time, unclaimed (R5)");
    assert_eq!(world.reason(0, "b"), Reason::StoreFull);
}

#[test]
fn nobody() {
    let mut world = World::solo();
    assert_eq!(world.outbox(0).explain(&item_id("a")), None);
    world.enqueue(0, "a", "a");
    world.succeed("a");
    assert_eq!(world.outbox(0).explain(&item_id("a")), None, "it is gone");
}

#[test]
fn the_first_reason_in_order_is_given() {
    let mut world = World::solo();
    world.enqueue(0, "head", "k");
    world.enqueue(0, "a", "k");
    world.pause(0, "auth");
    world.online(0, false);
    assert!(matches!(world.reason(0, "a"), Reason::Paused { .. }), "before behind and offline");
    world.resume(0, "auth");
    assert!(matches!(world.reason(0, "a"), Reason::Behind { .. }), "before offline");
}

#[test]
fn every_reason_reads_as_a_sentence() {
    let since = START;
    let reasons = [
        (Reason::InFlight { attempt: 2, since }, "attempt 2 in flight since 1700000000.123"),
        (Reason::Parked(ParkReason::Attempts { attempts: 3 }), "parked after 3 attempts"),
        (Reason::Paused { reasons: vec!["auth".into(), "billing".into()] }, "paused: auth, billing"),
        (Reason::Backoff, "waiting to be tried again"),
        (Reason::Offline, "offline"),
    ];
    for (reason, sentence) in reasons {
        assert_eq!(reason.to_string(), sentence);
    }
}
