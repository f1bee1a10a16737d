//! The flight recorder: every input of a replica, replayed bit for bit in a test.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    effect::{Effect, Event},
    error::ConfigError,
    input::Input,
    outbox::Outbox,
    time::Timestamp,
};

/// What one replica was told, from its start: enough to repeat everything it did.
///
/// Plain serde. It holds args, metadata and results: treat it as the app's own data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The configuration.
    pub config: Config,
    /// When the replica was made.
    pub start: Timestamp,
    /// Every input, with its time.
    pub inputs: Vec<(Timestamp, Input)>,
}

impl Recording {
    /// A recording that begins now.
    #[must_use]
    pub fn new(config: Config, start: Timestamp) -> Self {
        Self { config, start, inputs: Vec::new() }
    }

    /// What the replica did, for a snapshot test: one line per effect, in order, with nothing in it that
    /// depends on when it was recorded. Sleeps are left out, storage requests are not numbered, and when an
    /// attempt is repeated is told from its failure on.
    ///
    /// So recordings of one course of events are one text, whichever driver made them.
    ///
    /// # Errors
    /// If the recording's configuration is not valid.
    pub fn story(&self) -> Result<String, ConfigError> {
        let (trace, _) = replay(self)?;
        let times = self.inputs.iter().map(|(now, _)| *now);
        let lines = times
            .zip(trace)
            .flat_map(|(now, effects)| effects.into_iter().filter_map(move |effect| line(now, effect)));
        Ok(lines.collect())
    }

    /// Adds an input; call it just before [`Outbox::handle`].
    pub fn push(&mut self, now: Timestamp, input: &Input) {
        self.inputs.push((now, input.clone()));
    }
}

/// An effect of a story; `None` if it is not told.
fn line(now: Timestamp, mut effect: Effect) -> Option<String> {
    let mut number = String::new();
    match &mut effect {
        Effect::Sleep { .. } => return None,
        Effect::Acquire { op } | Effect::Load { op, .. } | Effect::Persist { op, .. } => {
            number = format!(" op{}", op.0);
        }
        Effect::Notify(Event::AttemptFailed { next_attempt_at, .. }) => {
            *next_attempt_at = Timestamp::from_millis(next_attempt_at.since_ms(now));
        }
        _ => {}
    }
    Some(format!("{effect}\n").replacen(&number, "", 1))
}

/// Repeats a recording: the effects of each input, and the replica as it was in the end.
///
/// # Errors
/// If the recording's configuration is not valid.
pub fn replay(recording: &Recording) -> Result<(Vec<Vec<Effect>>, Outbox), ConfigError> {
    let mut outbox = Outbox::new(recording.config.clone(), recording.start)?;
    let mut trace = Vec::with_capacity(recording.inputs.len());
    for (now, input) in &recording.inputs {
        let mut effects = Vec::new();
        outbox.handle(*now, input.clone(), &mut effects);
        trace.push(effects);
    }
    Ok((trace, outbox))
}
