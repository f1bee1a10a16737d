//! Kept (R15, R16, R18, R23, R24): no row leaves the store but by a settle that has its reason, nothing of a
//! row that this build cannot run is touched, and failure records stay until somebody takes them away.
//!
//! * After a delete, bury or remove is asked for: that the page was given a reason: a success, a refusal,
//!   used up attempts, a verdict, a call.
//! * After a put, dispatch or ask: that the row is one that this page can read and run.
//! * After a failure record goes: that the app asked for it, or that room was needed and that it is told.
//! * At the end: planted rows, byte for byte; failure records, with those of the items that were buried.

use std::collections::{BTreeMap, BTreeSet};

use outbox::{
    AskId, AttemptId, AttemptOutcome, Class, Effect, Event, Exhausted, Input, Item, ItemId, Outcome, Seq,
    Verdict, record,
    storage::{Committed, Fence, StorageError, Write, WriteResult},
};

use super::{Facts, Oracle, facts::How, per_tab::PerTab};
use crate::{
    moment::Moment,
    world::{Page, World},
};

/// So many failure records are kept (R15).
const MAX_FAILURES: usize = 1000;

/// The judge.
#[derive(Debug, Default)]
pub struct Kept {
    pages: PerTab<Reasons>,
    planted: BTreeMap<Seq, Vec<u8>>,
    failures: BTreeSet<ItemId>,
}

/// What a page was given that lets it take something away.
#[derive(Debug, Default)]
struct Reasons {
    fence: Option<Fence>,
    // Since it acquired.
    succeeded: BTreeSet<Seq>,
    refused: BTreeSet<Seq>,
    /// The highest attempt that failed or timed out.
    failed: BTreeMap<Seq, u32>,
    /// The last question, who it is about, and those that the hook took out.
    ask: AskId,
    asked: BTreeMap<ItemId, Seq>,
    taken_out: BTreeSet<Seq>,
    // Since it was opened.
    removals: BTreeSet<ItemId>,
    dismissals: BTreeSet<ItemId>,
    /// The store was full.
    full: bool,
    /// Evictions that were committed, and must be told …
    evicted: BTreeSet<ItemId>,
    /// … in the turn of the answer: this one.
    answered: bool,
}

impl Oracle for Kept {
    fn name(&self) -> &'static str {
        "kept"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R15", "R16", "R18", "R23", "R24"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => self.pages.opened(*tab),
            Moment::Input { tab, input } => {
                let reasons = self.pages.of(*tab);
                reasons.reign(facts.page(*tab).and_then(|page| page.fence));
                reasons.given(input);
            }
            Moment::Effect { tab, effect } => {
                let Some(page) = world.page(*tab) else { return Ok(()) };
                return self.wants(page, facts, *tab, effect).map_err(|what| format!("t{tab}: {what}"));
            }
            Moment::Handled { tab, .. } => {
                let reasons = self.pages.of(*tab);
                if let Some(id) = reasons.evicted.first().filter(|_| reasons.answered) {
                    return Err(format!("t{tab}: the failure record of {id} was evicted and it is not told"));
                }
            }
            Moment::Ran { tab, page, request: Effect::Persist { writes, .. }, answer, told } => {
                if let Input::Persisted { result: Ok(done), .. } = answer {
                    let open = facts.page(*tab).is_some_and(|open| open.id.page == *page);
                    let is_told = matches!(told, Input::Persisted { result: Ok(_), .. });
                    return self.ran(open.then_some((*tab, is_told)), writes, done);
                }
            }
            Moment::Planted { seq, record } => drop(self.planted.insert(*seq, record.to_vec())),
            Moment::MadeAnew => {
                self.planted.clear();
                self.failures.clear();
            }
            Moment::Undone { commits } if *commits > 0 => self.undone(world, facts),
            Moment::End => return self.at_the_end(world, facts),
            _ => {}
        }
        Ok(())
    }
}

impl Reasons {
    /// A new epoch begins with an acquire: nothing of the one before it counts.
    fn reign(&mut self, fence: Option<Fence>) {
        if fence.is_some() && fence != self.fence {
            let Self { removals, dismissals, full, .. } = std::mem::take(self);
            *self = Self { removals, dismissals, full, ..Self::default() };
        }
        self.fence = fence;
    }

    fn given(&mut self, input: &Input) {
        self.answered = matches!(input, Input::Persisted { .. });
        match input {
            Input::Resolved { attempt, outcome } => self.resolved(*attempt, outcome),
            Input::Answered { ask, verdicts: Ok(verdicts) } if *ask == self.ask => {
                let mut left_out = std::mem::take(&mut self.asked);
                for (id, verdict) in verdicts {
                    if matches!(verdict, Verdict::Keep | Verdict::Rewrite(_)) {
                        left_out.remove(id);
                    }
                }
                self.taken_out.extend(left_out.values());
            }
            Input::Remove { id, .. } => drop(self.removals.insert(id.clone())),
            Input::DismissFailure { id, .. } => drop(self.dismissals.insert(id.clone())),
            Input::Persisted { result: Err(StorageError::Full), .. } => self.full = true,
            _ => {}
        }
    }

    fn resolved(&mut self, attempt: AttemptId, outcome: &AttemptOutcome) {
        if self.fence.is_none_or(|fence| fence.epoch != attempt.epoch) {
            return;
        }
        match outcome {
            AttemptOutcome::Success { .. } => drop(self.succeeded.insert(attempt.seq)),
            AttemptOutcome::Failure(failure) if failure.class == Class::NonRetriable => {
                self.refused.insert(attempt.seq);
            }
            AttemptOutcome::Failure(_) => self.has_failed(attempt),
        }
    }

    fn has_failed(&mut self, attempt: AttemptId) {
        let failed = self.failed.entry(attempt.seq).or_default();
        *failed = (*failed).max(attempt.attempt);
    }

    /// Whether there is a reason for the end of an item that a write asks for.
    fn allow(&self, page: &Page, facts: &Facts, write: &Write) -> Result<(), String> {
        match write {
            Write::Delete { seq, outcome } => match outcome {
                Outcome::Committed { .. } if self.succeeded.contains(seq) => Ok(()),
                Outcome::Removed | Outcome::Squashed { .. } if self.taken_out.contains(seq) => Ok(()),
                _ => Err(format!("{seq} is to be deleted as {outcome:?} for no reason")),
            },
            Write::Bury { seq, id, failure } => {
                let names = record::decode_failure(failure.as_bytes(), |name| name.into());
                match names {
                    Ok(record) if record.item.id == *id => {}
                    other => return Err(format!("{id} leaves the failure record {other:?}")),
                }
                let failed = self.failed.get(seq);
                if self.refused.contains(seq) || failed.is_some_and(|n| is_exhausted(page, facts, *seq, *n)) {
                    Ok(())
                } else {
                    Err(format!("{id} at {seq} is to be dropped, and was neither refused nor exhausted"))
                }
            }
            Write::Remove { id } if !self.removals.contains(id) => {
                Err(format!("{id} is to be removed, and nobody asked for it"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the item's attempts are used up, and it is then dropped (R16).
fn is_exhausted(page: &Page, facts: &Facts, seq: Seq, failed: u32) -> bool {
    let item = facts.row(seq).and_then(|row| row.item.as_ref());
    let Some(item) = item else { return true }; // its row is gone: the write will find nothing
    let limit = page.outbox.config().mutators.get(&*item.mutator_name).and_then(|known| known.max_attempts);
    limit.is_some_and(|limit| limit.then == Exhausted::Drop && failed >= limit.attempts)
}

impl Kept {
    fn wants(&mut self, page: &Page, facts: &Facts, tab: u32, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Persist { writes, .. } => {
                let leads = facts.current_fence(tab).is_some();
                for write in writes {
                    self.pages.of(tab).allow(page, facts, write)?;
                    if leads {
                        self.is_runnable(page, facts, write)?;
                    }
                }
            }
            Effect::Dispatch { item, .. } => {
                // One that no longer leads may know a store that is no more.
                let seq = item.seq.filter(|_| facts.current_fence(tab).is_some());
                if seq.is_some_and(|seq| self.planted.contains_key(&seq)) {
                    return Err(format!("{} was put there by nobody here, and is dispatched", item.id));
                }
                is_registered(page, item)?;
            }
            Effect::Cancel(attempt) => self.pages.of(tab).has_failed(*attempt),
            Effect::AskBeforeRetry { ask, items } => {
                self.pages.of(tab).ask = *ask;
                let asked = items.iter().filter_map(|asked| Some((asked.item.id.clone(), asked.item.seq?)));
                self.pages.of(tab).asked = asked.collect();
                if facts.current_fence(tab).is_none() {
                    return Ok(());
                }
                for asked in items {
                    let planted = asked.item.seq.is_some_and(|seq| self.planted.contains_key(&seq));
                    if planted || is_registered(page, &asked.item).is_err() {
                        return Err(format!("the hook is asked about {}, which is parked", asked.item.id));
                    }
                }
            }
            Effect::Notify(Event::FailureEvicted { id }) => drop(self.pages.of(tab).evicted.remove(id)),
            _ => {}
        }
        Ok(())
    }

    /// What is parked because this page cannot read or run it is not touched (R23, R24).
    fn is_runnable(&self, page: &Page, facts: &Facts, write: &Write) -> Result<(), String> {
        let (Write::Delete { seq, .. } | Write::Bury { seq, .. } | Write::Put { seq, .. }) = write else {
            return Ok(());
        };
        if self.planted.contains_key(seq) {
            return Err(format!("{seq} was put there by nobody here: {write:?}"));
        }
        let Some(row) = facts.row(*seq) else { return Ok(()) };
        match &row.item {
            Some(item) if row.readable && is_registered(page, item).is_ok() => Ok(()),
            _ => Err(format!("{seq} is parked, and is written: {write:?}")),
        }
    }

    fn ran(&mut self, asker: Option<(u32, bool)>, writes: &[Write], done: &Committed) -> Result<(), String> {
        for (write, result) in writes.iter().zip(&done.results) {
            match (write, result) {
                (Write::Bury { id, .. }, WriteResult::Done) => drop(self.failures.insert(id.clone())),
                (Write::RetryFailure { failure, .. }, WriteResult::Inserted(_)) => {
                    self.failures.remove(failure);
                }
                (Write::DismissFailure { id }, WriteResult::Done) => {
                    let kept = self.failures.len();
                    self.failures.remove(id);
                    let Some((tab, is_told)) = asker else { continue };
                    let reasons = self.pages.of(tab);
                    if reasons.dismissals.contains(id) {
                        continue;
                    }
                    if !reasons.full && kept <= MAX_FAILURES {
                        return Err(format!("t{tab} evicts the failure record of {id}, one of {kept}"));
                    }
                    if is_told {
                        reasons.evicted.insert(id.clone());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn undone(&mut self, world: &World, facts: &Facts) {
        self.planted.retain(|seq, record| facts.row(*seq).is_some_and(|row| *row.record == **record));
        self.failures = world.store.memory().failures().map(|(id, _)| id.clone()).collect();
    }

    fn at_the_end(&self, world: &World, facts: &Facts) -> Result<(), String> {
        for (seq, record) in &self.planted {
            match facts.row(*seq) {
                Some(row) if *row.record == **record => {}
                Some(row) => {
                    let (was, is) = (String::from_utf8_lossy(record), String::from_utf8_lossy(&row.record));
                    return Err(format!("{seq} was put there as {was} and is {is}"));
                }
                // An app may take out what it cannot read.
                None if facts.gone(*seq).is_some_and(|gone| gone.how == How::Removed) => {}
                // That somebody asked for it was looked at when it was asked of the store.
                None if facts.gone(*seq).is_some_and(|gone| gone.how == How::Removed) => {}
                None => return Err(format!("{seq}, which nobody here could read, is gone")),
            }
        }
        let stored = world.store.memory().failures().map(|(id, _)| id);
        let stored: BTreeSet<ItemId> = stored.cloned().collect();
        match self.failures.symmetric_difference(&stored).next() {
            Some(id) if stored.contains(id) => Err(format!("{id} has a failure record and was not dropped")),
            Some(id) => Err(format!("the failure record of {id} is gone, and nobody took it away")),
            None => Ok(()),
        }
    }
}

/// Whether a page has the item's mutator, and may send the item once more (R16, R23).
fn is_registered(page: &Page, item: &Item) -> Result<(), String> {
    let Some(mutator) = page.outbox.config().mutators.get(&*item.mutator_name) else {
        return Err(format!("{} is of {}, which this build lacks", item.id, item.mutator_name));
    };
    match mutator.max_attempts {
        Some(limit) if limit.then == Exhausted::Park && item.retry_count > limit.attempts => {
            Err(format!("{} was to be parked after {} attempts", item.id, limit.attempts))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use outbox::storage::OpId;

    use super::*;
    use crate::{
        oracle::tamper::{calm, effects, id, inputs, rang, told, truth},
        scenario::{Action, Fault, Scenario, Step, Strange, What, When},
    };

    /// An item is refused for good, its failure record dismissed, another removed, a strange row planted.
    fn eventful() -> Scenario {
        let mut scenario = calm(4);
        let at = |at_ms, action| Step { at_ms, tab: 0, action };
        scenario.steps.push(at(200, Action::Remove { item: 2 }));
        scenario.steps.push(at(5_000, Action::DismissFailure { item: 1 }));
        let refused = When::Attempt { item: 1, n: 1 };
        scenario.faults.push(Fault { when: refused, what: What::RefuseForGood });
        let planted = What::StrangeRow(Strange::NewerVersion);
        scenario.faults.push(Fault { when: When::At { ms: 50, tab: 0 }, what: planted });
        scenario
    }

    fn without(liar: fn(&Input) -> bool) -> Option<String> {
        let deaf = |input: &Input| if liar(input) { Vec::new() } else { vec![input.clone()] };
        inputs(&mut Kept::default(), &eventful(), deaf)
    }

    #[test]
    fn an_eventful_run_is_in_order() {
        assert_eq!(truth(&mut Kept::default(), &eventful()), None);
    }

    #[test]
    fn an_end_without_a_reason_rings() {
        let resolved = |input: &Input| matches!(input, Input::Resolved { .. });
        rang(without(resolved), "neither refused nor exhausted");
        let success =
            |input: &Input| matches!(input, Input::Resolved { outcome: AttemptOutcome::Success { .. }, .. });
        rang(without(success), "for no reason");
        rang(without(|input| matches!(input, Input::Remove { .. })), "nobody asked for it");
    }

    #[test]
    fn a_failure_record_that_goes_unasked_rings() {
        rang(without(|input| matches!(input, Input::DismissFailure { .. })), "evicts the failure record");
        let found = told(&mut Kept::default(), &eventful(), |moment, tell| match moment {
            Moment::Ran { request: Effect::Persist { writes, .. }, .. }
                if writes.iter().any(|write| matches!(write, Write::DismissFailure { .. })) => {}
            moment => tell(moment),
        });
        rang(found, "and nobody took it away");
    }

    #[test]
    fn a_strange_row_that_is_touched_rings() {
        let strange = |facts: &mut Option<Seq>, moment: &Moment<'_>| {
            if let Moment::Planted { seq, .. } = moment {
                *facts = Some(*seq);
            }
        };
        let mut planted = None;
        let found = told(&mut Kept::default(), &eventful(), |moment, tell| {
            strange(&mut planted, moment);
            tell(moment);
            if let (Moment::Handled { tab, .. }, Some(seq)) = (moment, planted) {
                let put = Write::Put { seq, record: "{}".into() };
                let effect = Effect::Persist { op: OpId(999), fence: None, writes: vec![put] };
                tell(&Moment::Effect { tab: *tab, effect: &effect });
            }
        });
        rang(found, "was put there by nobody here");
    }

    #[test]
    fn an_item_that_this_build_lacks_and_sends_rings() {
        let found = effects(&mut Kept::default(), &eventful(), |effect| match effect {
            Effect::Dispatch { attempt, item, deadline } => {
                let item = Item { mutator_name: "other".into(), ..Item::clone(item) };
                vec![Effect::Dispatch { attempt: *attempt, item: item.into(), deadline: *deadline }]
            }
            effect => vec![effect.clone()],
        });
        rang(found, &format!("{} is of other", id(1)));
    }
}
