//! `Outbox`: the state machine. (Being written.)

use alloc::vec::Vec;

use crate::{
    config::Config, effect::Effect, error::ConfigError, explain::Blocked, input::Input,
    item::{FailureRecord, Item, ItemId}, time::Timestamp,
};

/// The state machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outbox {
    config: Config,
}

impl Outbox {
    /// A replica that knows nothing yet. Send [`Input::Wake`] with `Trigger::Init` first.
    ///
    /// # Errors
    /// The first field of `config` that is out of its limits.
    pub fn new(config: Config, now: Timestamp) -> Result<Self, ConfigError> {
        config.validate()?;
        let _ = now;
        Ok(Self { config })
    }

    /// The only way state changes. Appends to `effects`; the caller owns and reuses the buffer.
    pub fn handle(&mut self, now: Timestamp, input: Input, effects: &mut Vec<Effect>) {
        let _ = (now, input, effects, &self.config);
    }

    /// The pending items in seq order, those being written last (R22).
    pub fn pending(&self) -> impl Iterator<Item = &Item> {
        core::iter::empty()
    }

    /// The failure records, oldest first (R15).
    pub fn failures(&self) -> impl Iterator<Item = &FailureRecord> {
        core::iter::empty()
    }

    /// One pending item.
    #[must_use]
    pub fn item(&self, id: &ItemId) -> Option<&Item> {
        let _ = id;
        None
    }

    /// Why an item is not being sent (R19); `None` if it is not pending.
    #[must_use]
    pub fn explain(&self, id: &ItemId) -> Option<Blocked> {
        let _ = id;
        None
    }

    /// The pause reasons (R20).
    pub fn paused(&self) -> impl Iterator<Item = &str> {
        core::iter::empty()
    }

    /// Whether this replica leads and has acquired.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        false
    }

    /// Whether the pending items are known: a first load has succeeded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        false
    }

    /// How many attempts are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        0
    }

    /// Whether nothing of this replica waits for storage: what was asked is durable.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        true
    }

    /// When the next timer is due; what the last [`Effect::Sleep`] said.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        None
    }
}
