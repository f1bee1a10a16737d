//! Claims ahead of the slots (R2): a transaction that is due anyway claims those that are next as well, so
//! that a backlog does not wait for storage once for each wave; and what that must not cost.

mod common;

use common::*;
use outbox::{
    AttemptLimit, Config, Effect, Exhausted, MutatorConfig, Reason,
    storage::{StorageError, Write},
};

/// The leader goes offline, and `n` items come, in lanes of their own.
fn with_backlog(mut world: World, n: usize) -> World {
    world.online(0, false);
    for i in 0..n {
        world.enqueue(0, &format!("i{i}"), &format!("k{i}"));
    }
    world
}

/// The same, with one leader alone.
fn backlog_of(n: usize, config: Config) -> World {
    with_backlog(World::led(config), n)
}

/// It goes online; the claims of the first four are durable, and from here on storage is slow.
fn first_wave(world: &mut World) {
    world.hold_storage();
    world.online(0, true);
    world.answer(0);
    assert_eq!(world.in_flight(0), ["i0", "i1", "i2", "i3"]);
}

/// The same; then those four are done, and the claims that their deletes' transactions make are durable.
fn claimed_ahead(world: &mut World) {
    first_wave(world);
    for id in ["i0", "i1", "i2", "i3"] {
        world.succeed(id);
    }
    world.answer(0); // the first of them
    world.answer(0); // the others
    assert_eq!(world.in_flight(0), ["i4", "i5", "i6", "i7"]);
    let claimed = |n: &usize| world.stored_item(&format!("i{n}")).claimed;
    assert_eq!((8..20).filter(claimed).collect::<Vec<_>>(), [8, 9, 10, 11, 12, 13], "twice three ahead");
}

/// The items that the transaction in flight claims.
fn claims(world: &World) -> Vec<u64> {
    let put = |write: &Write| if let Write::Put { seq, .. } = write { Some(seq.0) } else { None };
    world.writing(0).iter().filter_map(put).collect()
}

#[test]
fn a_delete_brings_the_claims_of_those_that_are_next() {
    let mut world = backlog_of(20, config());
    world.begin_trace();
    world.hold_storage();
    world.online(0, true);
    assert_eq!(claims(&world), [1, 2, 3, 4], "nothing was sent yet: a claim for each slot");
    world.answer(0);
    world.succeed("i0");
    assert_eq!(claims(&world), [5, 6, 7], "one for the slot, and two ahead: twice the one that has ended");
    world.succeed("i1");
    world.succeed("i2");
    assert_eq!(world.in_flight(0), ["i3"], "whose claim is under way is not sent");
    world.answer(0);
    assert_eq!(world.in_flight(0), ["i3", "i4", "i5", "i6"], "the free slots are theirs at once");
    assert_eq!(claims(&world), [8, 9, 10, 11]);
    world.answer(0);
    world.note("storage is held; a slot that is freed is used all the same");
    world.succeed("i3");
    world.succeed("i4");
    assert_eq!(world.in_flight(0), ["i5", "i6", "i7", "i8"]);
    assert_eq!(world.reason(0, "i9"), Reason::Concurrency);
    world.release_storage();
    snapshot("claims_run_ahead", &world);
    assert_eq!(world.drain().len(), 15);
}

/// Storage is slow, and the server so quick that all that is sent meanwhile is answered. Returns how many
/// transactions it took.
fn drain_quickly(world: &mut World) -> usize {
    let before = world.persists(0).len();
    world.hold_storage();
    world.online(0, true);
    while !world.stored().is_empty() {
        world.answer(0);
        while let Some(id) = world.in_flight(0).first().cloned() {
            world.succeed(&id);
        }
    }
    world.persists(0).len() - before
}

#[test]
fn a_backlog_of_quick_answers_takes_few_transactions() {
    let transactions = drain_quickly(&mut backlog_of(1_000, config()));
    assert!(transactions <= 30, "{transactions} transactions for 1,000 items; by waves of four it were 251");
}

#[test]
fn at_most_twice_as_many_are_claimed_ahead_as_have_ended_and_at_most_96() {
    let mut world = backlog_of(1_500, config());
    drain_quickly(&mut world);
    let mut most = 0;
    for writes in world.persists(0) {
        let claims = writes.iter().filter(|write| matches!(write, Write::Put { .. })).count();
        let ended = writes.iter().filter(|write| matches!(write, Write::Delete { .. })).count();
        assert!(claims <= 4 + (2 * ended).min(96), "{claims} claims beside {ended} deletes");
        most = most.max(claims);
    }
    assert!(most > 64, "{most}");
}

#[test]
fn a_slow_server_makes_few_claims_ahead() {
    let mut world = backlog_of(50, config());
    world.online(0, true);
    for _ in 0..10 {
        let id = world.in_flight(0)[0].clone();
        world.succeed(&id); // and storage answers at once
        let claimed = world.stored_items().iter().filter(|item| item.claimed).count();
        assert!((4..=4 + 8).contains(&claimed), "{claimed} are claimed, of four slots");
    }
    let claimed = world.stored_items().iter().filter(|item| item.claimed).count();
    assert_eq!(claimed, 4 + 2, "twice the one that ended");
}

#[test]
fn after_a_crash_those_that_were_claimed_and_never_sent_are_sent_once() {
    let mut world = backlog_of(20, config());
    claimed_ahead(&mut world);
    world.crash(0);
    world.release_storage();
    let count = |id: &str| world.stored_item(id).retry_count;
    assert_eq!((count("i9"), count("i14")), (1, 0), "what is stored cannot tell whether it was sent");
    world.restart_and_lead(0);
    let taken = world.drain();
    assert_eq!(taken.iter().filter(|id| *id == "i9").count(), 1);
    assert_eq!(world.dispatched(0).iter().filter(|id| *id == "i9").count(), 1);
}

#[test]
fn an_item_whose_attempts_are_limited_is_never_claimed_ahead() {
    let attempts = AttemptLimit { attempts: 1, then: Exhausted::Park };
    let limited = MutatorConfig { max_attempts: Some(attempts), ..MutatorConfig::default() };
    let mut world = World::led(with_mutator(config(), "limited", limited));
    world.online(0, false);
    for n in 0..20 {
        world.enqueue_draft(0, draft(&format!("i{n}"), "limited", &format!("k{n}")));
    }
    first_wave(&mut world);
    for id in ["i0", "i1", "i2", "i3"] {
        world.succeed(id);
    }
    world.answer(0);
    world.answer(0);
    world.crash(0);
    world.release_storage();
    world.restart_and_lead(0);
    let is_parked = |n: &usize| matches!(world.reason(0, &format!("i{n}")), Reason::Parked(_));
    let parked: Vec<usize> = (4..20).filter(is_parked).collect();
    assert_eq!(parked, [4, 5, 6, 7], "only those that may have been sent have used up their attempt");
}

#[test]
fn an_item_that_failed_is_claimed_for_a_slot_alone() {
    let mut world = World::led(Config { max_concurrency: 2, ..config() });
    for n in 0..8 {
        world.enqueue(0, &format!("i{n}"), &format!("k{n}"));
    }
    for n in 0..6 {
        world.fail(&format!("i{n}"), server());
    }
    world.advance_ms(2_000);
    world.succeed("i6");
    world.succeed("i7");
    let claimed: Vec<String> = world.stored_items().iter().filter(|item| item.claimed).map(text).collect();
    assert_eq!(claimed, ["i0"], "those that failed hold one of two slots, and nothing else");
}

fn text(item: &outbox::Item) -> String {
    item.id.to_string()
}

#[test]
fn a_claim_that_waits_long_for_its_slot_is_checked_by_a_fenced_read() {
    let mut world = backlog_of(20, config());
    claimed_ahead(&mut world);
    world.advance_ms(4_000);
    world.succeed("i4");
    assert_eq!(world.in_flight(0), ["i5", "i6", "i7", "i8"], "within 4 s its ack is word enough");
    world.advance_ms(1);
    world.succeed("i5");
    world.answer(0);
    assert_eq!(world.in_flight(0), ["i6", "i7", "i8"]);
    let request = world.request(0);
    assert!(matches!(request, Some(Effect::Load { fence: Some(_), .. })), "{request:?}");
    world.answer(0);
    assert_eq!(world.in_flight(0), ["i6", "i7", "i8", "i9"]);
}

#[test]
fn a_claim_that_waits_is_not_trusted_while_others_are_known_to_write() {
    let mut world = with_backlog(World::shared(2), 20);
    claimed_ahead(&mut world);
    world.hold_mail();
    world.note("the follower removes one that is claimed ahead; its poke is on the way");
    let removed = world.remove(1, "i9");
    while !matches!(world.reply(removed), Some(Ok(_))) {
        world.answer(1);
    }
    world.succeed("i4");
    assert_eq!(world.in_flight(0), ["i5", "i6", "i7", "i8"]);
    world.note("the leader's own commit tells that somebody else wrote");
    world.answer(0);
    world.lose_mail();
    for id in ["i5", "i6", "i7", "i8"] {
        world.succeed(id);
    }
    world.release_storage();
    world.drain();
    assert!(!world.dispatched(0).contains(&"i9".into()), "{:?}", world.dispatched(0));
}

#[test]
fn one_that_is_removed_while_it_waits_is_not_sent() {
    let mut world = backlog_of(20, config());
    claimed_ahead(&mut world);
    let removed = world.remove(0, "i8");
    world.succeed("i4");
    assert_eq!(world.in_flight(0), ["i5", "i6", "i7", "i9"]);
    world.release_storage();
    assert!(world.done(removed));
    assert!(!world.drain().contains(&"i8".into()));
}

#[test]
fn a_pause_holds_what_is_claimed_ahead() {
    let mut world = backlog_of(20, config());
    claimed_ahead(&mut world);
    world.release_storage();
    world.pause(0, "auth");
    for id in ["i4", "i5", "i6", "i7"] {
        world.succeed(id);
    }
    assert!(world.in_flight(0).is_empty());
    world.resume(0, "auth");
    assert_eq!(world.in_flight(0), ["i8", "i9", "i10", "i11"]);
    assert_eq!(world.attempt("i8").attempt, 1, "the claim it had");
    world.drain();
}

#[test]
fn a_slow_start_makes_none() {
    let mut world = backlog_of(40, config());
    world.online(0, true);
    for id in ["i0", "i1", "i2", "i3"] {
        world.fail(id, transport());
    }
    world.hold_storage();
    while world.request(0).is_some() {
        world.answer(0);
    }
    let only = world.in_flight(0)[0].clone();
    world.succeed(&only);
    assert_eq!(claims(&world).len(), 2, "one answer doubles the limit of one; none ahead of that");
    world.release_storage();
    assert_eq!(world.drain().len(), 39);
}

#[test]
fn a_full_disk_takes_back_what_is_claimed_ahead() {
    let mut world = backlog_of(20, config());
    first_wave(&mut world);
    world.disk_full(true);
    world.succeed("i0");
    world.release_storage();
    for n in 5..20 {
        assert_eq!(world.outbox(0).item(&item_id(&format!("i{n}"))).map(|item| item.retry_count), Some(0));
    }
    assert_eq!(world.drain().len(), 20 - 1);
}

/// Failure records are the user's: no claim that nobody needs yet makes them go (R5).
#[test]
fn claims_ahead_are_given_back_before_a_failure_record_is_evicted() {
    let mut world = World::solo();
    for n in 0..8 {
        world.enqueue(0, &format!("f{n}"), &format!("f{n}"));
        world.fail(&format!("f{n}"), refused());
    }
    let mut world = with_backlog(world, 20);
    first_wave(&mut world);
    for id in ["i0", "i1", "i2", "i3"] {
        world.succeed(id);
    }
    world.answer(0);
    assert!(claims(&world).len() > 4, "{:?}", claims(&world));
    world.store_fails(StorageError::Full); // all at once
    world.store_fails(StorageError::Full); // what needs room, alone
    world.release_storage();
    assert_eq!(world.stored_failures().len(), 8);
    assert_eq!(world.drain().len(), 16);
}

#[test]
fn a_leader_that_is_deposed_while_claims_ahead_are_written_forgets_them() {
    let mut world = backlog_of(20, config());
    first_wave(&mut world);
    world.succeed("i0");
    assert_eq!(claims(&world).len(), 3);
    world.depose(0);
    world.elect(0);
    world.answer(0);
    world.outbox(0).check_invariants();
    world.release_storage();
    assert_eq!(world.drain().len(), 19);
}

#[test]
fn where_others_can_remove_items_a_claim_is_trusted_for_half_a_second() {
    let mut world = with_backlog(World::shared(2), 20);
    claimed_ahead(&mut world);
    world.release_storage();
    world.hold_mail();
    world.advance_ms(501);
    let removed = world.remove(1, "i8");
    assert!(world.done(removed));
    world.lose_mail();
    world.succeed("i4");
    assert!(!world.dispatched(0).contains(&"i8".into()), "removed before it was sent (R18)");
    assert_eq!(world.drain().len(), 14);
}

#[test]
fn a_store_that_fails_keeps_the_claims_until_it_works() {
    let mut world = backlog_of(20, config());
    first_wave(&mut world);
    world.store_fails(StorageError::Unavailable { cause: "locked".into() });
    world.succeed("i0");
    world.answer(0);
    assert_eq!(world.in_flight(0), ["i1", "i2", "i3"]);
    world.release_storage();
    assert_eq!(world.drain().len(), 19);
}

#[test]
fn a_leader_that_steps_down_leaves_them_to_the_next() {
    let mut world = with_backlog(World::shared(2), 20);
    claimed_ahead(&mut world);
    world.release_storage();
    world.depose(0);
    world.elect(1);
    assert_eq!(world.drain().len(), 16);
    assert_eq!(world.dispatched(0).len(), 8);
}
