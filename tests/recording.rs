//! The flight recorder: a recording, through serde and back, repeats every effect bit for bit.

mod common;

use common::*;
use outbox::{AttemptOutcome, Effect, Json, Outcome, Recording, Timestamp, replay};

/// Two replicas, jitter, a hook, faults and a takeover: a bit of everything.
fn an_eventful_day() -> World {
    let mut world = World::two_in_trouble();
    world.enqueue(1, "late", "c");
    world.remove(1, "i5");
    world.pause(0, "auth");
    world.advance_ms(20_000);
    world.resume(0, "auth");
    world.depose(0);
    world.elect(1);
    world.focus(1);
    world.drain();
    world
}

#[test]
fn the_story_of_a_recording_does_not_say_when_it_was_made() {
    let mut stories = [0, 5].map(|late_ms| {
        let mut world = World::led(config());
        world.advance_ms(late_ms);
        world.enqueue(0, "a", "a");
        world.fail("a", server());
        world.advance_ms(1_000);
        world.succeed("a");
        world.recording(0).story().expect("a valid configuration")
    });
    assert_eq!(stories[0], stories[1]);
    let told = std::mem::take(&mut stories[0]);
    assert!(told.contains("next at 1.000"), "{told}");
    assert!(!told.contains("sleep"), "{told}");
}

#[test]
fn a_replay_yields_the_identical_effects_and_state() {
    let world = an_eventful_day();
    for r in 0..2 {
        let (effects, outbox) = replay(&world.recording(r)).expect("a valid configuration");
        assert_eq!(effects.concat(), world.effects(r));
        assert_eq!(&outbox, world.outbox(r));
    }
}

#[test]
fn it_survives_serde() {
    let world = an_eventful_day();
    for r in 0..2 {
        let recorded = world.recording(r);
        let text = serde_json::to_string(&recorded).expect("plain data");
        let read: Recording = serde_json::from_str(&text).expect("our own text");
        assert_eq!(read, recorded);
        let (effects, _) = replay(&read).expect("a valid configuration");
        assert_eq!(effects.concat(), world.effects(r));
    }
}

#[test]
fn effects_survive_serde_too() {
    let world = an_eventful_day();
    for effect in world.effects(0) {
        let text = serde_json::to_string(effect).expect("plain data");
        let read: Effect = serde_json::from_str(&text).expect("our own text");
        assert_eq!(&read, effect);
    }
}

#[test]
fn a_result_of_null_is_not_taken_for_none() {
    for result in [None, Some(Json::null())] {
        let outcome = AttemptOutcome::Success { result: result.clone() };
        let text = serde_json::to_string(&outcome).expect("plain data");
        assert_eq!(serde_json::from_str::<AttemptOutcome>(&text).expect("our own text"), outcome);
        let outcome = Outcome::Committed { result };
        let text = serde_json::to_string(&outcome).expect("plain data");
        assert_eq!(serde_json::from_str::<Outcome>(&text).expect("our own text"), outcome);
    }
}

#[test]
fn an_input_is_one_short_object() {
    let mut recording = Recording::new(outbox::Config::default(), Timestamp::from_millis(5));
    recording.push(Timestamp::from_millis(6), &outbox::Input::Online(false));
    recording.push(Timestamp::from_millis(7), &outbox::Input::Tick);
    let text = serde_json::to_string(&recording.inputs).expect("plain data");
    assert_eq!(text, r#"[[6,{"online":false}],[7,"tick"]]"#);
}
