//! What leads to the rarest marks and cells, in some scenarios more.
//!
//! Each part draws from a stream of its own and adds to a scenario that is drawn already, so it moves no
//! draw of the rest, nor of another part.

use crate::{
    app::{Call, Taste, Workload},
    rng::{Draw, Streams},
    scenario::{Action, EffectKind, Fault, HookStyle, RetryAfter, Scenario, Step, What, When},
};

use super::{Chance, EFFECTS};

/// Calls of the app's rare mutators.
const RARE: Taste = Taste { lanes: 10, rare: 100 };

/// Adds all of it.
pub(super) fn add(app: &dyn Workload, scenario: &mut Scenario) {
    let stream = |entity| Chance(Streams::new(scenario.seed).rng(entity, Draw::Swarm, 0));
    let (mut giving_up, mut doubts, mut removals) = (stream(3), stream(4), stream(5));
    let mut never_knowing = stream(6);
    let is_calm = scenario.faults.is_empty();
    if !is_calm && giving_up.one_in(16) {
        give_up(app, &mut giving_up, scenario);
    }
    if !is_calm && doubts.one_in(16) {
        doubt_claims(&mut doubts, scenario);
    }
    if !is_calm && removals.one_in(12) {
        remove(&mut removals, scenario);
    }
    if !is_calm && never_knowing.one_in(16) {
        never_know(&mut never_knowing, scenario);
    }
    scenario.steps.sort_by_key(|step| step.at_ms);
}

/// Old builds meet items of their rare mutators that fail several times: one that has a limit of attempts
/// gives them up (R16).
fn give_up(app: &dyn Workload, draw: &mut Chance, scenario: &mut Scenario) {
    let what = What::Unavailable { status: 503, retry_after: RetryAfter::None };
    for step in &mut scenario.steps {
        match &mut step.action {
            Action::Open { build } if !draw.one_in(4) => *build = 0,
            Action::Enqueue { item, mutator, args } if draw.one_in(8) => {
                Call { mutator: *mutator, args: *args } = app.enqueue(*item, RARE, &mut |n| draw.below(n));
                let item = *item;
                let faults = (1..=4).map(|n| Fault { when: When::Attempt { item, n }, what });
                scenario.faults.extend(faults);
            }
            _ => {}
        }
    }
}

/// The store cannot tell whether it committed, and then is full: claims in doubt cannot be written (R5, R25).
fn doubt_claims(draw: &mut Chance, scenario: &mut Scenario) {
    let every = draw.within(5, 12) as u32;
    let first = draw.within(1, every.into()) as u32;
    for tab in 0..scenario.options.tabs {
        for n in (first..EFFECTS).step_by(every as usize) {
            let mut at = |n, what| {
                let when = When::Nth { tab, kind: EffectKind::Persist, n };
                scenario.faults.push(Fault { when, what });
            };
            at(n, What::UnknownStorage { committed: draw.one_in(2) });
            for after in 1..=3 {
                at(n + after, What::FullStorage { for_ms: 0 });
            }
        }
    }
}

/// A store that can be read, and cannot tell what it committed, many times in a row (R4).
fn never_know(draw: &mut Chance, scenario: &mut Scenario) {
    for tab in 0..scenario.options.tabs {
        let first = draw.within(1, EFFECTS.into()) as u32;
        for n in first..first + draw.within(4, 24) as u32 {
            let when = When::Nth { tab, kind: EffectKind::Persist, n };
            let what = What::UnknownStorage { committed: draw.one_in(8) };
            scenario.faults.push(Fault { when, what });
        }
    }
}

/// People change their minds soon after they did something, and the store is slow: removals under way meet
/// lost requests and hooks that fail (R17, R18).
fn remove(draw: &mut Chance, scenario: &mut Scenario) {
    scenario.options.storage_ms = (20, 200);
    if scenario.options.hook == HookStyle::None {
        scenario.options.hook = HookStyle::Keep;
    }
    let enqueued = scenario.steps.iter().filter_map(|step| match step.action {
        Action::Enqueue { item, .. } => Some((step.at_ms, item)),
        _ => None,
    });
    let enqueued: Vec<(u64, u32)> = enqueued.collect();
    for (at_ms, item) in enqueued {
        if draw.one_in(2) {
            let at_ms = at_ms + draw.below(4_000);
            let tab = draw.below(scenario.options.tabs.into()) as u32;
            scenario.steps.push(Step { at_ms, tab, action: Action::Remove { item } });
        } else if draw.one_in(4) {
            scenario.faults.push(Fault { when: When::Attempt { item, n: 1 }, what: What::LoseRequest });
        }
    }
    for tab in 0..scenario.options.tabs {
        for n in 1..=10 {
            let when = When::Nth { tab, kind: EffectKind::Ask, n };
            if draw.one_in(3) {
                let what = draw.of(&[What::ThrowingHook, What::SilentHook]);
                scenario.faults.push(Fault { when, what });
            }
        }
    }
}
