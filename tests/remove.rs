//! Removal (R18): in every stage, from every replica, decided by storage.

mod common;

use common::*;
use outbox::{CallId, Outcome, Reason, storage::StorageError};

/// Asserts that `a` was removed: told so, gone, and never sent from now on.
#[track_caller]
fn assert_removed(world: &mut World, removal: CallId) {
    assert!(world.done(removal));
    assert!(!world.stored().contains(&"a".into()));
    assert!(!world.shown(0).contains(&"a".into()));
    assert_eq!(world.settled(0, "a"), [Outcome::Removed]);
    assert_eq!(world.resolved(0, "a"), [Outcome::Removed]);
    let sent = world.dispatched(0).len();
    world.advance_ms(200_000);
    assert_eq!(world.dispatched(0).len(), sent);
}

#[test]
fn while_it_is_being_written() {
    let mut world = World::solo();
    world.hold_storage();
    let enqueue = world.enqueue(0, "a", "a");
    let removal = world.remove(0, "a");
    assert_eq!(world.reply(removal), None, "not before it is durable");
    world.release_storage();
    world.seq(enqueue);
    assert_removed(&mut world, removal);
    assert!(world.dispatched(0).is_empty(), "known to go before it could be sent");
}

#[test]
fn while_it_waits_offline() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "a");
    let removal = world.remove(0, "a");
    assert_removed(&mut world, removal);
}

#[test]
fn while_it_waits_behind_another() {
    let mut world = World::solo();
    world.enqueue(0, "head", "a");
    world.enqueue(0, "a", "a");
    world.enqueue(0, "tail", "a");
    let removal = world.remove(0, "a");
    world.succeed("head");
    assert_eq!(world.in_flight(0), ["tail"]);
    world.succeed("tail");
    assert_removed(&mut world, removal);
}

#[test]
fn while_its_claim_is_being_written() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.hold_storage();
    world.advance_ms(1_000);
    assert_eq!(world.reason(0, "a"), Reason::Claiming);
    let removal = world.remove(0, "a");
    world.release_storage();
    assert_removed(&mut world, removal);
    assert_eq!(world.dispatched(0), ["a"], "the claim is durable, the item is on its way out");
}

#[test]
fn while_it_is_in_flight() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    let flight = world.attempt("a");
    world.hold_storage();
    let removal = world.remove(0, "a");
    assert_eq!(world.cancelled(0), [flight], "cancelled at once");
    assert_eq!(world.reason(0, "a"), Reason::Removing);
    assert_eq!(world.reply(removal), None);
    world.release_storage();
    assert_removed(&mut world, removal);
}

#[test]
fn while_it_is_in_backoff() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    let removal = world.remove(0, "a");
    assert_removed(&mut world, removal);
}

#[test]
fn while_it_is_settling_the_first_delete_decides() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.succeed("a");
    let removal = world.remove(0, "a");
    world.release_storage();
    assert!(!world.done(removal), "it was committed; there was nothing left to remove");
    assert_eq!(world.settled(0, "a"), [Outcome::Committed { result: None }]);
}

#[test]
fn while_it_is_parked() {
    let mut world = World::empty();
    world.store.insert_raw(br#"{"version":2,"id":"a","key":["a"]}"#.to_vec());
    world.start(config());
    world.elect(0);
    assert!(matches!(world.reason(0, "a"), Reason::Parked(_)));
    let removal = world.remove(0, "a");
    assert_removed(&mut world, removal);
    assert_eq!(world.store.rows().len(), 0);
}

#[test]
fn while_the_hook_is_asked_about_it() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.advance_ms(1_000);
    let removal = world.remove(0, "a");
    let ask = world.take_ask(0);
    let verdicts = Ok(vec![(item_id("a"), outbox::Verdict::Keep)]);
    world.step(0, outbox::Input::Answered { ask, verdicts });
    assert_removed(&mut world, removal);
}

#[test]
fn from_a_follower_while_it_is_in_flight_at_the_leader() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    let flight = world.attempt("a");
    let removal = world.remove(1, "a");
    assert!(world.done(removal));
    assert_eq!(world.cancelled(0), [flight], "the leader was poked");
    assert!(world.stored().is_empty());
    assert_eq!(world.settled(1, "a"), [Outcome::Removed]);
}

#[test]
fn from_a_follower_whose_poke_is_lost() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.hold_mail();
    let removal = world.remove(1, "a");
    world.lose_mail();
    assert!(world.done(removal));
    assert_eq!(world.in_flight(0), ["a"]);

    // The server takes it; the leader finds its row gone. The first delete decided.
    world.succeed("a");
    assert!(world.stored().is_empty());
    world.advance_ms(60_000);
    assert_eq!(world.dispatched(0), ["a"]);
    assert!(world.shown(0).is_empty() && world.shown(1).is_empty());
}

#[test]
fn a_leader_that_learns_at_its_claim_that_the_row_is_gone_does_not_send_it() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.fail("a", server());
    world.hold_mail();
    world.remove(1, "a");
    world.lose_mail();
    world.advance_ms(10_000);
    assert_eq!(world.dispatched(0), ["a"], "the claim came back as missing");
    assert!(world.shown(0).is_empty());
}

#[test]
fn what_storage_does_not_have_is_false() {
    let mut world = World::solo();
    let removal = world.remove(0, "nobody");
    assert!(!world.done(removal));
    world.enqueue(0, "a", "a");
    world.succeed("a");
    let removal = world.remove(0, "a");
    assert!(!world.done(removal));
}

#[test]
fn twice_in_one_transaction_is_once() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.enqueue(0, "busy", "b");
    let first = world.remove(0, "a");
    let second = world.remove(0, "a");
    world.release_storage();
    assert!(world.done(first));
    assert!(!world.done(second));
}

#[test]
fn of_an_item_this_replica_does_not_know() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(0, "a", "a");
    let removal = world.remove(1, "a");
    assert!(world.done(removal), "storage knows it");
    assert!(world.stored().is_empty());
    world.deliver_mail();
    assert!(world.shown(0).is_empty() && world.shown(1).is_empty());
}

#[test]
fn of_an_item_that_becomes_known_while_the_removal_waits() {
    let mut world = World::shared(2);
    world.enqueue(0, "busy", "b");
    world.store_fails(StorageError::Unavailable { cause: "disk".into() });
    world.succeed("busy"); // its delete fails: what needs no space waits for the repetition
    let removal = world.remove(0, "a");
    world.enqueue(1, "a", "a");
    assert_eq!(world.reason(0, "a"), Reason::Removing);
    world.advance_ms(2_000);
    assert_removed(&mut world, removal);
    assert_eq!(world.dispatched(0), ["busy"]);
}

#[test]
fn a_removal_of_another_decides_before_a_delete_that_was_not_made() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.hold_mail();
    world.succeed("a");
    world.store_fails(StorageError::Unknown);
    world.answer(0); // the store cannot tell whether it deleted it
    world.answer(0); // the load finds that it did not
    let removal = world.remove(1, "a");
    world.answer(1);
    world.lose_mail();
    world.release_storage();
    assert!(world.done(removal));
    assert_eq!(world.settled(0, "a"), [Outcome::Removed]);
}

#[test]
fn a_removal_whose_write_fails_says_so_and_the_item_stays() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "a");
    world.store_fails(StorageError::Unavailable { cause: "disk".into() });
    let removal = world.remove(0, "a");
    world.advance_ms(1_000);
    // Either told, or repeated until it is done; never told done while it is stored.
    if let Some(Ok(_)) = world.reply(removal) {
        assert!(world.done(removal) && world.stored().is_empty());
    } else {
        assert!(matches!(world.storage_error(removal), StorageError::Unavailable { .. }));
        assert_eq!(world.stored(), ["a"]);
        world.online(0, true);
        assert_eq!(world.drain(), ["a"]);
    }
}

#[test]
fn an_id_can_be_used_again_after_its_removal() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "a");
    world.remove(0, "a");
    let again = world.enqueue(0, "a", "a");
    assert_eq!(world.seq(again).0, 2);
    world.online(0, true);
    assert_eq!(world.drain(), ["a"]);
}
