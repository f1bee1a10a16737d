//! Items with several keys (R6): a place in each lane, one at a time in all of them, never a deadlock.

mod common;

use common::*;
use outbox::Reason;

#[test]
fn it_waits_until_it_is_first_in_all_its_lanes() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    world.enqueue(0, "both", "a+b");
    world.succeed("a");
    assert_eq!(world.in_flight(0), ["b"]);
    assert!(matches!(world.reason(0, "both"), Reason::Behind { lane, .. } if lane == "b"));
    world.succeed("b");
    assert_eq!(world.in_flight(0), ["both"]);
}

#[test]
fn it_holds_all_its_lanes() {
    let mut world = World::solo();
    world.enqueue(0, "both", "a+b");
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    world.enqueue(0, "c", "c");
    assert_eq!(world.in_flight(0), ["both", "c"]);
    world.fail("both", server());
    assert_eq!(world.in_flight(0), ["c"]);
    world.advance_ms(1_000);
    world.succeed("both");
    assert_eq!(world.in_flight(0), ["a", "b", "c"]);
}

#[test]
fn it_holds_a_lane_in_which_it_is_first_while_it_waits_in_another() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.enqueue(0, "both", "a+b");
    world.enqueue(0, "b", "b");
    // `b` came after `both`, so it waits, though nothing of lane b is in flight.
    assert_eq!(world.in_flight(0), ["a"]);
    assert!(matches!(world.reason(0, "b"), Reason::Behind { id, .. } if id == item_id("both")));
    assert_eq!(world.drain(), ["a", "both", "b"]);
}

#[test]
fn opposite_orders_of_keys_do_not_deadlock() {
    let mut world = World::solo();
    world.enqueue(0, "ab", "a+b");
    world.enqueue(0, "ba", "b+a");
    world.enqueue(0, "bc", "b+c");
    world.enqueue(0, "ca", "c+a");
    assert_eq!(world.drain(), ["ab", "ba", "bc", "ca"]);
}

#[test]
fn a_chain_of_overlaps_keeps_creation_order_only_where_lanes_meet() {
    let mut world = World::solo();
    world.enqueue(0, "ab", "a+b");
    world.enqueue(0, "cd", "c+d");
    world.enqueue(0, "bc", "b+c");
    world.enqueue(0, "e", "e");
    assert_eq!(world.in_flight(0), ["ab", "cd", "e"]);
    world.succeed("ab");
    assert_eq!(world.in_flight(0), ["cd", "e"]);
    world.succeed("cd");
    assert_eq!(world.in_flight(0), ["bc", "e"]);
}

#[test]
fn a_key_named_twice_counts_once() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k+k");
    assert_eq!(world.stored_item("a").key, key("k"));
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn removing_it_frees_all_its_lanes() {
    let mut world = World::solo();
    world.enqueue(0, "both", "a+b");
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    world.remove(0, "both");
    assert_eq!(world.in_flight(0), ["a", "b"]);
}
