//! Failures in words: the drawn options first, the oracle with its rules, the moment, and last the one
//! command that shows it again.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe, catch_unwind},
};

use outbox_sim::{
    Report, Violation, run, run_with,
    scenario::Scenario,
    shrink::{PANIC, panic_message},
    standard::Standard,
    trace::Trace,
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

/// Plays a scenario; a panic becomes a violation.
pub(crate) fn play(scenario: &Scenario) -> Result<Report, Violation> {
    caught(scenario, || run(&Standard, scenario))
}

/// The same, with its trace as far as it came.
pub(crate) fn play_traced(scenario: &Scenario) -> (Result<Report, Violation>, Trace) {
    let mut trace = Trace::default();
    let report = caught(scenario, || {
        let mut sink = |world: &outbox_sim::world::World, moment: &outbox_sim::moment::Moment<'_>| {
            trace.see(world, moment);
        };
        run_with(&Standard, scenario, Some(&mut sink))
    });
    (report, trace)
}

fn caught(scenario: &Scenario, play: impl FnOnce() -> Report) -> Result<Report, Violation> {
    catch_unwind(AssertUnwindSafe(play)).map_err(|payload| Violation {
        oracle: PANIC,
        rules: &[],
        at_ms: scenario.heal_at_ms,
        moment: 0,
        what: format!("{} (at {})", panic_message(&*payload), PANICKED_AT.take()),
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
    let (_, trace) = play_traced(scenario);
    print!("{}", trace.last(LAST_LINES));
    println!("\nshow it:    cargo sim replay {name} --trace");
    println!("shrink it:  cargo sim shrink {name}");
}
