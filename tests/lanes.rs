//! Lanes (R6): one at a time per key, in order, through backoff and restarts; in parallel across keys.

mod common;

use common::*;
use outbox::Reason;

#[test]
fn items_of_one_key_go_one_at_a_time_in_creation_order() {
    let mut world = World::solo();
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, "todo");
    }
    assert_eq!(world.in_flight(0), ["a"]);
    world.succeed("a");
    assert_eq!(world.in_flight(0), ["b"]);
    world.succeed("b");
    assert_eq!(world.in_flight(0), ["c"]);
    world.succeed("c");
    assert_eq!(world.dispatched(0), ["a", "b", "c"]);
    assert!(world.stored().is_empty());
}

#[test]
fn items_of_different_keys_go_in_parallel() {
    let mut world = World::solo();
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, id);
    }
    assert_eq!(world.in_flight(0), ["a", "b", "c"]);
}

#[test]
fn a_failed_head_holds_its_lane_and_no_other() {
    let mut world = World::solo();
    world.enqueue(0, "a1", "a");
    world.enqueue(0, "a2", "a");
    world.fail("a1", server());
    world.enqueue(0, "b1", "b");
    assert_eq!(world.in_flight(0), ["b1"]);
    assert!(matches!(world.reason(0, "a2"), Reason::Behind { lane, .. } if lane == "a"));

    // The head is tried again before its lane moves on.
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["a1", "b1"]);
    world.succeed("a1");
    assert_eq!(world.in_flight(0), ["a2", "b1"]);
}

#[test]
fn order_is_kept_through_a_restart_in_mid_flight() {
    let mut world = World::solo();
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, "todo");
    }
    world.restart_and_lead(0);
    assert_eq!(world.shown(0), ["a", "b", "c"]);
    assert_eq!(world.drain(), ["a", "b", "c"]);
    assert_eq!(world.dispatched(0), ["a", "a", "b", "c"]);
}

#[test]
fn order_is_kept_across_leaders() {
    let mut world = World::shared(2);
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, "todo");
    }
    world.fail("a", server());
    world.crash(0);
    world.elect(1);
    assert_eq!(world.drain(), ["a", "b", "c"]);
}

#[test]
fn a_refused_head_lets_its_lane_go_on() {
    let mut world = World::solo();
    world.enqueue(0, "a", "todo");
    world.enqueue(0, "b", "todo");
    world.fail("a", refused());
    assert_eq!(world.in_flight(0), ["b"]);
}

#[test]
fn lanes_interleave_by_what_became_runnable_first() {
    let mut world = World::led(outbox::Config { max_concurrency: 2, ..config() });
    for (id, key) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c")] {
        world.enqueue(0, id, key);
    }
    // c1 has been runnable since it was stored; a2 becomes so when a1 is gone.
    assert_eq!(world.in_flight(0), ["a1", "b1"]);
    world.succeed("a1");
    assert_eq!(world.in_flight(0), ["b1", "c1"]);
    world.succeed("b1");
    assert_eq!(world.in_flight(0), ["a2", "c1"]);
    assert_eq!(world.drain(), ["a2", "b2", "c1"]);
}
