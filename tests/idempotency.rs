//! Idempotency keys (R21): one per item and args, made at enqueue, stored, the same for ever.

mod common;

use std::collections::BTreeSet;

use common::*;
use outbox::{Config, MutatorConfig};

fn keyed_config() -> Config {
    with_mutator(shared_config(), "pay", MutatorConfig { idempotency_key: true, ..MutatorConfig::default() })
}

#[test]
fn it_is_there_only_if_asked_for() {
    let mut world = World::led(keyed_config());
    world.enqueue_draft(0, draft("a", "pay", "a"));
    world.enqueue(0, "b", "b");
    assert!(world.stored_item("a").idempotency_key.is_some());
    assert_eq!(world.stored_item("b").idempotency_key, None);
}

#[test]
fn one_given_with_the_call_is_taken() {
    let mut world = World::led(keyed_config());
    for mutator in ["pay", "write"] {
        let mut given = draft(mutator, mutator, mutator);
        given.idempotency_key = Some(format!("key of {mutator}"));
        world.enqueue_draft(0, given);
        assert_eq!(*world.stored_item(mutator).idempotency_key.expect("given"), *format!("key of {mutator}"));
    }
}

#[test]
fn it_is_the_same_on_every_attempt_in_every_replica_after_every_restart() {
    let mut world = World::empty();
    world.start(keyed_config());
    world.start(keyed_config());
    world.elect(0);
    world.enqueue_draft(0, draft("a", "pay", "a"));
    let key = world.stored_item("a").idempotency_key;
    world.fail("a", server());
    world.advance_ms(1_000);
    world.fail("a", transport());
    world.restart_and_lead(0);
    world.advance_ms(60_000);
    world.crash(0);
    world.elect(1);
    world.advance_ms(60_000);
    let sent = world.dispatched_items(0).into_iter().chain(world.dispatched_items(1));
    let keys: BTreeSet<_> = sent.map(|item| item.idempotency_key.clone()).collect();
    assert!(world.dispatched(0).len() + world.dispatched(1).len() >= 4);
    assert_eq!(keys, BTreeSet::from([key]));
}

#[test]
fn it_differs_between_items_and_uses_of_an_id() {
    let mut world = World::led(keyed_config());
    world.enqueue_draft(0, draft("a", "pay", "a"));
    world.enqueue_draft(0, draft("b", "pay", "b"));
    assert_ne!(world.stored_item("a").idempotency_key, world.stored_item("b").idempotency_key);
}
