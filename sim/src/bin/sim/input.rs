//! Scenarios from the command line: a file or a seed.

use std::{fs, path::Path};

use outbox_sim::{scenario::Scenario, swarm::swarm};

/// A scenario and the words that name it again.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
}

/// Reads what a person gave: a number is a seed, anything else a file.
pub(crate) fn scenario(given: &str) -> Result<Named, String> {
    if let Ok(seed) = given.parse() {
        return Ok(Named { name: given.into(), scenario: swarm(seed) });
    }
    let path = Path::new(given);
    let text = fs::read_to_string(path).map_err(|error| {
        format!("cannot read {given}: {error}; give a seed (a number) or a scenario's file")
    })?;
    let scenario = serde_json::from_str(&text).map_err(|error| {
        format!("{given} is not a scenario: {error}; `cargo sim shrink` writes such files")
    })?;
    Ok(Named { name: given.into(), scenario })
}
