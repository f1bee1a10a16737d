//! The trace: what its lines say of items, what it leaves out, and that it is read as it was written.

mod scenes;

use outbox::Recording;
use outbox_sim::{
    moment::Moment,
    run_with,
    scenario::{Action, Options, Scenario, What},
    standard::Standard,
    swarm::swarm,
    trace::{Broken, Detail, Kind, State, Trace, Who},
    world::World,
};
use scenes::{at, attempt, enqueue, enqueue_as, open, scene, step};

fn traced(scenario: &Scenario, detail: Detail) -> Trace {
    let (trace, report) = Trace::of_run(&Standard, scenario, detail);
    assert_eq!(report.violation, None);
    trace
}

/// What an item was in a lane, one after another.
fn states(trace: &Trace, who: Who, id: &str) -> Vec<State> {
    let lines = trace.lines.iter().filter(|line| line.who == who);
    let marks = lines.flat_map(|line| &line.items).filter(|mark| mark.id == id);
    let mut states: Vec<_> = marks.filter_map(|mark| mark.state).collect();
    states.dedup();
    states
}

fn lost_reply() -> Scenario {
    let options = Options { timeout_ms: 2_000, ..Options::default() };
    scene(options, vec![open(0, 0), enqueue(100, 0, 1, "a")], vec![attempt(1, 1, What::LoseReply)], 5_000)
}

#[test]
fn an_item_is_told_from_its_writing_to_its_end() {
    use State::{Backoff, Claimed, Claiming, Gone, InFlight, Settling, Stored, Writing};
    let before = traced(&lost_reply(), Detail::All);
    let in_tab = [Writing, Stored, InFlight, Backoff, Claiming, InFlight, Settling, Gone];
    assert_eq!(states(&before, Who::Tab(0), "i1"), in_tab);
    assert_eq!(states(&before, Who::Store, "i1"), [Claimed, Stored, Claimed, Gone]);
    // What is left out loses no state that lasts.
    let story = traced(&lost_reply(), Detail::Story);
    assert_eq!(states(&story, Who::Tab(0), "i1"), in_tab);
    let short = traced(&lost_reply(), Detail::Short);
    assert_eq!(states(&short, Who::Tab(0), "i1").last(), Some(&Gone));
    assert_eq!(states(&short, Who::Store, "i1").last(), None, "its lane is left out with its answers");
}

#[test]
fn a_deposed_leader_works_on_nothing() {
    let steps = vec![
        open(0, 0),
        open(10, 1),
        enqueue(490, 0, 1, "a"),
        step(500, 0, Action::Freeze),
        enqueue(1_000, 1, 2, "b"),
        step(12_000, 0, Action::Thaw),
    ];
    let slow = attempt(1, 1, What::LoseRequest);
    let scenario = scene(Options { tabs: 2, ..Options::default() }, steps, vec![slow], 13_000);
    let trace = traced(&scenario, Detail::All);
    let in_old = states(&trace, Who::Tab(0), "i1");
    let in_flight = in_old.iter().position(|state| *state == State::InFlight).expect("it was sent");
    assert_eq!(in_old[in_flight + 1], State::Stored, "not its own any more: {in_old:?}");
    assert!(states(&trace, Who::Tab(1), "i1").contains(&State::InFlight));
}

#[test]
fn what_a_power_loss_undoes_is_gone_from_the_store() {
    let options = Options { relaxed: true, ..Options::default() };
    let steps = vec![open(0, 0), enqueue_as("plain", 100, 0, 1, "a")];
    let scenario = scene(options, steps, vec![at(105, 0, What::PowerLoss { commits: 1 })], 2_000);
    let (trace, _) = Trace::of_run(&Standard, &scenario, Detail::All);
    assert_eq!(states(&trace, Who::Store, "i1"), [State::Claimed, State::Gone]);
}

/// R28: a replica looks at the change counter now and then; that is no news unless it finds something.
#[test]
fn looks_that_find_nothing_are_left_out_and_counted() {
    let steps = vec![open(0, 0), open(10, 1), enqueue(60_000, 1, 1, "a")];
    let scenario = scene(Options { tabs: 2, ..Options::default() }, steps, Vec::new(), 70_000);
    let (all, story) = (traced(&scenario, Detail::All), traced(&scenario, Detail::Story));
    let looks = |trace: &Trace| trace.lines.iter().filter(|line| line.text.contains(": since ")).count();
    assert!(looks(&all) > 10);
    assert_eq!(looks(&story), 0);
    assert_eq!(story.header.left_out as usize, all.lines.len() - story.lines.len());
    // What is kept is kept as it was.
    assert!(story.lines.iter().all(|line| all.lines[line.n as usize - 1].text == line.text));
}

#[test]
fn a_violation_is_never_left_out() {
    let scenario = lost_reply();
    let mut trace = Trace::new(&scenario, Detail::Short);
    let mut handled = None;
    let mut sink = |world: &World, moment: &Moment<'_>| {
        trace.see(world, moment);
        if matches!(moment, Moment::Handled { .. }) && handled.is_none() {
            handled = trace.lines.last().map(|line| line.n);
        }
    };
    let mut report = run_with(&Standard, &scenario, Some(&mut sink));
    let moment = handled.expect("something was handled");
    let what = "made up".into();
    report.violation = Some(outbox_sim::Violation { oracle: "none", rules: &["R1"], at_ms: 0, moment, what });
    trace.end(&report);
    assert!(trace.lines.iter().any(|line| line.n == moment && line.kind == Kind::Handled));
    let mut text = Vec::new();
    trace.write_text(&mut text).unwrap();
    assert!(String::from_utf8(text).unwrap().contains("** none (R1): made up"));
}

#[test]
fn json_lines_are_read_as_they_were_written() {
    let (mut trace, _) = Trace::of_run(&Standard, &swarm(3), Detail::Story);
    let broken = Broken {
        oracle: "lane order".into(),
        rules: vec!["R3".into(), "R6".into()],
        at_ms: 1,
        moment: 2,
        what: "a \"quoted\"\nline".into(),
    };
    trace.ending.as_mut().unwrap().violation = Some(broken);
    let mut file = Vec::new();
    trace.write_jsonl(&mut file).unwrap();
    let read = Trace::read_jsonl(&mut file.as_slice()).unwrap();
    assert_eq!((&read.header, &read.lines, &read.ending), (&trace.header, &trace.lines, &trace.ending));
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(lines, trace.lines.len() + 2, "header, lines, report");
}

#[test]
fn what_is_no_trace_says_where() {
    let error = |text: &str| Trace::read_jsonl(&mut text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error(""), "line 1 of the trace: expected a header");
    assert_eq!(error("{}"), "line 1 of the trace: expected a header");
    let header = r#"{"header":{"title":"t","tabs":1,"startMs":0,"leftOut":0}}"#;
    assert!(error(&format!("{header}\n{{}}\n")).starts_with("line 2 of the trace: "));
}

/// A flight recording of one tab tells what the trace of the run told of that tab.
#[test]
fn a_recording_is_told_as_the_run_was() {
    let scenario = lost_reply();
    let mut trace = Trace::new(&scenario, Detail::All);
    let mut recording: Option<Recording> = None;
    let mut sink = |world: &World, moment: &Moment<'_>| {
        trace.see(world, moment);
        let Some(page) = world.page(0) else { return };
        if let Moment::Input { input, .. } = moment {
            let recording =
                recording.get_or_insert_with(|| Recording::new(page.outbox.config().clone(), page.clock));
            recording.push(world.time_of(page), input);
        }
    };
    let report = run_with(&Standard, &scenario, Some(&mut sink));
    trace.end(&report);
    let recording = recording.expect("the core was told something");
    let (recorded, outbox) = Trace::of_recording(&recording, Detail::All).unwrap();
    assert!(outbox.is_empty(), "i1 was committed");
    let told = |trace: &Trace| -> Vec<String> {
        let of_core = |kind| !matches!(kind, Kind::Opened | Kind::Step | Kind::Fault);
        let lines = trace.lines.iter().filter(|line| line.who == Who::Tab(0) && of_core(line.kind));
        lines.map(ToString::to_string).collect()
    };
    assert_eq!(told(&recorded), told(&trace));
    assert_eq!(states(&recorded, Who::Tab(0), "i1"), states(&trace, Who::Tab(0), "i1"));
}
