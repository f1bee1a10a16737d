//! `sim replay` and `sim shrink`: one scenario.

use std::{
    fs,
    path::{Path, PathBuf},
};

use outbox_sim::{shrink as shrinker, standard::Standard};

use crate::{Verdict, input, show};

/// What is to be shown.
pub(crate) struct Wanted {
    pub(crate) trace: bool,
    pub(crate) all: bool,
    pub(crate) html: Option<PathBuf>,
    pub(crate) jsonl: Option<PathBuf>,
}

/// Plays a scenario and shows it.
pub(crate) fn replay(given: &str, wanted: &Wanted) -> Result<Verdict, String> {
    let named = input::scenario(given)?;
    let (played, trace) = show::play_traced(&named.scenario);
    let violation = match &played {
        Ok(report) => report.violation.as_ref(),
        Err(panic) => Some(panic),
    };
    if wanted.trace {
        print!("{}", trace.text(wanted.all));
    }
    if let Some(path) = &wanted.html {
        write(path, &trace.html(&named.scenario, violation))?;
    }
    if let Some(path) = &wanted.jsonl {
        write(path, &trace.jsonl(&named.scenario, violation))?;
    }
    if let Ok(report) = &played {
        println!(
            "{}: {} events in {} simulated ms, hash {:016x}",
            named.name, report.moments, report.simulated_ms, report.hash
        );
    }
    let Some(violation) = violation else {
        println!("all oracles are content");
        return Ok(Verdict::Clean);
    };
    show::failure(&named.name, &named.scenario, violation);
    Ok(show::blame(violation))
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
    write(out, &text)?;
    let after = shrunk.scenario.steps.len() + shrunk.scenario.faults.len();
    println!("{before} steps and faults became {after}, in {} tries", shrunk.tried);
    show::failure(&out.display().to_string(), &shrunk.scenario, &shrunk.violation);
    Ok(show::blame(&shrunk.violation))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}
