//! Failures in words: the drawn options first, the oracle with its rules, the moment, and last the one
//! command that shows it again.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    panic::{self, AssertUnwindSafe, catch_unwind},
};

use outbox_sim::{
    Report, Violation,
    moment::Moment,
    run, run_with,
    scenario::Scenario,
    shrink::{PANIC, panic_message},
    standard::Standard,
    trace::{Detail, Trace},
    world::World,
};

use crate::Verdict;

/// How many lines before the end are shown.
const LAST_LINES: usize = 14;

thread_local! {
    /// Where the last panic of this thread came from.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics are caught and told as failures: their place is kept instead of printed.
pub(crate) fn keep_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
        PANICKED_AT.set(place);
    }));
}

/// Where the last panic came from, to be put behind what it said.
pub(crate) fn panicked_at() -> String {
    format!(" (at {})", PANICKED_AT.take())
}

/// Plays a scenario; a panic becomes a violation.
pub(crate) fn play(scenario: &Scenario) -> Report {
    caught(scenario, || run(&Standard, scenario))
}

/// The same, with its trace as far as it came.
pub(crate) fn play_traced(scenario: &Scenario, detail: Detail) -> (Report, Trace) {
    let mut trace = Trace::new(scenario, detail);
    let report = caught(scenario, || {
        let mut sink = |world: &World, moment: &Moment<'_>| trace.see(world, moment);
        run_with(&Standard, scenario, Some(&mut sink))
    });
    trace.end(&report);
    (report, trace)
}

fn caught(scenario: &Scenario, play: impl FnOnce() -> Report) -> Report {
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|payload| Report {
        hash: 0,
        moments: 0,
        simulated_ms: 0,
        struck: BTreeMap::new(),
        cells: BTreeMap::new(),
        violation: Some(Violation {
            oracle: PANIC,
            rules: &[],
            at_ms: scenario.heal_at_ms,
            moment: 0,
            what: panic_message(&*payload) + &panicked_at(),
        }),
    })
}

/// Whose bug it is: a panic in `sim/` is the simulator's own.
pub(crate) fn blame(violation: &Violation) -> Verdict {
    let own = violation.oracle == PANIC && violation.what.contains("(at sim/");
    if own { Verdict::SimulatorBug } else { Verdict::CoreBug }
}

/// Tells a failure. `name` is what `cargo sim replay` takes.
pub(crate) fn failure(name: &str, scenario: &Scenario, violation: &Violation) {
    let options = serde_json::to_string(&scenario.options).expect("options are plain data");
    println!("\n{name} fails\n  options   {options}");
    println!(
        "  scenario  {} steps, {} faults, healed at {} ms",
        scenario.steps.len(),
        scenario.faults.len(),
        scenario.heal_at_ms
    );
    println!("  oracle    {} ({})", violation.oracle, violation.rules.join(", "));
    println!("  moment    {} ms into the run, the {}th event", violation.at_ms, violation.moment);
    println!("  found     {}", violation.what);
    if blame(violation) == Verdict::SimulatorBug {
        println!("  blame     the simulator itself: its code panicked");
    }
    println!("\nthe last events:");
    let (_, trace) = play_traced(scenario, Detail::Story);
    let until = trace.lines.iter().rposition(|line| violation.moment == 0 || line.n <= violation.moment);
    let until = until.map_or(0, |at| at + 1);
    for line in &trace.lines[until.saturating_sub(LAST_LINES)..until] {
        println!("{line}");
    }
    println!("\nshow it:    cargo sim replay {name} --trace");
    println!("shrink it:  cargo sim shrink {name}");
}
