//! Outcomes (R29): told at the server's answer, before the item is durably gone; to every replica; once.

mod common;

use common::*;
use outbox::{Effect, Outcome, Poke};

fn committed(result: &str) -> Outcome {
    Outcome::Committed { result: Some(json(result)) }
}

#[test]
fn the_waiter_is_told_at_the_answer_and_the_item_leaves_at_the_durable_delete() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.resolve(0, world.attempt("a"), success_with("42"));
    assert_eq!(world.resolved(0, "a"), [committed("42")]);
    assert!(world.settled(0, "a").is_empty());
    assert_eq!(world.shown(0), ["a"]);
    world.release_storage();
    assert_eq!(world.settled(0, "a"), [committed("42")]);
    assert!(world.shown(0).is_empty());
}

#[test]
fn a_waiter_is_told_once() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    let attempt = world.attempt("a");
    world.succeed("a");
    world.resolve(0, attempt, success());
    world.resolve(0, attempt, refused());
    assert_eq!(world.resolved(0, "a"), [Outcome::Committed { result: None }]);
}

#[test]
fn a_crash_between_answer_and_delete_sends_again() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.succeed("a");
    world.crash(0);
    world.release_storage();
    world.restart(0);
    world.elect(0);
    assert_eq!(world.drain(), ["a"], "at least once");
}

#[test]
fn a_result_of_up_to_64_kib_goes_along_with_the_poke() {
    for (len, told) in [(60_000, true), (70_000, false)] {
        let mut world = World::shared(2);
        world.enqueue(0, "a", "a");
        let result = format!("\"{}\"", "x".repeat(len));
        world.resolve(0, world.attempt("a"), success_with(&result));
        let [Outcome::Committed { result }] = &world.resolved(1, "a")[..] else { panic!("told once") };
        assert_eq!(result.is_some(), told, "{len} bytes");
        let largest = world.effects(0).iter().map(|effect| match effect {
            Effect::Poke(Poke::Committed { settled, .. }) => format!("{settled:?}").len(),
            _ => 0,
        });
        assert!(largest.max().is_some_and(|bytes| bytes < 66_000));
    }
}

#[test]
fn a_waiter_that_missed_the_poke_learns_it_from_storage() {
    let mut world = World::shared(2);
    world.enqueue(1, "a", "a");
    world.hold_mail();
    world.succeed("a");
    world.lose_mail();
    world.advance_ms(30_000);
    assert!(world.shown(1).is_empty());
    let told = world.resolved(1, "a");
    assert!(matches!(&told[..], [Outcome::Committed { .. } | Outcome::Gone]), "{told:?}");
}

#[test]
fn a_waiter_that_missed_a_refusal_finds_the_failure_record() {
    let mut world = World::shared(2);
    world.enqueue(1, "a", "a");
    world.hold_mail();
    world.fail("a", refused());
    world.lose_mail();
    world.advance_ms(30_000);
    assert_eq!(world.resolved(1, "a"), [Outcome::Dropped { error: refusal() }]);
}

#[test]
fn a_removal_is_told_to_all() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.remove(1, "a");
    assert_eq!(world.resolved(0, "a"), [Outcome::Removed]);
    assert_eq!(world.resolved(1, "a"), [Outcome::Removed]);
}

#[test]
fn each_settle_is_told_once_however_it_is_learnt() {
    let mut world = World::shared(3);
    for n in 0..10 {
        world.enqueue(n % 3, &format!("i{n}"), &format!("k{}", n % 4));
    }
    world.drain();
    world.advance_ms(120_000);
    for r in 0..3 {
        for n in 0..10 {
            let id = format!("i{n}");
            assert_eq!(world.settled(r, &id).len(), 1, "r{r} {id}");
            assert_eq!(world.resolved(r, &id).len(), 1, "r{r} {id}");
        }
    }
}
