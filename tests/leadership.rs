//! Leadership (R27): acquire first, one fence for every write, and when a leader steps down by itself.

mod common;

use common::*;
use outbox::{
    Config, Effect, Event, Input, MutatorConfig, Outbox, Outcome, Timestamp, Trigger,
    storage::{Scope, StorageError, StoreId},
};

fn busy() -> StorageError {
    StorageError::Unavailable { cause: "database is locked".into() }
}

#[test]
fn it_acquires_before_it_does_anything_else() {
    let mut world = World::empty();
    world.start(config());
    world.enqueue(0, "a", "a");
    assert_eq!(world.store.epoch().0, 0, "a follower takes no epoch");
    world.hold_storage();
    world.elect(0);
    assert!(matches!(world.request(0), Some(Effect::Acquire { .. })));
    assert!(!world.outbox(0).is_leading(), "not before it knows what is stored");
    world.release_storage();
    assert!(world.outbox(0).is_leading());
    assert_eq!(world.store.epoch().0, 1);
    assert_eq!(world.attempt("a").epoch.0, 1);
}

#[test]
fn every_takeover_raises_the_epoch() {
    let mut world = World::shared(2);
    for epoch in 2..6 {
        let (old, new) = (epoch % 2, (epoch + 1) % 2);
        world.depose(old as usize);
        world.elect(new as usize);
        assert_eq!(world.store.epoch().0, epoch);
    }
}

#[test]
fn being_told_twice_is_being_told_once() {
    let mut world = World::shared(1);
    world.elect(0);
    assert_eq!(world.store.epoch().0, 1);
    world.depose(0);
    world.depose(0);
    let leading: Vec<bool> = world
        .events(0)
        .iter()
        .filter_map(|event| if let Event::Leading(leads) = event { Some(*leads) } else { None })
        .collect();
    assert_eq!(leading, [true, false]);
}

#[test]
fn an_acquire_that_fails_is_repeated() {
    let mut world = World::empty();
    world.start(config());
    world.store_fails(busy());
    world.store_fails(busy());
    world.elect(0);
    world.advance_ms(9_000);
    assert!(world.outbox(0).is_leading());
}

#[test]
fn a_fenced_leader_steps_down_at_once() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    world.begin_trace();
    world.note("r1 is elected too: r0 has not heard that it lost its lock");
    world.elect(1);
    assert_eq!(world.store.epoch().0, 2);
    world.note("r0 learns it from its next write");
    world.succeed("a");
    assert!(!world.outbox(0).is_leading());
    assert_eq!(world.resigned(0), 1);
    assert!(world.in_flight(0).is_empty(), "its flights are cancelled");
    snapshot("a_fenced_leader_steps_down", &world);
    let sent = world.dispatched(0).len();
    world.enqueue(0, "c", "c");
    world.drain();
    world.advance_ms(120_000);
    assert_eq!(world.dispatched(0).len(), sent, "it sends nothing more");
}

#[test]
fn a_fenced_write_takes_its_insert_along_and_the_insert_goes_again() {
    let mut world = World::shared(2);
    world.elect(1);
    let call = world.enqueue(0, "a", "a");
    world.seq(call);
    assert!(world.dispatched(0).is_empty());
    assert_eq!(world.in_flight(1), ["a"]);
}

#[test]
fn a_deposed_leader_discards_its_bookkeeping() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "k");
    world.enqueue(0, "b", "k");
    world.hold_storage();
    world.enqueue(0, "busy", "x"); // storage is at work, so the delete waits
    world.succeed("a");
    world.depose(0);
    world.elect(1);
    world.release_storage();
    world.advance_ms(60_000);
    assert_eq!(world.stored().first().map(String::as_str), Some("a"), "its delete was never written");
    let taken = world.drain();
    let lane: Vec<_> = taken.iter().filter(|id| *id != "busy").collect();
    assert_eq!(lane, ["a", "b"]);
}

#[test]
fn a_store_made_again_fences_the_old_leader() {
    let mut world = World::shared(1);
    world.enqueue(0, "a", "a");
    world.replace_store(StoreId(8)); // its epochs restart
    world.succeed("a");
    assert!(!world.outbox(0).is_leading());
    assert_eq!(world.resigned(0), 1);
    world.elect(0);
    let call = world.enqueue(0, "b", "b");
    assert_eq!(world.seq(call).0, 1);
    assert_eq!(world.drain(), ["b"]);
}

#[test]
fn a_place_that_is_given_anew_ends_the_lead_before_a_late_result_can_settle_who_has_it_now() {
    let mut world = World::shared(1);
    world.enqueue(0, "a", "k");
    let attempt = world.attempt("a");
    world.replace_store(StoreId(8));
    world.enqueue(0, "b", "k"); // waits for its lane, so that its insert is no leader's write
    assert_eq!(world.place_of("b"), Some(attempt.seq));
    assert_eq!(world.resigned(0), 1);
    world.resolve(0, attempt, success());
    assert_eq!(world.resolved(0, "a"), [Outcome::Gone]);
    assert!(world.resolved(0, "b").is_empty());
    world.elect(0);
    assert_eq!(world.drain(), ["b"]);
}

#[test]
fn it_resigns_when_storage_has_not_answered_for_ten_seconds() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.advance_ms(9_999);
    assert_eq!(world.resigned(0), 0);
    world.advance_ms(1);
    assert_eq!(world.resigned(0), 1);
    assert!(!world.outbox(0).is_leading());
    world.release_storage();
    world.elect(1);
    assert_eq!(world.drain(), ["a"]);
}

#[test]
fn it_resigns_again_if_it_is_elected_again_and_storage_still_does_not_answer() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.advance_ms(10_000);
    world.elect(0); // nobody else wanted to lead
    world.advance_ms(9_999);
    assert_eq!(world.resigned(0), 1, "it has its time again");
    world.advance_ms(1);
    assert_eq!(world.resigned(0), 2, "else nobody would lead as long as it lives");
    world.elect(1);
    world.release_storage();
    assert_eq!(world.drain(), ["a"]);
}

#[test]
fn what_failed_for_a_follower_is_tried_at_once_when_it_is_elected() {
    let mut world = World::shared(2);
    world.store_broken(Some(busy()));
    world.focus(1);
    world.advance_ms(100_000);
    world.store_broken(None);
    world.crash(0);
    world.elect(1);
    assert!(
        world.outbox(1).is_leading(),
        "the follower's backoff is no reason for a minute without a leader"
    );
}

#[test]
fn it_resigns_when_storage_has_failed_for_ten_seconds() {
    let mut world = World::shared(1);
    world.enqueue(0, "a", "a");
    world.store_broken(Some(busy()));
    world.succeed("a");
    world.advance_ms(9_000);
    assert_eq!(world.resigned(0), 0);
    world.advance_ms(3_000);
    assert_eq!(world.resigned(0), 1);

    // When storage is back it can lead again.
    world.store_broken(None);
    world.elect(0);
    world.advance_ms(60_000);
    assert!(world.outbox(0).is_leading());
    world.drain();
}

#[test]
fn one_failure_is_not_ten_seconds_of_failure() {
    let mut world = World::solo();
    world.store_fails(busy());
    world.enqueue(0, "a", "a");
    world.advance_ms(60_000); // storage works; there is nothing to write
    assert_eq!(world.resigned(0), 0);
    assert!(world.outbox(0).is_leading());
}

#[test]
fn a_full_store_is_no_reason_to_resign() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.disk_full(true);
    for n in 0..30 {
        world.enqueue(0, &format!("i{n}"), "x");
        world.advance_ms(400);
    }
    assert_eq!(world.resigned(0), 0, "another replica would find it as full");
}

#[test]
fn it_resigns_for_a_replica_that_can_run_what_it_has_parked() {
    let pinging = Config { ping: true, ..shared_config() };
    let mut world = World::empty();
    world.start(pinging.clone());
    world.start(with_mutator(pinging, "new", MutatorConfig::default()));
    world.elect(0);
    world.begin_trace();
    world.note("r1 is a newer build: it knows a mutator that the leader does not");
    world.enqueue_draft(1, draft("a", "new", "a"));
    world.advance_ms(5_000);
    assert_eq!(world.resigned(0), 1);
    world.note("the lock goes to r1");
    world.elect(1);
    assert_eq!(world.drain(), ["a"]);
    snapshot("a_newer_build_takes_over", &world);
}

#[test]
fn it_does_not_resign_for_a_replica_that_cannot() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.step(0, Input::Pong { from: "r1".into(), registered: vec![] });
    world.step(0, Input::Pong { from: "r1".into(), registered: vec!["write".into()] });
    assert_eq!(world.resigned(0), 0, "nothing is parked");
}

#[test]
fn a_follower_does_not_dispatch_or_claim() {
    let mut world = World::shared(2);
    world.crash(0);
    world.enqueue(1, "a", "a");
    world.focus(1);
    world.advance_ms(600_000);
    assert!(world.dispatched(1).is_empty());
    assert_eq!(world.stored_item("a").retry_count, 0);
}

#[test]
fn a_new_leader_takes_over_the_whole_backlog() {
    let mut world = World::led(Config { shared: true, ..config() });
    world.start(shared_config());
    for n in 0..20 {
        world.enqueue(n % 2, &format!("i{n}"), &format!("k{}", n % 3));
    }
    world.succeed("i0");
    world.crash(0);
    world.elect(1);
    assert_eq!(world.drain().len(), 19);
}

/// Found by the model: it slept for good, and showed nothing but its own items for ever.
#[test]
fn a_replica_deposed_before_it_acquired_still_loads() {
    let at = |ms: u64| Timestamp::from_millis(1_700_000_000_000 + ms);
    let down = || Err(StorageError::Unavailable { cause: "locked".into() });
    let mut outbox = Outbox::new(shared_config(), at(0)).unwrap();
    let mut effects = Vec::new();
    outbox.handle(at(0), Input::Wake(Trigger::Init), &mut effects);
    let Some(&Effect::Load { op, .. }) = effects.first() else { panic!("it loads first: {effects:?}") };
    outbox.handle(at(0), Input::Elected, &mut effects);
    outbox.handle(at(0), Input::Loaded { op, result: down() }, &mut effects);
    effects.clear();
    outbox.handle(at(1_000), Input::Tick, &mut effects);
    let Some(&Effect::Acquire { op }) = effects.first() else { panic!("it acquires: {effects:?}") };
    outbox.handle(at(1_000), Input::Deposed, &mut effects);
    outbox.handle(at(1_000), Input::Loaded { op, result: down() }, &mut effects);
    effects.clear();
    outbox.handle(outbox.wake_at().expect("it tries again"), Input::Tick, &mut effects);
    assert!(matches!(effects.first(), Some(Effect::Load { scope: Scope::Full, .. })), "{effects:?}");
}
