//! What a person gave on the command line: a seed, a scenario's file, or a flight recording's.

use std::fs;

use outbox::Recording;
use outbox_sim::{
    app::App,
    scenario::{Action, Scenario},
    standard::Standard,
    swarm::swarm,
};
use serde::{Deserialize, de::IgnoredAny};

/// A scenario and the words that name it again.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
}

/// What was given.
pub(crate) enum Given {
    Scenario(Named),
    Recording(Box<Recording>),
}

/// By which a file of JSON is known.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Probe {
    steps: Option<IgnoredAny>,
    inputs: Option<IgnoredAny>,
}

/// Reads it: a number is a seed, anything else a file.
pub(crate) fn given(given: &str) -> Result<Given, String> {
    if let Ok(seed) = given.parse() {
        return Ok(Given::Scenario(Named { name: given.into(), scenario: swarm(seed) }));
    }
    let text = fs::read_to_string(given).map_err(|error| {
        format!(
            "cannot read {given}: {error}; give a seed (a number), or the file of a scenario or a recording"
        )
    })?;
    if text.starts_with(r#"{"header":"#) {
        return Err(format!("{given} is a trace, as --jsonl writes it: replay the scenario that it is of"));
    }
    // `JSON.stringify` of what `exportRecording()` returns is a text in a text.
    let text = serde_json::from_str::<String>(&text).unwrap_or(text);
    let probe: Probe =
        serde_json::from_str(&text).map_err(|error| format!("{given} is no object of JSON: {error}"))?;
    let broken = |what, error| format!("{given} looks like {what} but cannot be read: {error}");
    match probe {
        Probe { steps: Some(_), .. } => {
            let scenario: Scenario =
                serde_json::from_str(&text).map_err(|error| broken("a scenario", error))?;
            scenario.check().map_err(|error| format!("the scenario in {given} cannot be played: {error}"))?;
            if let Some(mutator) = foreign(&scenario) {
                return Err(format!(
                    "the scenario in {given} is of another app: the standard one has no mutator `{mutator}`; \
                     play it with its own app, by `Trace::of_run` or `shrink::shrink`"
                ));
            }
            Ok(Given::Scenario(Named { name: given.into(), scenario }))
        }
        Probe { inputs: Some(_), .. } => {
            let recording =
                serde_json::from_str(&text).map_err(|error| broken("a flight recording", error))?;
            Ok(Given::Recording(Box::new(recording)))
        }
        Probe { .. } => Err(format!(
            "{given} is neither a scenario, which has `steps` and is written by `cargo sim shrink`, nor a \
             flight recording, which has `inputs` and comes from an app: see `cargo sim replay --help`"
        )),
    }
}

/// A mutator that the standard app does not have.
fn foreign(scenario: &Scenario) -> Option<&str> {
    let known = Standard.registry(Standard.newest_build()).configs();
    scenario.steps.iter().find_map(|step| match &step.action {
        Action::Enqueue { mutator, .. } if !known.contains_key(mutator) => Some(mutator.as_str()),
        _ => None,
    })
}

/// The same where only a scenario will do.
pub(crate) fn scenario(name: &str) -> Result<Named, String> {
    match given(name)? {
        Given::Scenario(named) => Ok(named),
        Given::Recording(_) => Err(format!(
            "{name} is a flight recording: it can be replayed, but only a scenario can be made smaller"
        )),
    }
}
