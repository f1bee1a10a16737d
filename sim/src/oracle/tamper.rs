//! For tests: plays a small scenario in which moments are changed on their way to an oracle, so that what
//! it sees is a violation. An alarm that was never heard proves nothing.

use outbox::{AttemptId, AttemptOutcome, Effect, Input};

use super::{Facts, Oracle};
use crate::{
    moment::Moment,
    run_with,
    scenario::{Action, Fault, Options, Scenario, Step, What, When},
    standard::{Args, Standard, mutators},
    world::World,
};

/// Tells an oracle of a moment: once, twice, another, or not at all.
pub(super) type Tell<'a> = &'a mut dyn FnMut(&Moment<'_>);

/// One tab; the n-th of `items` is `iN`, enqueued at its time into its lane.
pub(super) fn story(items: &[(u64, &str)]) -> Scenario {
    let open = Step { at_ms: 0, tab: 0, action: Action::Open { build: 1 } };
    let enqueue = |(n, (at_ms, key)): (usize, &(u64, &str))| {
        let args = Args { keys: vec![String::from(*key)], value: n as u64 };
        let action =
            Action::Enqueue { item: n as u32 + 1, mutator: mutators::KEYED.into(), args: args.json() };
        Step { at_ms: *at_ms, tab: 0, action }
    };
    let steps = std::iter::once(open).chain(items.iter().enumerate().map(enqueue)).collect();
    Scenario { seed: 1, options: Options::default(), steps, faults: Vec::new(), heal_at_ms: 30_000 }
}

/// A fault at the n-th attempt of an item.
pub(super) fn at_attempt(item: u32, n: u32, what: What) -> Fault {
    Fault { when: When::Attempt { item, n }, what }
}

/// What `oracle` says of a run whose moments go through `tamper`.
pub(super) fn judge(
    mut oracle: impl Oracle,
    scenario: &Scenario,
    mut tamper: impl FnMut(&Moment<'_>, Tell<'_>),
) -> Option<String> {
    let mut facts = Facts::default();
    let mut found = None;
    let mut sink = |world: &World, moment: &Moment<'_>| {
        tamper(moment, &mut |moment| {
            facts.note(world, moment);
            if found.is_none() {
                found = oracle.see(world, &facts, moment).err();
            }
        });
    };
    let report = run_with(&Standard, scenario, Some(&mut sink));
    assert_eq!(report.violation, None, "the run itself keeps every promise");
    found
}

/// The same, untouched.
pub(super) fn says(oracle: impl Oracle, scenario: &Scenario) -> Option<String> {
    judge(oracle, scenario, |moment, tell| tell(moment))
}

/// The attempt that a moment dispatches.
pub(super) fn dispatched(moment: &Moment<'_>) -> Option<AttemptId> {
    match moment {
        Moment::Effect { effect: Effect::Dispatch { attempt, .. }, .. } => Some(*attempt),
        _ => None,
    }
}

/// The attempt whose result a moment brings, and the result.
pub(super) fn resolved<'a>(moment: &Moment<'a>) -> Option<(AttemptId, &'a AttemptOutcome)> {
    match *moment {
        Moment::Input { input: Input::Resolved { attempt, outcome }, .. } => Some((*attempt, outcome)),
        _ => None,
    }
}
