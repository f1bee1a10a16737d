//! `beforeRetry` (R17): when the hook is asked, about what, and what its answer may do.

mod common;

use common::*;
use outbox::{
    Config, Event, HookError, Input, MutatorConfig, Outcome, Reason, Rewrite, Sent, Verdict,
    storage::{StorageError, Write},
};

/// `a`, `b` and `c`, in one lane; `a` has failed once and is due: the hook is being asked.
fn asked() -> World {
    let mut world = failed();
    world.advance_ms(1_000);
    assert_eq!(world.asked(0).as_deref(), Some(&["a".into(), "b".into(), "c".into()][..]));
    world
}

fn failed() -> World {
    let mut world = World::led(hook_config());
    for id in ["a", "b", "c"] {
        world.enqueue(0, id, "k");
    }
    assert!(world.asked(0).is_none(), "what has not failed is not asked about");
    world.fail("a", server());
    world
}

fn keep(ids: &[&'static str]) -> Vec<(&'static str, Verdict)> {
    ids.iter().map(|id| (*id, Verdict::Keep)).collect()
}

fn hook_failures(world: &World) -> Vec<HookError> {
    let told = world.events(0).iter().filter_map(|event| match event {
        Event::HookFailed(error) => Some(error.clone()),
        _ => None,
    });
    told.collect()
}

// --- When, and about what.

#[test]
fn it_is_asked_when_an_item_that_has_failed_is_due() {
    let mut world = failed();
    world.advance_ms(999);
    assert!(world.asked(0).is_none());
    world.advance_ms(1);
    assert_eq!(world.asked(0).map(|ids| ids.len()), Some(3));
    assert!(world.in_flight(0).is_empty(), "nothing asked about is sent");
    assert_eq!(world.reason(0, "a"), Reason::Hook);
}

#[test]
fn each_item_says_whether_the_server_can_have_seen_it() {
    let world = asked();
    let asks = world.asks(0);
    let sent: Vec<Sent> = asks[0].1.iter().map(|asked| asked.sent).collect();
    assert_eq!(sent, [Sent::Maybe, Sent::Never, Sent::Never]);
}

#[test]
fn items_in_flight_are_not_asked_about() {
    let mut world = failed();
    world.enqueue(0, "flying", "f");
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["flying"]);
    assert!(!world.asked(0).expect("asked").contains(&"flying".into()));
}

#[test]
fn parked_items_are_not_asked_about() {
    let mut world = World::empty();
    world.store.insert_raw(br#"{"version":2,"id":"newer","key":["n"]}"#.to_vec());
    world.start(hook_config());
    world.elect(0);
    world.enqueue(0, "a", "k");
    world.fail("a", server());
    world.advance_ms(1_000);
    assert_eq!(world.asked(0).as_deref(), Some(&["a".into()][..]));
}

#[test]
fn it_is_asked_about_what_acquire_has_read_even_if_that_never_failed() {
    let mut world = World::led(hook_config());
    world.online(0, false);
    world.enqueue(0, "a", "k");
    world.restart_and_lead(0);
    world.advance_ms(1_000);
    assert_eq!(world.asked(0).as_deref(), Some(&["a".into()][..]));
    world.hook_keeps_all(0);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn fresh_items_go_out_while_it_thinks() {
    let mut world = asked();
    world.enqueue(0, "fresh", "f");
    assert_eq!(world.in_flight(0), ["fresh"]);
    world.hook_keeps_all(0);
    assert_eq!(world.in_flight(0), ["a", "fresh"]);
}

#[test]
fn without_a_hook_nobody_is_asked() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.fail("a", server());
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["a"]);
}

// --- What an answer does.

#[test]
fn a_kept_item_is_sent_once_without_a_further_ask() {
    let mut world = asked();
    world.hook_keeps_all(0);
    assert_eq!(world.in_flight(0), ["a"]);
    world.fail("a", server());
    world.advance_ms(2_000);
    assert_eq!(world.asks(0).len(), 2, "the next failure is asked about again");
    assert!(world.in_flight(0).is_empty());
}

#[test]
fn an_item_left_out_is_removed() {
    let mut world = asked();
    world.answer_hook(0, keep(&["a", "c"]));
    assert_eq!(world.stored(), ["a", "c"]);
    assert_eq!(world.settled(0, "b"), [Outcome::Removed]);
    assert_eq!(world.drain(), ["a", "c"]);
}

#[test]
fn an_item_may_be_removed_by_name() {
    let mut world = asked();
    world.answer_hook(0, vec![("a", Verdict::Remove), ("b", Verdict::Keep), ("c", Verdict::Keep)]);
    assert_eq!(world.settled(0, "a"), [Outcome::Removed]);
    assert_eq!(world.in_flight(0), ["b"], "the lane goes on");
}

#[test]
fn squashed_items_are_one_and_their_waiters_get_its_outcome() {
    let mut world = asked();
    world.begin_trace();
    world.note("the hook merges three items of a lane into the first");
    let merged = new_args(r#"{"of":["a","b","c"]}"#);
    world.answer_hook(0, vec![("a", merged), ("b", squash("a")), ("c", squash("a"))]);
    assert_eq!(world.stored(), ["a"]);
    assert_eq!(world.settled(0, "b"), [Outcome::Squashed { into: item_id("a") }]);
    assert!(world.resolved(0, "b").is_empty(), "its fate is the survivor's");

    assert_eq!(world.dispatched_items(0).last().expect("sent").args, json(r#"{"of":["a","b","c"]}"#));
    world.resolve(0, world.attempt("a"), success_with("42"));
    snapshot("squashed_items_are_one", &world);
    for id in ["a", "b", "c"] {
        assert_eq!(world.resolved(0, id), [Outcome::Committed { result: Some(json("42")) }], "{id}");
    }
}

#[test]
fn a_survivor_holds_the_union_of_the_keys() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "x");
    world.fail("a", server());
    world.pause(0, "hold");
    world.enqueue(0, "b", "y");
    world.enqueue(0, "later", "y");
    world.resume(0, "hold");
    assert_eq!(world.in_flight(0), ["b"]);
    world.fail("b", server());
    world.advance_ms(1_000);
    world.answer_hook(0, vec![("a", Verdict::Keep), ("b", squash("a")), ("later", Verdict::Keep)]);
    assert_eq!(world.stored_item("a").key, key("x+y"));
    assert_eq!(world.in_flight(0), ["a"]);
    assert!(matches!(world.reason(0, "later"), Reason::Behind { id, .. } if id == item_id("a")));
}

#[test]
fn a_survivor_may_name_its_own_key() {
    let mut world = asked();
    let own = Verdict::Rewrite(Rewrite { key: Some(key("own")), ..Rewrite::default() });
    world.answer_hook(0, vec![("a", own), ("b", squash("a")), ("c", Verdict::Keep)]);
    assert_eq!(world.stored_item("a").key, key("own"));
    assert_eq!(world.in_flight(0), ["a", "c"], "lane k is free of it");
}

#[test]
fn a_rewritten_item_is_sent_with_its_new_args() {
    let mut world = asked();
    world.answer_hook(0, vec![("a", new_args("[1]")), ("b", Verdict::Keep), ("c", Verdict::Keep)]);
    assert_eq!(world.stored_item("a").args, json("[1]"));
    assert_eq!(world.dispatched_items(0).last().expect("sent").args, json("[1]"));
    assert_eq!(world.attempt("a").attempt, 2, "the count goes on (R25)");
}

#[test]
fn metadata_may_be_rewritten_and_taken_away() {
    let mut world = World::led(hook_config());
    let mut with_metadata = draft("a", "write", "k");
    with_metadata.metadata = Some(json(r#"{"tag":1}"#));
    world.enqueue_draft(0, with_metadata);
    world.fail("a", server());
    world.advance_ms(1_000);
    let gone = Rewrite { metadata: Some(None), ..Rewrite::default() };
    world.answer_hook(0, vec![("a", Verdict::Rewrite(gone))]);
    assert_eq!(world.stored_item("a").metadata, None);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn changed_args_get_a_new_idempotency_key() {
    let keyed = MutatorConfig { idempotency_key: true, ..MutatorConfig::default() };
    let mut world = World::led(with_mutator(hook_config(), "pay", keyed));
    world.enqueue_draft(0, draft("a", "pay", "k"));
    let first = world.stored_item("a").idempotency_key.expect("asked for");
    for n in 2..5 {
        world.fail_and_wait("a", server());
        world.answer_hook(0, vec![("a", new_args(&format!("[{n}]")))]);
        let new = world.stored_item("a").idempotency_key.expect("kept");
        assert_eq!(*new, *format!("{first}.{n}"));
        assert_eq!(world.dispatched_items(0).last().expect("sent").idempotency_key.as_ref(), Some(&new));
    }

    // A rewrite that changes only the key keeps it.
    world.fail_and_wait("a", server());
    let rekeyed = Rewrite { key: Some(key("other")), ..Rewrite::default() };
    world.answer_hook(0, vec![("a", Verdict::Rewrite(rekeyed))]);
    assert_eq!(*world.stored_item("a").idempotency_key.expect("kept"), *format!("{first}.4"));
}

#[test]
fn a_new_key_takes_an_item_out_of_its_lane_when_it_is_durable() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "k");
    world.fail_and_wait("a", server());
    world.enqueue(0, "old", "k");
    world.hold_storage();
    let rekeyed = Rewrite { key: Some(key("other")), ..Rewrite::default() };
    world.answer_hook(0, vec![("a", Verdict::Rewrite(rekeyed))]);
    assert!(matches!(world.reason(0, "old"), Reason::Behind { .. }), "a crash would put it back there");
    world.release_storage();
    let mut sent = world.in_flight(0);
    sent.sort_unstable();
    assert_eq!(sent, ["a", "old"]);
}

#[test]
fn a_late_success_of_the_old_args_does_not_settle_the_new_ones() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "k");
    let first = world.attempt("a");
    world.advance_ms(16_000);
    world.hold_storage();
    world.answer_hook(0, vec![("a", new_args("[2]"))]);
    world.resolve(0, first, success()); // from the answer on, even before it is durable (R14)
    world.release_storage();
    assert_eq!(world.stored_item("a").args, json("[2]"));
    world.resolve(0, first, success());
    assert_eq!(world.in_flight(0), ["a"]);
    world.succeed("a");
    assert_eq!(world.settled(0, "a"), [Outcome::Committed { result: None }]);
}

#[test]
fn a_late_success_settles_a_kept_item() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "k");
    let first = world.attempt("a");
    world.advance_ms(16_000);
    world.hook_keeps_all(0);
    assert_eq!(world.attempt("a").attempt, 2);
    world.resolve(0, first, success());
    assert!(world.stored().is_empty());
}

// --- The answer is one transaction.

#[test]
fn an_answer_is_one_transaction() {
    let mut world = asked();
    world.hold_storage();
    world.answer_hook(0, vec![("a", new_args("[1]")), ("b", squash("a")), ("c", Verdict::Remove)]);
    let writes = world.writing(0);
    let puts = writes.iter().filter(|write| matches!(write, Write::Put { .. })).count();
    let deletes = writes.iter().filter(|write| matches!(write, Write::Delete { .. })).count();
    assert_eq!((puts, deletes), (1, 2), "{writes:?}");
    assert!(world.in_flight(0).is_empty(), "frozen until it is durable");
    assert!(world.settled(0, "b").is_empty());
    world.release_storage();
    assert_eq!(world.stored(), ["a"]);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_crash_before_it_is_durable_leaves_all_as_it_was() {
    let mut world = asked();
    let before: Vec<String> = ["a", "b", "c"].iter().map(|id| world.record(id)).collect();
    world.hold_storage();
    world.answer_hook(0, vec![("a", new_args("[1]")), ("b", squash("a")), ("c", squash("a"))]);
    world.crash(0);
    let after: Vec<String> = ["a", "b", "c"].iter().map(|id| world.record(id)).collect();
    assert_eq!(before, after);
}

#[test]
fn a_failed_write_of_an_answer_is_retried_and_never_undone() {
    let mut world = asked();
    for _ in 0..3 {
        world.store_fails(StorageError::Unavailable { cause: "busy".into() });
    }
    world.answer_hook(0, vec![("a", new_args("[1]")), ("b", squash("a")), ("c", Verdict::Keep)]);
    assert!(world.in_flight(0).is_empty());
    world.advance_ms(9_000);
    assert_eq!(world.stored(), ["a", "c"]);
    assert_eq!(world.stored_item("a").args, json("[1]"));
    assert_eq!(world.asks(0).len(), 1, "and it is not asked again");
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn an_answer_is_void_if_an_asked_item_is_removed_first() {
    let mut world = asked();
    world.remove(0, "b");
    let ask = world.take_ask(0);
    let verdicts = ["a", "b", "c"].map(|id| (item_id(id), Verdict::Keep)).to_vec();
    world.step(0, Input::Answered { ask, verdicts: Ok(verdicts) });
    assert!(world.in_flight(0).is_empty());
    world.advance_ms(1_000);
    assert_eq!(world.asked(0).as_deref(), Some(&["a".into(), "c".into()][..]), "asked again");
    world.hook_keeps_all(0);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn an_answer_is_void_if_an_asked_item_settles_first() {
    let mut world = World::led(hook_config());
    world.enqueue(0, "a", "a");
    world.enqueue(0, "b", "b");
    let first = world.attempt("a");
    world.advance_ms(16_000);
    assert_eq!(world.asked(0).as_deref(), Some(&["a".into(), "b".into()][..]));
    world.resolve(0, first, success());
    let ask = world.take_ask(0);
    let verdicts = vec![(item_id("a"), squash("b")), (item_id("b"), new_args("[2]"))];
    world.step(0, Input::Answered { ask, verdicts: Ok(verdicts) });
    assert_eq!(world.settled(0, "a"), [Outcome::Committed { result: None }]);
    assert_eq!(world.stored_item("b").args, json(r#"{"of":"b"}"#));
    world.advance_ms(1_000);
    assert_eq!(world.asked(0).as_deref(), Some(&["b".into()][..]));
}

#[test]
fn it_is_asked_at_most_once_a_second() {
    let mut world = asked();
    for _ in 0..5 {
        world.enqueue(0, "x", "x");
        world.remove(0, "x");
        world.remove(0, "b"); // the first voids the answer
        if world.asked(0).is_some() {
            world.hook_keeps_all(0);
        }
        world.focus(0);
        world.advance_ms(300);
    }
    let times: Vec<u64> = world.asks(0).iter().map(|(at, _)| *at).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{times:?}");
}

// --- A hook that fails.

#[test]
fn a_hook_that_throws_sends_nothing_and_is_asked_again() {
    let mut world = asked();
    let ask = world.take_ask(0);
    let threw = HookError::Threw { message: "oops".into() };
    world.step(0, Input::Answered { ask, verdicts: Err(threw.clone()) });
    assert_eq!(hook_failures(&world), [threw]);
    assert!(world.in_flight(0).is_empty());
    assert_eq!(world.asks(0).len(), 1, "not at once");
    world.advance_ms(2_000);
    assert_eq!(world.asks(0).len(), 2);
    assert_eq!(world.stored(), ["a", "b", "c"]);
    world.hook_keeps_all(0);
    assert_eq!(world.in_flight(0), ["a"]);
}

#[test]
fn a_hook_that_always_throws_is_asked_ever_less_often() {
    let mut world = asked();
    for _ in 0..8 {
        let ask = world.take_ask(0);
        let threw = HookError::Threw { message: "oops".into() };
        world.step(0, Input::Answered { ask, verdicts: Err(threw) });
        let asks = world.asks(0).len();
        while world.asks(0).len() == asks {
            assert!(world.elapsed_ms() < 3_600_000, "never asked again");
            world.advance_ms(500);
        }
    }
    let times: Vec<u64> = world.asks(0).iter().map(|(at, _)| *at).collect();
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.is_sorted() && gaps[0] <= 2_000 && gaps[7] >= 30_000, "{gaps:?}");
}

#[test]
fn a_hook_that_is_late_is_given_up_after_ten_seconds() {
    let mut world = asked();
    let ask = world.take_ask(0);
    world.advance_ms(9_999);
    assert!(hook_failures(&world).is_empty());
    world.advance_ms(1);
    assert_eq!(hook_failures(&world), [HookError::Late { limit_ms: 10_000 }]);
    let stored = world.stored();

    // Its answer comes after all: too late.
    world.step(0, Input::Answered { ask, verdicts: Ok(Vec::new()) });
    assert_eq!(world.stored(), stored);
    assert!(world.in_flight(0).is_empty());
    world.advance_ms(5_000);
    assert_eq!(world.asks(0).len(), 2);
}

/// Asserts that this answer is refused with `error`, changes nothing, and is asked for again.
#[track_caller]
fn assert_refused(verdicts: Vec<(&str, Verdict)>, error: &HookError) {
    let mut world = asked();
    world.answer_hook(0, verdicts);
    assert_eq!(hook_failures(&world), std::slice::from_ref(error));
    assert_eq!(world.stored(), ["a", "b", "c"]);
    assert!(world.in_flight(0).is_empty());
    world.advance_ms(2_000);
    assert_eq!(world.asks(0).len(), 2);
}

#[test]
fn an_answer_that_names_a_new_id_is_refused() {
    let verdicts = [keep(&["a", "b", "c"]), keep(&["new"])].concat();
    assert_refused(verdicts, &HookError::NotAsked { id: item_id("new") });
}

#[test]
fn an_answer_that_names_an_item_twice_is_refused() {
    assert_refused(keep(&["a", "b", "c", "a"]), &HookError::NotAsked { id: item_id("a") });
}

#[test]
fn a_squash_into_an_item_that_does_not_stay_is_refused() {
    let error = HookError::SquashTarget { id: item_id("b"), into: item_id("a") };
    assert_refused(vec![("a", Verdict::Remove), ("b", squash("a")), ("c", Verdict::Keep)], &error);
}

#[test]
fn a_squash_into_itself_is_refused() {
    let error = HookError::SquashTarget { id: item_id("a"), into: item_id("a") };
    assert_refused(vec![("a", squash("a")), ("b", Verdict::Keep), ("c", Verdict::Keep)], &error);
}

#[test]
fn metadata_that_is_no_object_is_refused() {
    let mut world = asked();
    let number = Rewrite { metadata: Some(Some(json("1"))), ..Rewrite::default() };
    world.answer_hook(0, vec![("a", Verdict::Rewrite(number)), ("b", Verdict::Keep), ("c", Verdict::Keep)]);
    assert!(matches!(&hook_failures(&world)[..], [HookError::Input { id, .. }] if id.as_str() == "a"));
    assert_eq!(world.stored(), ["a", "b", "c"]);
}

#[test]
fn a_leader_that_steps_down_lets_the_question_go() {
    let mut world = World::led(Config { shared: true, ..hook_config() });
    world.enqueue(0, "a", "k");
    world.fail("a", server());
    world.advance_ms(1_000);
    let ask = world.take_ask(0);
    world.depose(0);
    world.step(0, Input::Answered { ask, verdicts: Ok(Vec::new()) });
    assert_eq!(world.stored(), ["a"], "an empty answer would have removed it");
    world.elect(0);
    assert_eq!(world.drain(), ["a"]);
}
