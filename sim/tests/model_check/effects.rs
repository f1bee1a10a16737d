//! Inputs go to a core, its effects are carried out, and the store runs what it is asked.

use std::panic::{AssertUnwindSafe, catch_unwind};

use outbox::{
    Effect, Event, Input, Reply,
    storage::{Fence, StorageError, Store, Write},
};

use super::{
    actions::FIRST_REMOVAL,
    marks::Mark,
    rules,
    state::{Flight, State, TABS, item_of},
    world::{Planted, World},
};

impl World {
    /// Gives a tab's core one input, and carries out what it wants.
    pub(crate) fn input(&self, state: &mut State, tab: usize, input: Input) {
        let now = state.now();
        let Some(core) = &mut state.tabs[tab].core else { return };
        let mut effects = Vec::new();
        let handled = catch_unwind(AssertUnwindSafe(|| {
            core.change(|core| {
                core.handle(now, input, &mut effects);
                if !cfg!(debug_assertions) {
                    core.check_invariants(); // a debug build has done so
                }
            });
        }));
        state.expect(handled.is_ok(), "the core panicked: an invariant does not hold");
        for effect in effects {
            self.carry_out(state, tab, effect);
        }
        state.check_state();
    }

    fn carry_out(&self, state: &mut State, tab: usize, effect: Effect) {
        match effect {
            Effect::Acquire { .. } | Effect::Load { .. } | Effect::Persist { .. } => {
                let it = &mut state.tabs[tab];
                let idle = it.asked.is_none() && it.answer.is_none();
                it.asked = Some(effect);
                state.expect(idle, "R4: two storage requests of a replica are in flight");
            }
            Effect::Dispatch { attempt, item, .. } => {
                state.check_dispatch(tab, attempt, &item);
                if attempt.epoch != state.store.epoch() {
                    self.marks.set(Mark::ZombieDispatch);
                }
                if attempt.attempt > 1 {
                    self.marks.set(Mark::Repeated);
                }
                let flight = Flight { attempt, item: item_of(&item.id), cancelled: false };
                state.tabs[tab].flights.push(flight);
            }
            Effect::Cancel(attempt) => {
                let flights = &mut state.tabs[tab].flights;
                if let Some(flight) = flights.iter_mut().find(|flight| flight.attempt == attempt) {
                    flight.cancelled = true;
                }
            }
            Effect::Resign => {
                self.marks.set(Mark::Resigned);
                state.tabs[tab].elected = false;
                state.tabs[tab].deposed = false;
                if state.lock == Some(tab) {
                    state.lock = None;
                }
            }
            Effect::Poke(poke) if self.pokes => {
                let others = (0..TABS).filter(|&other| other != tab);
                for other in others.filter(|&other| state.tabs[other].core.is_some()).collect::<Vec<_>>() {
                    state.tabs[other].pokes.push_back(poke.clone());
                }
            }
            Effect::Reply { call, result } => {
                let expected = state.tabs[tab].calls.remove(&call.0);
                state.expect(expected, "a call was answered twice, or never made");
                self.told(state, tab, call.0, &result);
            }
            Effect::Notify(Event::Settled { id, .. }) => {
                let first = state.tabs[tab].settled.insert(item_of(&id));
                state.expect(first, "R29: an item settled twice in one replica");
            }
            _ => {}
        }
    }

    /// What the app is told.
    fn told(&self, state: &mut State, tab: usize, call: u64, result: &Result<Reply, outbox::CallError>) {
        if call >= FIRST_REMOVAL {
            let item = usize::try_from(call - FIRST_REMOVAL).expect("a small number");
            match result {
                Ok(Reply::Done(true)) => {
                    let flying = state.tabs[tab].flights.iter().any(|flight| flight.item == item);
                    state.items[item].removed = true;
                    if flying {
                        self.marks.set(Mark::RemovedInFlight);
                    }
                }
                Ok(_) => self.marks.set(Mark::RemovalInVain),
                Err(_) => self.marks.set(Mark::RemovalFailed),
            }
            return;
        }
        let fate = &mut state.items[usize::try_from(call).expect("a small number")];
        match result {
            Ok(Reply::Enqueued { seq, .. }) => {
                fate.acknowledged = true;
                let right = fate.seq == Some(*seq);
                state.expect(right, "R3: an item was told another place than it has");
            }
            Err(outbox::CallError::Storage(StorageError::Unknown)) => self.marks.set(Mark::EnqueueInDoubt),
            _ => {
                fate.refused = true;
                let stored = fate.seq.is_some();
                state.expect(!stored, "R1: an enqueue failed, and its item is stored");
                self.marks.set(Mark::EnqueueFailed);
            }
        }
    }

    /// The store runs the request of a tab; `told`: what the tab is told instead of the answer.
    pub(crate) fn run(&self, state: &mut State, tab: usize, told: Option<StorageError>) {
        let Some(asked) = state.tabs[tab].asked.take() else { return };
        let answer = match asked {
            Effect::Acquire { op } => {
                if rules::has_claim(&state.store) {
                    self.marks.set(Mark::Inherited);
                }
                let result = state.store.change(Store::acquire);
                Input::Loaded { op, result: told.map_or(result, Err) }
            }
            Effect::Load { op, fence, scope } => {
                let result = state.store.change(|store| store.load(self.seen(store.epoch(), fence), &scope));
                if result == Err(StorageError::Fenced) {
                    self.marks.set(Mark::FencedRead);
                }
                Input::Loaded { op, result: told.map_or(result, Err) }
            }
            Effect::Persist { op, fence, writes } => {
                let result = self.persist(state, fence, &writes);
                if let (Ok(committed), None) = (&result, &told) {
                    state.tabs[tab].promised = rules::claims(fence, &writes, committed);
                }
                Input::Persisted { op, result: told.map_or(result, Err) }
            }
            _ => return,
        };
        state.tabs[tab].answer = Some(answer);
        state.check_state();
    }

    fn persist(
        &self,
        state: &mut State,
        fence: Option<Fence>,
        writes: &[Write],
    ) -> Result<outbox::storage::Committed, StorageError> {
        let before = state.store.clone();
        let result = state.store.change(|store| store.persist(self.seen(store.epoch(), fence), writes));
        if self.planted == Some(Planted::CommitLost) {
            state.store = before;
            return result;
        }
        match &result {
            Ok(committed) => {
                state.check_commit(&before, fence, writes, committed);
                self.mark_writes(fence, writes);
            }
            Err(StorageError::Fenced) => self.marks.set(Mark::Fenced),
            Err(_) => state.expect(false, "the store failed by itself"),
        }
        result
    }

    fn mark_writes(&self, fence: Option<Fence>, writes: &[Write]) {
        let puts = writes.iter().filter(|write| matches!(write, Write::Put { .. })).count();
        if puts > self.slots as usize {
            self.marks.set(Mark::ClaimedAhead);
        }
        for write in writes {
            match write {
                Write::Insert { .. } if fence.is_some() => self.marks.set(Mark::BornClaimed),
                Write::Bury { .. } => self.marks.set(Mark::Buried),
                _ => {}
            }
        }
    }

    /// The fence as the store takes it: the planted fault takes any for the current one.
    fn seen(&self, epoch: outbox::Epoch, fence: Option<Fence>) -> Option<Fence> {
        let ignored = self.planted == Some(Planted::FenceIgnored);
        fence.map(|fence| if ignored { Fence { epoch, ..fence } } else { fence })
    }

    /// The request of a tab fails, and nothing is written.
    pub(crate) fn fail(&self, state: &mut State, tab: usize, error: StorageError) {
        let answer = match state.tabs[tab].asked.take() {
            Some(Effect::Acquire { op } | Effect::Load { op, .. }) => {
                Input::Loaded { op, result: Err(error) }
            }
            Some(Effect::Persist { op, .. }) => Input::Persisted { op, result: Err(error) },
            _ => return,
        };
        state.tabs[tab].answer = Some(answer);
    }

    /// The store's answer arrives.
    pub(crate) fn answer(&self, state: &mut State, tab: usize) {
        let it = &mut state.tabs[tab];
        let Some(answer) = it.answer.take() else { return };
        if self.planted == Some(Planted::AnswerLost) && matches!(answer, Input::Persisted { .. }) {
            return;
        }
        let promised = std::mem::take(&mut it.promised);
        it.claims.extend(promised);
        self.input(state, tab, answer);
    }
}
