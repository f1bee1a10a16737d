//! Keys and the two special lanes (R7): how a key is found, the serial lane `unknown`, and barriers.

mod common;

use common::*;
use outbox::{Draft, Item, Key, MutatorConfig, Reason, Seq, record};

/// A draft whose key is derived from its args.
fn keyed_by_args(id: &str, args: &str) -> Draft {
    Draft::new(item_id(id), "write", json(args))
}

fn barrier_world() -> World {
    World::led(with_mutator(config(), "barrier", MutatorConfig { barrier: true, ..MutatorConfig::default() }))
}

#[test]
fn unknown_is_serial_with_itself_only() {
    let mut world = World::solo();
    world.enqueue(0, "u1", "");
    world.enqueue(0, "u2", "");
    world.enqueue(0, "a", "a");
    assert_eq!(world.in_flight(0), ["u1", "a"]);
    assert!(matches!(world.reason(0, "u2"), Reason::Behind { lane, .. } if lane == "unknown"));
    world.succeed("u1");
    assert_eq!(world.in_flight(0), ["u2", "a"]);
}

#[test]
fn a_key_spelled_unknown_is_not_the_lane_unknown() {
    let mut world = World::solo();
    world.enqueue(0, "lane", "");
    world.enqueue(0, "spelled", "unknown");
    assert_eq!(world.in_flight(0), ["lane", "spelled"]);

    // And stays so in storage.
    world.restart_and_lead(0);
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["lane", "spelled"]);
}

#[test]
fn numbers_and_their_decimal_text_are_one_key() {
    let mut world = World::solo();
    for (id, args) in [("a", r#"{"id":1}"#), ("b", r#"{"id":1.0}"#), ("c", r#"{"id":"1"}"#)] {
        world.enqueue_draft(0, keyed_by_args(id, args));
    }
    assert_eq!(world.in_flight(0), ["a"]);
    assert_eq!(world.stored_item("b").key, key("1"));
}

#[test]
fn keys_come_from_the_call_then_args_id_then_args_ids() {
    let mut world = World::solo();
    let given = Draft { key: Some(key("call")), ..keyed_by_args("given", r#"{"id":"x","ids":["y"]}"#) };
    world.enqueue_draft(0, given);
    world.enqueue_draft(0, keyed_by_args("id", r#"{"ids":["y"],"id":"x"}"#));
    world.enqueue_draft(0, keyed_by_args("ids", r#"{"ids":["y","z","y"]}"#));
    world.enqueue_draft(0, keyed_by_args("none", r#"{"id":null,"ids":[]}"#));
    world.enqueue_draft(0, keyed_by_args("fraction", r#"{"id":1.5}"#));
    assert_eq!(world.stored_item("given").key, key("call"));
    assert_eq!(world.stored_item("id").key, key("x"));
    assert_eq!(world.stored_item("ids").key, key("y+z"));
    assert_eq!(world.stored_item("none").key, Key::UNKNOWN);
    assert_eq!(world.stored_item("fraction").key, Key::UNKNOWN);
}

#[test]
fn a_barrier_waits_for_everything_before_it() {
    let mut world = barrier_world();
    world.enqueue(0, "a", "a");
    world.enqueue(0, "u", "");
    world.enqueue_draft(0, draft("wall", "barrier", "w"));
    assert_eq!(world.in_flight(0), ["a", "u"]);
    world.succeed("a");
    assert_eq!(world.in_flight(0), ["u"]);
    assert!(matches!(world.reason(0, "wall"), Reason::Behind { id, .. } if id == item_id("u")));
    world.succeed("u");
    assert_eq!(world.in_flight(0), ["wall"]);
}

#[test]
fn a_barrier_holds_everything_after_it() {
    let mut world = barrier_world();
    world.enqueue_draft(0, draft("wall", "barrier", "w"));
    world.enqueue(0, "a", "a");
    world.enqueue(0, "u", "");
    world.enqueue(0, "b", "b");
    assert_eq!(world.in_flight(0), ["wall"]);
    assert!(matches!(world.reason(0, "a"), Reason::Behind { lane, .. } if lane == "barrier"));

    // Through its backoff as well.
    world.fail("wall", server());
    assert!(world.in_flight(0).is_empty());
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["wall"]);
    world.succeed("wall");
    assert_eq!(world.in_flight(0), ["a", "u", "b"]);
}

#[test]
fn two_barriers_keep_their_order() {
    let mut world = barrier_world();
    world.enqueue(0, "a", "a");
    world.enqueue_draft(0, draft("wall1", "barrier", "x"));
    world.enqueue(0, "b", "b");
    world.enqueue_draft(0, draft("wall2", "barrier", "y"));
    world.enqueue(0, "c", "c");
    assert_eq!(world.drain(), ["a", "wall1", "b", "wall2", "c"]);
}

#[test]
fn a_record_that_becomes_a_barrier_or_ceases_to_be_one_is_taken_as_it_is_stored() {
    let mut world = World::shared(2);
    world.pause(0, "test");
    for (id, key) in [("a", "x"), ("b", "y"), ("c", "z")] {
        world.enqueue(0, id, key);
    }
    let plain = world.stored_item("b");
    for barrier in [true, false, true] {
        let changed = Item { barrier, ..plain.clone() };
        world.store.put_raw(Seq(2), record::encode(&changed).as_bytes().to_vec());
        world.focus(1);
        assert_eq!(world.outbox(1).item(&item_id("b")).map(|item| item.barrier), Some(barrier));
    }
    world.depose(0);
    world.elect(1);
    world.resume(1, "test");
    assert_eq!(world.in_flight(1), ["a"]);
    world.succeed("a");
    assert_eq!(world.in_flight(1), ["b"]);
    assert_eq!(world.drain(), ["b", "c"]);
}

#[test]
fn a_stored_barrier_is_one_for_a_build_that_no_longer_says_so() {
    let mut world = barrier_world();
    world.enqueue_draft(0, draft("wall", "barrier", "w"));
    world.enqueue(0, "a", "a");
    world.config_mut(0).mutators.insert("barrier".into(), MutatorConfig::default());
    world.restart_and_lead(0);
    assert_eq!(world.drain(), ["wall", "a"]);
}
