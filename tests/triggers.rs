//! Triggers (R13): what pulls waiting items forward, how often, and what it may not touch.

mod common;

use common::*;
use outbox::{Input, Reason, Trigger};

/// Fails `a` until the next backoff is `32` s long.
fn deep_in_backoff(world: &mut World) {
    world.enqueue(0, "a", "a");
    for _ in 0..5 {
        world.fail_and_wait("a", server());
    }
    world.fail("a", server());
    assert_eq!(world.until_ms(0, "a"), Some(32_000));
}

/// Asserts that `id` is in flight at the latest after `millis`.
#[track_caller]
fn assert_sent_within(world: &mut World, id: &str, millis: u64) {
    world.advance_ms(millis);
    assert!(world.in_flight(0).contains(&id.into()), "{:?}", world.explain(0, id));
}

#[test]
fn focus_and_visible_pull_waiting_items_to_within_a_second() {
    for trigger in [Trigger::Focus, Trigger::Visible] {
        let mut world = World::solo();
        deep_in_backoff(&mut world);
        world.step(0, Input::Wake(trigger));
        assert_sent_within(&mut world, "a", 1_000);
        assert_eq!(world.attempt("a").attempt, 7, "the count is kept");
    }
}

#[test]
fn an_item_is_pulled_once_until_its_own_backoff_has_run_out() {
    let mut world = World::solo();
    deep_in_backoff(&mut world);
    world.focus(0);
    assert_sent_within(&mut world, "a", 1_000);
    world.fail("a", server());

    // Pulled once already: the next focus leaves it alone.
    world.advance_ms(10_000);
    world.focus(0);
    assert_eq!(world.until_ms(0, "a"), Some(50_000));
    world.advance_ms(50_000);
    world.fail("a", server());

    // Its own backoff has run out by itself: it may be pulled again.
    world.advance_ms(10_000);
    world.focus(0);
    assert_sent_within(&mut world, "a", 1_000);
}

#[test]
fn an_online_edge_may_always_pull_transport_failures() {
    let mut world = World::solo();
    deep_in_backoff(&mut world);
    world.focus(0);
    assert_sent_within(&mut world, "a", 1_000);
    for _ in 0..3 {
        world.fail("a", transport());
        world.online(0, false);
        world.advance_ms(10_000);
        world.online(0, true);
        assert_sent_within(&mut world, "a", 1_000);
    }
}

#[test]
fn only_an_edge_counts_as_coming_online() {
    let mut world = World::solo();
    deep_in_backoff(&mut world);
    world.online(0, true);
    assert_eq!(world.until_ms(0, "a"), Some(32_000));
}

#[test]
fn a_trigger_soon_after_another_is_deferred_not_dropped() {
    let mut world = World::solo();
    deep_in_backoff(&mut world);
    world.advance_ms(32_000);
    world.focus(0); // the first acts at once, and finds nothing waiting
    world.advance_ms(1_000);
    world.fail("a", server());
    world.advance_ms(1_000);
    world.focus(0); // 2 s after it: deferred to 5 s after it
    assert!(world.until_ms(0, "a").is_some_and(|ms| ms >= 3_000));
    world.advance_ms(2_999);
    assert!(world.in_flight(0).is_empty());
    assert_sent_within(&mut world, "a", 1_001);
}

#[test]
fn init_pulls_items_whose_failure_is_recorded() {
    let mut world = World::solo();
    deep_in_backoff(&mut world);
    world.restart_and_lead(0);
    assert_sent_within(&mut world, "a", 1_000);
}

#[test]
fn init_leaves_an_item_whose_last_claim_has_no_result() {
    let mut world = World::solo();
    deep_in_backoff(&mut world);
    world.advance_ms(32_000);
    assert_eq!(world.attempt("a").attempt, 7);
    world.begin_trace();
    world.note("this attempt kills the app");
    world.restart_and_lead(0);
    assert_eq!(world.reason(0, "a"), Reason::Backoff);
    assert_eq!(world.until_ms(0, "a"), Some(60_000), "the seventh attempt's window, from its claim");
    world.advance_ms(59_999);
    assert!(world.in_flight(0).is_empty());
    assert_sent_within(&mut world, "a", 1);
    snapshot("poison_keeps_its_backoff", &world);
}

#[test]
fn the_first_success_after_a_transport_failure_pulls_transport_failures() {
    let mut world = World::solo();
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, id);
    }
    for _ in 0..5 {
        for id in ["a", "b", "c"] {
            world.fail(id, if id == "b" { server() } else { transport() });
        }
        let wait = world.until_ms(0, "c").expect("in backoff");
        world.advance_ms(wait + 10_000); // slow start lets them go one after the other
        for id in ["a", "b", "c"] {
            assert!(world.in_flight(0).contains(&id.into()));
        }
    }
    for id in ["a", "b", "c"] {
        world.fail(id, if id == "b" { server() } else { transport() });
    }
    world.enqueue(0, "d", "d");
    world.succeed("d");
    assert_sent_within(&mut world, "a", 1_000);
    assert_sent_within(&mut world, "c", 1_000);
    assert_eq!(world.reason(0, "b"), Reason::Backoff, "b had an answer; the network was not its problem");
}

#[test]
fn a_trigger_while_paused_sends_nothing() {
    let mut world = World::solo();
    deep_in_backoff(&mut world);
    world.pause(0, "auth");
    world.focus(0);
    world.advance_ms(5_000);
    assert!(world.in_flight(0).is_empty());
    world.resume(0, "auth");
    assert_eq!(world.drain(), ["a"]);
}
