//! For tests of oracles: plays a small scenario, of which the oracle is told something that did not happen.
//! An alarm that was never heard proves nothing.

use outbox::{AttemptId, AttemptOutcome, Effect, Input, ItemId};

use super::{Facts, Oracle};
use crate::{
    moment::Moment,
    run_with,
    scenario::{Action, Fault, Options, RetryAfter, Scenario, Step, What, When},
    standard::{Args, Standard, mutators},
    world::World,
};

/// Tells an oracle of a moment: once, twice, another, or not at all.
pub(super) type Tell<'a> = &'a mut dyn FnMut(&Moment<'_>);

// --- Scenarios.

/// One tab of the newest build; the n-th of `items` is `iN`, enqueued at its time into its lane.
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

/// The same with so many items, each in a lane of its own.
pub(super) fn calm(items: u32) -> Scenario {
    let lanes: Vec<_> = (1..=items).map(|item| (100 * u64::from(item), format!("k{item}"))).collect();
    let items: Vec<_> = lanes.iter().map(|(at_ms, lane)| (*at_ms, lane.as_str())).collect();
    let options = Options { network_ms: (20, 20), ..Options::default() };
    Scenario { options, heal_at_ms: 20_000, ..story(&items) }
}

/// The same; the first attempt of each item is answered with 503.
pub(super) fn unavailable_at_first(items: u32) -> Scenario {
    let what = What::Unavailable { status: 503, retry_after: RetryAfter::None };
    Scenario { faults: (1..=items).map(|item| at_attempt(item, 1, what)).collect(), ..calm(items) }
}

/// A fault at the n-th attempt of an item.
pub(super) fn at_attempt(item: u32, n: u32, what: What) -> Fault {
    Fault { when: When::Attempt { item, n }, what }
}

/// The item `iN`.
pub(super) fn id(item: u32) -> ItemId {
    ItemId::new(format!("i{item}")).expect("a short id")
}

// --- What an oracle says of them.

/// When it is told the truth.
pub(super) fn truth(oracle: &mut dyn Oracle, scenario: &Scenario) -> Option<String> {
    told(oracle, scenario, |moment, tell| tell(moment))
}

/// When `liar` decides for each moment what it is told.
pub(super) fn told(
    oracle: &mut dyn Oracle,
    scenario: &Scenario,
    mut liar: impl FnMut(&Moment<'_>, Tell<'_>),
) -> Option<String> {
    let mut facts = Facts::default();
    let mut found = None;
    let mut sink = |world: &World, moment: &Moment<'_>| {
        liar(moment, &mut |moment| {
            if found.is_none() {
                facts.note(world, moment);
                found = oracle.see(world, &facts, moment).err();
            }
        });
    };
    let report = run_with(&Standard, scenario, Some(&mut sink));
    assert_eq!(report.violation, None, "the run itself keeps every promise");
    found
}

/// When only effects are lied about: `liar` gives those to tell instead.
pub(super) fn effects(
    oracle: &mut dyn Oracle,
    scenario: &Scenario,
    mut liar: impl FnMut(&Effect) -> Vec<Effect>,
) -> Option<String> {
    told(oracle, scenario, |moment, tell| match moment {
        Moment::Effect { tab, effect } => {
            for effect in liar(effect) {
                tell(&Moment::Effect { tab: *tab, effect: &effect });
            }
        }
        moment => tell(moment),
    })
}

/// When only inputs are lied about.
pub(super) fn inputs(
    oracle: &mut dyn Oracle,
    scenario: &Scenario,
    mut liar: impl FnMut(&Input) -> Vec<Input>,
) -> Option<String> {
    told(oracle, scenario, |moment, tell| match moment {
        Moment::Input { tab, input } => {
            for input in liar(input) {
                tell(&Moment::Input { tab: *tab, input: &input });
            }
        }
        moment => tell(moment),
    })
}

/// Asserts that it rang, and with these words.
#[track_caller]
pub(super) fn rang(found: Option<String>, words: &str) {
    let found = found.expect("a lie is found");
    assert!(found.contains(words), "{found:?} says {words:?}");
}

// --- What a moment is.

/// The attempt that it dispatches.
pub(super) fn dispatched(moment: &Moment<'_>) -> Option<AttemptId> {
    match moment {
        Moment::Effect { effect: Effect::Dispatch { attempt, .. }, .. } => Some(*attempt),
        _ => None,
    }
}

/// The attempt whose result it brings, and the result.
pub(super) fn resolved<'a>(moment: &Moment<'a>) -> Option<(AttemptId, &'a AttemptOutcome)> {
    match *moment {
        Moment::Input { input: Input::Resolved { attempt, outcome }, .. } => Some((*attempt, outcome)),
        _ => None,
    }
}
