//! `Items`: what an item is in each lane, told from inputs, effects and what the store did.

use std::{collections::BTreeMap, sync::Arc};

use outbox::{
    AskId, AttemptOutcome, CallId, Effect, Event, Input, ItemId, Key, Place, Poke, Reply, Seq, Verdict,
    ViewChange,
    record::{self, Decoded},
    storage::{Committed, OpId, Write, WriteResult},
};

use super::{ItemMark, State, Who};

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Items {
    states: BTreeMap<Who, BTreeMap<String, State>>,
    /// The rows of the store, by their places.
    rows: BTreeMap<Seq, String>,
    pages: BTreeMap<u32, PageItems>,
}

/// What the page of a tab has named so far.
#[derive(Debug, Default)]
struct PageItems {
    /// Places stay known when their item has left: late answers are about them.
    places: BTreeMap<Place, String>,
    calls: BTreeMap<CallId, String>,
    requests: BTreeMap<OpId, Vec<String>>,
    asks: BTreeMap<AskId, Vec<String>>,
}

impl PageItems {
    fn at(&self, seq: Seq) -> String {
        self.places.get(&Place::Stored(seq)).cloned().unwrap_or_else(|| seq.to_string())
    }
}

/// The lanes that a key names.
fn lanes(key: &Key) -> Vec<String> {
    if key.is_unknown() {
        vec!["unknown".into()]
    } else {
        key.keys().iter().map(ToString::to_string).collect()
    }
}

fn mention(id: impl Into<String>) -> ItemMark {
    ItemMark { id: id.into(), state: None, keys: Vec::new() }
}

fn text(id: &ItemId) -> String {
    id.as_str().into()
}

impl Items {
    /// The page of a tab is gone, and with it all that it knew.
    pub(super) fn end_page(&mut self, tab: u32) {
        self.states.remove(&Who::Tab(tab));
        self.pages.remove(&tab);
    }

    /// A tab is given an input.
    pub(super) fn input(&mut self, tab: u32, input: &Input) -> Vec<ItemMark> {
        let who = Who::Tab(tab);
        let page = self.pages.entry(tab).or_default();
        match input {
            Input::Enqueue { call, draft } => {
                page.calls.insert(*call, text(&draft.id));
                vec![self.set(who, text(&draft.id), State::Writing)]
            }
            Input::RetryFailure { call, failure, id } => {
                page.calls.insert(*call, text(id));
                vec![mention(failure.as_str()), self.set(who, text(id), State::Writing)]
            }
            Input::Remove { call, id } => {
                page.calls.insert(*call, text(id));
                vec![self.set_if(who, text(id), State::Removing, |_| true)]
            }
            Input::DismissFailure { call, id } => {
                page.calls.insert(*call, text(id));
                vec![mention(id.as_str())]
            }
            Input::Persisted { op, .. } => {
                page.requests.remove(op).unwrap_or_default().into_iter().map(mention).collect()
            }
            Input::Resolved { attempt, outcome } => {
                let id = page.at(attempt.seq);
                match outcome {
                    AttemptOutcome::Success { .. } => vec![self.set_if(who, id, State::Settling, |_| true)],
                    AttemptOutcome::Failure(_) => vec![mention(id)],
                }
            }
            Input::Answered { ask, verdicts } => {
                let asked = page.asks.remove(ask).unwrap_or_default();
                self.answered(who, asked, verdicts.as_deref().ok())
            }
            Input::Poked(Poke::Committed { settled, changed, .. }) => {
                let changed = changed.iter().map(|seq| mention(page.at(*seq)));
                settled.iter().map(|(_, id, _)| mention(id.as_str())).chain(changed).collect()
            }
            Input::Deposed => self.release(who),
            _ => Vec::new(),
        }
    }

    /// The hook answered: what it keeps is due, what it leaves out goes.
    fn answered(
        &mut self,
        who: Who,
        asked: Vec<String>,
        verdicts: Option<&[(ItemId, Verdict)]>,
    ) -> Vec<ItemMark> {
        let mut marks = Vec::new();
        for id in asked {
            let state = match verdicts {
                None => State::Stored,
                Some(verdicts) => match verdicts.iter().find(|(named, _)| named.as_str() == id) {
                    Some((_, Verdict::Keep | Verdict::Rewrite(_))) => State::Stored,
                    Some((_, Verdict::Remove | Verdict::SquashInto(_))) | None => State::Removing,
                },
            };
            marks.push(self.set_if(who, id, state, |before| before == State::Asked));
        }
        marks
    }

    /// A tab asks for an effect, or tells something.
    pub(super) fn effect(&mut self, tab: u32, effect: &Effect) -> Vec<ItemMark> {
        let who = Who::Tab(tab);
        let page = self.pages.entry(tab).or_default();
        match effect {
            Effect::Persist { op, writes, .. } => {
                let marks: Vec<_> = writes.iter().flat_map(|write| self.asked_to_write(tab, write)).collect();
                let ids = marks.iter().map(|mark| mark.id.clone()).collect();
                self.pages.entry(tab).or_default().requests.insert(*op, ids);
                marks
            }
            Effect::Dispatch { item, .. } => vec![self.set(who, text(&item.id), State::InFlight)],
            Effect::Cancel(attempt) => vec![mention(page.at(attempt.seq))],
            Effect::AskBeforeRetry { ask, items } => {
                page.asks.insert(*ask, items.iter().map(|asked| text(&asked.item.id)).collect());
                items.iter().map(|asked| self.set(who, text(&asked.item.id), State::Asked)).collect()
            }
            Effect::Resign | Effect::Notify(Event::Leading(false)) => self.release(who),
            Effect::Reply { call, result } => {
                let Some(id) = page.calls.remove(call) else { return Vec::new() };
                match result {
                    Ok(Reply::Enqueued { .. }) => {
                        vec![self.set_if(who, id, State::Stored, |before| before == State::Writing)]
                    }
                    Ok(Reply::Done(_)) => vec![mention(id)],
                    Err(_) => vec![self.set_if(who, id, State::Gone, |before| before == State::Writing)],
                }
            }
            Effect::View(change) => self.view(tab, change),
            Effect::Notify(event) => self.told(tab, event),
            _ => Vec::new(),
        }
    }

    fn asked_to_write(&mut self, tab: u32, write: &Write) -> Vec<ItemMark> {
        let who = Who::Tab(tab);
        let page = self.pages.entry(tab).or_default();
        let settles = |before| before != State::Removing;
        match write {
            Write::Delete { seq, .. } => {
                let id = page.at(*seq);
                vec![self.set_if(who, id, State::Settling, settles)]
            }
            Write::Bury { id, .. } => vec![self.set_if(who, text(id), State::Settling, settles)],
            Write::Remove { id } => vec![self.set_if(who, text(id), State::Removing, |_| true)],
            Write::Put { seq, record } => {
                let id = page.at(*seq);
                if is_claimed(*seq, record.as_bytes()) {
                    vec![self.set(who, id, State::Claiming)]
                } else {
                    vec![mention(id)]
                }
            }
            Write::Insert { id, .. } | Write::DismissFailure { id } => vec![mention(id.as_str())],
            Write::RetryFailure { failure, id, .. } => vec![mention(failure.as_str()), mention(id.as_str())],
            Write::Pause { .. } | Write::Resume { .. } => Vec::new(),
        }
    }

    fn view(&mut self, tab: u32, change: &ViewChange) -> Vec<ItemMark> {
        let who = Who::Tab(tab);
        let page = self.pages.entry(tab).or_default();
        match change {
            ViewChange::Set { place, item } => {
                page.places.insert(*place, text(&item.id));
                let keys = lanes(&item.key);
                if self.state(who, item.id.as_str()).is_some() {
                    return vec![ItemMark { keys, ..mention(item.id.as_str()) }];
                }
                let state = if matches!(place, Place::Stored(_)) { State::Stored } else { State::Writing };
                vec![ItemMark { keys, ..self.set(who, text(&item.id), state) }]
            }
            ViewChange::Moved { from, to } => {
                let Some(id) = page.places.get(from).cloned() else { return Vec::new() };
                page.places.insert(*to, id.clone());
                vec![self.set_if(who, id, State::Stored, |before| before == State::Writing)]
            }
            ViewChange::Left { place, .. } => {
                let Some(id) = page.places.get(place).cloned() else { return Vec::new() };
                vec![self.set_if(who, id, State::Gone, |_| true)]
            }
        }
    }

    fn told(&mut self, tab: u32, event: &Event) -> Vec<ItemMark> {
        let who = Who::Tab(tab);
        match event {
            Event::Resolved { id, .. } => {
                vec![self.set_if(who, text(id), State::Settling, is_worked_on)]
            }
            Event::Settled { id, .. } => vec![self.set_if(who, text(id), State::Gone, |_| true)],
            Event::AttemptFailed { id, .. } => vec![self.set(who, text(id), State::Backoff)],
            Event::Parked { id, .. } => vec![self.set(who, text(id), State::Parked)],
            Event::Stuck { id, .. } | Event::FailureEvicted { id } => vec![mention(id.as_str())],
            Event::Quarantined { seq, .. } => vec![mention(seq.to_string())],
            _ => Vec::new(),
        }
    }

    /// The store ran a request.
    pub(super) fn ran(&mut self, request: &Effect, answer: &Input) -> Vec<ItemMark> {
        let Effect::Persist { writes, .. } = request else { return Vec::new() };
        let Input::Persisted { result, .. } = answer else { return Vec::new() };
        let results: &[WriteResult] = match result {
            Ok(Committed { results, .. }) => results,
            Err(_) => &[],
        };
        let none = WriteResult::Missing;
        let with_results = writes.iter().enumerate();
        with_results.filter_map(|(at, write)| self.wrote(write, results.get(at).unwrap_or(&none))).collect()
    }

    /// What a write made of an item of the store.
    fn wrote(&mut self, write: &Write, result: &WriteResult) -> Option<ItemMark> {
        let of_record = |seq, record: &Arc<str>| {
            if is_claimed(seq, record.as_bytes()) { State::Claimed } else { State::Stored }
        };
        let at = |rows: &BTreeMap<Seq, String>, seq: &Seq| {
            rows.get(seq).cloned().unwrap_or_else(|| seq.to_string())
        };
        Some(match (write, result) {
            (Write::Insert { id, record } | Write::RetryFailure { id, record, .. }, result) => {
                let WriteResult::Inserted(seq) = result else { return Some(mention(id.as_str())) };
                self.rows.insert(*seq, text(id));
                self.set(Who::Store, text(id), of_record(*seq, record))
            }
            (Write::Put { seq, record }, WriteResult::Done) => {
                let id = at(&self.rows, seq);
                self.set(Who::Store, id, of_record(*seq, record))
            }
            (Write::Delete { seq, .. }, WriteResult::Done) => {
                let id = at(&self.rows, seq);
                self.set(Who::Store, id, State::Gone)
            }
            (Write::Bury { id, .. } | Write::Remove { id }, WriteResult::Done) => {
                self.set(Who::Store, text(id), State::Gone)
            }
            (Write::Put { seq, .. } | Write::Delete { seq, .. }, _) => mention(at(&self.rows, seq)),
            (Write::Bury { id, .. } | Write::Remove { id } | Write::DismissFailure { id }, _) => {
                mention(id.as_str())
            }
            (Write::Pause { .. } | Write::Resume { .. }, _) => return None,
        })
    }

    /// The rows of the store are these now, whatever they were.
    pub(super) fn rows_are<'a>(&mut self, rows: impl Iterator<Item = (Seq, &'a [u8])>) -> Vec<ItemMark> {
        let mut now = BTreeMap::new();
        self.rows.clear();
        for (seq, record) in rows {
            let id = match record::decode(seq, record, |name| name.into()) {
                Decoded::Item(item) | Decoded::Opaque { item, .. } => text(&item.id),
                _ => seq.to_string(),
            };
            let state = if is_claimed(seq, record) { State::Claimed } else { State::Stored };
            self.rows.insert(seq, id.clone());
            now.insert(id, state);
        }
        let before = self.states.get(&Who::Store).cloned().unwrap_or_default();
        let gone = before.keys().filter(|id| !now.contains_key(*id)).map(|id| (id.clone(), State::Gone));
        let changed = now.iter().filter(|(id, state)| before.get(*id) != Some(*state));
        let changes: Vec<_> = gone.chain(changed.map(|(id, state)| (id.clone(), *state))).collect();
        changes.into_iter().map(|(id, state)| self.set(Who::Store, id, state)).collect()
    }

    // --- States.

    pub(super) fn state(&self, who: Who, id: &str) -> Option<State> {
        self.states.get(&who)?.get(id).copied()
    }

    fn set(&mut self, who: Who, id: String, state: State) -> ItemMark {
        let lane = self.states.entry(who).or_default();
        if state == State::Gone {
            lane.remove(&id);
        } else {
            lane.insert(id.clone(), state);
        }
        ItemMark { id, state: Some(state), keys: Vec::new() }
    }

    /// Sets the state of an item that is in this lane, if what it was allows that.
    fn set_if(&mut self, who: Who, id: String, state: State, allows: impl Fn(State) -> bool) -> ItemMark {
        match self.state(who, &id) {
            Some(before) if allows(before) => self.set(who, id, state),
            _ => mention(id),
        }
    }

    /// A tab works on nothing any more.
    fn release(&mut self, who: Who) -> Vec<ItemMark> {
        let lane = self.states.entry(who).or_default();
        let worked_on = lane.iter().filter(|(_, state)| is_worked_on(**state));
        let ids: Vec<_> = worked_on.map(|(id, _)| id.clone()).collect();
        ids.into_iter().map(|id| self.set(who, id, State::Stored)).collect()
    }
}

/// Whether only a leader has an item in this state.
fn is_worked_on(state: State) -> bool {
    use State::{Asked, Backoff, Claiming, InFlight, Parked, Settling};
    matches!(state, Asked | Backoff | Claiming | InFlight | Parked | Settling)
}

fn is_claimed(seq: Seq, record: &[u8]) -> bool {
    matches!(record::decode(seq, record, |name| name.into()), Decoded::Item(item) if item.claimed)
}
