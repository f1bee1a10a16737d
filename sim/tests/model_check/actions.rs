//! What can happen next, and what then does: the model's actions.

use outbox::{
    AttemptOutcome, CallId, Class, Draft, Failure, Input, Json, Key, SerializedError, Timestamp, Trigger,
    storage::StorageError,
};

use super::{
    marks::Mark,
    rules::is_due,
    state::{Fate, MUTATOR, State, TABS, Tab, id_of},
    world::World,
};

/// Removals are numbered after the enqueues, which have the numbers of their items.
pub(crate) const FIRST_REMOVAL: u64 = 100;
/// Time passes at most so often before everything has settled: more is a livelock.
const MAX_PASSES: u32 = 40;

/// One step. `tab` is an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The app enqueues the next item in this tab.
    Enqueue { tab: usize },
    /// The app removes an item.
    Remove { tab: usize, item: usize },
    /// The store runs the request of this tab.
    Run { tab: usize },
    /// It fails: nothing is written.
    RunInVain { tab: usize },
    /// The store cannot tell whether it committed.
    RunInDoubt { tab: usize, committed: bool },
    /// The store's answer arrives.
    Answer { tab: usize },
    /// The oldest poke on its way to this tab arrives.
    Poke { tab: usize },
    /// It is lost.
    LosePoke { tab: usize },
    /// The server has it, and the answer arrives.
    Succeed { tab: usize, flight: usize },
    /// The network fails the attempt, before or after the server had it.
    Fail { tab: usize, flight: usize, applied: bool },
    /// The server refuses it for good.
    Refuse { tab: usize, flight: usize },
    /// A request that nobody waits for arrives at the server.
    Stray { item: usize },
    /// The tab dies.
    Crash { tab: usize },
    /// It is opened again.
    Reopen { tab: usize },
    /// The tab is given the lock, which was free.
    Elect { tab: usize },
    /// The tab is given the lock, taken from its holder.
    Steal { tab: usize },
    /// The former holder learns of it.
    Depose { tab: usize },
    /// A timer of this tab is due.
    Tick { tab: usize },
    /// Nothing else can happen: time passes to the next timer.
    Pass,
    /// Time passes although something is on its way.
    Leap,
}

impl World {
    /// What leads on: nothing of this is a fault or a wish of the user.
    pub(crate) fn progress(&self, state: &State, actions: &mut Vec<Action>) {
        let now = state.now();
        for (tab, it) in state.tabs.iter().enumerate() {
            let Some(core) = &it.core else { continue };
            if it.asked.is_some() {
                actions.push(Action::Run { tab });
            }
            if it.answer.is_some() {
                actions.push(Action::Answer { tab });
            }
            if !it.pokes.is_empty() {
                actions.push(Action::Poke { tab });
            }
            for (flight, _) in it.flights.iter().enumerate().filter(|(_, flight)| !flight.cancelled) {
                actions.push(Action::Succeed { tab, flight });
            }
            if state.lock.is_none() && !it.elected {
                actions.push(Action::Elect { tab });
            }
            if is_due(core.wake_at(), now) {
                actions.push(Action::Tick { tab });
            }
        }
        // Without a holder of the lock, time would pass in vain: the former one is to learn of it, or all
        // died.
        let waits = actions.is_empty() && state.lock.is_some() && state.passes < MAX_PASSES;
        if waits && !state.is_at_rest() && self.next_time(state).is_some() {
            actions.push(Action::Pass);
        }
        for (tab, it) in state.tabs.iter().enumerate() {
            if it.core.is_none() {
                actions.push(Action::Reopen { tab });
            }
            if it.deposed {
                actions.push(Action::Depose { tab });
            }
        }
    }

    /// Faults and wishes, as long as the budget lasts.
    pub(crate) fn perturb(&self, state: &State, actions: &mut Vec<Action>) {
        let left = state.left;
        let alive = || (0..TABS).filter(|&tab| state.tabs[tab].core.is_some());
        for tab in alive() {
            let it = &state.tabs[tab];
            if state.items.len() < self.items.len() {
                actions.push(Action::Enqueue { tab });
            }
            if left.removals > 0 {
                let items = (0..state.items.len()).filter(|&item| !state.items[item].removal);
                actions.extend(items.map(|item| Action::Remove { tab, item }));
            }
            if left.crashes > 0 {
                actions.push(Action::Crash { tab });
            }
            if left.steals > 0 && state.lock.is_some_and(|holder| holder != tab) && !it.elected {
                actions.push(Action::Steal { tab });
            }
            if left.lost_pokes > 0 && !it.pokes.is_empty() {
                actions.push(Action::LosePoke { tab });
            }
            if left.failures > 0 && it.asked.is_some() {
                actions.push(Action::RunInVain { tab });
            }
            if left.doubts > 0 && it.asked.is_some() {
                let doubt = |committed| Action::RunInDoubt { tab, committed };
                actions.extend([true, false].map(doubt));
            }
            self.perturb_flights(state, tab, actions);
        }
        actions.extend(state.strays.iter().map(|&item| Action::Stray { item }));
        if left.leaps > 0 {
            actions.push(Action::Leap);
        }
    }

    fn perturb_flights(&self, state: &State, tab: usize, actions: &mut Vec<Action>) {
        for (flight, it) in state.tabs[tab].flights.iter().enumerate() {
            if it.cancelled {
                actions.push(Action::Succeed { tab, flight });
            }
            if state.left.unanswered > 0 {
                let fail = |applied| Action::Fail { tab, flight, applied };
                actions.extend([true, false].map(fail));
            }
            if state.left.refusals > 0 && !state.applied.contains(&it.item) {
                actions.push(Action::Refuse { tab, flight });
            }
        }
    }

    /// When the next timer of a tab is due. While only a view is stale, the last one: timers may be late.
    fn next_time(&self, state: &State) -> Option<u64> {
        let wakes =
            state.tabs.iter().filter_map(|tab| tab.core.as_ref()?.wake_at()).map(Timestamp::as_millis);
        if state.store.rows().len() == 0 { wakes.max() } else { wakes.min() }
    }

    pub(crate) fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Enqueue { tab } => self.enqueue(state, tab),
            Action::Remove { tab, item } => {
                state.left.removals -= 1;
                state.items[item].removal = true;
                let call = FIRST_REMOVAL + item as u64;
                state.tabs[tab].calls.insert(call);
                self.input(state, tab, Input::Remove { call: CallId(call), id: id_of(item) });
            }
            Action::Run { tab } => self.run(state, tab, None),
            Action::RunInVain { tab } => {
                state.left.failures -= 1;
                self.fail(state, tab, StorageError::Unavailable { cause: "locked".into() });
            }
            Action::RunInDoubt { tab, committed } => {
                state.left.doubts -= 1;
                if committed {
                    self.run(state, tab, Some(StorageError::Unknown));
                } else {
                    self.fail(state, tab, StorageError::Unknown);
                }
            }
            Action::Answer { tab } => self.answer(state, tab),
            Action::Poke { tab } => {
                if let Some(poke) = state.tabs[tab].pokes.pop_front() {
                    self.input(state, tab, Input::Poked(poke));
                }
            }
            Action::LosePoke { tab } => {
                state.left.lost_pokes -= 1;
                state.tabs[tab].pokes.pop_front();
                self.marks.set(Mark::PokeLost);
            }
            Action::Succeed { .. } | Action::Fail { .. } | Action::Refuse { .. } => {
                self.resolve(state, action);
            }
            Action::Stray { item } => {
                self.apply(state, item);
                self.marks.set(Mark::StrayApplied);
            }
            Action::Crash { tab } => self.crash(state, tab),
            Action::Reopen { tab } => self.open(state, tab),
            Action::Elect { tab } => self.elect(state, tab),
            Action::Steal { tab } => {
                state.left.steals -= 1;
                if let Some(holder) = state.lock {
                    state.tabs[holder].deposed = true;
                }
                self.elect(state, tab);
            }
            Action::Depose { tab } => {
                state.tabs[tab].deposed = false;
                state.tabs[tab].elected = false;
                self.input(state, tab, Input::Deposed);
            }
            Action::Tick { tab } => self.input(state, tab, Input::Tick),
            Action::Pass => {
                state.passes += 1;
                state.now = self.next_time(state).unwrap_or(state.now);
            }
            Action::Leap => {
                state.left.leaps -= 1;
                state.now += self.leap_ms;
            }
        }
    }

    fn enqueue(&self, state: &mut State, tab: usize) {
        let item = state.items.len();
        let keys = self.items[item];
        state.items.push(Fate { keys, ..Fate::default() });
        let key = Key::new(keys.iter().copied()).expect("keys within their limits");
        let draft = Draft::new(id_of(item), MUTATOR, Json::null()).with_key(key);
        state.tabs[tab].calls.insert(item as u64);
        self.input(state, tab, Input::Enqueue { call: CallId(item as u64), draft });
    }

    fn resolve(&self, state: &mut State, action: Action) {
        let (Action::Succeed { tab, flight }
        | Action::Fail { tab, flight, .. }
        | Action::Refuse { tab, flight }) = action
        else {
            return;
        };
        let flight = state.tabs[tab].flights.remove(flight);
        if flight.cancelled {
            self.marks.set(Mark::LateResult);
        }
        let outcome = match action {
            Action::Fail { applied, .. } => {
                state.left.unanswered -= 1;
                if applied {
                    self.apply(state, flight.item);
                }
                failure(Class::Transport)
            }
            Action::Refuse { .. } => {
                state.left.refusals -= 1;
                state.items[flight.item].unwanted = true;
                failure(Class::NonRetriable)
            }
            _ => {
                self.apply(state, flight.item);
                AttemptOutcome::Success { result: None }
            }
        };
        self.input(state, tab, Input::Resolved { attempt: flight.attempt, outcome });
    }

    /// The server has an item; only the first time counts.
    fn apply(&self, state: &mut State, item: usize) {
        state.strays.remove(&item);
        if !state.applied.contains(&item) {
            state.applied.push(item);
            state.check_order(item);
        }
    }

    fn crash(&self, state: &mut State, tab: usize) {
        state.left.crashes -= 1;
        let dead = std::mem::replace(&mut state.tabs[tab], Tab::dead());
        if state.lock == Some(tab) {
            state.lock = None;
        }
        let strays = dead.flights.iter().map(|flight| flight.item);
        let strays: Vec<usize> = strays.filter(|item| !state.applied.contains(item)).collect();
        state.strays.extend(strays);
        if dead.answer.is_some() {
            self.marks.set(Mark::CrashAfterCommit);
        }
    }

    pub(crate) fn open(&self, state: &mut State, tab: usize) {
        state.tabs[tab].core = Some(Tab::fresh_core(state.now(), self.slots));
        self.input(state, tab, Input::Wake(Trigger::Init));
    }

    pub(crate) fn elect(&self, state: &mut State, tab: usize) {
        state.lock = Some(tab);
        state.tabs[tab].elected = true;
        self.input(state, tab, Input::Elected);
    }
}

fn failure(class: Class) -> AttemptOutcome {
    let error = SerializedError::new("Error", "as the model has it");
    AttemptOutcome::Failure(Failure { class, error, retry_after_ms: None })
}
