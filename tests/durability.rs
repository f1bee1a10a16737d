//! Durability (R1, R3, R4, R5): written first, one order, group commit, and what happens when storage
//! refuses, fails, or cannot tell.

mod common;

use common::*;
use outbox::{
    CallId, Effect, Event, Outcome, Place, Reason, Seq, ViewChange,
    storage::{StorageError, Write},
};

fn busy() -> StorageError {
    StorageError::Unavailable { cause: "database is locked".into() }
}

fn insert_ids(writes: &[Write]) -> Vec<String> {
    let ids = writes.iter().filter_map(|write| match write {
        Write::Insert { id, .. } => Some(id.to_string()),
        _ => None,
    });
    ids.collect()
}

fn enqueue_all(world: &mut World, ids: &[&str]) -> Vec<CallId> {
    ids.iter().map(|id| world.enqueue(0, id, id)).collect()
}

// --- R1: written first.

#[test]
fn enqueue_resolves_when_the_insert_is_durable_not_when_the_server_has_it() {
    let mut world = World::solo();
    world.hold_storage();
    let call = world.enqueue(0, "a", "a");
    assert_eq!(world.reply(call), None);
    assert!(world.in_flight(0).is_empty(), "no dispatch of what is not stored");
    world.commit(0);
    assert_eq!(world.reply(call), None, "stored, but nobody knows yet");
    world.answer(0);
    assert_eq!(world.seq(call), Seq(1));
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_failed_write_fails_its_enqueue_and_leaves_no_trace() {
    for error in [StorageError::Full, busy()] {
        let mut world = World::solo();
        world.store_fails(error.clone());
        let call = world.enqueue(0, "a", "a");
        assert_eq!(world.storage_error(call), &error);
        assert!(world.shown(0).is_empty());
        assert!(world.stored().is_empty());
        world.advance_ms(5_000);
        assert!(world.dispatched(0).is_empty());
        let again = world.enqueue(0, "a", "a");
        assert_eq!(world.seq(again), Seq(1), "the id is free");
    }
}

#[test]
fn what_was_acknowledged_survives_a_crash_at_once() {
    let mut world = World::solo();
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.commit(0);
    world.enqueue(0, "b", "b");
    world.crash(0);
    world.release_storage();
    world.restart(0);
    assert_eq!(world.shown(0), ["a"], "b was never acknowledged");
}

#[test]
fn a_replica_that_has_not_loaded_yet_appends_all_the_same() {
    let mut world = World::shared(1);
    world.enqueue(0, "a", "a");
    world.crash(0);
    world.hold_storage();
    world.restart(0);
    let call = world.enqueue(0, "b", "b");
    world.release_storage();
    assert_eq!(world.seq(call), Seq(2));
    assert_eq!(world.shown(0), ["a", "b"]);
}

// --- R3: one order.

#[test]
fn seqs_go_up_and_are_never_used_again() {
    let mut world = World::solo();
    let calls = enqueue_all(&mut world, &["a", "b"]);
    world.succeed("b");
    world.succeed("a");
    world.restart_and_lead(0);
    let later = world.enqueue(0, "c", "c");
    assert_eq!([world.seq(calls[0]), world.seq(calls[1]), world.seq(later)], [Seq(1), Seq(2), Seq(3)]);
}

#[test]
fn a_leader_that_sees_a_gap_loads_before_it_dispatches_past_it() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.note("the follower's item takes seq 1; its poke is lost");
    world.enqueue(1, "first", "k");
    world.lose_mail();
    world.begin_trace();
    world.note("the leader's own item, claimed as it is written, is acknowledged as #2");
    world.enqueue(0, "second", "k");
    assert_eq!(world.in_flight(0), ["first"], "an item turned up before it");
    world.succeed("first");
    assert_eq!(world.in_flight(0), ["second"]);
    world.succeed("second");
    snapshot("a_gap_is_loaded_before_it_is_passed", &world);
}

#[test]
fn no_gap_no_load() {
    let mut world = World::solo();
    let loads = world.loads(0);
    enqueue_all(&mut world, &["a", "b", "c"]);
    world.drain();
    enqueue_all(&mut world, &["d"]);
    assert_eq!(world.loads(0), loads);
}

// --- R4: group commit.

#[test]
fn what_arrives_while_storage_is_busy_is_the_next_transaction() {
    let mut world = World::solo();
    world.online(0, false);
    world.hold_storage();
    enqueue_all(&mut world, &["a", "b", "c", "d"]);
    assert_eq!(insert_ids(world.writing(0)), ["a"]);
    world.answer(0);
    assert_eq!(insert_ids(world.writing(0)), ["b", "c", "d"], "in the order of the calls");
}

#[test]
fn a_transaction_holds_at_most_256_writes() {
    let mut world = World::solo();
    world.online(0, false);
    world.hold_storage();
    let ids: Vec<String> = (0..1_000).map(|n| format!("i{n}")).collect();
    for id in &ids {
        world.enqueue(0, id, id);
    }
    world.release_storage();
    assert_eq!(world.persists(0).len(), 5, "1 + 256 + 256 + 256 + 231");
    assert_eq!(world.stored(), ids);
}

#[test]
fn a_transaction_holds_at_most_a_mebibyte_or_one_item() {
    let mut world = World::led(outbox::Config { max_args_bytes: 4 << 20, ..config() });
    world.online(0, false);
    world.hold_storage();
    let big = |id: &str, kib: usize| {
        let mut big = draft(id, "write", id);
        big.args = json(&format!("\"{}\"", "x".repeat(kib << 10)));
        big
    };
    world.enqueue(0, "busy", "b");
    for (id, kib) in [("a", 600), ("b", 600), ("c", 300), ("huge", 3_000), ("d", 1)] {
        world.enqueue_draft(0, big(id, kib));
    }
    world.release_storage();
    let transactions: Vec<_> = world.persists(0).iter().map(|writes| insert_ids(writes)).collect();
    assert!(transactions.contains(&vec!["huge".to_string()]), "{transactions:?}");
    assert_eq!(world.stored(), ["busy", "a", "b", "c", "huge", "d"]);
}

#[test]
fn deletes_go_before_puts_before_inserts() {
    let mut world = World::solo();
    enqueue_all(&mut world, &["a", "b", "c", "d"]);
    world.enqueue(0, "e", "e");
    world.hold_storage();
    world.enqueue(0, "new", "n");
    world.fail("b", server());
    world.succeed("a");
    world.fail("c", refused());
    world.answer(0);
    let writes = world.writing(0);
    assert!(writes.len() >= 4, "{writes:?}"); // the world checks their order
    world.release_storage();
    assert_eq!(world.stored_failures(), ["c"]);
}

#[test]
fn only_an_insert_that_fails_alone_fails_its_caller() {
    let mut world = World::solo();
    world.online(0, false);
    world.hold_storage();
    world.enqueue(0, "busy", "b");
    let before = enqueue_all(&mut world, &["a", "b", "c"]);
    let mut big = draft("big", "write", "big");
    big.args = json(&format!("\"{}\"", "x".repeat(100_000)));
    let too_big = world.enqueue_draft(0, big);
    let after = enqueue_all(&mut world, &["d", "e"]);
    world.store.set_capacity_bytes(Some(world.store.bytes() + 10_000));
    world.release_storage();
    world.advance_ms(5_000);
    assert_eq!(world.storage_error(too_big), &StorageError::Full);
    assert_eq!(world.stored(), ["busy", "a", "b", "c", "d", "e"], "the others, in order");
    for call in before.into_iter().chain(after) {
        world.seq(call);
    }
}

#[test]
fn a_full_disk_does_not_block_the_deletes_that_free_it() {
    let mut world = World::solo();
    enqueue_all(&mut world, &["a"]);
    world.hold_storage();
    let refused = world.enqueue(0, "b", "b");
    world.disk_full(true);
    world.succeed("a");
    world.release_storage();
    world.advance_ms(5_000);
    assert_eq!(world.storage_error(refused), &StorageError::Full);
    assert!(world.stored().is_empty(), "a's delete went through");
}

#[test]
fn an_unknown_commit_that_happened_is_a_success() {
    let mut world = World::solo();
    world.store_commits_then_unknown();
    let call = world.enqueue(0, "a", "a");
    world.advance_ms(5_000);
    assert_eq!(world.seq(call), Seq(1));
    assert_eq!(world.stored(), ["a"]);
    assert_eq!(world.shown(0), ["a"]);
    assert_eq!(world.drain(), ["a"]);
}

#[test]
fn r22_an_insert_in_doubt_that_is_found_moves_to_its_place_and_is_never_gone_from_the_list() {
    const STORED: Place = Place::Stored(Seq(1));
    let mut world = World::solo();
    world.store_commits_then_unknown();
    world.enqueue(0, "a", "a");
    world.advance_ms(5_000);
    let (mut moved, mut left) = (0, 0);
    for effect in world.effects(0) {
        moved += usize::from(matches!(effect, Effect::View(ViewChange::Moved { to, .. }) if *to == STORED));
        left += usize::from(matches!(effect, Effect::View(ViewChange::Left { .. })));
    }
    assert_eq!((moved, left), (1, 0));
}

#[test]
fn an_unknown_commit_that_did_not_happen_says_that_it_may_have_been_stored() {
    let mut world = World::solo();
    world.store_fails(StorageError::Unknown);
    let call = world.enqueue(0, "a", "a");
    world.advance_ms(60_000);
    assert_eq!(world.storage_error(call), &StorageError::Unknown);
    assert!(world.error(call).to_string().contains("may have been stored"));
    assert!(world.stored().is_empty(), "it is not repeated");
    assert!(world.shown(0).is_empty());
}

#[test]
fn bookkeeping_whose_commit_is_unknown_is_repeated() {
    for happened in [true, false] {
        let mut world = World::solo();
        world.enqueue(0, "a", "k");
        world.enqueue(0, "b", "k");
        if happened {
            world.store_commits_then_unknown();
        } else {
            world.store_fails(StorageError::Unknown);
        }
        world.succeed("a");
        world.advance_ms(5_000);
        assert_eq!(world.stored(), ["b"]);
        assert_eq!(world.settled(0, "a"), [Outcome::Committed { result: None }]);
        assert_eq!(world.in_flight(0), ["b"]);
        assert_eq!(world.dispatched(0), ["a", "b"]);
    }
}

#[test]
fn a_store_that_never_knows_is_asked_ever_more_rarely() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.enqueue(0, "b", "k");
    world.store_never_knows(true);
    world.succeed("a");
    world.advance_ms(9_000);
    let tries = world.effects(0).iter().filter(|effect| matches!(effect, Effect::Persist { .. })).count();
    assert_eq!(tries, 2 + 4, "two inserts, and the delete at 0, 0, 2 and 6 s");
    let recovered = |world: &World| {
        let told = |effect: &&Effect| matches!(effect, Effect::Notify(Event::StorageRecovered));
        world.effects(0).iter().filter(told).count()
    };
    assert_eq!(recovered(&world), 0, "it can be read, but it does not work");
    world.store_never_knows(false);
    world.advance_ms(10_000);
    assert_eq!(recovered(&world), 1);
    assert_eq!(world.stored(), ["b"]);
    assert_eq!(world.in_flight(0), ["b"]);
    assert_eq!(world.dispatched(0), ["a", "b"]);
}

#[test]
fn a_store_that_did_what_it_could_not_tell_has_recovered() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.store_commits_then_unknown();
    world.succeed("a");
    assert!(world.stored().is_empty());
    let last = world
        .effects(0)
        .iter()
        .rfind(|effect| matches!(effect, Effect::Notify(Event::StorageFailed(_) | Event::StorageRecovered)));
    assert_eq!(last, Some(&Effect::Notify(Event::StorageRecovered)), "nothing is left to be repeated");
}

#[test]
fn inserts_that_were_fenced_go_again_before_newer_ones() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.elect(1); // a second claimant; r0 does not know
    world.answer(1);
    let calls: Vec<CallId> = ["x", "y", "z"].iter().map(|id| world.enqueue(0, id, "k")).collect();
    world.release_storage();
    let seqs: Vec<Seq> = calls.iter().map(|call| world.seq(*call)).collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
    assert!(world.dispatched(0).is_empty(), "the old leader sends nothing more");
    assert_eq!(world.in_flight(1), ["x"]);
    assert_eq!(world.drain(), ["x", "y", "z"]);
}

#[test]
fn one_request_at_a_time_even_across_reads_and_writes() {
    // The world checks it at every step; here is a storm of both.
    let mut world = World::shared(2);
    world.hold_storage();
    for n in 0..50 {
        world.enqueue(n % 2, &format!("i{n}"), "k");
        world.focus(n % 2);
        if n % 7 == 0 {
            world.answer(n % 2);
            world.settle();
        }
    }
    world.release_storage();
    assert_eq!(world.stored().len(), 50);
    assert_eq!(world.shown(0), world.shown(1));
    assert_eq!(world.drain().len(), 50);
}

// --- R5: an item leaves its lane when its delete is durable.

#[test]
fn the_lane_waits_for_the_durable_delete() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.enqueue(0, "b", "k");
    world.hold_storage();
    world.succeed("a");
    assert!(world.in_flight(0).is_empty());
    assert!(matches!(world.reason(0, "b"), Reason::Behind { .. } | Reason::Claiming));
    world.note("the app crashes before the delete is durable");
    world.crash(0);
    world.release_storage();
    world.restart(0);
    world.elect(0);
    assert_eq!(world.drain(), ["a", "b"], "a again, and not after b");
}

#[test]
fn a_delete_that_fails_is_retried_and_its_item_not_sent_again() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.enqueue(0, "b", "k");
    for _ in 0..3 {
        world.store_fails(busy());
    }
    world.succeed("a");
    assert_eq!(world.reason(0, "a"), Reason::Settling);
    world.advance_ms(9_000);
    assert_eq!(world.stored(), ["b"]);
    assert_eq!(world.in_flight(0), ["b"], "the lane is not stranded");
    assert_eq!(world.dispatched(0), ["a", "b"]);
    assert!(world.told(0, |event| matches!(event, Event::StorageFailed(_))) >= 1);
    assert_eq!(world.told(0, |event| matches!(event, Event::StorageRecovered)), 1);
}

#[test]
fn retries_of_storage_back_off() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.store_broken(Some(busy()));
    world.succeed("a");
    let before = world.persists(0).len();
    world.advance_ms(9_000);
    let asked = world.persists(0).len() - before;
    assert!((2..=40).contains(&asked), "{asked} requests in 9 s of dead storage");
}

#[test]
fn a_claim_that_fails_is_retried() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.fail("a", server());
    for _ in 0..2 {
        world.store_fails(busy());
    }
    world.advance_ms(9_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_full_disk_drains_one_at_a_time() {
    let mut world = World::solo();
    world.online(0, false);
    enqueue_all(&mut world, &["a", "b", "c"]);
    world.disk_full(true);
    world.begin_trace();
    world.note("no claim can be written: one item at a time goes unclaimed, after a fenced read");
    world.online(0, true);
    world.advance_ms(5_000);
    assert_eq!(world.in_flight(0), ["a"]);
    world.hold_storage();
    world.succeed("a");
    world.advance_ms(1_000);
    assert!(world.in_flight(0).is_empty(), "the next only after a's delete is durable");
    world.release_storage();
    world.advance_ms(5_000);
    assert_eq!(world.in_flight(0), ["b"]);
    world.succeed("b");
    world.advance_ms(5_000);
    world.succeed("c");
    assert!(world.stored().is_empty());
    snapshot("a_full_disk_drains", &world);
}

#[test]
fn a_full_disk_drains_though_the_connectivity_flag_lies() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "a");
    world.disk_full(true);
    world.advance_ms(60_000);
    world.fail("a", transport());
    world.advance_ms(60_000);
    assert_eq!(world.in_flight(0), ["a"], "one probe a minute, claimed or not (R8)");
}

#[test]
fn an_unclaimed_dispatch_is_preceded_by_a_fenced_read() {
    let mut world = World::solo();
    world.online(0, false);
    enqueue_all(&mut world, &["a"]);
    world.disk_full(true);
    world.online(0, true);
    world.advance_ms(5_000);
    assert_eq!(world.in_flight(0), ["a"]);
    let effects = world.effects(0);
    let sent = effects.iter().position(|effect| matches!(effect, Effect::Dispatch { .. })).expect("sent");
    let read = |effect: &&Effect| matches!(effect, Effect::Load { fence: Some(_), .. });
    assert!(effects[..sent].iter().rev().take(10).any(|effect| read(&effect)), "{:?}", &effects[..sent]);
}

#[test]
fn failure_records_make_way_for_a_claim() {
    let mut world = World::solo();
    enqueue_all(&mut world, &["old", "older"]);
    world.fail("older", refused());
    world.advance_ms(10);
    world.fail("old", refused());
    world.online(0, false);
    enqueue_all(&mut world, &["a"]);
    world.store.set_capacity_bytes(Some(world.store.bytes())); // not a byte is left
    world.begin_trace();
    world.online(0, true);
    world.advance_ms(5_000);
    assert_eq!(world.in_flight(0), ["a"]);
    assert!(world.stored_item("a").claimed, "there was room once a record was gone");
    let evicted = world.events(0).iter().find_map(|event| match event {
        Event::FailureEvicted { id } => Some(id.to_string()),
        _ => None,
    });
    assert_eq!(evicted.as_deref(), Some("older"), "the oldest goes first");
}
