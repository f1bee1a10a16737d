//! Bad input (R32): an error value that names the field and the limit, replied before anything happened;
//! never a panic.

mod common;

use common::*;
use outbox::{
    AttemptLimit, CallError, CallId, Config, Draft, Exhausted, InputError, Item, ItemId, Json, Key,
    MutatorConfig, Outbox, Timestamp,
};

/// Asserts that `draft` is refused with this message, and that nothing was stored or shown.
#[track_caller]
fn assert_refused(config: Config, draft: Draft, message: &str) {
    let mut world = World::led(config);
    let call = world.enqueue_draft(0, draft);
    assert!(matches!(world.error(call), CallError::Input(_)), "{:?}", world.error(call));
    assert_eq!(world.error(call).to_string(), message);
    assert!(world.persists(0).is_empty());
    assert!(world.shown(0).is_empty());
}

#[track_caller]
fn message<T: std::fmt::Debug, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.expect_err("bad input").to_string()
}

// --- Json.

#[test]
fn args_that_are_no_json() {
    for text in ["", "{", "{\"a\":}", "nul", "1 2", "NaN", "{'a':1}", "\u{feff}1"] {
        let said = message(Json::from_text(text));
        assert!(said.starts_with("not JSON: ") && said.contains("column"), "{text:?}: {said}");
    }
}

#[test]
fn a_lone_surrogate() {
    for text in [r#""\ud800""#, r#"{"\udfff":1}"#, r#"["\ud83d"]"#] {
        assert!(matches!(Json::from_text(text), Err(InputError::NotJson { .. })), "{text}");
    }
    assert_eq!(json(r#""\ud83d\ude00""#).parse::<String>().expect("a pair is fine"), "😀");
}

#[test]
fn nesting_over_the_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::from_text(&nested(127)).is_ok());
    assert!(matches!(Json::from_text(&nested(129)), Err(InputError::NotJson { .. })));
    assert!(matches!(Json::from_text(&nested(100_000)), Err(InputError::NotJson { .. })), "no overflow");
}

#[test]
fn a_number_that_no_reader_can_hold() {
    assert!(matches!(Json::from_text("1e999"), Err(InputError::NotJson { .. })));
}

#[test]
fn a_value_that_json_cannot_carry() {
    let map = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(Json::from_value(&map), Err(InputError::NotJson { .. })));
}

// --- Ids, keys, names.

#[test]
fn ids() {
    assert_eq!(message(ItemId::new("")), "`id` is empty; it needs at least one character");
    assert_eq!(message(ItemId::new("x".repeat(257))), "`id` is 257 bytes long; the limit is 256");
    assert!(ItemId::new("x".repeat(256)).is_ok());
}

#[test]
fn keys() {
    let many = |n: usize| Key::new((0..n).map(|n| n.to_string()));
    assert_eq!(message(many(65)), "`key` is 65 keys long; the limit is 64");
    assert!(many(64).is_ok());
    assert_eq!(message(Key::one("x".repeat(1_025))), "`key` is 1025 bytes long; the limit is 1024");
    assert!(Key::one("x".repeat(1_024)).is_ok());
}

#[test]
fn too_many_derived_keys_fail_their_enqueue() {
    let ids: Vec<String> = (0..65).map(|n| format!("\"{n}\"")).collect();
    let args = json(&format!("{{\"ids\":[{}]}}", ids.join(",")));
    let draft = Draft::new(item_id("a"), "write", args);
    assert_refused(config(), draft, "`key` is 65 keys long; the limit is 64");
}

#[test]
fn an_unknown_mutator() {
    let message = "no mutator is registered as `nobody`; register it before the outbox starts";
    assert_refused(config(), draft("a", "nobody", "a"), message);
}

#[test]
fn an_empty_mutator_name() {
    let mut world = World::solo();
    let call = world.enqueue_draft(0, draft("a", "", "a"));
    assert!(matches!(world.error(call), CallError::Input(_)));
    assert!(world.shown(0).is_empty());
}

// --- Sizes.

#[test]
fn args_over_their_limit() {
    let small = Config { max_args_bytes: 10, ..config() };
    let with_args = |text: &str| Draft { args: json(text), ..draft("a", "write", "a") };
    assert_refused(small.clone(), with_args("[123456789]"), "`args` is 11 bytes long; the limit is 10");
    let mut world = World::led(small);
    let call = world.enqueue_draft(0, with_args("[12345678]"));
    assert_eq!(world.seq(call).0, 1);
}

#[test]
fn the_default_limit_is_a_mebibyte() {
    let with_bytes =
        |n: usize| Draft { args: json(&format!("\"{}\"", "x".repeat(n - 2))), ..draft("a", "write", "a") };
    let message = "`args` is 1048577 bytes long; the limit is 1048576";
    assert_refused(config(), with_bytes((1 << 20) + 1), message);
    let mut world = World::solo();
    let call = world.enqueue_draft(0, with_bytes(1 << 20));
    assert_eq!(world.seq(call).0, 1);
}

#[test]
fn metadata() {
    let with = |text: &str| Draft { metadata: Some(json(text)), ..draft("a", "write", "a") };
    for text in ["1", "[]", "null", "\"text\""] {
        assert_refused(config(), with(text), "`metadata` must be an object");
    }
    let small = Config { max_args_bytes: 12, ..config() };
    assert_refused(small, with(r#"{"a":1234567}"#), "`metadata` is 13 bytes long; the limit is 12");
}

// --- Calls.

#[test]
fn a_duplicate_id_fails_only_its_own_enqueue() {
    let mut world = World::solo();
    world.hold_storage();
    let first = world.enqueue(0, "a", "a");
    let between = world.enqueue(0, "b", "b");
    let second = world.enqueue(0, "a", "other");
    let after = world.enqueue(0, "c", "c");
    world.release_storage();
    for call in [first, between, after] {
        world.seq(call);
    }
    assert_eq!(
        world.error(second).to_string(),
        "an item with the id `a` is in the outbox already; ids must be unique"
    );
    assert_eq!(world.stored(), ["a", "b", "c"]);
    assert_eq!(world.shown(0), ["a", "b", "c"]);
}

#[test]
fn a_duplicate_that_only_storage_knows() {
    let mut world = World::shared(2);
    world.hold_mail();
    world.enqueue(0, "a", "a");
    let again = world.enqueue(1, "a", "a");
    assert!(matches!(world.error(again), CallError::Duplicate { id } if id.as_str() == "a"));
    world.deliver_mail();
    assert_eq!(world.shown(1), ["a"]);
    assert_eq!(world.drain(), ["a"]);
}

#[test]
fn pause_reasons() {
    let mut world = World::solo();
    let empty = world.pause(0, "");
    assert_eq!(world.error(empty).to_string(), "`reason` is empty; it needs at least one character");
    let long = world.pause(0, &"x".repeat(257));
    assert_eq!(world.error(long).to_string(), "`reason` is 257 bytes long; the limit is 256");
    let fits = world.pause(0, &"x".repeat(256));
    assert!(world.done(fits));
}

// --- Config.

#[test]
fn configs() {
    let mutator = |mutator: MutatorConfig| with_mutator(config(), "m", mutator);
    let none = AttemptLimit { attempts: 0, then: Exhausted::Park };
    let long = "x".repeat(257);
    let cases = [
        (Config { max_concurrency: 0, ..config() }, "config: `maxConcurrency` is 0; it must be 1 to 1024"),
        (
            Config { max_concurrency: 1_025, ..config() },
            "config: `maxConcurrency` is 1025; it must be 1 to 1024",
        ),
        (Config { timeout_ms: 0, ..config() }, "config: `timeoutMs` is 0; it must be 1 to 86400000"),
        (
            Config { timeout_ms: 86_400_001, ..config() },
            "config: `timeoutMs` is 86400001; it must be 1 to 86400000",
        ),
        (Config { max_args_bytes: 1, ..config() }, "config: `maxArgsBytes` is 1; it must be 2 to 4294967295"),
        (
            Config { replica: String::new(), ..config() },
            "config: `replica` is 0 bytes long; it must be 1 to 256 bytes long",
        ),
        (
            with_mutator(config(), "", MutatorConfig::default()),
            "config: `mutators` is 0 bytes long; it must be 1 to 256 bytes long",
        ),
        (
            with_mutator(config(), &long, MutatorConfig::default()),
            "config: `mutators` is 257 bytes long; it must be 1 to 256 bytes long",
        ),
        (
            mutator(MutatorConfig { timeout_ms: Some(0), ..MutatorConfig::default() }),
            "config: `mutators.m.timeoutMs` is 0; it must be 1 to 86400000",
        ),
        (
            mutator(MutatorConfig { max_attempts: Some(none), ..MutatorConfig::default() }),
            "config: `mutators.m.maxAttempts` is 0; it must be 1 to 4294967295",
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(message(Outbox::new(config, Timestamp::ZERO)), expected);
    }
}

#[test]
fn a_record_may_say_anything_without_a_panic() {
    let valid: Item = stored_item("a", "k", START);
    let text = outbox::record::encode(&valid);
    for cut in 0..text.len() {
        let mut world = World::empty();
        world.store.insert_raw(text.as_bytes()[..cut].to_vec());
        world.start(config());
        world.elect(0);
        world.call(0, |call: CallId| outbox::Input::Remove { call, id: item_id("a") });
    }
}
