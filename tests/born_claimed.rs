//! Claims (R2): each attempt is preceded by a durable write of its count. What that costs: one write before
//! the send and one after; and a wave of items shares its transactions.

mod common;

use common::*;
use outbox::{
    Config, Effect,
    storage::{Fence, StorageError, Write},
};

#[test]
fn an_online_enqueue_costs_one_write_before_the_send_and_one_after() {
    let mut world = World::solo();
    world.begin_trace();
    world.enqueue(0, "a", "a");
    assert_eq!(world.in_flight(0), ["a"]);
    assert_eq!(world.persists(0).len(), 1, "insert and claim are one");
    assert_eq!(world.persists(0)[0].len(), 1);
    world.succeed("a");
    assert_eq!(world.persists(0).len(), 2);
    assert_eq!(world.persists(0)[1].len(), 1);
    snapshot("an_online_enqueue", &world);
}

#[test]
fn an_item_that_cannot_run_at_once_is_not_born_claimed() {
    let mut world = World::led(Config { max_concurrency: 1, ..config() });
    world.enqueue(0, "a", "a");
    world.enqueue(0, "same lane", "a");
    world.enqueue(0, "no slot", "b");
    assert_eq!(world.stored_item("same lane").retry_count, 0);
    assert_eq!(world.stored_item("no slot").retry_count, 0);
    world.online(0, false);
    world.enqueue(0, "offline", "c");
    assert!(!world.stored_item("offline").claimed);
}

#[test]
fn a_follower_never_claims() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(1, "a", "a");
    assert_eq!(world.stored_item("a").retry_count, 0);
    world.deliver_mail();
    assert_eq!(world.in_flight(0), ["a"]);
    assert_eq!(world.stored_item("a").retry_count, 1);
}

#[test]
fn a_wave_shares_its_transactions() {
    let mut world = World::solo();
    for n in 0..12 {
        world.enqueue(0, &format!("i{n}"), &format!("k{n}"));
    }
    let before = world.persists(0).len();
    world.hold_storage();
    for n in 0..4 {
        world.succeed(&format!("i{n}"));
    }
    world.release_storage();
    let waves = &world.persists(0)[before..];
    assert_eq!(waves.len(), 2, "the first answer's, and all that arrived while it was written");
    assert_eq!(waves.iter().map(Vec::len).sum::<usize>(), 4 + 4 + 4, "deletes, claims, and claims ahead");
    assert_eq!(world.in_flight(0).len(), 4);
}

#[test]
fn failures_deletes_and_claims_share_a_transaction() {
    let mut world = World::solo();
    for n in 0..8 {
        world.enqueue(0, &format!("i{n}"), &format!("k{n}"));
    }
    world.hold_storage();
    world.succeed("i0");
    world.succeed("i1");
    world.fail("i2", server());
    world.fail("i3", refused());
    world.answer(0);
    let writes = world.writing(0);
    let count = |kind: fn(&Write) -> bool| writes.iter().filter(|write| kind(write)).count();
    assert_eq!(count(|write| matches!(write, Write::Delete { .. })), 1);
    assert_eq!(count(|write| matches!(write, Write::Bury { .. })), 1);
    assert_eq!(
        count(|write| matches!(write, Write::Put { .. })),
        2,
        "a failure, and the claim that was not made ahead"
    );
}

#[test]
fn a_backlog_drains_with_two_writes_an_item() {
    let mut world = World::solo();
    world.online(0, false);
    for n in 0..100 {
        world.enqueue(0, &format!("i{n}"), &format!("k{n}"));
    }
    let before: usize = world.persists(0).iter().map(Vec::len).sum();
    world.online(0, true);
    world.drain();
    let after: usize = world.persists(0).iter().map(Vec::len).sum();
    assert_eq!(after - before, 200, "a claim and a delete each");
}

#[test]
fn a_claim_acknowledged_when_its_item_may_not_be_sent_stays_valid() {
    let mut world = World::solo();
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.pause(0, "auth");
    world.release_storage();
    assert!(world.in_flight(0).is_empty());
    assert_eq!(world.outbox(0).in_flight(), 0, "its slot is free");
    let before: Vec<Write> = world.persists(0).concat();
    world.resume(0, "auth");
    assert_eq!(world.in_flight(0), ["a"]);
    assert_eq!(world.attempt("a").attempt, 1, "the claim it was born with");
    let claims = world.persists(0).concat()[before.len()..]
        .iter()
        .filter(|write| matches!(write, Write::Put { .. }))
        .count();
    assert_eq!(claims, 0, "and no other");
}

#[test]
fn a_claim_is_not_valid_in_another_epoch() {
    let mut world = World::shared(1);
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.pause(0, "auth");
    world.release_storage();
    world.depose(0);
    world.elect(0);
    world.resume(0, "auth");
    world.advance_ms(60_000);
    assert!(world.attempt("a").attempt >= 2);
}

/// `a`'s claim is committed; its acknowledgement arrives `late_ms` after the request.
fn acknowledged_after(late_ms: u64) -> World {
    let mut world = World::shared(2);
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.commit(0);
    world.note("the tab is frozen");
    world.suspend_ms(late_ms);
    world.answer(0);
    world
}

#[test]
fn a_claim_acknowledged_in_time_needs_no_check() {
    let world = acknowledged_after(4_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_claim_acknowledged_late_is_checked_by_a_fenced_read() {
    let mut world = acknowledged_after(4_001);
    assert!(world.in_flight(0).is_empty());
    let Some(Effect::Load { fence, .. }) = world.request(0) else { panic!("{:?}", world.request(0)) };
    assert_eq!(*fence, Some(Fence { store: world.store.store_id(), epoch: world.store.epoch() }));
    world.release_storage();
    assert_eq!(world.in_flight(0), ["a"]);
    assert_eq!(world.attempt("a").attempt, 1);
}

#[test]
fn a_tab_that_thaws_after_its_successor_took_over_sends_nothing() {
    let mut world = World::shared(2);
    world.begin_trace();
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.commit(0);
    world.note("r0 freezes before the acknowledgement arrives; r1 takes over and sends");
    world.suspend_ms(20_000);
    world.elect(1);
    while world.request(1).is_some() {
        world.answer(1);
    }
    assert!(world.shown(1).contains(&"a".into()));
    world.note("r0 thaws");
    world.answer(0);
    assert!(world.in_flight(0).is_empty());
    world.release_storage();
    assert!(world.dispatched(0).is_empty(), "the read was fenced");
    assert_eq!(world.resigned(0), 1);
    assert_eq!(world.drain(), ["a"]);
    snapshot("a_thawed_tab_sends_nothing", &world);
}

#[test]
fn a_claim_that_is_refused_sends_nothing() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "a");
    world.store_fails(StorageError::Unavailable { cause: "locked".into() });
    world.hold_storage();
    world.online(0, true);
    world.answer(0);
    assert!(world.in_flight(0).is_empty());
    world.release_storage();
    world.advance_ms(5_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

/// A claim that was held for long is as stale as one acknowledged late: it is checked before it is acted on.
#[test]
fn a_held_claim_of_an_item_that_a_follower_has_removed_sends_nothing() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.online(0, false);
    world.release_storage();
    assert!(world.stored_item("a").claimed && world.in_flight(0).is_empty(), "its claim is held");
    world.hold_mail();
    world.remove(1, "a");
    world.lose_mail();
    world.online(0, true);
    world.advance_ms(1_000);
    assert!(world.dispatched(0).is_empty(), "a removal is durable before it resolves (R1, R18)");
}

#[test]
fn a_held_claim_of_a_leader_that_was_fenced_meanwhile_sends_nothing() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.online(0, false);
    world.release_storage();
    world.note("r0 freezes, offline; r1 takes over and sends");
    world.suspend_ms(3_600_000);
    world.hold_mail();
    world.elect(1);
    world.lose_mail();
    world.note("r0 thaws, and comes online before any timer fires");
    world.online(0, true);
    assert!(world.dispatched(0).is_empty(), "an hour-old claim says nothing about who leads (R2, R27)");
}
