//! `sim replay` and `sim shrink`: one scenario; `sim herd`: many clients of one server.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use outbox_sim::{
    herd::{self, HerdOptions},
    shrink as shrinker,
    standard::Standard,
    trace::Detail,
    viewer::html,
};

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
    let detail = if wanted.all { Detail::All } else { Detail::Story };
    let (report, trace) = show::play_traced(&named.scenario, detail);
    if wanted.trace {
        trace.write_text(&mut io::stdout().lock()).map_err(|error| error.to_string())?;
    }
    if let Some(path) = &wanted.html {
        write(path, html(&trace).as_bytes())?;
    }
    if let Some(path) = &wanted.jsonl {
        let mut lines = Vec::new();
        trace.write_jsonl(&mut lines).map_err(|error| error.to_string())?;
        write(path, &lines)?;
    }
    println!(
        "{}: {} events in {} simulated ms, hash {:016x}",
        named.name, report.moments, report.simulated_ms, report.hash
    );
    let Some(violation) = &report.violation else {
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
    write(out, text.as_bytes())?;
    let after = shrunk.scenario.steps.len() + shrunk.scenario.faults.len();
    println!("{before} steps and faults became {after}, in {} tries", shrunk.tried);
    show::failure(&out.display().to_string(), &shrunk.scenario, &shrunk.violation);
    Ok(show::blame(&shrunk.violation))
}

/// Plays a herd; the table to the screen, the plot to a file.
pub(crate) fn herd(clients: u32, capacity: Option<u32>, seed: u64, svg: &Path) -> Result<Verdict, String> {
    let defaults = HerdOptions::default();
    let capacity_per_s = capacity.unwrap_or(defaults.capacity_per_s);
    let options = HerdOptions { seed, clients, capacity_per_s, ..defaults };
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
