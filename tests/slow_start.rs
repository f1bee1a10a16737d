//! Slow start (R9): a transport failure narrows the way to one, each answer widens it, and old attempts
//! do not block it.

mod common;

use common::*;
use outbox::{Config, Reason};

/// `n` items, each in a lane of its own, named `i0`, `i1`, …
fn backlog(world: &mut World, n: usize) {
    for i in 0..n {
        world.enqueue(0, &format!("i{i}"), &format!("k{i}"));
    }
}

#[test]
fn a_transport_failure_sets_the_limit_to_one_and_each_answer_doubles_it() {
    let mut world = World::solo();
    backlog(&mut world, 12);
    assert_eq!(world.in_flight(0), ["i0", "i1", "i2", "i3"]);

    world.fail("i0", transport());
    assert_eq!(world.in_flight(0), ["i1", "i2", "i3"], "three are more than one");
    assert_eq!(world.reason(0, "i4"), Reason::Concurrency);
    world.fail("i1", refused());
    assert_eq!(world.in_flight(0), ["i2", "i3"], "an answer: the limit is two");
    world.succeed("i2");
    assert_eq!(world.in_flight(0), ["i3", "i4", "i5", "i6"], "and four again");
}

#[test]
fn a_refusal_is_an_answer() {
    let mut world = World::solo();
    backlog(&mut world, 8);
    for id in ["i0", "i1"] {
        world.fail(id, transport());
    }
    world.fail("i2", refused());
    assert_eq!(world.in_flight(0), ["i3", "i4"], "two");
}

#[test]
fn the_limit_stays_if_another_attempt_was_answered_since_the_failing_one_began() {
    let mut world = World::solo();
    backlog(&mut world, 8);
    world.succeed("i0");
    assert_eq!(world.in_flight(0), ["i1", "i2", "i3", "i4"]);
    world.advance_ms(1);
    world.fail("i1", transport()); // i0 was answered while i1 flew: the network works
    assert_eq!(world.in_flight(0), ["i2", "i3", "i4", "i5"]);
    world.fail("i5", transport()); // nothing was answered since i5 began
    assert_eq!(world.in_flight(0), ["i2", "i3", "i4"]);
}

#[test]
fn below_the_maximum_an_attempt_older_than_two_seconds_counts_no_longer() {
    let mut world = World::solo();
    backlog(&mut world, 8);
    world.fail("i0", transport());
    assert_eq!(world.in_flight(0).len(), 3);
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0).len(), 3);
    world.advance_ms(1_100); // i1, i2 and i3 are older than 2 s now
    assert_eq!(world.in_flight(0).len(), 4, "one young one, and never more than the maximum");
}

#[test]
fn hung_attempts_do_not_block_the_way_for_ever() {
    let mut world = World::led(Config { max_concurrency: 3, ..config() });
    backlog(&mut world, 1);
    world.fail("i0", transport());
    world.enqueue(0, "hung", "h");
    world.enqueue(0, "next", "n");
    world.enqueue(0, "last", "l");
    assert_eq!(world.in_flight(0), ["hung"]);
    world.advance_ms(900); // i0 is not due yet
    assert_eq!(world.in_flight(0), ["hung"]);
    world.advance_ms(1_200);
    assert_eq!(world.in_flight(0).len(), 2);
    world.advance_ms(2_100);
    assert_eq!(world.in_flight(0).len(), 3);
}

#[test]
fn the_limit_never_exceeds_the_maximum() {
    let mut world = World::led(Config { max_concurrency: 3, ..config() });
    backlog(&mut world, 12);
    for i in 0..6 {
        world.succeed(&format!("i{i}"));
        assert_eq!(world.in_flight(0).len(), 3);
    }
}

#[test]
fn a_timeout_is_a_transport_failure() {
    let mut world = World::solo();
    backlog(&mut world, 1);
    world.advance_ms(15_000);
    world.enqueue(0, "x", "x");
    world.enqueue(0, "y", "y");
    assert_eq!(world.in_flight(0), ["x"]);
}
