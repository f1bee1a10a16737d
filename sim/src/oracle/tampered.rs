//! For tests of oracles: a real run, of which the oracle is told something that did not happen.

use outbox::{Effect, Input, ItemId};

use super::{Facts, Oracle};
use crate::{
    moment::Moment,
    run_with,
    scenario::{Action, Fault, RetryAfter, Scenario, Step, What, When},
    standard::{Args, Standard, mutators},
    world::World,
};

/// Hands on what is to be told.
pub(super) type Tell<'a> = &'a mut dyn FnMut(&Moment<'_>);

/// One tab of the newest build that enqueues so many items, each in a lane of its own; a quick world.
pub(super) fn calm(items: u32) -> Scenario {
    let open = Step { at_ms: 0, tab: 0, action: Action::Open { build: 1 } };
    let enqueue = |item: u32| {
        let args = Args { keys: vec![format!("k{item}")], value: item.into() };
        let action = Action::Enqueue { item, mutator: mutators::KEYED.into(), args: args.json() };
        Step { at_ms: 100 * u64::from(item), tab: 0, action }
    };
    let steps = std::iter::once(open).chain((1..=items).map(enqueue)).collect();
    let options = crate::scenario::Options { network_ms: (20, 20), ..Default::default() };
    Scenario { seed: 1, options, steps, faults: Vec::new(), heal_at_ms: 20_000 }
}

/// The same; the first attempt of each item is answered with 503.
pub(super) fn unavailable_at_first(items: u32) -> Scenario {
    let what = What::Unavailable { status: 503, retry_after: RetryAfter::None };
    let faults = (1..=items).map(|item| Fault { when: When::Attempt { item, n: 1 }, what });
    Scenario { faults: faults.collect(), ..calm(items) }
}

/// What the oracle says of a run of which it is told the truth.
pub(super) fn truth(oracle: &mut dyn Oracle, scenario: &Scenario) -> Option<String> {
    told(oracle, scenario, &mut |moment, tell| tell(moment))
}

/// What it says when `liar` decides for each moment what it is told.
pub(super) fn told(
    oracle: &mut dyn Oracle,
    scenario: &Scenario,
    liar: &mut dyn FnMut(&Moment<'_>, Tell<'_>),
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
    assert_eq!(report.violation, None, "the run itself is in order");
    found
}

/// The same where only effects are lied about: `liar` gives those to tell instead.
pub(super) fn effects(
    oracle: &mut dyn Oracle,
    scenario: &Scenario,
    mut liar: impl FnMut(&Effect) -> Vec<Effect>,
) -> Option<String> {
    told(oracle, scenario, &mut |moment, tell| match moment {
        Moment::Effect { tab, effect } => {
            for effect in liar(effect) {
                tell(&Moment::Effect { tab: *tab, effect: &effect });
            }
        }
        moment => tell(moment),
    })
}

/// The same where only inputs are lied about.
pub(super) fn inputs(
    oracle: &mut dyn Oracle,
    scenario: &Scenario,
    mut liar: impl FnMut(&Input) -> Vec<Input>,
) -> Option<String> {
    told(oracle, scenario, &mut |moment, tell| match moment {
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

/// The item `iN`.
pub(super) fn id(item: u32) -> ItemId {
    ItemId::new(format!("i{item}")).expect("a short id")
}
