//! Flight recordings: that of a real app is replayed through the real core, its trace is a story, and what
//! does not fit together is named (R4, R14, R17).
//!
//! `recordings/npm.json` is what `exportRecording()` of the npm package gave for four mutations in memory:
//! one failed once with 503, one was refused for good, one waited behind the first in its lane.
//! `recordings/lost_reply.json` is of a simulated page; `OUTBOX_RECORD=1` writes it anew.

#[expect(dead_code, reason = "each test uses its part")]
mod scenes;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use outbox::{Input, Recording};
use outbox_sim::{
    moment::Moment,
    run_with,
    scenario::{Options, Scenario, What},
    standard::Standard,
    trace::{DEPARTURE, Detail, State, Trace, Who},
    viewer::html,
    world::World,
};
use scenes::{attempt, enqueue, enqueue_as, open, scene};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings").join(name)
}

fn recording(name: &str) -> Recording {
    let text = fs::read_to_string(path(name)).expect("the recording is in the repository");
    serde_json::from_str(&text).expect("it is a recording")
}

fn traced(recording: &Recording) -> Trace {
    Trace::of_recording(recording, Detail::Story).expect("its configuration is valid").0
}

/// Why the replay departs from the recording.
fn departure(recording: &Recording) -> Option<String> {
    let broken = traced(recording).ending.expect("a replay has an end").violation?;
    assert_eq!(broken.oracle, DEPARTURE);
    Some(format!("{}: {}", broken.rules.join(", "), broken.what))
}

fn text(trace: &Trace) -> String {
    let mut text = Vec::new();
    trace.write_text(&mut text).expect("memory takes it");
    String::from_utf8(text).expect("lines are text")
}

/// What tab 0 was told in a run.
fn record(scenario: &Scenario) -> Recording {
    let mut recording: Option<Recording> = None;
    let mut sink = |world: &World, moment: &Moment<'_>| {
        let Some(page) = world.page(0) else { return };
        if let Moment::Input { tab: 0, input } = moment {
            let begun = || Recording::new(page.outbox.config().clone(), page.clock);
            recording.get_or_insert_with(begun).push(world.time_of(page), input);
        }
    };
    assert_eq!(run_with(&Standard, scenario, Some(&mut sink)).violation, None);
    recording.expect("tab 0 was told something")
}

#[test]
fn recordings_are_replayed_as_stories() {
    let options = Options { timeout_ms: 2_000, ..Options::default() };
    let steps = vec![open(0, 0), enqueue(100, 0, 1, "a"), enqueue(150, 0, 2, "a")];
    let lost_reply = record(&scene(options, steps, vec![attempt(1, 1, What::LoseReply)], 5_000));
    if env::var_os("OUTBOX_RECORD").is_some() {
        let json = serde_json::to_string(&lost_reply).expect("a recording is plain data");
        fs::write(path("lost_reply.json"), json + "\n").expect("it can be written");
    }
    assert_eq!(departure(&lost_reply), None);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for name in ["npm", "lost_reply"] {
        let recording = recording(&format!("{name}.json"));
        assert_eq!(departure(&recording), None, "{name}");
        let (trace, outbox) = Trace::of_recording(&recording, Detail::Short).expect("it is valid");
        assert!(outbox.is_leading());
        let story = text(&trace);
        settings.bind(|| insta::assert_snapshot!(format!("recorded_{name}"), story));
    }
}

#[test]
fn its_items_are_spans_of_one_lane() {
    let trace = traced(&recording("lost_reply.json"));
    assert!(trace.lines.iter().all(|line| line.who == Who::Tab(0)));
    let marks = trace.lines.iter().flat_map(|line| &line.items).filter(|mark| mark.id == "i1");
    let mut states: Vec<State> = marks.filter_map(|mark| mark.state).collect();
    states.dedup();
    use State::{Backoff, Claiming, Gone, InFlight, Settling, Stored, Writing};
    assert_eq!(states, [Writing, Stored, InFlight, Backoff, Claiming, InFlight, Settling, Gone]);
    assert!(html(&trace).contains(&trace.header.title));
}

/// The index of the first input of a kind.
fn first(recording: &Recording, is: impl Fn(&Input) -> bool) -> usize {
    recording.inputs.iter().position(|(_, input)| is(input)).expect("there is one")
}

#[test]
fn where_a_replay_departs_is_named() {
    let whole = recording("lost_reply.json");
    let mut no_start = whole.clone();
    let load = first(&whole, |input| matches!(input, Input::Wake(_)));
    no_start.inputs.remove(load);
    let found = departure(&no_start).expect("it asks for one load less");
    assert_eq!(found, "R4: input 4: the store answers op2, but the replay waits for no answer");

    let mut no_item = whole.clone();
    let enqueue = first(&whole, |input| matches!(input, Input::Enqueue { .. }));
    no_item.inputs.remove(enqueue);
    let found = departure(&no_item).expect("what was written is missing");
    assert!(found.starts_with("R4: "), "{found}");

    let mut other_attempt = whole.clone();
    let resolved = first(&whole, |input| matches!(input, Input::Resolved { .. }));
    if let (_, Input::Resolved { attempt, .. }) = &mut other_attempt.inputs[resolved] {
        attempt.attempt = 7;
    }
    let found = departure(&other_attempt).expect("no such attempt was made");
    let input = resolved + 1;
    assert_eq!(found, format!("R14: input {input}: attempt #1/7@1 ends, which the replay has not begun"));

    // And it is shown where it is.
    let trace = traced(&other_attempt);
    assert!(text(&trace).contains(&format!("** recording (R14): input {input}: attempt #1/7@1 ends")));
}

fn sim(args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_sim")).args(args).output().expect("sim runs");
    let said = [stdout, stderr].concat();
    (status.code().expect("it exits"), String::from_utf8(said).expect("it says text"))
}

/// What `sim replay` says of a file of this text.
fn replayed(name: &str, content: &str) -> (i32, String) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, content).expect("it can be written");
    sim(&["replay", file.to_str().expect("a plain path")])
}

#[test]
fn the_command_replays_a_recording_and_writes_its_page() {
    let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm.html");
    let file = path("npm.json");
    let (code, said) =
        sim(&["replay", file.to_str().unwrap(), "--trace", "--html", page.to_str().expect("a plain path")]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("-> dispatch #1/1@1 addTodo"), "{said}");
    assert!(said.contains("every answer is to something that it has asked for\n"), "{said}");
    assert!(said.contains("in the end it led; still pending: 0\n"), "{said}");
    assert!(fs::read_to_string(&page).expect("the page is written").contains("recording of "));
    // As it is if the text that `exportRecording()` returns is made JSON once more.
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(replayed("twice.json", &serde_json::to_string(&text).unwrap()).0, 0);
    // And as it is before the last delete is durable: what is left is named, with the reason (R19).
    let mut earlier = recording("npm.json");
    earlier.inputs.pop();
    let (code, said) = replayed("earlier.json", &serde_json::to_string(&earlier).unwrap());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("still pending: 1\n"), "{said}");
    assert!(said.ends_with(" addTodo: settled, being deleted\n"), "{said}");
}

#[test]
fn the_command_says_what_a_file_is_not() {
    let says = |name: &str, content: &str, words: &str| {
        let (code, said) = replayed(name, content);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(words), "{said:?} says {words:?}");
    };
    says("text.json", "hello", "text.json is no object of JSON: ");
    says("list.json", "[]", "list.json is no object of JSON: ");
    says("other.json", "{}", "is neither a scenario, which has `steps`");
    says("scenario.json", r#"{"steps":1}"#, "looks like a scenario but cannot be read: ");
    let endless = scene(Options::default(), vec![open(0, 0)], vec![], u64::MAX);
    let endless = serde_json::to_string(&endless).unwrap();
    says(
        "endless.json",
        &endless,
        "endless.json cannot be played: healAtMs is 18446744073709551615, not 0 to ",
    );
    let vans = scene(Options::default(), vec![enqueue_as("useParts", 0, 0, 1, "k")], vec![], 0);
    says("vans.json", &serde_json::to_string(&vans).unwrap(), "the standard one has no mutator `useParts`");
    says("recording.json", r#"{"inputs":1}"#, "looks like a flight recording but cannot be read: ");
    says("trace.jsonl", "{\"header\":{}}\n{}\n", "is a trace, as --jsonl writes it");
    let mut cut = recording("npm.json");
    cut.inputs.remove(0);
    let cut = serde_json::to_string(&cut).unwrap();
    says("cut.json", &cut, "the replay departs from the recording");
    let (code, said) = sim(&["shrink", path("npm.json").to_str().unwrap()]);
    assert_eq!((code, said.contains("only a scenario can be made smaller")), (2, true), "{said}");
    let (code, said) = sim(&["replay", "no such file"]);
    assert_eq!((code, said.contains("give a seed (a number)")), (2, true), "{said}");
}
