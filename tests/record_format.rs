//! The stored form (R25): camelCase JSON of version 1, exactly as written here. Every build must go on
//! reading these texts.

mod common;

use common::*;
use outbox::{
    Class, Draft, FailureRecord, MAX_ERROR_BYTES, MutatorConfig, Seq, SerializedError,
    record::{self, Decoded},
};

#[test]
fn an_item_that_was_never_tried() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "k");
    assert_eq!(
        world.record("a"),
        concat!(
            r#"{"version":1,"id":"a","key":["k"],"mutatorName":"write","args":{"of":"a"},"#,
            r#""createdAt":1700000000123,"retryCount":0,"nextAttemptAt":1700000000123}"#,
        )
    );
}

#[test]
fn an_item_with_everything() {
    let mutator = MutatorConfig { idempotency_key: true, barrier: true, ..MutatorConfig::default() };
    let mut world = World::led(with_mutator(config(), "all", mutator));
    world.online(0, false);
    let full = Draft {
        key: Some(key("x+y")),
        idempotency_key: Some("once".into()),
        metadata: Some(json(r#"{"by":"me"}"#)),
        ..Draft::new(item_id("a"), "all", json(r#"{"b":1.50,"a":9007199254740993}"#))
    };
    world.enqueue_draft(0, full);
    assert_eq!(
        world.record("a"),
        concat!(
            r#"{"version":1,"id":"a","key":["x","y"],"barrier":true,"mutatorName":"all","#,
            r#""args":{"b":1.50,"a":9007199254740993},"idempotencyKey":"once","#,
            r#""createdAt":1700000000123,"retryCount":0,"nextAttemptAt":1700000000123,"#,
            r#""metadata":{"by":"me"}}"#,
        )
    );
}

#[test]
fn an_item_without_a_key() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "");
    assert!(world.record("a").contains(r#""key":"unknown""#));
    world.enqueue(0, "b", "unknown");
    assert!(world.record("b").contains(r#""key":["unknown"]"#));
}

#[test]
fn a_claimed_item() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    assert_eq!(
        world.record("a"),
        concat!(
            r#"{"version":1,"id":"a","key":["k"],"mutatorName":"write","args":{"of":"a"},"#,
            r#""createdAt":1700000000123,"retryCount":1,"nextAttemptAt":1700000001123,"#,
            r#""claimed":true}"#,
        )
    );
}

#[test]
fn an_item_that_has_failed() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.advance_ms(100);
    world.fail("a", server_after_ms(400));
    assert_eq!(
        world.record("a"),
        concat!(
            r#"{"version":1,"id":"a","key":["k"],"mutatorName":"write","args":{"of":"a"},"#,
            r#""createdAt":1700000000123,"retryCount":1,"nextAttemptAt":1700000001223,"#,
            r#""retryAfter":1700000000623,"lastClass":"server","lastError":{"name":"HttpError","#,
            r#""message":"429 Too Many Requests"}}"#,
        )
    );
}

#[test]
fn a_failure_record() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.advance_ms(50);
    world.fail("a", refused());
    let (_, bytes) = world.store.failures().next().expect("buried");
    let failure = record::decode_failure(bytes, |name| name.into()).expect("our own text");
    assert_eq!(failure.failed_at, world.now());
    assert_eq!(failure.error, refusal());
    assert_eq!(failure.item.id, item_id("a"));
    assert_eq!(failure.item.seq, Some(Seq(1)));
    let text = std::str::from_utf8(bytes).expect("records are text");
    let start = concat!(
        r#"{"failedAt":1700000000173,"error":{"name":"HttpError","#,
        r#""message":"422 Unprocessable Content"},"seq":1,"item":{"version":1,"id":"a","#,
        r#""key":["k"],"#,
    );
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn what_is_written_reads_back_as_it_was() {
    let mut item = stored_item("a", "x+y", START);
    item.seq = Some(Seq(3));
    item.args = json(r#"{"z":1e2,"a":[1.0,-0]}"#);
    item.retry_count = 7;
    item.claimed = true;
    item.barrier = true;
    item.idempotency_key = Some("a".into());
    item.retry_after = Some(START.plus_ms(9));
    item.last_class = Some(Class::Transport);
    item.last_error = Some(Box::new(SerializedError::new("E", "why")));
    item.metadata = Some(json("{}"));
    let text = record::encode(&item);
    let back = record::decode(Seq(3), text.as_bytes(), |name| name.into());
    assert_eq!(back, Decoded::Item(item.clone()));
    let failure = FailureRecord { failed_at: START, error: refusal(), item };
    let text = record::encode_failure(&failure);
    assert_eq!(record::decode_failure(text.as_bytes(), |name| name.into()), Ok(failure));
}

#[test]
fn an_error_is_kept_to_a_kibibyte_at_a_character() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    world.fail("a", failure(Class::Server, &"n".repeat(5_000), &"é".repeat(5_000), None));
    let error = world.stored_item("a").last_error.expect("kept");
    let bytes = error.name.len() + error.message.len();
    assert!((MAX_ERROR_BYTES - 1..=MAX_ERROR_BYTES).contains(&bytes), "{bytes} bytes");
}

#[test]
fn the_count_never_falls() {
    let mut world = World::solo();
    world.enqueue(0, "a", "k");
    let mut last = 0;
    for n in 0..20 {
        match n % 4 {
            0 => world.restart_and_lead(0),
            1 => world.focus(0),
            2 => world.advance_ms(90_000),
            _ if world.in_flight(0).is_empty() => {}
            _ => world.fail("a", server()),
        }
        let count = world.stored_item("a").retry_count;
        assert!(count >= last);
        last = count;
    }
    assert!(last > 3);
}
