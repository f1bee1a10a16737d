//! `sim replay` and `sim shrink`: one scenario or recording; `sim herd`: many clients of one server.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use outbox::{Outbox, Recording, Timestamp};
use outbox_sim::{
    herd::{self, HerdOptions},
    shrink as shrinker,
    standard::Standard,
    trace::{DEPARTURE, Detail, Trace},
    viewer::html,
};

use crate::{
    Verdict,
    input::{self, Given, Named},
    show,
};

/// So many items that were left are named.
const MOST_LEFT: usize = 20;

/// What is to be shown.
pub(crate) struct Wanted {
    pub(crate) trace: bool,
    pub(crate) all: bool,
    pub(crate) html: Option<PathBuf>,
    pub(crate) jsonl: Option<PathBuf>,
}

/// Plays a scenario or a flight recording and shows it.
pub(crate) fn replay(name: &str, wanted: &Wanted) -> Result<Verdict, String> {
    match input::given(name)? {
        Given::Scenario(named) => scenario(&named, wanted),
        Given::Recording(recording) => recorded(name, &recording, wanted),
    }
}

fn scenario(named: &Named, wanted: &Wanted) -> Result<Verdict, String> {
    let (report, trace) = show::play_traced(&named.scenario, wanted.detail());
    wanted.show(&trace)?;
    println!(
        "{}: {} events in {} simulated ms, hash {:016x}",
        named.name, report.moments, report.simulated_ms, report.hash
    );
    let Some(violation) = &report.violation else {
        println!("all oracles are content");
        if !wanted.trace && wanted.html.is_none() {
            println!("what happened: --trace prints it, --html FILE draws it");
        }
        return Ok(Verdict::Clean);
    };
    show::failure(&named.name, &named.scenario, violation);
    Ok(show::blame(violation))
}

fn recorded(name: &str, recording: &Recording, wanted: &Wanted) -> Result<Verdict, String> {
    let (trace, outbox) = Trace::of_recording(recording, wanted.detail())
        .map_err(|error| format!("the configuration in {name} is not valid: {error}"))?;
    wanted.show(&trace)?;
    let ending = trace.ending.as_ref().expect("a replay has an end");
    println!(
        "{name}: a flight recording of {}, {} inputs in {} ms, hash {}",
        recording.config.replica,
        recording.inputs.len(),
        ending.simulated_ms,
        ending.hash
    );
    match &ending.violation {
        None => {
            println!("the replay does what was recorded: every answer is to something that it has asked for");
            tell_left(&outbox, recording.start);
            Ok(Verdict::Clean)
        }
        Some(broken) if broken.oracle == DEPARTURE => Err(format!(
            "the replay departs from the recording {} ms after its start ({}), at {}\n\
             it was made by another version of outbox, it was changed, or its start is missing",
            broken.at_ms,
            broken.rules.join(", "),
            broken.what
        )),
        Some(broken) => {
            let place = show::panicked_at();
            println!("the core panics {} ms after the start: {}{place}", broken.at_ms, broken.what);
            Ok(Verdict::CoreBug)
        }
    }
}

/// What was left in the end, and why it was not sent (R19).
fn tell_left(outbox: &Outbox, start: Timestamp) {
    let leads = if outbox.is_leading() { "it led" } else { "it followed" };
    println!("in the end {leads}; still pending: {}", outbox.len());
    for item in outbox.pending().take(MOST_LEFT) {
        let blocked = outbox.explain(&item.id).expect("it is pending");
        let until = blocked.until.map_or(String::new(), |at| format!(", until {} ms", at.since_ms(start)));
        println!("  {} {}: {}{until}", item.id, item.mutator_name, blocked.reason);
    }
    if outbox.len() > MOST_LEFT {
        println!("  and {} more", outbox.len() - MOST_LEFT);
    }
}

impl Wanted {
    fn detail(&self) -> Detail {
        if self.all { Detail::All } else { Detail::Story }
    }

    /// Prints the trace if that is wanted, and writes the files that are.
    fn show(&self, trace: &Trace) -> Result<(), String> {
        if self.trace {
            trace.write_text(&mut io::stdout().lock()).map_err(|error| error.to_string())?;
        }
        if let Some(path) = &self.html {
            write(path, html(trace).as_bytes())?;
        }
        if let Some(path) = &self.jsonl {
            let mut lines = Vec::new();
            trace.write_jsonl(&mut lines).map_err(|error| error.to_string())?;
            write(path, &lines)?;
        }
        Ok(())
    }
}

/// Shrinks a scenario that fails, and writes it.
pub(crate) fn shrink(given: &str, out: &Path, tries: u32) -> Result<Verdict, String> {
    let named = input::scenario(given)?;
    let before = named.scenario.steps.len() + named.scenario.faults.len();
    let Some(shrunk) = shrinker::shrink(&Standard, &named.scenario, tries) else {
        println!("{} does not fail: there is nothing to shrink", named.name);
        return Ok(Verdict::Clean);
    };
    let text = serde_json::to_string_pretty(&shrunk.scenario).expect("a scenario is plain data");
    write(out, text.as_bytes())?;
    let after = shrunk.scenario.steps.len() + shrunk.scenario.faults.len();
    println!("{before} steps and faults became {after}, in {} tries", shrunk.tried);
    show::failure(&out.display().to_string(), &shrunk.scenario, &shrunk.violation);
    Ok(show::blame(&shrunk.violation))
}

/// Plays a herd; the table to the screen, the plot to a file.
pub(crate) fn herd(clients: u32, capacity_per_s: u32, seed: u64, svg: &Path) -> Result<Verdict, String> {
    let options = HerdOptions { seed, clients, capacity_per_s, ..HerdOptions::default() };
    let herd = herd::herd(&options).map_err(|error| error.to_string())?;
    println!("{}", herd.table());
    write(svg, herd.svg().as_bytes())?;
    Ok(Verdict::Clean)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}
