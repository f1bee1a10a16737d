//! Backoff (R10): windows of 1, 2, 4, 8, 16, 32, 60, 60 … seconds, for ever, with jitter that only subtracts.

mod common;

use std::collections::BTreeSet;

use common::*;
use outbox::{
    AttemptOutcome, Class, Config, Reason,
    storage::{MemoryStore, StoreId},
};

const WINDOWS_MS: [u64; 9] = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000];

/// Fails `a` once per window and returns the delays that followed.
fn delays_ms(world: &mut World, failure: &AttemptOutcome) -> Vec<u64> {
    world.enqueue(0, "a", "a");
    let mut delays = Vec::new();
    for _ in WINDOWS_MS {
        world.fail("a", failure.clone());
        assert_eq!(world.reason(0, "a"), Reason::Backoff);
        let delay = world.until_ms(0, "a").expect("a backoff ends by itself");
        world.advance_ms(delay - 1);
        assert!(world.in_flight(0).is_empty(), "not a millisecond early");
        world.advance_ms(1);
        assert_eq!(world.in_flight(0), ["a"], "and not one late");
        delays.push(delay);
    }
    delays
}

#[test]
fn without_jitter_the_windows_are_exact() {
    assert_eq!(delays_ms(&mut World::solo(), &transport()), WINDOWS_MS);
    assert_eq!(delays_ms(&mut World::solo(), &server()), WINDOWS_MS);
}

#[test]
fn with_jitter_the_delay_is_between_half_the_window_and_the_window() {
    let mut world = World::led(Config { jitter: true, ..config() });
    let delays = delays_ms(&mut world, &server());
    for (delay, window) in delays.iter().zip(WINDOWS_MS) {
        assert!((window / 2..=window).contains(delay), "{delay} ms in a window of {window} ms");
    }
    assert_ne!(delays, WINDOWS_MS, "some of it is subtracted");
}

#[test]
fn jitter_covers_its_range_across_items() {
    let mut world = World::led(Config { jitter: true, max_concurrency: 1_000, ..config() });
    let mut delays = BTreeSet::new();
    for n in 0..400 {
        let id = format!("i{n}");
        world.enqueue(0, &id, &id);
        world.fail(&id, server());
        delays.insert(world.until_ms(0, &id).expect("in backoff"));
        world.remove(0, &id);
    }
    let (least, most) = (delays.first().copied(), delays.last().copied());
    assert!(least.is_some_and(|ms| (500..=525).contains(&ms)), "{least:?}");
    assert!(most.is_some_and(|ms| (975..=1_000).contains(&ms)), "{most:?}");
    assert!(delays.len() > 200, "{} different delays", delays.len());
}

#[test]
fn jitter_is_a_function_of_the_store_the_item_and_the_attempt() {
    let delays_in = |store: u128| {
        let mut world = World::empty();
        world.store = MemoryStore::new(StoreId(store));
        world.start(Config { jitter: true, ..config() });
        world.elect(0);
        delays_ms(&mut world, &server())
    };
    assert_eq!(delays_in(1), delays_in(1), "the same store draws the same");
    assert_ne!(delays_in(1), delays_in(2), "two clients draw apart, though their seqs are the same");
}

/// Classes are told by type, never by text (R12).
#[test]
fn an_error_that_speaks_of_refusal_is_retried_all_the_same() {
    for text in ["400", "401 Unauthorized", "after 4000 ms", "NonRetriableError", "422 Unprocessable"] {
        for class in [Class::Transport, Class::Server] {
            let mut world = World::solo();
            world.enqueue(0, "a", "a");
            world.fail_and_wait("a", failure(class, text, text, None));
            assert_eq!(world.in_flight(0), ["a"], "{text}");
        }
    }
}

#[test]
fn it_goes_on_for_ever() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    for _ in 0..500 {
        world.fail_and_wait("a", server());
    }
    assert_eq!(world.attempt("a").attempt, 501);
    assert_eq!(world.stored_item("a").retry_count, 501);
    world.succeed("a");
    assert!(world.stored().is_empty());
}

#[test]
fn backoff_goes_on_where_it_was_after_a_restart() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    for _ in 0..4 {
        world.fail_and_wait("a", server());
    }
    world.restart_and_lead(0);
    world.advance_ms(16_000); // the window of the fifth claim, whose result nobody heard
    assert_eq!(world.attempt("a").attempt, 6);
    world.fail("a", server());
    assert_eq!(world.until_ms(0, "a"), Some(32_000), "the sixth failure's window");
}

#[test]
fn the_error_and_its_class_are_kept_with_the_item() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.fail("a", transport());
    let stored = world.stored_item("a");
    assert_eq!(stored.last_class, Some(Class::Transport));
    assert_eq!(
        stored.last_error.map(|error| error.to_string()).as_deref(),
        Some("ConnectError: connection refused")
    );
    assert!(!stored.claimed, "a recorded result clears the claim (R25)");
    assert_eq!(stored.next_attempt_at, world.now().plus_ms(1_000));
}
