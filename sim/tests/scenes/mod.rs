//! Small scenarios by hand, in few words.

use outbox_sim::{
    scenario::{Action, Fault, Options, Scenario, Step, What, When},
    standard::{Args, mutators},
};

/// A scenario of the standard app.
pub(crate) fn scene(options: Options, steps: Vec<Step>, faults: Vec<Fault>, heal_at_ms: u64) -> Scenario {
    Scenario { seed: 1, options, steps, faults, heal_at_ms }
}

/// A step of a tab.
pub(crate) fn step(at_ms: u64, tab: u32, action: Action) -> Step {
    Step { at_ms, tab, action }
}

/// Opens a page of the newest build.
pub(crate) fn open(at_ms: u64, tab: u32) -> Step {
    step(at_ms, tab, Action::Open { build: 1 })
}

/// Enqueues an item that asks for an idempotency key.
pub(crate) fn enqueue(at_ms: u64, tab: u32, item: u32, key: &str) -> Step {
    enqueue_as(mutators::KEYED, at_ms, tab, item, key)
}

/// Enqueues an item of any mutator.
pub(crate) fn enqueue_as(mutator: &str, at_ms: u64, tab: u32, item: u32, key: &str) -> Step {
    let args = Args { keys: vec![key.into()], value: item.into() };
    step(at_ms, tab, Action::Enqueue { item, mutator: mutator.into(), args: args.json() })
}

/// What goes wrong with the n-th dispatch of an item.
pub(crate) fn attempt(item: u32, n: u32, what: What) -> Fault {
    Fault { when: When::Attempt { item, n }, what }
}

/// What goes wrong at a time.
pub(crate) fn at(ms: u64, tab: u32, what: What) -> Fault {
    Fault { when: When::At { ms, tab }, what }
}
