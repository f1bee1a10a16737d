//! Stories: small scenarios, calm and stormy, pinned as their traces in `snapshots/sim_*.snap`.
//!
//! Each says what to see in it. A story that changes is a change of behaviour: read it before accepting it.

mod scenes;

use outbox_sim::{
    scenario::{Action, EffectKind, Fault, Options, RetryAfter, Scenario, What, When},
    standard::{Standard, mutators},
    trace::{Detail, Trace},
};
use scenes::{at, attempt, enqueue, enqueue_as, open, scene, step};

/// Plays a story, which must break no promise.
#[track_caller]
fn play(scenario: &Scenario) -> Trace {
    let (mut trace, report) = Trace::of_run(&Standard, scenario, Detail::Short);
    assert_eq!(report.violation, None);
    // The story is pinned, not the noise.
    trace.header.left_out = 0;
    trace
}

/// Plays a story and compares it with `snapshots/sim_NAME.snap`.
#[track_caller]
fn tell(name: &str, scenario: &Scenario) {
    compare(name, &play(scenario));
}

#[track_caller]
fn compare(name: &str, trace: &Trace) {
    let mut text = Vec::new();
    trace.write_text(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().count();
    assert!(lines <= 60, "{lines} lines are too many for a story:\n{text}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("sim_{name}"), text));
}

/// Nothing goes wrong. To see: the item is *born claimed*, insert and claim in one write, because the leader
/// can send it at once (R2); it leaves only when its delete is durable (R5).
#[test]
fn an_enqueue_online() {
    tell(
        "an_enqueue_online",
        &scene(Options::default(), vec![open(0, 0), enqueue(100, 0, 1, "a")], Vec::new(), 1_000),
    );
}

/// Two items of one lane are enqueued without a network. To see: both are stored and told so while offline
/// (R1), nothing is sent (R8); when the network is back they go one after the other (R6).
#[test]
fn offline_then_online() {
    tell(
        "offline_then_online",
        &scene(
            Options::default(),
            vec![
                open(0, 0),
                step(50, 0, Action::Link(false)),
                step(50, 0, Action::Online(false)),
                enqueue(100, 0, 1, "a"),
                enqueue(200, 0, 2, "a"),
                step(3_000, 0, Action::Link(true)),
                step(3_000, 0, Action::Online(true)),
            ],
            Vec::new(),
            5_000,
        ),
    );
}

/// The leader claims an item and dies before it is sent. To see: the follower gets the lock, acquires in the
/// next epoch (R27), and cannot know whether the request went out: the item keeps its backoff, and a second
/// later is sent as attempt 2 (R2, R13).
#[test]
fn a_leader_dies_between_claim_and_dispatch() {
    let when = When::Nth { tab: 0, kind: EffectKind::Dispatch, n: 1 };
    let crash = Fault { when, what: What::Crash { reopen_ms: 60_000 } };
    tell(
        "a_leader_dies_between_claim_and_dispatch",
        &scene(
            Options { tabs: 2, ..Options::default() },
            vec![open(0, 0), open(10, 1), enqueue(100, 0, 1, "a")],
            vec![crash],
            4_000,
        ),
    );
}

/// The server applies a request and the reply is lost. To see: the attempt times out (R14), the item is sent
/// again with the same idempotency key, and the server knows it: `a repeat, known` (R21, R29).
#[test]
fn a_lost_reply_is_repeated() {
    tell(
        "a_lost_reply_is_repeated",
        &scene(
            Options { timeout_ms: 2_000, ..Options::default() },
            vec![open(0, 0), enqueue(100, 0, 1, "a")],
            vec![attempt(1, 1, What::LoseReply)],
            5_000,
        ),
    );
}

/// The leader's tab is frozen and keeps the lock. To see: the follower has work, pings, hears nothing for
/// 5 s and more, and steals (R26). The old leader wakes believing that it leads: it is told and steps down,
/// and what it asked of the store in the old epoch is refused as `fenced` (R27).
#[test]
fn a_follower_steals_from_a_frozen_leader() {
    tell(
        "a_follower_steals_from_a_frozen_leader",
        &scene(
            Options { tabs: 2, ..Options::default() },
            vec![
                open(0, 0),
                open(10, 1),
                step(500, 0, Action::Freeze),
                enqueue(1_000, 1, 1, "a"),
                step(12_000, 0, Action::Thaw),
            ],
            Vec::new(),
            13_000,
        ),
    );
}

/// A storm in three tabs, without what is asked of storage and what else goes without saying.
///
/// To see: i1 gets a 503 and is not sent before its `Retry-After` (R11), i2 waits behind it in lane a (R6)
/// until it is removed; i3 is refused for good and its lane goes on with i4 (R15); i5 meets a full disk, its
/// caller is told, and it leaves no trace (R1). i6 is in flight when its tab dies: another tab leads, and
/// the server knows the repeat (R21, R27).
#[test]
fn a_storm() {
    let unavailable = What::Unavailable { status: 503, retry_after: RetryAfter::Seconds(3) };
    let mut trace = play(&scene(
        Options { tabs: 3, ..Options::default() },
        vec![
            open(0, 0),
            open(10, 1),
            enqueue(100, 0, 1, "a"),
            enqueue(200, 0, 2, "a"),
            enqueue_as(mutators::PLAIN, 300, 0, 3, "b"),
            enqueue_as(mutators::PLAIN, 310, 1, 4, "b"),
            step(1_500, 1, Action::Remove { item: 2 }),
            enqueue(2_100, 0, 5, "c"),
            step(2_200, 1, Action::Freeze),
            step(4_000, 1, Action::Thaw),
            enqueue(5_000, 0, 6, "d"),
            open(6_000, 2),
            step(6_500, 1, Action::Close),
        ],
        vec![
            attempt(1, 1, unavailable),
            attempt(3, 1, What::RefuseForGood),
            at(2_000, 0, What::FullStorage { for_ms: 500 }),
            attempt(6, 1, What::SlowReply { by_ms: 5_000 }),
            at(5_100, 0, What::Crash { reopen_ms: 60_000 }),
        ],
        12_000,
    ));
    let is_storage = |link: &String| link.contains(" op");
    let aside = [
        "wake ",
        "tick",
        "elected",
        "lock held",
        "ping",
        "pong",
        "resolved",
        "outcome of",
        "storage recovered",
    ];
    trace.lines.retain(|line| {
        !line.link.as_ref().is_some_and(is_storage) && !aside.iter().any(|start| line.text.starts_with(start))
    });
    compare("a_storm", &trace);
}
