//! Refusals (R15): an item that is refused for good leaves a failure record in the same transaction; its
//! lane goes on; the record can be seen, retried once, or dismissed, also after a restart.

mod common;

use common::*;
use outbox::{
    CallError, CallId, Effect, Event, FailureRecord, Input, Json, Mutator, MutatorConfig, Outcome, Registry,
    record,
    storage::{Scope, StorageError, Store, Write},
};

fn refused_world() -> World {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "a");
    world.fail("a", refused());
    world
}

fn retry_failure(world: &mut World, failure: &str, id: &str) -> CallId {
    let (failure, id) = (item_id(failure), item_id(id));
    world.call(0, |call| Input::RetryFailure { call, failure, id })
}

fn dismiss(world: &mut World, id: &str) -> CallId {
    world.call(0, |call| Input::DismissFailure { call, id: item_id(id) })
}

fn failures(world: &World) -> Vec<String> {
    world.outbox(0).failures().map(|failure| failure.item.id.to_string()).collect()
}

#[test]
fn delete_and_failure_record_are_one_transaction() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.fail("a", refused());
    assert!(matches!(world.writing(0), [Write::Bury { .. }]));
    assert!(world.settled(0, "a").is_empty(), "not before it is durable");
    world.release_storage();
    assert!(world.stored().is_empty());
    assert_eq!(world.stored_failures(), ["a"]);
}

#[test]
fn it_is_told_to_waiters_and_subscribers() {
    let world = refused_world();
    assert_eq!(world.resolved(0, "a"), [Outcome::Dropped { error: refusal() }]);
    assert_eq!(world.settled(0, "a"), world.resolved(0, "a"));
}

#[test]
fn the_lane_goes_on() {
    let world = refused_world();
    assert_eq!(world.in_flight(0), ["b"]);
    assert_eq!(world.shown(0), ["b"]);
}

#[test]
fn failures_are_listed_also_after_a_restart() {
    let mut world = refused_world();
    assert_eq!(failures(&world), ["a"]);
    world.restart_and_lead(0);
    assert_eq!(failures(&world), ["a"]);
    let failure = world.outbox(0).failures().next().expect("one is listed");
    assert_eq!(failure.error, refusal());
    assert_eq!(failure.item.args, json(r#"{"of":"a"}"#));
    assert_eq!(failure.item.retry_count, 1);
}

#[test]
fn retry_failure_makes_it_an_item_again_in_one_transaction() {
    let mut world = refused_world();
    world.begin_trace();
    world.note("a was refused; the user corrects what was wrong and tries again");
    world.hold_storage();
    let call = retry_failure(&mut world, "a", "a-again");
    assert!(matches!(world.writing(0), [Write::RetryFailure { .. }]));
    world.release_storage();
    assert_eq!(world.seq(call).0, 3, "a new place, behind b");
    assert!(world.stored_failures().is_empty());
    assert!(failures(&world).is_empty());
    let again = world.stored_item("a-again");
    assert_eq!((again.retry_count, again.last_error), (0, None));
    assert_eq!(again.args, json(r#"{"of":"a"}"#));
    assert_eq!(again.key, key("a"));
    assert_eq!(world.drain(), ["b", "a-again"]);
    snapshot("a_refusal_is_retried", &world);
}

#[test]
fn retry_failure_works_once() {
    let mut world = refused_world();
    retry_failure(&mut world, "a", "first");
    let second = retry_failure(&mut world, "a", "second");
    assert!(!world.done(second));
    assert_eq!(world.stored(), ["b", "first"]);
    assert_eq!(world.shown(0), ["b", "first"]);
}

#[test]
fn retry_failure_before_the_first_load_waits_for_it() {
    let mut world = refused_world();
    world.crash(0);
    world.hold_storage();
    world.restart(0);
    let call = retry_failure(&mut world, "a", "again");
    let none = retry_failure(&mut world, "never-was", "other");
    assert!(world.is_open(call) && world.is_open(none), "nothing is known of the store yet");
    assert!(!world.outbox(0).is_durable(), "a call still waits for storage");
    world.release_storage();
    assert_eq!(world.seq(call).0, 3);
    assert!(!world.done(none));
    assert!(world.stored_failures().is_empty());
}

/// What is known of the record may have args that the mutator would upgrade: they are as old as the load
/// (R23).
#[test]
fn retry_failure_after_a_late_registration_waits_until_the_records_are_read_again() {
    let mut world = refused_world();
    world.hold_storage();
    world.register(0, "write", MutatorConfig::default());
    let Some(Effect::Load { op, scope: Scope::Full, fence }) = world.request(0).cloned() else {
        panic!("everything is read again: {:?}", world.request(0))
    };
    let call = retry_failure(&mut world, "a", "again");
    let mut snapshot = world.store.load(fence, &Scope::Full).expect("the store works");
    let upgraded = json(r#""upgraded""#);
    let mut registry = Registry::new();
    registry.register(Mutator::<Json>::new("write").upgrade(move |_| Ok(upgraded.clone())));
    assert!(registry.upgrade(&mut snapshot).is_empty());
    world.answer_instead(0, Input::Loaded { op, result: Ok(snapshot) });
    world.release_storage();
    assert!(matches!(world.reply(call), Some(Ok(_))));
    assert_eq!(world.stored_item("again").args.as_str(), r#""upgraded""#);
}

#[test]
fn retry_failure_of_a_record_that_another_replica_made_asks_the_store() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(0, "a", "a");
    world.fail("a", refused());
    let (failure, id) = (item_id("a"), item_id("again"));
    let call = world.call(1, |call| Input::RetryFailure { call, failure, id });
    assert_eq!(world.seq(call).0, 2, "its poke is not here yet, but the record is stored");
    assert!(world.stored_failures().is_empty());
}

#[test]
fn retry_failure_that_cannot_be_looked_up_fails() {
    let mut world = refused_world();
    world.store_fails(StorageError::Unknown);
    let call = retry_failure(&mut world, "unknown-here", "again");
    assert_eq!(*world.storage_error(call), StorageError::Unknown);
    assert_eq!(world.stored_failures(), ["a"]);
}

#[test]
fn two_retries_in_one_transaction_work_once() {
    let mut world = refused_world();
    world.hold_storage();
    let other = world.enqueue(0, "x", "x"); // keeps storage busy
    let first = retry_failure(&mut world, "a", "first");
    let second = retry_failure(&mut world, "a", "second");
    world.release_storage();
    world.seq(other);
    world.seq(first);
    assert!(!world.done(second));
    assert_eq!(world.stored(), ["b", "x", "first"]);
}

#[test]
fn retry_failure_with_a_taken_id_leaves_the_record() {
    let mut world = refused_world();
    let call = retry_failure(&mut world, "a", "b");
    assert!(matches!(world.error(call), CallError::Duplicate { id } if id.as_str() == "b"));
    assert_eq!(world.stored_failures(), ["a"]);
    assert_eq!(failures(&world), ["a"]);
}

#[test]
fn an_idempotent_item_gets_a_new_idempotency_key_when_retried() {
    let keyed = outbox::MutatorConfig { idempotency_key: true, ..Default::default() };
    let mut world = World::led(with_mutator(config(), "pay", keyed));
    world.enqueue_draft(0, draft("a", "pay", "a"));
    let old = world.stored_item("a").idempotency_key;
    world.fail("a", refused());
    retry_failure(&mut world, "a", "again");
    let new = world.stored_item("again").idempotency_key;
    assert!(new.is_some() && new != old, "the server would answer the old key with the old refusal");
}

#[test]
fn dismiss_forgets_it_for_good() {
    let mut world = refused_world();
    let first = dismiss(&mut world, "a");
    assert!(world.done(first));
    let second = dismiss(&mut world, "a");
    assert!(!world.done(second));
    assert!(failures(&world).is_empty());
    world.restart_and_lead(0);
    assert!(failures(&world).is_empty());
}

/// Puts `n` failure records into the store, named `f0`, `f1`, …, each with `args` of so many bytes.
fn bury(world: &mut World, n: usize, args_bytes: usize) {
    for i in 0..n {
        let mut item = stored_item(&format!("f{i}"), "f", START);
        item.args = json(&format!("\"{}\"", "x".repeat(args_bytes)));
        let insert = Write::Insert { id: item.id.clone(), record: record::encode(&item) };
        world.store.persist(None, &[insert]).expect("there is room");
        let seq = world.store.through();
        item.seq = Some(seq);
        let failure = FailureRecord { failed_at: START, error: refusal(), item: item.clone() };
        let bury = Write::Bury { seq, id: item.id, failure: record::encode_failure(&failure) };
        world.store.persist(None, &[bury]).expect("there is room");
    }
}

fn evicted(world: &World) -> Vec<String> {
    let told = world.events(0).iter().filter_map(|event| match event {
        Event::FailureEvicted { id } => Some(id.to_string()),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_thousand_records_are_kept_and_the_oldest_makes_way() {
    let mut world = World::empty();
    bury(&mut world, 1_000, 1);
    world.start(config());
    world.elect(0);
    assert_eq!(failures(&world).len(), 1_000);
    world.enqueue(0, "a", "a");
    world.fail("a", refused());
    assert_eq!(world.stored_failures().len(), 1_000);
    assert_eq!(evicted(&world), ["f0"]);
    assert_eq!(world.stored_failures().last().map(String::as_str), Some("a"));
    assert_eq!(failures(&world), world.stored_failures());
}

#[test]
fn sixteen_mebibytes_are_kept_and_the_oldest_make_way() {
    let mut world = World::empty();
    bury(&mut world, 17, 1 << 20);
    world.start(config());
    world.elect(0);
    world.enqueue(0, "a", "a");
    world.fail("a", refused());
    let bytes: usize = world.store.failures().map(|(_, record)| record.len()).sum();
    assert!(bytes <= 16 << 20, "{bytes} bytes are kept");
    assert!(evicted(&world).starts_with(&["f0".into(), "f1".into()]));
    assert_eq!(world.stored_failures().last().map(String::as_str), Some("a"));
}
