//! The flight recorder: every input of a replica, replayed bit for bit in a test.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{
    config::Config, effect::Effect, error::ConfigError, input::Input, outbox::Outbox, time::Timestamp,
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

    /// Adds an input; call it just before [`Outbox::handle`].
    pub fn push(&mut self, now: Timestamp, input: &Input) {
        self.inputs.push((now, input.clone()));
    }
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
