//! Followers (R28): they append and show the same list, told by pokes that may be lost, repeated or late, and
//! by a counter check that is the only idle wake-up.

mod common;

use common::*;
use outbox::{
    Config, Effect, Input, Outcome, Poke, Seq, Verdict,
    storage::{Scope, StoreId},
};

/// How often a replica's timer fired since it started.
fn ticks(world: &World, r: usize) -> usize {
    world.recording(r).inputs.iter().filter(|(_, input)| matches!(input, Input::Tick)).count()
}

/// The pokes that a replica sent.
fn pokes(world: &World, r: usize) -> Vec<Poke> {
    let sent = world.effects(r).iter().filter_map(|effect| match effect {
        Effect::Poke(poke) => Some(poke.clone()),
        _ => None,
    });
    sent.collect()
}

#[test]
fn a_follower_appends_and_the_leader_sends() {
    let mut world = World::shared(2);
    world.begin_trace();
    let call = world.enqueue(1, "a", "a");
    assert_eq!(world.seq(call).0, 1);
    assert_eq!(world.in_flight(0), ["a"]);
    world.succeed("a");
    assert!(world.shown(1).is_empty());
    snapshot("a_follower_appends_and_the_leader_sends", &world);
}

#[test]
fn a_poke_goes_out_after_the_commit() {
    let mut world = World::shared(2);
    world.hold_storage();
    world.enqueue(1, "a", "a");
    world.commit(1);
    assert!(pokes(&world, 1).is_empty(), "committed, but not known to be");
    world.answer(1);
    let [Poke::Committed { from, to, changed, .. }] = &pokes(&world, 1)[..] else { panic!("one poke") };
    assert_eq!((*from + 1, &changed[..]), (*to, &[Seq(1)][..]));
}

#[test]
fn a_poke_at_the_known_counter_loads_what_changed_and_no_more() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    let last = world.effects(1).iter().rev().find_map(|effect| match effect {
        Effect::Load { scope, .. } => Some(scope.clone()),
        _ => None,
    });
    assert_eq!(last, Some(Scope::Items(vec![Seq(1)])));
    assert_eq!(world.shown(1), ["a"]);
}

#[test]
fn a_poke_about_settled_items_needs_no_load() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    let loads = world.loads(1);
    world.succeed("a");
    assert!(world.shown(1).is_empty());
    assert_eq!(world.loads(1), loads);
}

#[test]
fn a_poke_of_another_store_is_only_a_hint() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    let last = pokes(&world, 0).pop();
    let Some(Poke::Committed { to, .. }) = last else { panic!("the leader pokes") };
    let settled = vec![(Seq(1), item_id("other"), Outcome::Removed)];
    let (store, changed) = (StoreId(8), vec![]);
    let loads = world.loads(1);
    world.poke(1, Poke::Committed { store, from: to, to: to + 1, settled, changed, more: false });
    assert_eq!(world.shown(1), ["a"], "its first place is another item's");
    assert_eq!(world.loads(1), loads + 1);
}

#[test]
fn a_poke_at_another_counter_reloads() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(0, "a", "a");
    world.lose_mail();
    assert!(world.shown(1).is_empty(), "the poke is lost");
    world.enqueue(0, "b", "b");
    assert_eq!(world.shown(1), ["a", "b"], "the next one tells that something was missed");
}

#[test]
fn what_a_poke_says_was_rewritten_is_read_though_more_has_changed_since() {
    let mut world = World::empty();
    world.start(Config { shared: true, ..hook_config() });
    world.start(shared_config());
    world.elect(0);
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    world.fail("b", server_after_ms(60_000));
    world.fail_and_wait("a", server());
    world.hold_storage();
    world.enqueue(1, "x", "x"); // its storage is at work
    world.answer_hook(0, vec![("a", Verdict::Keep), ("b", new_args("[1]"))]);
    world.answer(0);
    world.settle(); // the poke arrives, and names the place of b
    world.focus(1); // what changed since is wanted, too
    world.release_storage();
    let args = world.outbox(1).item(&item_id("b")).map(|item| item.args.as_str());
    assert_eq!(args, Some("[1]"), "the follower shows what will be sent");
}

#[test]
fn a_poke_that_promises_the_end_of_all_counters_is_only_wrong() {
    let mut world = World::shared(1);
    world.enqueue(0, "a", "a");
    let (store, from) = (world.store.store_id(), world.store.change());
    let (settled, changed) = (vec![], vec![]);
    world.poke(0, Poke::Committed { store, from, to: u64::MAX, settled, changed, more: false });
    world.enqueue(0, "b", "b");
    assert_eq!(world.drain(), ["a", "b"]);
}

#[test]
fn a_repeated_or_late_poke_changes_nothing() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    let (all, loads) = (pokes(&world, 0), world.loads(1));
    for poke in all {
        world.poke(1, poke);
    }
    assert_eq!(world.shown(1), ["a", "b"]);
    assert_eq!(world.loads(1), loads, "their counters are behind what is known");
}

#[test]
fn a_late_poke_does_not_bring_a_settled_item_back() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    let stale = pokes(&world, 0);
    world.succeed("a");
    for poke in stale {
        world.poke(1, poke);
    }
    assert!(world.shown(1).is_empty());
}

#[test]
fn a_poke_that_knows_nothing_makes_a_replica_look() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(1, "a", "a");
    world.lose_mail();
    world.poke(0, Poke::Unknown);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_lost_poke_costs_a_leader_five_seconds() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(1, "a", "a");
    world.lose_mail();
    assert!(world.in_flight(0).is_empty());
    world.advance_ms(5_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_lost_poke_costs_a_follower_thirty_seconds() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(0, "a", "a");
    world.lose_mail();
    assert!(world.shown(1).is_empty());
    world.advance_ms(30_000);
    assert_eq!(world.shown(1), ["a"]);
}

#[test]
fn focus_compares_the_counter() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(0, "a", "a");
    world.enqueue(1, "b", "b");
    world.lose_mail();
    world.focus(1);
    assert_eq!(world.shown(1), ["a", "b"]);
    world.focus(0);
    assert_eq!(world.shown(0), ["a", "b"]);
}

#[test]
fn election_loads() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(0, "a", "a");
    world.lose_mail();
    world.crash(0);
    world.elect(1);
    assert_eq!(world.shown(1), ["a"]);
}

#[test]
fn the_counter_checks_are_the_only_idle_wake_ups() {
    let mut world = World::shared(2);
    let hour_ms = 3_600_000;
    world.advance_ms(hour_ms);
    let (leader, follower) = (ticks(&world, 0), ticks(&world, 1));
    assert!((719..=721).contains(&leader), "{leader} wake-ups of the leader in an hour");
    assert!((119..=121).contains(&follower), "{follower} wake-ups of a follower in an hour");
}

#[test]
fn a_store_of_one_replica_needs_no_check() {
    let mut world = World::solo();
    world.enqueue(0, "a", "a");
    world.succeed("a");
    assert_eq!(world.next_wake_ms(0), None);
}

#[test]
fn a_settle_is_told_to_the_replica_that_enqueued() {
    let mut world = World::shared(2);
    world.enqueue(1, "a", "a");
    world.resolve(0, world.attempt("a"), success_with(r#"{"id":7}"#));
    let committed = Outcome::Committed { result: Some(json(r#"{"id":7}"#)) };
    assert_eq!(world.resolved(1, "a"), [committed]);
}

#[test]
fn a_refusal_is_told_to_all_and_its_record_known_to_all() {
    let mut world = World::shared(3);
    world.enqueue(2, "a", "a");
    world.fail("a", refused());
    for r in 0..3 {
        assert_eq!(world.resolved(r, "a"), [Outcome::Dropped { error: refusal() }], "r{r}");
        assert_eq!(world.outbox(r).failures().count(), 1, "r{r}");
    }
}

#[test]
fn a_refusal_is_told_to_who_looked_for_its_item_a_moment_later() {
    let mut world = World::shared(2);
    world.enqueue(1, "a", "a");
    world.hold_mail();
    // The poke that tells of this makes r1 look, when the item is refused already.
    world.fail_and_wait("a", server());
    world.fail("a", refused());
    world.deliver_mail();
    assert_eq!(world.settled(1, "a"), [Outcome::Dropped { error: refusal() }]);
    assert!(world.shown(1).is_empty());
}

#[test]
fn a_replica_that_starts_late_knows_all() {
    let mut world = World::shared(1);
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, id);
    }
    let late = world.start(shared_config());
    assert_eq!(world.shown(late), ["a", "b", "c"]);
}

#[test]
fn a_load_of_changes_that_brings_failure_records_is_not_taken_for_everything() {
    let mut world = World::shared(2);
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, "k");
    }
    world.fail("a", refused());
    world.hold_mail();
    world.call(0, |call| Input::DismissFailure { call, id: item_id("a") });
    world.lose_mail();
    world.advance_ms(30_000); // the follower loads what changed: a failure record less, no item
    assert_eq!(world.shown(1), ["b", "c"]);
}

/// A delete that was under way when its leader stepped down is committed all the same: who is told the change
/// counter after it must be told of it, or load (R28).
#[test]
fn a_commit_of_a_leader_that_has_stepped_down_is_not_hidden_by_its_poke() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    world.hold_storage();
    world.succeed("a");
    world.depose(0);
    world.release_storage(); // the delete was under way, and is acknowledged
    assert!(world.stored().is_empty());
    world.advance_ms(60_000);
    assert_eq!(world.shown(1), [""; 0], "the follower has compared its counter twice");
    assert_eq!(world.shown(0), [""; 0]);
}

#[test]
fn an_attempt_elsewhere_changes_nothing_that_is_shown() {
    let mut world = World::shared(2);
    world.enqueue(0, "a", "a");
    let shown =
        |world: &World| world.effects(1).iter().filter(|effect| matches!(effect, Effect::View(_))).count();
    let before = shown(&world);
    world.fail("a", server());
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["a"]);
    assert_eq!(shown(&world), before, "neither item nor args changed (see ViewChange::Set)");
}
