//! Settle once (R14, R18, R29): an item is told settled at most once per page and epoch, when it is gone from
//! the store, and with the outcome of the write that took it away. A success settles exactly if it is of
//! this epoch and of the current args; once an item's end is decided, late results change nothing.
//!
//! * After `Settled`: that the store no longer has it; its outcome, with the delete that committed first.
//! * After `Resolved`, unless at an attempt's end: its outcome, with the same.
//! * After a success: its epoch and the args it was dispatched with, with the page's; whether it was told
//!   committed.
//! * After a late failure: that nothing was made of it.

use std::collections::{BTreeMap, BTreeSet};

use outbox::{
    AttemptId, AttemptOutcome, CallId, Class, Effect, Event, Input, ItemId, Outcome, Place, Reply, Seq,
    Timestamp, Verdict, ViewChange, storage::Fence,
};

use super::{Facts, Oracle, facts::How, per_tab::PerTab};
use crate::{moment::Moment, world::World};

/// The judge.
#[derive(Debug, Default)]
pub struct SettleOnce {
    pages: PerTab<Told>,
}

/// What a page was given and has told since it was opened, or acquired.
#[derive(Debug, Default)]
struct Told {
    fence: Option<Fence>,
    settled: BTreeSet<ItemId>,
    resolved: BTreeSet<ItemId>,
    /// How often the args had been rewritten when an attempt was dispatched.
    dispatched: BTreeMap<(Seq, u32), u32>,
    /// Those in flight, with their deadlines.
    flying: BTreeMap<AttemptId, Timestamp>,
    /// Removals under way of items that the page knew.
    removing: BTreeMap<CallId, ItemId>,
    /// Items whose end may or may not be decided: the hook took them out, or one of two removals failed.
    unsure: BTreeSet<ItemId>,
    /// What must come of the input under way.
    due: Due,
    /// The input under way is an attempt's end, or a timer, which may end attempts, or comes when one has run
    /// out: of a page that was frozen, any does.
    ends_attempts: bool,
}

#[derive(Debug, Default)]
enum Due {
    #[default]
    Anything,
    /// This item is told committed.
    Commit(ItemId, AttemptId),
    /// It is not.
    NoCommit(ItemId, AttemptId, &'static str),
    /// Nothing comes of this late failure.
    NoFailure(ItemId, AttemptId),
}

impl Oracle for SettleOnce {
    fn name(&self) -> &'static str {
        "settle-once"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R14", "R18", "R29"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => self.pages.opened(*tab),
            Moment::Input { tab, input } => {
                let told = self.pages.of(*tab);
                told.reign(facts.page(*tab).and_then(|page| page.fence));
                told.given(world, *tab, input);
            }
            Moment::Effect { tab, effect } => {
                let now = world.page(*tab).map(|page| world.time_of(page));
                let told = self.pages.of(*tab);
                if let Effect::Cancel(attempt) = effect {
                    let deadline = told.flying.get(attempt).copied();
                    told.ends_attempts |= deadline.zip(now).is_some_and(|(deadline, now)| deadline <= now);
                }
                return told.wants(facts, effect).map_err(|what| format!("t{tab}: {what}"));
            }
            Moment::Handled { tab, .. } => {
                if let Due::Commit(id, attempt) = std::mem::take(&mut self.pages.of(*tab).due) {
                    return Err(format!("t{tab}: the success of {attempt} did not settle {id}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Told {
    /// A new epoch begins with an acquire.
    fn reign(&mut self, fence: Option<Fence>) {
        if fence.is_some() && fence != self.fence {
            let removing = std::mem::take(&mut self.removing);
            *self = Self { removing, ..Self::default() };
        }
        self.fence = fence;
    }

    fn given(&mut self, world: &World, tab: u32, input: &Input) {
        self.due = Due::Anything;
        self.ends_attempts = matches!(input, Input::Resolved { .. } | Input::Tick);
        match input {
            Input::Resolved { attempt, outcome } => self.due = self.due_of(world, tab, *attempt, outcome),
            Input::Remove { call, id } => {
                if world.page(tab).is_some_and(|page| page.outbox.item(id).is_some()) {
                    self.removing.insert(*call, id.clone());
                }
            }
            Input::Answered { verdicts: Ok(verdicts), .. } => {
                let kept = |verdict: &Verdict| matches!(verdict, Verdict::Keep | Verdict::Rewrite(_));
                let ended = verdicts.iter().filter(|(_, verdict)| !kept(verdict));
                self.unsure.extend(ended.map(|(id, _)| id.clone()));
            }
            _ => {}
        }
    }

    /// What must come of an attempt's end (R14).
    fn due_of(&mut self, world: &World, tab: u32, attempt: AttemptId, outcome: &AttemptOutcome) -> Due {
        let in_flight = self.flying.remove(&attempt).is_some();
        let Some(page) = world.page(tab) else { return Due::Anything };
        let Some(item) = page.view.get(&Place::Stored(attempt.seq)) else { return Due::Anything };
        let id = item.id.clone();
        let refused = match outcome {
            AttemptOutcome::Success { .. } => false,
            AttemptOutcome::Failure(failure) if failure.class != Class::NonRetriable => {
                return if in_flight { Due::Anything } else { Due::NoFailure(id, attempt) };
            }
            AttemptOutcome::Failure(_) => true,
        };
        let why_not = if self.fence.is_none_or(|fence| fence != attempt.fence()) {
            "it is of another epoch"
        } else if refused {
            return Due::Anything;
        } else if self.resolved.contains(&id) {
            "its end was told"
        } else if self.unsure.contains(&id) {
            return Due::Anything;
        } else if self.removing.values().any(|removing| *removing == id) {
            "it is being removed"
        } else {
            match self.dispatched.get(&(attempt.seq, attempt.attempt)) {
                None => "it was never dispatched in this epoch",
                Some(rewrites) if *rewrites != item.rewrites => "its args have been rewritten",
                Some(_) => return Due::Commit(id, attempt),
            }
        };
        Due::NoCommit(id, attempt, why_not)
    }

    fn wants(&mut self, facts: &Facts, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Dispatch { attempt, item, deadline } => {
                self.flying.insert(*attempt, *deadline);
                self.dispatched.insert((attempt.seq, attempt.attempt), item.rewrites);
            }
            Effect::Cancel(attempt) => {
                self.flying.remove(attempt);
                // Its own time was up in the same turn: that failure counts.
                if matches!(&self.due, Due::NoFailure(_, late) if late.seq == attempt.seq) {
                    self.due = Due::Anything;
                }
            }
            // Its id was given anew: another item.
            Effect::View(ViewChange::Set { item, .. }) if self.settled.contains(&item.id) => {
                if facts.stored(&item.id).is_some() {
                    self.settled.remove(&item.id);
                    self.resolved.remove(&item.id);
                }
            }
            Effect::Reply { call, result } => self.replied(*call, !matches!(result, Ok(Reply::Done(_)))),
            Effect::Notify(Event::Resolved { id, outcome }) => return self.is_told(facts, id, outcome),
            Effect::Notify(Event::AttemptFailed { id, attempt, .. }) => {
                if let Due::NoFailure(item, late) = &self.due
                    && item == id
                {
                    return Err(format!("the late failure of {late} is counted as {id}'s attempt {attempt}"));
                }
            }
            Effect::Notify(Event::Settled { id, seq, outcome }) => {
                return self.has_settled(facts, id, *seq, outcome);
            }
            _ => {}
        }
        Ok(())
    }

    /// A removal ended; if it failed, and another of the same item is under way, nobody can tell.
    fn replied(&mut self, call: CallId, failed: bool) {
        if let Some(id) = self.removing.remove(&call)
            && failed
            && self.removing.values().any(|other| *other == id)
        {
            self.unsure.insert(id);
        }
    }

    fn is_told(&mut self, facts: &Facts, id: &ItemId, outcome: &Outcome) -> Result<(), String> {
        if !self.resolved.insert(id.clone()) {
            return Err(format!("the outcome of {id} is told twice in one epoch: {outcome:?}"));
        }
        if matches!(outcome, Outcome::Committed { .. }) {
            match std::mem::take(&mut self.due) {
                Due::NoCommit(item, attempt, why) if item == *id => {
                    return Err(format!("the success of {attempt} settles {id}, though {why}"));
                }
                Due::Commit(item, _) if item == *id => {}
                other => self.due = other,
            }
        }
        // At an attempt's end it is told before the store has it.
        if !self.ends_attempts
            && let Some(how) = end_of(facts, id)
            && !agrees(outcome, how)
        {
            return Err(format!("{id} is told {outcome:?}; the store has it as {how:?}"));
        }
        Ok(())
    }

    fn has_settled(&mut self, facts: &Facts, id: &ItemId, seq: Seq, outcome: &Outcome) -> Result<(), String> {
        if !self.settled.insert(id.clone()) {
            return Err(format!("{id} is told settled twice in one epoch: {outcome:?}"));
        }
        if facts.stored(id) == Some(seq) {
            return Err(format!("{id} is told settled, and is stored at {seq}"));
        }
        let here = facts.gone(seq).filter(|gone| gone.row.id() == Some(id));
        match here {
            Some(gone) if !agrees(outcome, &gone.how) => {
                Err(format!("{id} is told settled as {outcome:?}; the store has it as {:?}", gone.how))
            }
            _ => Ok(()),
        }
    }
}

/// How an item left the store that is there now.
fn end_of<'a>(facts: &'a Facts, id: &ItemId) -> Option<&'a How> {
    let mut id = id;
    // An item that was squashed has the survivor's end; a survivor ends later, so this comes to an end.
    loop {
        let place = facts.places(id).last().filter(|place| place.made == facts.made)?;
        let gone = facts.gone(place.seq).filter(|gone| gone.row.id() == Some(id))?;
        match &gone.how {
            How::Deleted(Outcome::Squashed { into }) if into != id => id = into,
            how => return Some(how),
        }
    }
}

/// Whether what is told is what the store did. `Gone` is for who cannot know.
fn agrees(told: &Outcome, how: &How) -> bool {
    match (told, how) {
        (Outcome::Gone, _)
        | (_, How::Undone)
        | (Outcome::Committed { .. }, How::Deleted(Outcome::Committed { .. }))
        | (Outcome::Dropped { .. }, How::Buried)
        | (Outcome::Removed, How::Removed | How::Deleted(Outcome::Removed)) => true,
        (Outcome::Squashed { into }, How::Deleted(Outcome::Squashed { into: stored })) => into == stored,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use outbox::{Epoch, Failure, SerializedError};

    use super::*;
    use crate::oracle::tamper::{calm, effects, id, inputs, rang, truth, unavailable_at_first};

    fn judged(liar: impl FnMut(&Effect) -> Vec<Effect>) -> Option<String> {
        effects(&mut SettleOnce::default(), &calm(2), liar)
    }

    #[test]
    fn a_run_with_retries_is_in_order() {
        assert_eq!(truth(&mut SettleOnce::default(), &unavailable_at_first(3)), None);
    }

    #[test]
    fn an_end_that_is_told_twice_rings() {
        let settled = judged(|effect| match effect {
            Effect::Notify(Event::Settled { .. }) => vec![effect.clone(), effect.clone()],
            effect => vec![effect.clone()],
        });
        rang(settled, "settled twice");
        let resolved = judged(|effect| match effect {
            Effect::Notify(Event::Resolved { .. }) => vec![effect.clone(), effect.clone()],
            effect => vec![effect.clone()],
        });
        rang(resolved, "told twice");
    }

    #[test]
    fn an_end_that_is_not_the_stores_rings() {
        let found = judged(|effect| match effect {
            Effect::Notify(Event::Settled { id, seq, .. }) => {
                let (id, seq, outcome) = (id.clone(), *seq, Outcome::Removed);
                vec![Effect::Notify(Event::Settled { id, seq, outcome })]
            }
            effect => vec![effect.clone()],
        });
        rang(found, "the store has it as Deleted");
    }

    #[test]
    fn an_end_that_is_not_durable_rings() {
        let found = judged(|effect| match effect {
            Effect::Dispatch { attempt, item, .. } => {
                let (id, seq, outcome) = (item.id.clone(), attempt.seq, Outcome::Committed { result: None });
                vec![effect.clone(), Effect::Notify(Event::Settled { id, seq, outcome })]
            }
            effect => vec![effect.clone()],
        });
        rang(found, "is stored at");
    }

    #[test]
    fn a_success_that_does_not_settle_rings() {
        let found = judged(|effect| match effect {
            Effect::Notify(Event::Resolved { .. }) => Vec::new(),
            effect => vec![effect.clone()],
        });
        rang(found, "did not settle i1");
    }

    #[test]
    fn a_success_of_another_epoch_or_attempt_that_settles_rings() {
        type Lie = fn(&mut AttemptId);
        let lies: [(Lie, &str); 2] = [
            (|attempt| attempt.epoch = Epoch(attempt.epoch.0 + 1), "another epoch"),
            (|attempt| attempt.attempt += 1, "never dispatched"),
        ];
        for (lie, words) in lies {
            let found = inputs(&mut SettleOnce::default(), &calm(1), |input| {
                let mut input = input.clone();
                if let Input::Resolved { attempt, .. } = &mut input {
                    lie(attempt);
                }
                vec![input]
            });
            rang(found, words);
        }
    }

    #[test]
    fn a_late_failure_that_counts_rings() {
        // The page is told of the failure twice, and tells of it at the second time.
        let late = |input: &Input| match input {
            Input::Resolved { attempt, outcome: AttemptOutcome::Failure(_) } => {
                let error = SerializedError::new("HttpError", "503");
                let failure = Failure { class: Class::Server, error, retry_after_ms: None };
                let outcome = AttemptOutcome::Failure(failure);
                vec![Input::Resolved { attempt: *attempt, outcome }, input.clone()]
            }
            input => vec![input.clone()],
        };
        let found = inputs(&mut SettleOnce::default(), &unavailable_at_first(1), late);
        rang(found, &format!("is counted as {}'s attempt 1", id(1)));
    }
}
