//! Quarantine (R24): a record whose head cannot be read is surfaced byte for byte, stays stored, and holds
//! nothing up.

mod common;

use common::*;
use outbox::{Event, Seq, record};

const BROKEN: [&[u8]; 9] = [
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"[]",
    br#"{"version":1}"#,
    br#"{"version":"one","id":"a","key":["k"]}"#,
    br#"{"version":0,"id":"a","key":["k"]}"#,
    br#"{"version":1,"id":"","key":["k"]}"#,
    br#"{"version":2,"id":"a","key":"lane","barrier":1}"#,
];

fn quarantined(world: &World) -> Vec<(Seq, Vec<u8>)> {
    let told = world.events(0).iter().filter_map(|event| match event {
        Event::Quarantined { seq, record, problem } => {
            assert!(!problem.is_empty(), "it says what is wrong");
            Some((*seq, record.clone()))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn it_is_surfaced_byte_for_byte_once_and_stays_stored() {
    for record in BROKEN {
        let mut world = World::empty();
        let seq = world.store.insert_raw(record.to_vec());
        world.start(config());
        world.elect(0);
        world.enqueue(0, "b", "k");
        assert_eq!(world.in_flight(0), ["b"], "it holds nothing up");
        assert_eq!(world.shown(0), ["b"], "and is not shown");
        world.succeed("b");
        world.advance_ms(120_000);
        assert_eq!(quarantined(&world), [(seq, record.to_vec())]);
        assert_eq!(world.store.rows().collect::<Vec<_>>(), [(seq, record)]);
    }
}

#[test]
fn it_is_surfaced_again_after_a_restart() {
    let mut world = World::empty();
    world.store.insert_raw(b"garbage".to_vec());
    world.start(config());
    world.elect(0);
    world.restart_and_lead(0);
    assert_eq!(quarantined(&world).len(), 2, "once per start: the app may have missed the first");
}

#[test]
fn an_item_whose_place_now_holds_garbage_is_gone_and_back_when_it_can_be_read_again() {
    let mut world = World::shared(2);
    world.pause(0, "test");
    world.enqueue(0, "a", "k");
    assert_eq!(world.shown(1), ["a"]);
    let (seq, record) = world.store.rows().next().map(|(seq, record)| (seq, record.to_vec())).unwrap();
    world.store.put_raw(seq, b"garbage".to_vec());
    world.focus(1);
    assert_eq!(world.shown(1), [""; 0], "what is shown can be read");
    world.store.put_raw(seq, record);
    world.focus(1);
    assert_eq!(world.shown(1), ["a"]);
}

#[test]
fn those_around_it_keep_their_order() {
    let mut world = World::solo();
    world.online(0, false);
    world.enqueue(0, "a", "k");
    world.store.insert_raw(b"garbage".to_vec());
    world.enqueue(0, "b", "k");
    world.restart_and_lead(0);
    world.advance_ms(1_000);
    assert_eq!(world.in_flight(0), ["a"]);
    world.succeed("a");
    assert_eq!(world.in_flight(0), ["b"]);
}

#[test]
fn a_seq_above_it_is_no_gap() {
    let mut world = World::empty();
    world.store.insert_raw(b"garbage".to_vec());
    world.start(config());
    world.elect(0);
    let loads = world.loads(0);
    let call = world.enqueue(0, "a", "k");
    assert_eq!(world.seq(call), Seq(2));
    assert_eq!(world.loads(0), loads, "known, though it cannot be read (R3)");
}

#[test]
fn of_two_rows_with_one_id_one_is_an_item_and_the_other_waits_for_its_end() {
    let mut world = World::empty();
    let record = |key| record::encode(&stored_item("a", key, START)).as_bytes().to_vec();
    world.store.insert_raw(record("k"));
    let second = world.store.insert_raw(record("l"));
    world.start(config());
    world.elect(0);
    for _ in 0..3 {
        world.depose(0);
        world.focus(0);
        world.elect(0);
        world.advance_ms(1_000); // its backoff after a claim without a result
    }
    assert_eq!(quarantined(&world), [(second, record("l"))], "once, and nobody is told gone");
    assert!(world.settled(0, "a").is_empty());
    world.succeed("a");
    assert_eq!(world.settled(0, "a").len(), 1);
    assert_eq!(world.store.rows().map(|(seq, _)| seq).collect::<Vec<_>>(), [second], "it stays stored");
    world.restart_and_lead(0);
    assert_eq!(world.drain(), ["a"]);
}

#[test]
fn one_that_a_leader_can_read_later_is_sent_in_its_turn() {
    let mut world = World::shared(1);
    world.pause(0, "test");
    world.enqueue(0, "a", "k");
    world.enqueue(0, "b", "k");
    let (seq, record) = world.store.rows().next().map(|(seq, record)| (seq, record.to_vec())).unwrap();
    world.store.put_raw(seq, b"garbage".to_vec());
    world.restart_and_lead(0);
    assert_eq!(world.shown(0), ["b"]);
    world.store.put_raw(seq, record);
    world.focus(0);
    assert_eq!(world.shown(0), ["a", "b"], "who repaired it need not restart anything");
    world.resume(0, "test");
    assert_eq!(world.in_flight(0), ["a"]);
    world.succeed("a");
    assert_eq!(world.in_flight(0), ["b"]);
}
