//! `outbox::wire` writes what serde writes, and reads what serde reads.

mod common;

use std::fmt::Debug;

use common::*;
use outbox::{
    AskedItem, AttemptLimit, AttemptOutcome, Blocked, CallError, Class, Config, ConfigError, Effect, Event,
    Exhausted, Failure, FailureRecord, HookError, Input, InputError, Json, Key, MutatorConfig, Outcome,
    ParkReason, Place, Poke, Reason, Reply, Rewrite, Sent, Seq, SerializedError, Timestamp, Trigger, Verdict,
    ViewChange,
    lease::{ElectionMessage, Says},
    record,
    storage::{Contents, FailureRow, Gone, Row, Snapshot, StorageError, StoreId},
    wire::{self, FromJson, ToJson},
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

fn assert_written<T: ToJson + Serialize + Debug + ?Sized>(value: &T) {
    assert_eq!(wire::to_json(value), serde_json::to_string(value).unwrap(), "{value:?}");
}

fn assert_read<T: FromJson + Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string_pretty(value).unwrap();
    assert_eq!(wire::from_json::<T>(&text).as_ref(), Ok(value), "{text}");
}

/// Both refuse it, or both read the same.
fn assert_read_alike<T: FromJson + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let (ours, theirs) = (wire::from_json::<T>(text), serde_json::from_str::<T>(text));
    assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?}, {theirs:?}");
    if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
        assert_eq!(ours, theirs, "{text}");
    }
}

fn error() -> SerializedError {
    SerializedError::new("Error \"x\"", "a\nb\u{1}\u{7f}é😀\\")
}

fn outcomes() -> [Outcome; 6] {
    [
        Outcome::Committed { result: None },
        Outcome::Committed { result: Some(Json::null()) },
        Outcome::Dropped { error: error() },
        Outcome::Removed,
        Outcome::Squashed { into: item_id("b") },
        Outcome::Gone,
    ]
}

#[test]
fn a_day_of_two_replicas() {
    let mut world = World::two_in_trouble();
    world.remove(1, "i5");
    world.pause(0, "auth");
    for outbox in [world.outbox(0), world.outbox(1)] {
        outbox.pending().for_each(assert_written);
        outbox.view_changes().for_each(|change| assert_written(&change));
        outbox
            .pending()
            .filter_map(|item| outbox.explain(&item.id))
            .for_each(|blocked| assert_written(&blocked));
    }
    world.advance_ms(20_000);
    world.resume(0, "auth");
    world.depose(0);
    world.elect(1);
    world.drain();
    for r in 0..2 {
        for effect in world.effects(r) {
            match effect {
                Effect::Reply { result, .. } => assert_written(result),
                Effect::Notify(event) => assert_written(event),
                Effect::View(change) => assert_written(change),
                Effect::AskBeforeRetry { items, .. } => assert_written(items),
                Effect::Poke(poke) => {
                    assert_written(poke);
                    assert_read(poke);
                }
                _ => {}
            }
        }
        let recording = world.recording(r);
        assert_written(&recording);
        assert_read(&recording.config);
    }
}

#[test]
fn outcomes_and_errors() {
    for outcome in outcomes() {
        assert_written(&outcome);
        assert_read(&outcome);
        assert_written(&Event::Resolved { id: item_id("a"), outcome: outcome.clone() });
        assert_written(&ViewChange::Left { place: Place::Stored(Seq(1)), outcome: Some(outcome.clone()) });
        assert_written(&Gone { seq: Seq(2), outcome: Some(outcome) });
    }
    let inputs = [
        InputError::NotJson { cause: "x".into() },
        InputError::Empty { field: "id".into() },
        InputError::TooLong { field: "id".into(), len: 300, max: 256, unit: "bytes".into() },
        InputError::WrongType { field: "metadata".into(), expected: "an object".into() },
        InputError::UnknownMutator { name: "m".into() },
    ];
    for error in inputs {
        assert_written(&HookError::Input { id: item_id("a"), cause: error.clone() });
        assert_written(&CallError::from(error));
    }
    let config = ConfigError { field: "f".into(), value: "0".into(), expected: "1".into() };
    assert_written(&CallError::Config(config));
    assert_written(&CallError::Duplicate { id: item_id("a") });
    let unavailable = StorageError::Unavailable { cause: "locked".into() };
    for error in [StorageError::Full, StorageError::Fenced, StorageError::Unknown, unavailable] {
        assert_written(&error);
        assert_written(&CallError::Storage(error.clone()));
        assert_written(&Event::StorageFailed(error));
    }
    let (id, into, field) = (item_id("a"), item_id("b"), String::from("seq"));
    for error in [
        HookError::Threw { message: "no".into() },
        HookError::Late { limit_ms: 10_000 },
        HookError::NotAsked { id: id.clone() },
        HookError::Immutable { id: id.clone(), field },
        HookError::SquashTarget { id, into },
    ] {
        assert_written(&Event::HookFailed(error));
    }
}

#[test]
fn events_and_reasons() {
    let id = || item_id("a");
    for event in [
        Event::AttemptFailed { id: id(), attempt: 2, error: error(), next_attempt_at: Timestamp::ZERO },
        Event::Stuck { id: id(), attempts: 10 },
        Event::Parked { id: id(), mutator_name: "m".into(), reason: ParkReason::Unregistered },
        Event::Quarantined { seq: Seq(3), record: vec![0, 255, 7], problem: "no".into() },
        Event::FailureEvicted { id: id() },
        Event::Leading(true),
        Event::StorageRecovered,
        Event::Paused { reasons: vec!["auth".into(), String::new()] },
    ] {
        assert_written(&event);
    }
    let parked = [
        ParkReason::Unregistered,
        ParkReason::NewerVersion { version: 2 },
        ParkReason::Unreadable,
        ParkReason::Attempts { attempts: 3 },
    ];
    let reasons = [
        Reason::Writing,
        Reason::Settling,
        Reason::Removing,
        Reason::InFlight { attempt: 1, since: Timestamp::from_millis(5) },
        Reason::Claiming,
        Reason::Follower,
        Reason::Loading,
        Reason::Paused { reasons: vec!["auth".into()] },
        Reason::Behind { id: id(), seq: Seq(1), lane: "k".into() },
        Reason::Backoff,
        Reason::Hook,
        Reason::Offline,
        Reason::Concurrency,
        Reason::StoreFull,
        Reason::Ready,
    ];
    for reason in reasons.into_iter().chain(parked.map(Reason::Parked)) {
        for until in [None, Some(Timestamp::from_millis(u64::MAX))] {
            assert_written(&Blocked { reason: reason.clone(), until });
        }
    }
    assert_written(&Reply::Done(false));
}

/// Every variant by name: a new one must be decided here.
#[test]
fn inputs_that_a_day_may_lack() {
    let mutator = MutatorConfig {
        timeout_ms: Some(5),
        max_attempts: Some(AttemptLimit { attempts: 3, then: Exhausted::Park }),
        ..MutatorConfig::default()
    };
    let call = outbox::CallId(7);
    let (row, failure) =
        (Row { seq: Seq(1), record: vec![123].into() }, FailureRow { id: item_id("a"), record: vec![] });
    let part = Contents::Part { rows: vec![row], gone: vec![], failures: Some(vec![failure]) };
    let snapshot = Snapshot {
        store: StoreId(1 << 100),
        epoch: outbox::Epoch(2),
        change: 3,
        through: Seq(4),
        contents: part,
        paused: vec!["auth".into()],
    };
    let failure = Failure { class: Class::NonRetriable, error: error(), retry_after_ms: Some(1) };
    let verdicts = vec![
        (item_id("a"), Verdict::Keep),
        (item_id("b"), Verdict::Remove),
        (item_id("c"), Verdict::SquashInto(item_id("a"))),
        (item_id("d"), Verdict::Rewrite(Rewrite { key: Some(key("x+y")), ..Rewrite::default() })),
    ];
    assert_read(&verdicts);
    let attempt = outbox::AttemptId { store: StoreId(0), epoch: outbox::Epoch(1), seq: Seq(2), attempt: 3 };
    for input in [
        Input::RetryFailure { call, failure: item_id("a"), id: item_id("b") },
        Input::DismissFailure { call, id: item_id("a") },
        Input::Register { call, name: "m".into(), mutator },
        Input::Online(false),
        Input::Wake(Trigger::Init),
        Input::Wake(Trigger::Visible),
        Input::Tick,
        Input::Deposed,
        Input::Holder(None),
        Input::Holder(Some("r".into())),
        Input::Ping { from: "r".into(), parked: vec!["m".into()] },
        Input::Pong { from: "r".into(), registered: vec![] },
        Input::Poked(Poke::Unknown),
        Input::Loaded { op: outbox::storage::OpId(1), result: Ok(snapshot) },
        Input::Persisted { op: outbox::storage::OpId(1), result: Err(StorageError::Full) },
        Input::Resolved { attempt, outcome: AttemptOutcome::Success { result: Some(Json::null()) } },
        Input::Resolved { attempt, outcome: AttemptOutcome::Failure(failure) },
        Input::Answered { ask: outbox::AskId(1), verdicts: Ok(verdicts) },
    ] {
        assert_written(&input);
    }
}

#[test]
fn failure_records_and_what_the_hook_is_asked() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "k");
    let item = world.outbox(0).pending().next().expect("it was enqueued").clone();
    let tried = outbox::Item {
        idempotency_key: Some("once".into()),
        retry_after: Some(Timestamp::from_millis(3)),
        last_class: Some(Class::Server),
        last_error: Some(Box::new(error())),
        metadata: Some(json(r#"{"by":"me"}"#)),
        claimed: true,
        ..item
    };
    for sent in [Sent::Never, Sent::Maybe] {
        assert_written(&AskedItem { item: tried.clone(), sent });
    }
    let failure = FailureRecord { failed_at: Timestamp::from_millis(9), error: error(), item: tried };
    assert_written(&failure);
    let read = record::decode_failure(record::encode_failure(&failure).as_bytes(), |name| name.into());
    assert_eq!(read.as_ref(), Ok(&failure));
}

#[test]
fn the_messages_of_an_election() {
    for says in [Says::Ask, Says::Claim, Says::Lease, Says::Bye] {
        let message = ElectionMessage { from: "r\"1".into(), nth: u64::MAX, says };
        assert_written(&message);
        assert_read(&message);
    }
}

#[test]
fn what_is_no_config_is_refused_as_by_serde() {
    for text in [
        "{}",
        "7",
        "{",
        r#"{"replica":"r","other":[{}]}"#,
        r#"{"replica":null}"#,
        r#"{"maxConcurrency":4294967296}"#,
        r#"{"maxConcurrency":-1}"#,
        r#"{"maxConcurrency":1.0}"#,
        r#"{"jitter":1}"#,
        r#"{"jitter":true,"jitter":true}"#,
        r#"{"mutators":{"m":{},"n":{"timeoutMs":null,"maxAttempts":{"attempts":1,"then":"drop"}}}}"#,
        r#"{"mutators":{"m":{"maxAttempts":{"attempts":1}}}}"#,
        r#"{"mutators":{"m":{"maxAttempts":{"attempts":1,"then":"stop"}}}}"#,
        r#"{"gather":true} x"#,
    ] {
        assert_read_alike::<Config>(text);
    }
    let said =
        wire::from_json::<Config>("{\n  \"jitter\": 1\n}").expect_err("jitter is no number").to_string();
    assert_eq!(said, "expected true or false at line 2 column 13");
}

#[test]
fn what_is_no_outcome_or_verdict_is_refused_as_by_serde() {
    for text in [
        r#""removed""#,
        r#""dropped""#,
        r#"{"removed":{}}"#,
        r#"{"dropped":{}}"#,
        r#"{"committed":{},"gone":{}}"#,
        r#"{"committed":{"result":[1e3,"\ud83d\ude00"]}}"#,
        r#"{"committed":{"result":"\ud83d"}}"#,
        r#"{"squashed":{"into":""}}"#,
        "{}",
        "7",
    ] {
        assert_read_alike::<Outcome>(text);
    }
    for text in [
        r#"[["a","keep"]]"#,
        r#"[["a"]]"#,
        r#"[["a","keep",1]]"#,
        r#"[["a",{"rewrite":{"args":null,"key":"unknown","metadata":{"a":1}}}]]"#,
        r#"[["a",{"rewrite":{"key":"other"}}]]"#,
        r#"[["a",{"squashInto":"b"}],]"#,
    ] {
        assert_read_alike::<Vec<(outbox::ItemId, Verdict)>>(text);
    }
}

/// JSON, mostly, with escapes, numbers and blanks of all kinds.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"id\":",
        "\\",
        "\\n",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\ud800",
        "0",
        "1",
        "-",
        "1.5",
        "1e5",
        "1E+309",
        "1.7976931348623157e308",
        ".",
        "null",
        "true",
        "fals",
        " ",
        "\n",
        "é",
        "😀",
        "\u{1}",
        "abcdefgh\"",
        "abcdefghi\\t",
    ]);
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn args_are_refused_as_by_serde(text in texts()) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        prop_assert_eq!(Json::from_text(&text).is_ok(), theirs.is_ok(), "{}: {:?}", text, theirs);
    }

    #[test]
    fn a_string_is_written_and_read_as_by_serde(text in ".{0,40}") {
        assert_written(text.as_str());
        assert_read(&text);
    }

    #[test]
    fn a_string_in_ascii_is_read_as_by_serde(text in ".{0,40}") {
        let escape = |unit: u16| format!("\\u{unit:04X}");
        let escaped: String = text.encode_utf16().map(escape).collect();
        prop_assert_eq!(wire::from_json::<String>(&format!("\"{escaped}\"")), Ok(text));
    }

    #[test]
    fn a_number_is_a_key_as_a_float_would_have_it(
        digits in 0..10_000_i64, after in 0..1000_u32, exponent in -4..8_i32,
    ) {
        let text = format!("{digits}.{after}e{exponent}");
        let float: f64 = text.parse().unwrap();
        let whole = float.fract() == 0.0 && float.abs() < 9e15;
        let key = Key::from_json(&json(&text)).unwrap();
        prop_assert_eq!(key, whole.then(|| Key::one(format!("{float:.0}")).unwrap()), "{}", text);
    }
}
