//! `Config`: what a replica is told once, and its limits (R32). Plain data, so that a recording holds it.

use alloc::{collections::BTreeMap, string::String};

use serde::{Deserialize, Serialize};

use crate::error::{ConfigError, InputError};

/// The longest mutator name, outbox name or pause reason in bytes (R32).
pub const MAX_NAME_BYTES: usize = 256;
/// The largest `max_concurrency`.
pub const MAX_CONCURRENCY: u32 = 1024;
/// The longest timeout: one day.
pub const MAX_TIMEOUT_MS: u64 = 24 * 60 * 60 * 1000;

/// How one replica behaves. All replicas of one outbox should agree on it; none of them is unsafe if not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// This replica, unique among those alive (R26, R28): a UUID, say. Only messages between replicas use it.
    pub replica: String,
    /// The registered mutators by name (R23): part of the configuration, so that nothing parks at load
    /// only because registration came late.
    pub mutators: BTreeMap<String, MutatorConfig>,
    /// At most this many attempts in flight (R8): 1 to 1,024, default 4.
    pub max_concurrency: u32,
    /// Whether backoff is jittered (R10); default true.
    pub jitter: bool,
    /// Timeout of an attempt in milliseconds (R14): 1 to 86,400,000, default 15,000.
    pub timeout_ms: u64,
    /// Largest args, and largest metadata, in bytes (R32): at least 2, default 1 MiB.
    pub max_args_bytes: usize,
    /// Whether a `beforeRetry` hook is there to be asked (R17); default false.
    pub before_retry: bool,
    /// Whether other replicas may write to the same store (R28); default true. `false` spares the counter
    /// check.
    pub shared: bool,
    /// Whether replicas can send each other messages (R26, R27): then a silent leader is pinged and its lock
    /// stolen, and a leader asks whether another can run what it has parked. Default false.
    pub ping: bool,
    /// Whether storage requests leave only with an [`Input::Tick`](crate::Input::Tick), which the driver
    /// sends when [`Outbox::wants_storage`](crate::Outbox::wants_storage): then it decides how much gathers
    /// for one transaction (R4). Default false: each leaves with the input that makes it possible.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub gather: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            replica: String::from("replica"),
            mutators: BTreeMap::new(),
            max_concurrency: 4,
            jitter: true,
            timeout_ms: 15_000,
            max_args_bytes: 1 << 20,
            before_retry: false,
            shared: true,
            ping: false,
            gather: false,
        }
    }
}

impl Config {
    /// The default with these mutators, each with its default.
    #[must_use]
    pub fn with_mutators<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let mutators = names.into_iter().map(|name| (name.into(), MutatorConfig::default())).collect();
        Self { mutators, ..Self::default() }
    }

    /// Checks every limit.
    ///
    /// # Errors
    /// The first field that is out of its limits.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name("replica", &self.replica)?;
        check_range("maxConcurrency", u64::from(self.max_concurrency), 1, u64::from(MAX_CONCURRENCY))?;
        check_range("timeoutMs", self.timeout_ms, 1, MAX_TIMEOUT_MS)?;
        check_range("maxArgsBytes", self.max_args_bytes as u64, 2, u64::from(u32::MAX))?;
        self.mutators.iter().try_for_each(|(name, mutator)| mutator.validate(name))
    }
}

/// How the items of one mutator behave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MutatorConfig {
    /// Its own timeout in milliseconds (R14).
    pub timeout_ms: Option<u64>,
    /// Each item waits for everything before it and holds everything after it (R7).
    pub barrier: bool,
    /// Each item gets an idempotency key (R21).
    pub idempotency_key: bool,
    /// Give up after so many attempts (R16); default never.
    pub max_attempts: Option<AttemptLimit>,
}

impl MutatorConfig {
    /// Checks every limit, of the name too (R32): what a late registration asks before anything changes.
    ///
    /// # Errors
    /// The first field that is out of its limits.
    pub fn validate(&self, name: &str) -> Result<(), ConfigError> {
        check_name("mutators", name)?;
        let field = |field: &str| alloc::format!("mutators.{name}.{field}");
        if let Some(timeout_ms) = self.timeout_ms {
            check_range(&field("timeoutMs"), timeout_ms, 1, MAX_TIMEOUT_MS)?;
        }
        if let Some(limit) = self.max_attempts {
            check_range(&field("maxAttempts"), u64::from(limit.attempts), 1, u64::from(u32::MAX))?;
        }
        Ok(())
    }
}

/// When to give up, and how (R16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptLimit {
    /// After so many claimed attempts: at least 1.
    pub attempts: u32,
    /// What then.
    pub then: Exhausted,
}

/// What becomes of an item whose attempts are used up (R16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Exhausted {
    /// Held back, its lane with it, until it is removed or a configuration allows more attempts.
    Park,
    /// Dropped as if refused for good, with a failure record.
    Drop,
}

pub(crate) fn check_name(field: &str, name: &str) -> Result<(), ConfigError> {
    InputError::check_text(field, name, MAX_NAME_BYTES).map_err(|_| ConfigError {
        field: field.into(),
        value: alloc::format!("{} bytes long", name.len()),
        expected: alloc::format!("1 to {MAX_NAME_BYTES} bytes long"),
    })
}

pub(crate) fn check_range(field: &str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError {
        field: field.into(),
        value: alloc::format!("{value}"),
        expected: alloc::format!("{min} to {max}"),
    })
}
