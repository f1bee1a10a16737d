//! What a scenario may say. Beyond it the world's clock overflows, or the core is right to do what the
//! oracles take for a bug: a store that always takes longer than a leader trusts a claim drains nothing.

use std::{collections::BTreeSet, ops::RangeInclusive};

use outbox::Config;
use thiserror::Error;

use super::{Action, Fault, Options, RetryAfter, Scenario, What, When};

/// A week: the latest time, and the longest span, of a scenario.
const MAX_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// A century: the furthest that a wall clock is stepped.
const MAX_STEP_MS: u64 = 100 * 365 * 24 * 60 * 60 * 1000;
/// The slowest store, message, timer and hook.
const MAX_LATENCY_MS: u64 = 2_000;
/// The slowest network, one way.
const MAX_NETWORK_MS: u64 = 60_000;
/// Shorter timeouts end attempts that the network does not even slow down.
const MIN_TIMEOUT_MS: u64 = 1_000;
/// The most tabs.
const MAX_TABS: u64 = 64;

/// A scenario says what it may not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} is {value}, not {expected}")]
pub struct OutOfLimits {
    /// Which part of it.
    pub field: String,
    /// What it says there.
    pub value: String,
    /// What it may say.
    pub expected: String,
}

impl Scenario {
    /// Whether it can be played.
    ///
    /// # Errors
    /// The first part that is out of its limits.
    pub fn check(&self) -> Result<(), OutOfLimits> {
        self.options.check()?;
        within("healAtMs", self.heal_at_ms, 0..=MAX_MS)?;
        let mut items = BTreeSet::new();
        for (at, step) in self.steps.iter().enumerate() {
            within(&format!("steps[{at}].atMs"), step.at_ms, 0..=MAX_MS)?;
            if let Action::Enqueue { item, .. } = step.action
                && !items.insert(item)
            {
                let field = format!("steps[{at}].action.enqueue.item");
                let expected = "a number that no earlier step enqueues".into();
                return Err(OutOfLimits { field, value: item.to_string(), expected });
            }
        }
        for (at, fault) in self.faults.iter().enumerate() {
            fault.check(&format!("faults[{at}]"))?;
        }
        Ok(())
    }
}

impl Options {
    fn check(&self) -> Result<(), OutOfLimits> {
        within("options.tabs", self.tabs.into(), 1..=MAX_TABS)?;
        within("options.timeoutMs", self.timeout_ms, MIN_TIMEOUT_MS..=outbox::MAX_TIMEOUT_MS)?;
        let config = Config { max_concurrency: self.max_concurrency, ..Config::default() };
        config.validate().map_err(|error| OutOfLimits {
            field: format!("options.{}", error.field),
            value: error.value,
            expected: error.expected,
        })?;
        for (field, (least, most), limit) in [
            ("storageMs", self.storage_ms, MAX_LATENCY_MS),
            ("networkMs", self.network_ms, MAX_NETWORK_MS),
            ("messageMs", self.message_ms, MAX_LATENCY_MS),
            ("timerMs", self.timer_ms, MAX_LATENCY_MS),
            ("hookMs", self.hook_ms, MAX_LATENCY_MS),
        ] {
            within(&format!("options.{field}[1]"), most, 0..=limit)?;
            within(&format!("options.{field}[0]"), least, 0..=most)?;
        }
        Ok(())
    }
}

impl Fault {
    fn check(&self, field: &str) -> Result<(), OutOfLimits> {
        if let When::At { ms, .. } = self.when {
            within(&format!("{field}.when.at.ms"), ms, 0..=MAX_MS)?;
        }
        let (span, ms) = match self.what {
            What::Duplicate { after_ms }
            | What::RepeatResult { after_ms }
            | What::RepeatMessage { after_ms } => ("afterMs", after_ms),
            What::SlowRequest { by_ms }
            | What::SlowReply { by_ms }
            | What::SlowStorage { by_ms }
            | What::SlowMessage { by_ms }
            | What::EarlyTimer { by_ms }
            | What::LateTimer { by_ms }
            | What::SlowHook { by_ms } => ("byMs", by_ms),
            What::UnavailableStorage { for_ms }
            | What::FullStorage { for_ms }
            | What::Freeze { for_ms }
            | What::Suspend { for_ms }
            | What::FalselyElected { for_ms } => ("forMs", for_ms),
            What::Crash { reopen_ms } => ("reopenMs", reopen_ms),
            What::Steal { told_after_ms: Some(after_ms) } => ("toldAfterMs", after_ms),
            What::Unavailable { retry_after: RetryAfter::Seconds(s) | RetryAfter::Date(s), .. } => {
                return within(&format!("{field}.what.retryAfter"), s, 0..=MAX_MS / 1000);
            }
            What::StepClock { by_ms } => {
                return within(&format!("{field}.what.byMs"), by_ms.unsigned_abs(), 0..=MAX_STEP_MS);
            }
            _ => return Ok(()),
        };
        within(&format!("{field}.what.{span}"), ms, 0..=MAX_MS)
    }
}

fn within(field: &str, value: u64, limits: RangeInclusive<u64>) -> Result<(), OutOfLimits> {
    if limits.contains(&value) {
        return Ok(());
    }
    let expected = format!("{} to {}", limits.start(), limits.end());
    Err(OutOfLimits { field: field.into(), value: value.to_string(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        scenario::{EffectKind, Step},
        swarm::swarm,
    };

    #[test]
    fn what_is_drawn_can_be_played() {
        for seed in 0..200 {
            assert_eq!(swarm(seed).check(), Ok(()), "seed {seed}");
        }
    }

    /// What is wrong with a scenario after a change.
    fn wrong(change: impl FnOnce(&mut Scenario)) -> String {
        let mut scenario = swarm(1);
        scenario.faults.clear();
        change(&mut scenario);
        scenario.check().expect_err("it cannot be played").to_string()
    }

    #[test]
    fn what_cannot_be_played_is_named() {
        let fault = |what| {
            let when = When::Nth { tab: 0, kind: EffectKind::Any, n: 1 };
            wrong(|scenario| scenario.faults.push(Fault { when, what }))
        };
        let end = u64::MAX;
        let cases = [
            (wrong(|of| of.options.tabs = 0), "options.tabs is 0, not 1 to 64"),
            (wrong(|of| of.options.max_concurrency = 0), "options.maxConcurrency is 0, not "),
            (wrong(|of| of.options.timeout_ms = 1), "options.timeoutMs is 1, not 1000 to "),
            (wrong(|of| of.options.storage_ms = (0, 2_001)), "options.storageMs[1] is 2001, not 0 to 2000"),
            (wrong(|of| of.options.hook_ms = (3, 2)), "options.hookMs[0] is 3, not 0 to 2"),
            (wrong(|of| of.heal_at_ms = end), "healAtMs is 18446744073709551615, not 0 to 604800000"),
            (
                wrong(|of| of.steps[0] = Step { at_ms: end, tab: 0, action: Action::Crash }),
                "steps[0].atMs is 18446744073709551615, not ",
            ),
            (
                wrong(|of| {
                    let enqueues = |step: &&Step| matches!(step.action, Action::Enqueue { .. });
                    let again = of.steps.iter().find(enqueues).cloned();
                    of.steps.insert(0, again.expect("people enqueue"));
                }),
                ", not a number that no earlier step enqueues",
            ),
            (fault(What::Freeze { for_ms: end }), "faults[0].what.forMs is 18446744073709551615, not "),
            (
                fault(What::Unavailable { status: 503, retry_after: RetryAfter::Date(end) }),
                "faults[0].what.retryAfter is 18446744073709551615, not 0 to 604800",
            ),
            (fault(What::StepClock { by_ms: i64::MIN }), "faults[0].what.byMs is 9223372036854775808, not "),
        ];
        for (said, words) in cases {
            assert!(said.contains(words), "{said:?} says {words:?}");
        }
    }
}
