//! Parked records (R23): a mutator that is not registered, or a record of a newer version, is held with its
//! lane, its bytes untouched, until a build that knows it comes.

mod common;

use common::*;
use outbox::{
    Effect, Event, Input, Json, Mutator, MutatorConfig, ParkReason, Reason, Registry, Reply,
    storage::{Scope, Store},
};

const NEWER: &str =
    r#"{"version":2,"id":"newer","key":["k"],"mutatorName":{"of":"the future"},"args":[1.50, 2],"new":true}"#;

fn parked_events(world: &World) -> Vec<ParkReason> {
    let told = world.events(0).iter().filter_map(|event| match event {
        Event::Parked { reason, .. } => Some(*reason),
        _ => None,
    });
    told.collect()
}

/// Three items of `old` in two lanes, stored by a build that knew `old`; this build does not.
fn without_mutator() -> World {
    let mut world = World::led(with_mutator(config(), "old", MutatorConfig::default()));
    world.online(0, false);
    world.enqueue_draft(0, draft("a1", "old", "a"));
    world.enqueue_draft(0, draft("a2", "old", "a"));
    world.enqueue_draft(0, draft("b1", "old", "b"));
    world.enqueue(0, "b2", "b");
    world.enqueue(0, "c", "c");
    world.config_mut(0).mutators.remove("old");
    world.restart_and_lead(0);
    world
}

fn with_newer() -> World {
    let mut world = World::empty();
    world.store.insert_raw(NEWER.as_bytes().to_vec());
    world.start(config());
    world.elect(0);
    world
}

#[test]
fn an_unregistered_mutator_parks_its_items_and_their_lanes() {
    let mut world = without_mutator();
    world.advance_ms(600_000);
    assert_eq!(world.dispatched(0).first().map(String::as_str), Some("c"));
    assert!(!world.dispatched(0).iter().any(|id| id != "c"));
    assert_eq!(world.reason(0, "a1"), Reason::Parked(ParkReason::Unregistered));
    assert!(matches!(world.reason(0, "b2"), Reason::Behind { id, .. } if id == item_id("b1")));
}

#[test]
fn there_is_one_event_per_mutator_name() {
    let mut world = without_mutator();
    world.advance_ms(60_000);
    assert_eq!(parked_events(&world), [ParkReason::Unregistered]);
}

#[test]
fn nothing_is_written_to_parked_items() {
    let mut world = without_mutator();
    let before = world.record("a1");
    world.focus(0);
    world.advance_ms(600_000);
    assert_eq!(world.record("a1"), before);
    assert_eq!(world.stored_item("a1").retry_count, 0);
}

#[test]
fn registration_releases_them_in_order() {
    let mut world = without_mutator();
    world.succeed("c");
    world.config_mut(0).mutators.insert("old".into(), MutatorConfig::default());
    world.restart_and_lead(0);
    let taken = world.drain();
    let lane =
        |ids: [&str; 2]| taken.iter().filter(|id| ids.contains(&id.as_str())).cloned().collect::<Vec<_>>();
    assert_eq!(lane(["a1", "a2"]), ["a1", "a2"]);
    assert_eq!(lane(["b1", "b2"]), ["b1", "b2"]);
}

#[test]
fn late_registration_releases_them_in_order() {
    let mut world = without_mutator();
    let call = world.register(0, "old", MutatorConfig::default());
    assert_eq!(world.reply(call), Some(&Ok(Reply::Done(true))));
    assert_eq!(world.in_flight(0), ["a1", "b1", "c"]);
    let taken = world.drain();
    let lane =
        |ids: [&str; 2]| taken.iter().filter(|id| ids.contains(&id.as_str())).cloned().collect::<Vec<_>>();
    assert_eq!(lane(["a1", "a2"]), ["a1", "a2"]);
    assert_eq!(lane(["b1", "b2"]), ["b1", "b2"]);
}

#[test]
fn late_registration_reads_again_so_that_stored_args_can_be_upgraded() {
    let mut world = without_mutator();
    world.hold_storage();
    world.register(0, "old", MutatorConfig::default());
    assert_eq!(world.reason(0, "a1"), Reason::Parked(ParkReason::Unregistered), "not before it is read");
    let Some(Effect::Load { op, fence, scope: Scope::Full }) = world.request(0).cloned() else {
        panic!("everything is read again")
    };
    let mut snapshot = world.store.load(fence, &Scope::Full).expect("the store works");
    let upgraded = Json::from_text(r#""upgraded""#).expect("JSON");
    let mut registry = Registry::new();
    registry.register(Mutator::<Json>::new("old").upgrade(move |_| Ok(upgraded.clone())));
    assert!(registry.upgrade(&mut snapshot).is_empty());
    world.answer_instead(0, Input::Loaded { op, result: Ok(snapshot) });
    world.release_storage();
    let sent = world.dispatched_items(0).into_iter().find(|item| item.id == item_id("a1")).expect("released");
    assert_eq!(sent.args.as_str(), r#""upgraded""#);
}

#[test]
fn a_follower_that_registers_late_shows_the_items_as_any_other() {
    let mut world = without_mutator();
    world.depose(0);
    world.register(0, "old", MutatorConfig::default());
    assert_eq!(world.reason(0, "a1"), Reason::Follower);
    world.elect(0);
    assert_eq!(world.in_flight(0), ["a1", "b1"]);
}

#[test]
fn a_mutator_can_be_registered_before_anything_is_loaded() {
    let mut world = World::empty();
    world.start(config());
    world.register(0, "late", MutatorConfig::default());
    world.elect(0);
    world.enqueue_draft(0, draft("a", "late", "a"));
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn registering_again_replaces_the_configuration() {
    let mut world = World::led(with_mutator(config(), "m", MutatorConfig::default()));
    world.register(0, "m", MutatorConfig { idempotency_key: true, ..MutatorConfig::default() });
    world.enqueue_draft(0, draft("a", "m", "a"));
    assert!(world.stored_item("a").idempotency_key.is_some());
}

#[test]
fn a_late_registration_that_is_refused_changes_nothing() {
    let mut world = without_mutator();
    let refused = MutatorConfig { timeout_ms: Some(0), ..MutatorConfig::default() };
    let call = world.register(0, "old", refused);
    let Some(Err(error)) = world.reply(call) else { panic!("a timeout of no time is refused") };
    assert_eq!(error.to_string(), "config: `mutators.old.timeoutMs` is 0; it must be 1 to 86400000");
    assert_eq!(world.reason(0, "a1"), Reason::Parked(ParkReason::Unregistered));
}

#[test]
fn a_newer_record_is_shown_and_holds_its_lane() {
    let mut world = with_newer();
    world.enqueue(0, "behind", "k");
    world.enqueue(0, "beside", "j");
    assert_eq!(world.shown(0), ["newer", "behind", "beside"]);
    assert_eq!(world.in_flight(0), ["beside"]);
    assert_eq!(world.reason(0, "newer"), Reason::Parked(ParkReason::NewerVersion { version: 2 }));
    assert_eq!(parked_events(&world), [ParkReason::NewerVersion { version: 2 }]);
}

#[test]
fn a_newer_record_keeps_every_byte() {
    let mut world = with_newer();
    world.enqueue(0, "behind", "k");
    world.online(0, false);
    world.online(0, true);
    world.focus(0);
    world.advance_ms(600_000);
    world.restart_and_lead(0);
    world.depose(0);
    world.elect(0);
    let (_, bytes) = world.store.rows().next().expect("stored");
    assert_eq!(bytes, NEWER.as_bytes());
}

#[test]
fn a_newer_barrier_is_a_barrier() {
    let mut world = World::empty();
    world.store.insert_raw(br#"{"version":2,"id":"wall","key":["k"],"barrier":true}"#.to_vec());
    world.start(config());
    world.elect(0);
    world.enqueue(0, "a", "a");
    assert!(world.in_flight(0).is_empty());
    world.remove(0, "wall");
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_newer_unknown_key_is_the_lane_unknown() {
    let mut world = World::empty();
    world.store.insert_raw(br#"{"version":2,"id":"newer","key":"unknown"}"#.to_vec());
    world.start(config());
    world.elect(0);
    world.enqueue(0, "u", "");
    world.enqueue(0, "a", "a");
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_body_that_cannot_be_read_parks_the_item() {
    let record = br#"{"version":1,"id":"broken","key":["k"],"mutatorName":"write","retryCount":-1}"#;
    let mut world = World::empty();
    world.store.insert_raw(record.to_vec());
    world.start(config());
    world.elect(0);
    world.enqueue(0, "behind", "k");
    world.advance_ms(600_000);
    assert!(world.dispatched(0).is_empty());
    assert_eq!(world.reason(0, "broken"), Reason::Parked(ParkReason::Unreadable));
    assert_eq!(world.store.rows().next().map(|(_, bytes)| bytes), Some(&record[..]));
}
