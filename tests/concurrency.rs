//! Concurrency (R8): how many are in flight, in which order they are taken, and what stops new ones.

mod common;

use common::*;
use outbox::{Config, Reason};

fn enqueue_all(world: &mut World, ids: &[&str]) {
    for id in ids {
        world.enqueue(0, id, id);
    }
}

#[test]
fn at_most_max_concurrency_are_in_flight() {
    for max in [1, 2, 4, 7] {
        let mut world = World::led(Config { max_concurrency: max, ..config() });
        for i in 0..20 {
            world.enqueue(0, &format!("i{i}"), &format!("k{i}"));
        }
        assert_eq!(world.in_flight(0).len(), max as usize);
        assert_eq!(world.reason(0, "i19"), Reason::Concurrency);
        assert_eq!(world.drain().len(), 20);
    }
}

#[test]
fn the_default_is_four() {
    let mut world = World::solo();
    enqueue_all(&mut world, &["a", "b", "c", "d", "e"]);
    assert_eq!(world.in_flight(0), ["a", "b", "c", "d"]);
}

#[test]
fn a_settling_item_holds_no_slot() {
    let mut world = World::led(Config { max_concurrency: 1, ..config() });
    enqueue_all(&mut world, &["a", "b"]);
    world.hold_storage();
    world.succeed("a");
    assert_eq!(world.reason(0, "a"), Reason::Settling);
    // b's claim goes with a's delete, in one transaction.
    assert_eq!(world.writing(0).len(), 2);
    world.release_storage();
    assert_eq!(world.in_flight(0), ["b"]);
}

#[test]
fn failed_items_hold_at_most_all_slots_but_one() {
    let mut world = World::solo();
    let poisoned = ["p1", "p2", "p3", "p4", "p5"];
    enqueue_all(&mut world, &poisoned[..4]);
    for id in &poisoned[..4] {
        world.fail(id, server());
    }
    world.enqueue(0, "p5", "p5");
    world.fail("p5", server());
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["p1", "p2", "p3"], "five are due, three may go");
    assert_eq!(world.reason(0, "p4"), Reason::Concurrency);

    // The last slot is for what has not failed yet.
    world.enqueue(0, "healthy", "h");
    assert_eq!(world.in_flight(0), ["p1", "p2", "p3", "healthy"]);
}

#[test]
fn with_one_slot_failed_items_may_have_it() {
    let mut world = World::led(Config { max_concurrency: 1, ..config() });
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn pause_and_offline_stop_new_dispatches_only() {
    let mut world = World::solo();
    enqueue_all(&mut world, &["a", "b"]);
    world.online(0, false);
    world.pause(0, "auth");
    assert_eq!(world.in_flight(0), ["a", "b"]);
    assert!(world.cancelled(0).is_empty());
    world.succeed("a");
    world.succeed("b");
    assert!(world.stored().is_empty(), "their results count");
    world.enqueue(0, "c", "c");
    assert!(world.in_flight(0).is_empty());
    world.resume(0, "auth");
    world.online(0, true);
    assert_eq!(world.drain(), ["c"]);
}

#[test]
fn deposed_cancels_flights() {
    let mut world = World::shared(1);
    enqueue_all(&mut world, &["a", "b"]);
    world.depose(0);
    assert_eq!(world.cancelled(0).len(), 2);
    assert!(world.in_flight(0).is_empty());
    assert_eq!(world.stored(), ["a", "b"]);
}

#[test]
fn while_offline_one_probe_a_minute_goes_out() {
    let mut world = World::solo();
    world.online(0, false);
    enqueue_all(&mut world, &["a", "b", "c"]);
    assert!(world.in_flight(0).is_empty());
    assert_eq!(world.reason(0, "a"), Reason::Offline);

    let start_ms = world.elapsed_ms();
    let mut probes_ms = Vec::new();
    while world.elapsed_ms() < start_ms + 10 * 60_000 {
        world.advance_ms(500);
        let flying = world.in_flight(0);
        assert!(flying.len() <= 1, "one probe at a time");
        for id in flying {
            probes_ms.push(world.elapsed_ms());
            world.fail(&id, transport());
        }
    }
    assert!((9..=11).contains(&probes_ms.len()), "{probes_ms:?}");
    let gaps: Vec<u64> = probes_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (59_000..=62_000).contains(gap)), "{gaps:?}");
}

#[test]
fn a_probe_that_succeeds_settles_its_item() {
    let mut world = World::solo();
    world.online(0, false);
    enqueue_all(&mut world, &["a"]);
    world.advance_ms(60_000);
    assert_eq!(world.in_flight(0), ["a"], "online flags lie");
    world.succeed("a");
    assert!(world.stored().is_empty());
}

#[test]
fn coming_online_fills_the_slots() {
    let mut world = World::solo();
    world.online(0, false);
    enqueue_all(&mut world, &["a", "b", "c", "d", "e", "f"]);
    assert_eq!(world.stored().len(), 6, "offline, everything is stored all the same");
    world.online(0, true);
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0).len(), 4);
}
