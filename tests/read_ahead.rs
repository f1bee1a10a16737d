//! Rows whose items were read before they were loaded: the same in all but when the time is spent.

mod common;

use std::sync::Arc;

use common::*;
use outbox::{
    Effect, Epoch, Input, Outbox, Seq, Timestamp, Trigger,
    storage::{Contents, OpId, Record, Row, Snapshot, StoreId},
};

const RECORDS: [&str; 7] = [
    concat!(
        r#"{"version":1,"id":"plain","key":["k"],"mutatorName":"write","args":{"n":1},"#,
        r#""createdAt":1,"retryCount":0,"nextAttemptAt":0}"#,
    ),
    concat!(
        r#"{"version":1,"id":"claimed","key":["k","l"],"mutatorName":"write","args":2,"#,
        r#""createdAt":1,"retryCount":3,"nextAttemptAt":9999999999999,"claimed":true}"#,
    ),
    concat!(
        r#"{ "version":1,"id":"spaced","key":"unknown","mutatorName":"write","args":[3],"#,
        r#""createdAt":1,"retryCount":0,"nextAttemptAt":0,"retryAfter":9999999999999}"#,
    ),
    concat!(
        r#"{"version":1,"id":"unregistered","key":["u"],"mutatorName":"nobody","args":4,"#,
        r#""createdAt":1,"retryCount":0,"nextAttemptAt":0}"#,
    ),
    r#"{"version":2,"id":"newer","key":["n"],"mutatorName":"write"}"#,
    r#"{"version":1,"id":"broken","key":["b"],"mutatorName":"write"}"#,
    "garbage",
];

fn rows() -> Vec<Row> {
    let row = |(seq, record): (u64, &str)| Row { seq: Seq(seq), record: record.as_bytes().to_vec().into() };
    (1..).zip(RECORDS).map(row).collect()
}

fn snapshot(rows: Vec<Row>) -> Snapshot {
    let contents = Contents::Full { rows, failures: Vec::new() };
    Snapshot { store: StoreId(1), epoch: Epoch(1), change: 7, through: Seq(7), contents, paused: Vec::new() }
}

/// A new leader that has loaded them twice: as new items, and as known ones.
fn leader(rows: &dyn Fn() -> Vec<Row>) -> (Outbox, Vec<Effect>) {
    let mut outbox = Outbox::new(config(), Timestamp::ZERO).unwrap();
    let mut all = Vec::new();
    let mut feed = |input| {
        let mut effects = Vec::new();
        outbox.handle(Timestamp::from_millis(1_000), input, &mut effects);
        let op = effects.iter().find_map(|effect| match effect {
            Effect::Load { op, .. } | Effect::Acquire { op } => Some(*op),
            _ => None,
        });
        all.extend(effects);
        op
    };
    let loaded = |op: Option<OpId>| Input::Loaded { op: op.expect("it reads"), result: Ok(snapshot(rows())) };
    let load = feed(Input::Wake(Trigger::Init));
    feed(loaded(load));
    let acquire = feed(Input::Elected);
    feed(loaded(acquire));
    (outbox, all)
}

fn read_ahead(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        row.read_ahead(|name| Arc::from(name));
    }
    rows
}

#[test]
fn it_is_handled_as_one_that_was_not() {
    let (outbox, effects) = leader(&rows);
    assert_eq!(outbox.pending().count(), 6, "all but garbage");
    assert_eq!(leader(&|| read_ahead(rows())), (outbox, effects));
}

#[test]
fn what_is_no_item_of_a_known_version_is_left_to_the_core() {
    let mut all = rows();
    let read: Vec<bool> =
        all.iter_mut().map(|row| row.read_ahead(|name| Arc::from(name)).is_some()).collect();
    assert_eq!(read, [true, true, true, true, false, false, false]);
}

#[test]
fn it_is_no_part_of_the_value() {
    let (before, after) = (rows(), read_ahead(rows()));
    assert_eq!(before, after);
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    let json = serde_json::to_string(&after).unwrap();
    assert_eq!(json, serde_json::to_string(&before).unwrap());
    assert_eq!(serde_json::from_str::<Vec<Row>>(&json).unwrap(), before);
    assert_eq!(outbox::wire::to_json(&after), json);
}

#[test]
fn a_record_that_is_replaced_is_read_anew() {
    let mut row = read_ahead(rows()).swap_remove(0);
    row.record = Record::from(RECORDS[3].as_bytes().to_vec());
    let item = row.read_ahead(|name| Arc::from(name)).expect("it is readable");
    assert_eq!(item.id.as_str(), "unregistered");
}
