//! The model for the checker: a world is what can be in it, and how often things may go wrong.

use outbox::storage::{MemoryStore, StoreId};
use stateright::{Model, Property};

use super::{
    actions::Action,
    marks::Marks,
    state::{Budget, START_MS, Shared, State, TABS, Tab},
};

/// The property of every step.
pub(crate) const NO_RULE_IS_BROKEN: &str = "no rule is broken";
/// The property of every state in which nothing but faults and wishes can happen (R5, R26, R28).
pub(crate) const WHAT_ENDS_ENDS_SETTLED: &str = "what ends, ends settled";

/// A small world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// The keys of each item, in the order in which they are enqueued.
    pub(crate) items: &'static [&'static [&'static str]],
    pub(crate) left: Budget,
    /// Whether tabs hear each other; else every poke is lost, and the counter alone tells (R28).
    pub(crate) pokes: bool,
    /// Whether it begins when one tab leads and the other has loaded; else with two tabs just opened.
    pub(crate) settled_in: bool,
    pub(crate) leap_ms: u64,
    /// `max_concurrency`.
    pub(crate) slots: u32,
    pub(crate) planted: Option<Planted>,
    pub(crate) marks: Marks,
}

/// A fault planted in the world, to show that the checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    /// The store takes any fence for the current one.
    FenceIgnored,
    /// The store says that it committed, and did not.
    CommitLost,
    /// The store's answer to a write never arrives.
    AnswerLost,
}

impl Default for World {
    fn default() -> Self {
        Self {
            items: &[&["k"], &["k"]],
            left: Budget::default(),
            pokes: false,
            settled_in: true,
            leap_ms: 5_000,
            slots: 2,
            planted: None,
            marks: Marks::default(),
        }
    }
}

impl World {
    fn first_state(&self) -> State {
        let mut state = State {
            now: START_MS,
            tabs: std::array::from_fn(|_| Tab::dead()),
            store: Shared::new(MemoryStore::new(StoreId(1))),
            lock: None,
            items: Vec::new(),
            applied: Vec::new(),
            strays: std::collections::BTreeSet::new(),
            left: self.left,
            passes: 0,
            broken: None,
        };
        for tab in 0..TABS {
            self.open(&mut state, tab);
        }
        if self.settled_in {
            self.elect(&mut state, 0);
            let mut actions = Vec::new();
            while !state.is_at_rest() {
                actions.clear();
                self.progress(&state, &mut actions);
                let next = *actions.first().expect("what begins can go on");
                self.act(&mut state, next);
            }
        }
        state
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first_state()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_none() {
            self.progress(state, actions);
            self.perturb(state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.act(&mut state, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NO_RULE_IS_BROKEN, |_, state: &State| state.broken.is_none()),
            Property::always(WHAT_ENDS_ENDS_SETTLED, |world: &Self, state: &State| {
                let mut actions = Vec::new();
                world.progress(state, &mut actions);
                !actions.is_empty() || state.is_at_rest()
            }),
        ]
    }
}
