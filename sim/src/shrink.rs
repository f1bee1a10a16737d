//! The shrinker: from a failing scenario of a thousand steps to one that a person can read.
//!
//! Delta debugging: chunks of steps, faults and tabs are left out as long as the *same oracle* rings; then
//! times, latencies and options are made plain. All draws are named by entity and operation, so that
//! leaving out one thing disturbs no other, and the search converges.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    app::App,
    scenario::{Action, HookStyle, Leadership, Options, Scenario, Step, When},
    world::{Report, Violation, run},
};

/// What a panic in a run counts as: the oracle of its own that the core carries with it.
pub const PANIC: &str = "panic";

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest scenario found that still fails.
    pub scenario: Scenario,
    /// How it fails.
    pub violation: Violation,
    /// How many scenarios were tried.
    pub tried: u32,
}

/// Runs a scenario; a panic is a violation too.
#[must_use]
pub fn verdict(app: &dyn App, scenario: &Scenario) -> Option<Violation> {
    match catch_unwind(AssertUnwindSafe(|| run(app, scenario))) {
        Ok(Report { violation, .. }) => violation,
        Err(payload) => Some(Violation {
            oracle: PANIC,
            rules: &[],
            at_ms: scenario.heal_at_ms,
            moment: 0,
            what: panic_message(&*payload),
        }),
    }
}

/// The text of a panic.
#[must_use]
pub fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().map(String::from);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// Shrinks a scenario that fails; `None` if it does not fail. Tries at most so many scenarios.
#[must_use]
pub fn shrink(app: &dyn App, scenario: &Scenario, max_tries: u32) -> Option<Shrunk> {
    let violation = verdict(app, scenario)?;
    let mut search = Search { app, best: scenario.clone(), violation, tried: 0, max_tries };
    loop {
        let before = search.best.clone();
        search.cut_the_end();
        search.leave_out_tabs();
        search.leave_out_steps();
        search.leave_out_faults();
        search.make_plain();
        if search.best == before || search.tried >= max_tries {
            break;
        }
    }
    Some(Shrunk { scenario: search.best, violation: search.violation, tried: search.tried })
}

struct Search<'a> {
    app: &'a dyn App,
    best: Scenario,
    violation: Violation,
    tried: u32,
    max_tries: u32,
}

impl Search<'_> {
    /// Keeps the candidate if the same oracle rings.
    fn take(&mut self, candidate: Scenario) -> bool {
        if self.tried >= self.max_tries || candidate == self.best {
            return false;
        }
        self.tried += 1;
        let Some(violation) = verdict(self.app, &candidate) else { return false };
        if violation.oracle != self.violation.oracle {
            return false;
        }
        (self.best, self.violation) = (candidate, violation);
        true
    }

    /// The same with one change.
    fn change(&mut self, change: impl FnOnce(&mut Scenario)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        self.take(candidate)
    }

    /// What comes after the violation did not cause it; an earlier heal shortens what is left.
    fn cut_the_end(&mut self) {
        let end_ms = self.violation.at_ms;
        self.change(|scenario| {
            scenario.steps.retain(|step| step.at_ms <= end_ms);
            scenario.faults.retain(|fault| !matches!(fault.when, When::At { ms, .. } if ms > end_ms));
        });
        for part in [8, 4, 2] {
            let heal_at_ms = self.best.heal_at_ms / part;
            if self.change(|scenario| scenario.heal_at_ms = heal_at_ms) {
                break;
            }
        }
    }

    fn leave_out_tabs(&mut self) {
        for tab in (0..self.best.options.tabs).rev() {
            let steps = |step: &Step| step.tab != tab;
            self.change(|scenario| {
                scenario.steps.retain(steps);
                scenario.faults.retain(|fault| {
                    !matches!(fault.when, When::At { tab: of, .. } | When::Nth { tab: of, .. } if of == tab)
                });
            });
        }
        let used = self.best.steps.iter().map(|step| step.tab).max().unwrap_or(0) + 1;
        self.change(|scenario| scenario.options.tabs = used);
    }

    fn leave_out_steps(&mut self) {
        self.leave_out(|scenario| &mut scenario.steps);
    }

    fn leave_out_faults(&mut self) {
        self.leave_out(|scenario| &mut scenario.faults);
    }

    /// Leaves out chunk after chunk of a list, in ever smaller chunks.
    fn leave_out<T: Clone>(&mut self, list: impl Fn(&mut Scenario) -> &mut Vec<T>) {
        let mut chunk = list(&mut self.best).len().next_power_of_two();
        while chunk >= 1 {
            let mut at = 0;
            while at < list(&mut self.best).len() {
                let left_out = self.change(|scenario| {
                    let list = list(scenario);
                    let end = list.len().min(at + chunk);
                    list.drain(at..end);
                });
                if !left_out {
                    at += chunk;
                }
            }
            chunk /= 2;
        }
    }

    /// Options, times and constants as plain as they can be.
    fn make_plain(&mut self) {
        let plain = Options::default();
        let simpler: [fn(&mut Options, &Options); 14] = [
            |options, plain| options.storage_ms = plain.storage_ms,
            |options, plain| options.network_ms = plain.network_ms,
            |options, plain| options.message_ms = plain.message_ms,
            |options, plain| options.timer_ms = plain.timer_ms,
            |options, plain| options.hook_ms = plain.hook_ms,
            |options, plain| options.jitter = plain.jitter,
            |options, plain| options.timeout_ms = plain.timeout_ms,
            |options, plain| options.max_concurrency = plain.max_concurrency,
            |options, plain| options.aborts = plain.aborts,
            |options, plain| options.keyed = plain.keyed,
            |options, plain| options.relaxed = plain.relaxed,
            |options, plain| options.gather = plain.gather,
            |options, _| options.hook = HookStyle::None,
            |options, _| options.leadership = Leadership::Locks,
        ];
        for simpler in simpler {
            self.change(|scenario| simpler(&mut scenario.options, &plain));
        }
        self.round_times();
        self.change(|scenario| scenario.seed = 0);
        for at in 0..self.best.steps.len() {
            self.change(|scenario| {
                if let Action::Enqueue { mutator, .. } = &mut scenario.steps[at].action {
                    *mutator = crate::standard::mutators::KEYED.into();
                }
            });
        }
    }

    /// Whole seconds, then hundreds, each step by itself; order is kept.
    fn round_times(&mut self) {
        for round_ms in [1_000, 100, 10] {
            for at in 0..self.best.steps.len() {
                let at_ms = self.best.steps[at].at_ms / round_ms * round_ms;
                let after_ms = if at == 0 { 0 } else { self.best.steps[at - 1].at_ms };
                if at_ms >= after_ms {
                    self.change(|scenario| scenario.steps[at].at_ms = at_ms);
                }
            }
        }
    }
}
