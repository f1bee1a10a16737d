//! Time (R30): years of steps between sessions, suspends, and clocks that ran ahead cost no item more than
//! the longest wait its rule allows.

mod common;

use std::collections::VecDeque;

use common::*;
use outbox::{
    CallId, Class, Effect, Input, Item, Outbox, Timestamp, Trigger, record,
    storage::{MemoryStore, Store, StoreId},
};

const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A world in which an older session has stored `item`.
fn found(item: &Item) -> World {
    let mut world = World::empty();
    world.store.insert_raw(record::encode(item).as_bytes().to_vec());
    world.start(config());
    world.elect(0);
    world
}

/// Three failures, the next attempt at `at_ms` from now; `claimed`: the last has no recorded result.
fn tried(at_ms: u64, claimed: bool) -> Item {
    let mut item = stored_item("a", "a", START);
    item.retry_count = 3;
    item.next_attempt_at = START.plus_ms(at_ms);
    item.claimed = claimed;
    item.last_class = (!claimed).then_some(Class::Server);
    item
}

#[test]
fn a_deadline_years_ahead_is_clamped_to_the_longest_backoff() {
    for claimed in [true, false] {
        let mut world = found(&tried(10 * YEAR_MS, claimed));
        assert!(world.until_ms(0, "a").is_none_or(|ms| ms <= 60_000), "{:?}", world.explain(0, "a"));
        world.advance_ms(60_000);
        assert!(!world.dispatched(0).is_empty());
    }
}

#[test]
fn a_retry_after_years_ahead_is_clamped_to_a_day() {
    let mut item = tried(10 * YEAR_MS, false);
    item.retry_after = Some(item.next_attempt_at);
    let mut world = found(&item);
    world.advance_ms(60_000);
    assert!(world.dispatched(0).is_empty(), "still a floor");
    world.advance_ms(DAY_MS);
    assert!(!world.dispatched(0).is_empty());
}

#[test]
fn a_deadline_at_the_end_of_time_overflows_nothing() {
    let mut item = tried(0, true);
    item.next_attempt_at = outbox::Timestamp::from_millis(u64::MAX);
    item.retry_after = Some(outbox::Timestamp::from_millis(u64::MAX));
    item.created_at = outbox::Timestamp::from_millis(u64::MAX);
    item.retry_count = u32::MAX - 1;
    let mut world = found(&item);
    world.advance_ms(DAY_MS);
    assert!(!world.dispatched(0).is_empty());
}

#[test]
fn a_clock_years_ahead_of_the_last_session_makes_everything_due() {
    let mut item = tried(60_000, true);
    item.retry_after = Some(START.plus_ms(DAY_MS));
    let mut world = World::empty();
    world.store.insert_raw(record::encode(&item).as_bytes().to_vec());
    world.suspend_ms(10 * YEAR_MS);
    world.start(config());
    world.elect(0);
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn order_does_not_depend_on_clocks() {
    let mut world = World::empty();
    for (id, at_ms) in [("a", 3 * YEAR_MS), ("b", 0), ("c", YEAR_MS)] {
        let item = stored_item(id, "k", START.plus_ms(at_ms));
        world.store.insert_raw(record::encode(&item).as_bytes().to_vec());
    }
    world.start(config());
    world.elect(0);
    assert_eq!(world.drain(), ["a", "b", "c"], "created first by seq, whatever the clocks said");
}

#[test]
fn a_suspend_of_a_year_makes_due_what_waited_and_times_out_what_flew() {
    let mut world = World::solo();
    world.enqueue(0, "flying", "f");
    world.enqueue(0, "waiting", "w");
    world.fail("waiting", server());
    world.suspend_ms(YEAR_MS);
    world.step(0, outbox::Input::Tick);
    assert!(world.dispatch_times_ms(0, "waiting").contains(&world.elapsed_ms()));
    assert_eq!(world.cancelled(0).len(), 1, "the attempt is long over");
    world.advance_ms(60_000);
    assert!(world.dispatched(0).iter().filter(|id| *id == "flying").count() >= 2, "and was repeated");
}

#[test]
fn at_the_end_of_time_no_timer_is_asked_for_that_is_over() {
    for before_the_end_ms in [0, 1, 5_000] {
        let now = Timestamp::from_millis(u64::MAX - before_the_end_ms);
        let (mut outbox, mut store) =
            (Outbox::new(hook_config(), now).expect("a config"), MemoryStore::new(StoreId(7)));
        let id = stored_item("a", "a", START).id;
        let enqueue = Input::Enqueue { call: CallId(1), draft: draft(id.as_str(), "write", "a") };
        let mut inputs = VecDeque::from([Input::Wake(Trigger::Init), Input::Elected, enqueue]);
        let (mut effects, mut sent, mut ticks) = (Vec::new(), 0, 0);
        while let Some(input) = inputs.pop_front() {
            outbox.handle(Timestamp::from_millis(u64::MAX), input, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Acquire { op } => inputs.push_back(Input::Loaded { op, result: store.acquire() }),
                    Effect::Load { op, fence, scope } => {
                        inputs.push_back(Input::Loaded { op, result: store.load(fence, &scope) });
                    }
                    Effect::Persist { op, fence, writes } => {
                        inputs.push_back(Input::Persisted { op, result: store.persist(fence, &writes) });
                    }
                    Effect::Dispatch { attempt, .. } => {
                        sent += 1;
                        inputs.push_back(Input::Resolved { attempt, outcome: transport() });
                    }
                    Effect::Sleep { until: Some(until) } => {
                        assert!(until < Timestamp::from_millis(u64::MAX), "a wait can be added to any time");
                        ticks += 1;
                        inputs.push_back(Input::Tick);
                    }
                    _ => {}
                }
            }
            assert!(ticks < 100, "a timer for ever");
        }
        assert_eq!(sent, 1);
    }
}

#[test]
fn a_clock_that_runs_back_inside_a_replica_stands_still_for_it() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    let before = world.record("a");
    world.rewind_ms(3_600_000);
    world.step(0, outbox::Input::Tick);
    world.focus(0);
    world.enqueue(0, "b", "b");
    assert_eq!(world.record("a"), before);
    let created_at = world.stored_item("b").created_at;
    assert_eq!(created_at, START, "the latest time it was ever told");
    world.suspend_ms(3_600_000);
    assert_eq!(world.drain().len(), 2);
}
