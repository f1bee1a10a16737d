//! Corners where two rules meet: what one of them leaves behind must not strand, leak or silence what the
//! other looks after.

mod common;

use common::*;
use outbox::{
    Effect, Epoch, Input, Outcome, Poke, Reason, Reply, Rewrite, Seq, Verdict, record,
    storage::{Committed, Contents, Row, Scope, StorageError, Store, StoreId, Write},
};

const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1_000;

fn busy() -> StorageError {
    StorageError::Unavailable { cause: "database is locked".into() }
}

/// `a` and `b` in lanes of their own, asked about after `a` has failed; acquired anew, so that both are.
fn asked() -> World {
    let mut world = World::led(hook_config());
    for id in ["a", "b"] {
        world.enqueue(0, id, id);
    }
    world.fail("b", server());
    world.fail("a", server());
    world.advance_ms(1_000);
    assert_eq!(world.asked(0).as_deref(), Some(&["a".into(), "b".into()][..]));
    world
}

// --- The hook's answer (R17).

#[test]
fn a_removal_that_fails_while_the_answer_is_written_leaves_the_item_thawed() {
    let mut world = asked();
    world.hold_storage();
    world.answer_hook(0, vec![("a", new_args("[1]")), ("b", Verdict::Keep)]);
    let call = world.remove(0, "a");
    world.commit(0);
    world.answer(0);
    world.store_broken(Some(busy()));
    world.release_storage();
    assert_eq!(world.storage_error(call), &busy());
    world.faults_stop();
    world.advance_ms(3_000);
    assert_eq!(world.in_flight(0), ["a", "b"]);
}

#[test]
fn a_survivor_whose_removal_fails_is_not_sent_before_the_squash_is_durable() {
    let mut world = asked();
    world.disk_full(true);
    world.answer_hook(0, vec![("a", new_args("[1,2]")), ("b", squash("a"))]);
    world.store_fails(StorageError::Full);
    let call = world.remove(0, "a");
    assert_eq!(world.storage_error(call), &StorageError::Full);
    world.advance_ms(8_000);
    assert_eq!(world.dispatched(0).len(), 2, "after a crash b would be sent once more");
    world.disk_full(false);
    world.advance_ms(10_000);
    assert_eq!((world.stored(), world.in_flight(0)), (vec!["a".into()], vec!["a".into()]));
}

#[test]
fn a_removal_that_fails_frees_no_lane_in_which_another_is_in_flight() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "moved", "j");
    world.enqueue(0, "flying", "k");
    world.fail_and_wait("moved", server());
    let to_k = Rewrite { key: Some(key("k")), ..Rewrite::default() };
    world.answer_hook(0, vec![("moved", Verdict::Rewrite(to_k))]);
    world.store_fails(busy());
    let call = world.remove(0, "moved");
    assert_eq!(world.storage_error(call), &busy());
    world.advance_ms(5_000);
    assert_eq!(world.in_flight(0), ["flying"]);
    world.succeed("flying");
    assert_eq!(world.in_flight(0), ["moved"]);
}

#[test]
fn an_answer_that_has_nothing_left_to_write_lets_the_others_go() {
    let mut world = asked();
    world.store_fails(busy());
    world.answer_hook(0, vec![("a", Verdict::Keep), ("b", Verdict::Remove)]);
    let call = world.remove(0, "b");
    assert!(world.done(call));
    world.advance_ms(2_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_squashed_item_is_told_though_its_survivor_settled_first() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "k");
    world.enqueue(0, "b", "k");
    let late = world.attempt("a");
    world.fail("a", transport());
    world.advance_ms(1_000);
    world.hold_storage();
    world.answer_hook(0, vec![("a", Verdict::Keep), ("b", squash("a"))]);
    world.resolve(0, late, success());
    world.release_storage();
    assert!(world.stored().is_empty());
    assert_eq!(world.resolved(0, "b"), [Outcome::Committed { result: None }]);
}

// --- Leadership (R26, R27).

#[test]
fn elected_again_while_it_acquires_it_acquires_anew_before_it_leads() {
    let mut world = World::empty();
    world.start(config());
    world.hold_storage();
    world.elect(0);
    world.depose(0);
    world.elect(0);
    world.release_storage();
    world.enqueue(0, "a", "a");
    world.succeed("a");
    assert!(world.outbox(0).is_leading());
    assert_eq!(world.resigned(0), 0);
}

#[test]
fn a_failure_of_long_ago_is_no_reason_to_resign_when_elected() {
    let mut world = World::empty();
    world.start(config());
    world.store_fails(busy());
    world.enqueue(0, "a", "a");
    world.advance_ms(60_000);
    world.elect(0);
    assert_eq!(world.resigned(0), 0);
    assert!(world.outbox(0).is_leading());
}

// --- What storage says (R4, R24, R27).

#[test]
fn a_store_made_again_under_a_follower_reuses_places_and_confuses_nobody() {
    let mut world = World::shared(2);
    world.online(0, false);
    world.enqueue(1, "old", "k");
    world.crash(0);
    world.replace_store(StoreId(8));
    let call = world.enqueue(1, "new", "k");
    assert_eq!(world.seq(call), Seq(1));
    assert_eq!(world.shown(1), ["new"]);
    assert_eq!(world.resolved(1, "old"), [Outcome::Gone]);
    let call = world.remove(1, "old");
    assert!(!world.done(call));
    assert_eq!(world.stored(), ["new"]);
}

#[test]
fn a_store_made_again_and_filled_by_others_confuses_nobody() {
    let mut world = World::shared(2);
    world.online(0, false);
    world.enqueue(1, "old", "k");
    world.crash(0);
    world.replace_store(StoreId(8));
    world.store.insert_raw(record::encode(&stored_item("new", "k", START)).as_bytes().to_vec());
    world.focus(1);
    assert_eq!(world.shown(1), ["new"]);
    world.elect(1);
    assert_eq!(world.in_flight(1), ["new"]);
}

#[test]
fn an_id_that_is_free_again_before_its_old_item_is_known_to_be_gone() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.focus(1);
    world.enqueue(0, "a", "a");
    world.answer(0);
    let call = world.enqueue(1, "a", "a");
    world.answer(1);
    assert!(world.writing(1).iter().any(|write| matches!(write, Write::Insert { .. })));
    world.hold_mail();
    world.succeed("a");
    world.answer(0);
    world.answer(1);
    assert_eq!(world.seq(call), Seq(2));
    assert_eq!(world.shown(1), ["a"]);
    world.deliver_mail();
    world.release_storage();
    assert_eq!(world.shown(1), ["a"]);
}

#[test]
fn a_store_whose_counters_are_at_their_end_overflows_nothing() {
    const END: u64 = u64::MAX;
    let mut world = World::shared(2);
    world.hold_storage();
    world.focus(1);
    let Some(&Effect::Load { op, .. }) = world.request(1) else { panic!("focus looks") };
    let mut snapshot = world.store.load(None, &Scope::Full).expect("it can be read");
    (snapshot.change, snapshot.through, snapshot.epoch) = (END, Seq(END), Epoch(END));
    let record = record::encode(&stored_item("last", "k", START)).as_bytes().to_vec().into();
    snapshot.contents = Contents::Full { rows: vec![Row { seq: Seq(END), record }], failures: vec![] };
    world.answer_instead(1, Input::Loaded { op, result: Ok(snapshot) });
    assert_eq!(world.shown(1), ["last"]);
    world.release_storage();
    for id in ["a", "b"] {
        world.enqueue(1, id, "k"); // its place and its change are far below what is known
    }
    world.focus(1);
    world.advance_ms(60_000);
    assert_eq!(world.shown(1), ["a", "b"], "what the store has counts, whatever it said before");
}

#[test]
fn a_poke_to_the_end_of_the_change_counter_costs_a_load() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    let last = world.effects(0).iter().rev().find_map(|effect| match effect {
        Effect::Poke(Poke::Committed { to, .. }) => Some(*to),
        _ => None,
    });
    let (from, store) = (last.expect("the leader pokes"), world.store.store_id());
    let (settled, changed) = (vec![], vec![Seq(u64::MAX)]);
    world.poke(1, Poke::Committed { store, from, to: u64::MAX, settled, changed, more: false });
    world.enqueue(1, "b", "b");
    world.advance_ms(30_000);
    assert_eq!(world.shown(1), ["a", "b"]);
    assert_eq!(world.drain(), ["a", "b"]);
}

#[test]
fn one_that_is_written_under_an_id_that_has_just_become_free_is_found_by_it() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.hold_mail();
    world.focus(1);
    world.enqueue(0, "a", "a");
    world.answer(0);
    world.lose_mail();
    let call = world.enqueue(1, "a", "a");
    world.answer(1);
    assert!(world.writing(1).iter().any(|write| matches!(write, Write::Insert { .. })));
    world.succeed("a");
    world.answer(0);
    world.deliver_mail();
    assert_eq!(world.reason(1, "a"), Reason::Writing, "the other one is gone (R19)");
    assert!(world.outbox(1).item(&item_id("a")).is_some());
    let removal = world.remove(1, "a");
    world.release_storage();
    assert_eq!(world.seq(call), Seq(2));
    assert!(world.done(removal), "it is removed once it is stored (R18)");
    assert!(world.stored().is_empty());
}

#[test]
fn an_answer_of_the_wrong_kind_is_ignored() {
    let mut world = World::solo();
    world.hold_storage();
    let call = world.enqueue(0, "a", "a");
    let outbox::Effect::Persist { op, .. } = *world.request(0).expect("it is being written") else {
        panic!("an insert is a transaction");
    };
    world.step(0, Input::Loaded { op, result: Err(busy()) });
    world.release_storage();
    assert_eq!(world.seq(call), Seq(1));
}

#[test]
fn an_answer_without_a_result_for_each_write_is_looked_into() {
    let mut world = World::solo();
    world.hold_storage();
    let call = world.enqueue(0, "a", "a");
    world.commit(0);
    let outbox::Effect::Persist { op, .. } = *world.request(0).expect("it was written") else {
        panic!("an insert is a transaction");
    };
    let short = Committed { results: vec![], change: 1 };
    world.answer_instead(0, Input::Persisted { op, result: Ok(short) });
    world.release_storage();
    assert_eq!(world.reply(call), Some(&Ok(Reply::Enqueued { id: item_id("a"), seq: Seq(1) })));
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_claim_is_verified_however_often_others_write() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.enqueue(0, "a", "a");
    world.pause(0, "auth"); // so its claim is held
    world.release_storage();
    world.hold_storage();
    world.focus(0);
    world.resume(0, "auth");
    for _ in 0..5 {
        world.poke(0, Poke::Unknown); // while it reads what has changed
        world.answer(0);
    }
    assert_eq!(world.in_flight(0), ["a"]);
}

// --- Time (R30).

#[test]
fn a_follower_whose_clock_is_a_year_ahead_does_not_hold_its_items_back_a_year() {
    let mut world = World::shared(1);
    let item = stored_item("a", "a", START.plus_ms(YEAR_MS));
    let write = Write::Insert { id: item.id.clone(), record: record::encode(&item) };
    world.store.persist(None, &[write]).expect("there is room");
    world.focus(0);
    world.advance_ms(60_000);
    assert_eq!(world.in_flight(0), ["a"]);
}
