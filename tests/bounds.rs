//! Bounds (R31): spurious wakes do nothing, no timer in the past, no busy loop, effects bounded by the input
//! and the slots it frees. The world checks timers and bounds at every step of every scenario.

mod common;

use common::*;
use outbox::{
    AskId, Effect, Epoch, Input, Poke, Seq,
    storage::{Committed, Fence, OpId, StorageError, StoreId},
};

/// A world in each of the states in which a timer matters.
fn worlds() -> Vec<(&'static str, World)> {
    let mut all = Vec::new();
    let mut push = |name, make: fn(&mut World)| {
        let mut world = World::led(hook_config());
        make(&mut world);
        all.push((name, world));
    };
    push("idle", |_| {});
    push("in flight", |world| {
        world.enqueue(0, "a", "a");
    });
    push("in backoff", |world| {
        world.enqueue(0, "a", "a");
        world.fail("a", server());
    });
    push("asking", |world| {
        world.enqueue(0, "a", "a");
        world.fail("a", server());
        world.advance_ms(1_000);
    });
    push("offline", |world| {
        world.online(0, false);
        world.enqueue(0, "a", "a");
    });
    push("paused", |world| {
        world.pause(0, "auth");
        world.enqueue(0, "a", "a");
    });
    push("writing", |world| {
        world.hold_storage();
        world.enqueue(0, "a", "a");
    });
    push("storage fails", |world| {
        world.enqueue(0, "a", "a");
        world.store_broken(Some(StorageError::Full));
        world.succeed("a");
    });
    push("deposed", |world| {
        world.enqueue(0, "a", "a");
        world.depose(0);
    });
    all
}

/// Asserts that an input has no effect and changes no state.
#[track_caller]
fn assert_nothing(name: &str, world: &World, input: Input) {
    let mut outbox = world.outbox(0).clone();
    let (mut effects, said) = (Vec::<Effect>::new(), format!("{input:?}"));
    outbox.handle(world.now(), input, &mut effects);
    assert_eq!(effects, [], "{name}: {said}");
    assert_eq!(&outbox, world.outbox(0), "{name}: {said}");
}

#[test]
fn a_spurious_tick_does_nothing() {
    for (name, world) in worlds() {
        assert_nothing(name, &world, Input::Tick);
    }
}

#[test]
fn answers_that_nobody_waits_for_do_nothing() {
    let attempt = Fence { store: StoreId(7), epoch: Epoch(99) }.attempt(Seq(99), 99);
    let committed = Committed { results: vec![], change: 9 };
    for (name, world) in worlds() {
        for input in [
            Input::Resolved { attempt, outcome: success() },
            Input::Persisted { op: OpId(999), result: Ok(committed.clone()) },
            Input::Persisted { op: OpId(999), result: Err(StorageError::Full) },
            Input::Loaded { op: OpId(999), result: Err(StorageError::Full) },
            Input::Answered { ask: AskId(999), verdicts: Ok(vec![]) },
        ] {
            assert_nothing(name, &world, input);
        }
    }
}

#[test]
fn an_edge_that_is_none_does_nothing() {
    for (name, world) in worlds() {
        assert_nothing(name, &world, Input::Online(name != "offline"));
    }
}

#[test]
fn a_poke_from_the_past_does_nothing() {
    let store = StoreId(7);
    let old = Poke::Committed { store, from: 0, to: 0, settled: vec![], changed: vec![], more: false };
    for (name, mut world) in worlds() {
        let before = world.effects(0).len();
        world.poke(0, old.clone());
        assert_eq!(world.effects(0)[before..], [], "{name}");
    }
}

#[test]
fn an_outbox_at_rest_asks_for_no_timer() {
    let mut world = World::solo();
    assert_eq!(world.next_wake_ms(0), None);
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.drain();
    assert_eq!(world.next_wake_ms(0), None);
}

#[test]
fn a_head_in_backoff_costs_one_wake_up() {
    let mut world = World::solo();
    world.enqueue(0, "head", "k");
    for n in 0..100 {
        world.enqueue(0, &format!("i{n}"), "k");
    }
    world.fail("head", server_after_ms(3_600_000));
    let before = world.recording(0).inputs.len();
    world.advance_ms(3_599_999);
    assert_eq!(world.recording(0).inputs.len(), before, "nobody woke for an hour");
}

#[test]
fn coming_online_with_a_backlog_sends_no_more_than_there_are_slots() {
    let mut world = World::solo();
    world.online(0, false);
    world.hold_storage();
    for n in 0..600 {
        world.enqueue(0, &format!("i{n}"), &format!("k{n}"));
    }
    world.release_storage();
    world.online(0, true); // the world bounds the effects
    assert_eq!(world.in_flight(0).len(), 4);
}
