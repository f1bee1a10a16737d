//! Liveness (R5, R6, R8, R10, R11, R13, R26, R28): after the heal everything drains, somebody leads, and
//! nobody misses anything, within a bound computed from the scenario.

use super::{Facts, Oracle};
use crate::{
    moment::Moment,
    scenario::{Action, RetryAfter, Scenario, What},
    world::World,
};

/// The longest backoff (R10).
const BACKOFF_CAP_MS: u64 = 60_000;
/// What `Retry-After` is clamped to (R11).
const RETRY_AFTER_CAP_MS: u64 = 24 * 60 * 60 * 1000;
/// A leader that is gone, deaf or fenced is followed by another within this: 10 s of storage that does
/// not answer (R27), 7 s of patience with a frozen one (R26), and a lease of 3 s with its election.
const LEADER_MS: u64 = 30_000;
/// A replica that missed a poke looks by itself after this (R28).
const CHECK_MS: u64 = 30_000;
/// The hook is asked again with backoff after it failed (R17).
const HOOK_MS: u64 = BACKOFF_CAP_MS;

/// How long after the heal everything must be over.
#[must_use]
pub fn bound_ms(scenario: &Scenario) -> u64 {
    let options = &scenario.options;
    let mut items = 1;
    for step in &scenario.steps {
        items += u64::from(matches!(step.action, Action::Enqueue { .. } | Action::RetryFailure { .. }));
    }
    let slowest = |fault: &crate::scenario::Fault| match fault.what {
        What::SlowRequest { by_ms }
        | What::SlowReply { by_ms }
        | What::SlowStorage { by_ms }
        | What::SlowHook { by_ms }
        | What::SlowMessage { by_ms }
        | What::LateTimer { by_ms } => by_ms,
        What::Unavailable { retry_after, .. } => match retry_after {
            RetryAfter::None => 0,
            RetryAfter::Seconds(seconds) | RetryAfter::Date(seconds) => seconds * 1000,
            RetryAfter::Absurd => RETRY_AFTER_CAP_MS,
        }
        .min(RETRY_AFTER_CAP_MS),
        _ => 0,
    };
    let slow_ms = scenario.faults.iter().map(slowest).max().unwrap_or(0);
    // A day is all that is left of a floor that was set by a clock which is ahead: of a page from before a
    // step back, or from after a step forward (R30).
    let floors = scenario.faults.iter().any(|fault| {
        matches!(fault.what, What::Unavailable { retry_after, .. } if retry_after != RetryAfter::None)
    });
    let steps = scenario.faults.iter().any(|fault| matches!(fault.what, What::StepClock { .. }));
    let slow_ms = if floors && steps { slow_ms.max(RETRY_AFTER_CAP_MS) } else { slow_ms };
    // All in one lane, one after another: each a claim, a request, a delete, an ask of the hook.
    let each_ms = 6 * options.storage_ms.1 + 2 * options.network_ms.1 + options.hook_ms.1 + 3_000;
    LEADER_MS + CHECK_MS + HOOK_MS + BACKOFF_CAP_MS + slow_ms + options.timeout_ms + items * each_ms
}

/// The judge.
#[derive(Debug, Default)]
pub struct Liveness;

impl Oracle for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R5", "R6", "R8", "R10", "R11", "R13", "R26", "R28"]
    }

    fn see(&mut self, world: &World, _facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        if !matches!(moment, Moment::End) {
            return Ok(());
        }
        let bound_ms = bound_ms(&world.scenario);
        let stored = world.store.memory().rows().filter(|(seq, _)| !world.planted.contains(seq)).count();
        if stored > 0 {
            return Err(format!("{stored} items are still stored {bound_ms} ms after the heal"));
        }
        for page in world.tabs.iter().filter_map(|tab| tab.page.as_ref()) {
            if let Some(item) = page.outbox.pending().next() {
                return Err(format!("{} still shows {} {bound_ms} ms after the heal", page.name(), item.id));
            }
            if let Some((call, id)) = page.calls.first_key_value() {
                return Err(format!("{} has no reply to call {} about {id}", page.name(), call.0));
            }
            if !page.flights.is_empty() || !page.outbox.is_durable() || !page.outbox.is_loaded() {
                return Err(format!("{} does not come to rest {bound_ms} ms after the heal", page.name()));
            }
        }
        let leaders = world.tabs.iter().filter_map(|tab| tab.page.as_ref());
        if leaders.filter(|page| page.outbox.is_leading()).count() == 0 {
            return Err(format!("nobody leads {bound_ms} ms after the heal"));
        }
        Ok(())
    }
}
