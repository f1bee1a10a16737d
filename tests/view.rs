//! The list of pending items (R1, R22): shown in the calling turn, in seq order, those being written last;
//! the same in every replica; complete after a restart. The world checks at every step that the changes
//! told add up to it.

mod common;

use common::*;
use outbox::{
    CallId, Draft, Effect, Epoch, Input, Json, Outbox, Outcome, Place, Seq, Timestamp, ViewChange,
    storage::{Committed, Contents, Row, Snapshot, StorageError, StoreId, WriteResult},
};

#[test]
fn an_item_shows_in_the_calling_turn_as_being_written() {
    let mut world = World::solo();
    world.hold_storage();
    world.enqueue(0, "a", "a");
    assert_eq!(world.shown(0), ["a"]);
    let item = world.outbox(0).item(&item_id("a")).expect("shown");
    assert_eq!(item.seq, None, "no place yet");
    world.release_storage();
    let item = world.outbox(0).item(&item_id("a")).expect("shown");
    assert_eq!(item.seq, Some(outbox::Seq(1)));
}

#[test]
fn it_is_taken_back_in_the_turn_in_which_the_write_fails() {
    let mut world = World::solo();
    world.hold_storage();
    world.store_fails(StorageError::Full);
    let call = world.enqueue(0, "a", "a");
    world.answer(0);
    assert_eq!(world.storage_error(call), &StorageError::Full);
    assert!(world.shown(0).is_empty());
    assert!(world.stored().is_empty());
    let left = world.effects(0).iter().rev().find_map(|effect| match effect {
        Effect::View(ViewChange::Left { outcome, .. }) => Some(outcome.clone()),
        _ => None,
    });
    assert_eq!(left, Some(None), "it left without an outcome");
}

#[test]
fn items_being_written_come_last() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.enqueue(0, "w1", "w");
    world.enqueue(1, "other", "o");
    world.enqueue(0, "w2", "w");
    world.answer(1); // the other replica's item is durable first
    world.settle();
    assert_eq!(world.shown(1), ["other"]);
    world.release_storage();
    assert_eq!(world.shown(0), ["other", "w1", "w2"]);
    assert_eq!(world.shown(1), world.shown(0));
}

#[test]
fn it_is_equal_in_every_replica_that_knows_the_same_items() {
    let mut world = World::shared(3);
    for (r, id) in [(2, "a"), (0, "b"), (1, "c"), (2, "d"), (0, "e")] {
        world.enqueue(r, id, "k");
    }
    world.succeed("a");
    world.fail("b", server());
    world.remove(1, "d");
    for r in 0..3 {
        assert_eq!(world.shown(r), ["b", "c", "e"]);
    }
    world.advance_ms(1_000);
    world.fail("b", refused());
    for r in 0..3 {
        assert_eq!(world.shown(r), ["c", "e"]);
    }
}

#[test]
fn it_is_complete_after_a_restart_before_any_network() {
    let mut world = World::shared(1);
    world.online(0, false);
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, id);
    }
    world.crash(0);
    world.restart(0);
    assert!(world.outbox(0).is_loaded());
    assert_eq!(world.shown(0), ["a", "b", "c"], "not even elected");
}

#[test]
fn it_stays_while_a_leader_steps_down_and_reloads() {
    let mut world = World::shared(1);
    for id in ["a", "b"] {
        world.enqueue(0, id, id);
    }
    world.hold_storage();
    world.succeed("a"); // its delete will not be durable
    world.depose(0);
    assert_eq!(world.shown(0), ["a", "b"]);
    world.release_storage();
    assert!(world.shown(0) == ["a", "b"] || world.shown(0) == ["b"]);
    assert_eq!(world.shown(0), world.stored());
}

#[test]
fn a_settled_item_stays_until_its_delete_is_durable() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.succeed("a");
    assert_eq!(world.shown(0), ["a"]);
    world.release_storage();
    assert!(world.shown(0).is_empty());
}

#[test]
fn a_rewrite_shows_its_new_args() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.advance_ms(1_000);
    world.answer_hook(0, vec![("a", new_args("[1]"))]);
    assert_eq!(world.outbox(0).item(&item_id("a")).expect("shown").args, json("[1]"));
}

/// Two tabs gave one id: the other tab's item is known, and gone from storage, when ours is stored.
#[test]
fn r22_an_item_whose_namesake_is_gone_is_told_again_at_its_place() {
    const NAMESAKE: &str = concat!(
        r#"{"version":1,"id":"a","key":["k"],"mutatorName":"write","args":1,"#,
        r#""createdAt":1,"retryCount":0,"nextAttemptAt":0}"#,
    );
    let mut outbox = Outbox::new(shared_config(), Timestamp::ZERO).unwrap();
    let mut feed = |input| {
        let mut effects = Vec::new();
        outbox.handle(Timestamp::from_millis(1_000), input, &mut effects);
        effects
    };
    let loaded = |op, epoch, rows| {
        let contents = Contents::Full { rows, failures: Vec::new() };
        let (store, through) = (StoreId(1), Seq(5));
        let snapshot = Snapshot { store, epoch, change: 7, through, contents, paused: Vec::new() };
        Input::Loaded { op, result: Ok(snapshot) }
    };
    let persist = |effects: &[Effect]| {
        effects
            .iter()
            .find_map(|effect| if let Effect::Persist { op, .. } = effect { Some(*op) } else { None })
    };
    let effects = feed(Input::Elected);
    let Some(Effect::Acquire { op }) = effects.iter().find(|effect| matches!(effect, Effect::Acquire { .. }))
    else {
        panic!("{effects:?}")
    };
    feed(loaded(*op, Epoch(1), Vec::new()));
    let draft = Draft::new(item_id("a"), "write", Json::from_text("1").unwrap());
    let effects = feed(Input::Enqueue { call: CallId(1), draft });
    let op = persist(&effects).expect("it is written, and claimed with it");

    let effects = feed(Input::Persisted { op, result: Err(StorageError::Fenced) });
    let read =
        effects.iter().find_map(|effect| if let Effect::Load { op, .. } = effect { Some(*op) } else { None });
    let namesake = Row { seq: Seq(5), record: NAMESAKE.as_bytes().to_vec().into() };
    let effects = feed(loaded(read.expect("it reads who leads"), Epoch(2), vec![namesake]));
    let op = persist(&effects).expect("it is written again, unclaimed");

    let results = vec![WriteResult::Inserted(Seq(9))];
    let effects = feed(Input::Persisted { op, result: Ok(Committed { results, change: 9 }) });
    let views: Vec<&ViewChange> = effects
        .iter()
        .filter_map(|effect| if let Effect::View(change) = effect { Some(change) } else { None })
        .collect();
    let (from, to) = (Place::Writing(0), Place::Stored(Seq(9)));
    let [left, moved, ViewChange::Set { place, item }] = &views[..] else { panic!("{views:?}") };
    assert_eq!(**left, ViewChange::Left { place: Place::Stored(Seq(5)), outcome: Some(Outcome::Gone) });
    assert_eq!(**moved, ViewChange::Moved { from, to });
    assert_eq!((*place, item.id.as_str()), (to, "a"));
}
