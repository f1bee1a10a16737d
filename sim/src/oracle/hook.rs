//! The hook (R17): asked about what it may be asked about, in order and not too often; what is asked about
//! stands still until the answer is durable; an answer is one transaction; and nothing that needs to be
//! asked about is sent without having been kept since.
//!
//! * After an ask: its items, with what is in flight or told; its time, with the ask and the failure before.
//! * After a transaction while something is asked: that it claims nothing that is asked about, and that it
//!   holds all that the verdicts change or nothing of it.
//! * After a dispatch: that its item is not frozen, and that the hook kept it since its last dispatch, if it
//!   has to be asked.
//! * After an answer that breaks the rules, and ten seconds without one: that it is reported as a failure.

use std::collections::{BTreeMap, BTreeSet};

use outbox::{
    AskId, AskedItem, AttemptId, Effect, Event, Input, Item, ItemId, Key, Outcome, Place, Sent, Seq, Verdict,
    ViewChange,
    record::{self, Decoded},
    storage::{Fence, OpId, Write},
};

use super::{Facts, Oracle, facts::PageFacts, per_tab::PerTab};
use crate::{
    moment::Moment,
    scenario::HookStyle,
    world::{Page, World},
};

/// The hook answers within this time.
const LIMIT_MS: u64 = 10_000;
/// It is asked at most this often.
const SPACING_MS: u64 = 1_000;
/// The longest time before it is asked again after failures.
const BACKOFF_CAP_MS: u64 = 60_000;

/// The judge.
#[derive(Debug, Default)]
pub struct Hook {
    pages: PerTab<State>,
}

/// What is known of the hook of a page.
#[derive(Debug, Default)]
struct State {
    asking: Option<Asking>,
    /// Not asked before this.
    ready_ms: u64,
    /// Failures in a row.
    failures: u32,
    /// The answer of the input under way breaks a rule: this one.
    broken: Option<String>,

    // Since it acquired.
    fence: Option<Fence>,
    /// What was read by the acquire is at or below this place.
    read: Seq,
    /// Kept by an answer, and not sent since.
    kept: BTreeSet<Seq>,
    /// Asked about in vain: not sent before another answer.
    failed: BTreeSet<Seq>,
    /// Their outcome was told.
    told: BTreeSet<ItemId>,
}

/// A question, until its answer is durable.
#[derive(Debug)]
struct Asking {
    ask: AskId,
    at_ms: u64,
    /// What stands still.
    items: BTreeMap<Seq, Item>,
    /// What the answer changes.
    answer: Option<Answer>,
}

#[derive(Debug, Default)]
struct Answer {
    deletes: BTreeSet<Seq>,
    puts: BTreeSet<Seq>,
    /// The transaction that writes it.
    op: Option<OpId>,
}

impl Oracle for Hook {
    fn name(&self) -> &'static str {
        "hook"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R17"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => self.pages.opened(*tab),
            Moment::Input { tab, input } => {
                let fence = facts.page(*tab).and_then(|page| page.fence);
                self.pages.of(*tab).given(fence, input);
            }
            Moment::Effect { tab, effect } if world.scenario.options.hook == HookStyle::None => {
                if matches!(effect, Effect::AskBeforeRetry { .. }) {
                    return Err(format!("t{tab} asks, and there is no hook"));
                }
            }
            Moment::Effect { tab, effect } => {
                let (Some(page), Some(known)) = (world.page(*tab), facts.page(*tab)) else { return Ok(()) };
                let see = Seen { page, known, facts, now_ms: world.now_ms };
                return self.pages.of(*tab).wants(&see, effect).map_err(|what| format!("t{tab}: {what}"));
            }
            Moment::Handled { tab, .. } => {
                return self.pages.of(*tab).handled(world.now_ms).map_err(|what| format!("t{tab}: {what}"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// What an effect is judged by.
struct Seen<'a> {
    page: &'a Page,
    known: &'a PageFacts,
    facts: &'a Facts,
    now_ms: u64,
}

impl Seen<'_> {
    /// Whether the page still shows an item: its end is not known to be durable.
    fn shows(&self, seq: Seq) -> bool {
        self.page.view.contains_key(&Place::Stored(seq))
    }
}

impl State {
    fn given(&mut self, fence: Option<Fence>, input: &Input) {
        if let Input::Loaded { result: Ok(snapshot), .. } = input
            && fence.is_some()
            && fence != self.fence
        {
            self.read = snapshot.through;
            self.asking = None;
            self.kept.clear();
            self.failed.clear();
            self.told.clear();
        }
        self.fence = fence;
        match input {
            Input::Remove { id, .. } => self.ends(|item| item.id == *id),
            Input::Answered { ask, verdicts } => {
                let asking = self.asking.as_mut().filter(|asking| asking.ask == *ask);
                let Some(asking) = asking.filter(|asking| asking.answer.is_none()) else { return };
                match verdicts.as_ref().map_err(ToString::to_string).and_then(|given| asking.accept(given)) {
                    Ok(kept) => {
                        self.failed.retain(|seq| !kept.contains(seq));
                        self.kept.extend(kept);
                        self.failures = 0;
                    }
                    Err(why) => self.broken = Some(why),
                }
            }
            Input::Persisted { op, result } => {
                let Some(answer) = self.asking.as_mut().and_then(|asking| asking.answer.as_mut()) else {
                    return;
                };
                if answer.op.take_if(|asked| asked == op).is_some() && result.is_ok() {
                    self.asking = None;
                }
            }
            _ => {}
        }
    }

    /// An item ends, or is being removed: a question about it is void, an accepted answer stands.
    fn ends(&mut self, is_it: impl Fn(&Item) -> bool) {
        let Some(asking) = &mut self.asking else { return };
        let before = asking.items.len();
        asking.items.retain(|_, item| !is_it(item));
        if asking.items.len() < before && asking.answer.is_none() {
            self.asking = None;
        }
    }

    fn wants(&mut self, see: &Seen<'_>, effect: &Effect) -> Result<(), String> {
        if !matches!(effect, Effect::Notify(Event::HookFailed(_))) {
            self.reported()?; // it is the first thing to come of it
        }
        match effect {
            Effect::AskBeforeRetry { ask, items } => return self.asks(see, *ask, items),
            Effect::Persist { op, writes, .. } => {
                if let Some(asking) = &mut self.asking {
                    return asking.writes(see, *op, writes);
                }
            }
            Effect::Dispatch { attempt, item, .. } => return self.dispatches(see, *attempt, item),
            Effect::Notify(Event::HookFailed(_)) => self.fails(see.now_ms),
            Effect::Notify(Event::Leading(false)) => self.asking = None,
            Effect::Notify(Event::Resolved { id, .. }) => {
                self.ends(|item| item.id == *id);
                self.told.insert(id.clone());
            }
            Effect::View(ViewChange::Left { place: Place::Stored(seq), .. }) => {
                self.ends(|item| item.seq == Some(*seq));
                self.kept.remove(seq);
            }
            _ => {}
        }
        Ok(())
    }

    /// Nothing asked about is sent before another answer; that is asked for with backoff.
    fn fails(&mut self, now_ms: u64) {
        self.broken = None;
        self.failures += 1;
        let window_ms = (SPACING_MS << (self.failures - 1).min(6)).min(BACKOFF_CAP_MS);
        self.ready_ms = self.ready_ms.max(now_ms + window_ms);
        for seq in self.asking.take().into_iter().flat_map(|asking| asking.items.into_keys()) {
            self.kept.remove(&seq);
            self.failed.insert(seq);
        }
    }

    fn asks(&mut self, see: &Seen<'_>, ask: AskId, items: &[AskedItem]) -> Result<(), String> {
        if self.asking.as_ref().is_some_and(|asking| asking.is_open(see)) {
            return Err("the hook is asked, and an answer is under way".into());
        }
        if see.now_ms < self.ready_ms {
            return Err(format!("the hook is asked {} ms too early", self.ready_ms - see.now_ms));
        }
        if self.fence.is_none() {
            return Err("the hook is asked, and this page does not lead".into());
        }
        for asked in items {
            self.may_ask(see, asked)?;
        }
        let seqs = items.iter().map(|asked| asked.item.seq);
        if !seqs.is_sorted_by(|a, b| a < b) {
            return Err("the hook is asked out of order".into());
        }
        let items = items.iter().filter_map(|asked| Some((asked.item.seq?, asked.item.clone())));
        self.asking = Some(Asking { ask, at_ms: see.now_ms, items: items.collect(), answer: None });
        self.ready_ms = see.now_ms + SPACING_MS;
        Ok(())
    }

    /// Not parked, claimed, in flight or settling; marked as the store has it (R17). That an item is parked
    /// for its mutator is judged by [`kept`](super::kept).
    fn may_ask(&self, see: &Seen<'_>, asked: &AskedItem) -> Result<(), String> {
        let (id, Some(seq)) = (&asked.item.id, asked.item.seq) else {
            return Err(format!("the hook is asked about {}, which is being written", asked.item.id));
        };
        if see.known.flights.keys().any(|attempt| attempt.seq == seq) {
            return Err(format!("the hook is asked about {id}, which is in flight"));
        }
        if self.told.contains(id) {
            return Err(format!("the hook is asked about {id}, whose outcome was told"));
        }
        let leads = self.fence.is_some_and(|fence| see.facts.is_current(fence));
        let row = see.facts.row(seq).filter(|row| leads && row.id() == Some(id));
        let claims = row.and_then(|row| row.item.as_ref()).map_or(0, |item| item.retry_count);
        if asked.sent == Sent::Never && (claims > 0 || asked.item.retry_count > 0) {
            return Err(format!("the hook is told that {id}, claimed {claims} times, was never sent"));
        }
        if asked.sent == Sent::Maybe && asked.item.retry_count == 0 {
            return Err(format!("the hook is told that {id}, never claimed, may have been sent"));
        }
        Ok(())
    }

    fn dispatches(&mut self, see: &Seen<'_>, attempt: AttemptId, item: &Item) -> Result<(), String> {
        let seq = attempt.seq;
        let asked = self.asking.as_ref().filter(|asking| asking.items.contains_key(&seq));
        if asked.is_some_and(|asking| asking.is_open(see)) {
            return Err(format!("{attempt} is dispatched, and the hook is asked about {}", item.id));
        }
        let why = if attempt.attempt > 1 {
            "it is a retry"
        } else if seq <= self.read {
            "it was read by the acquire"
        } else if self.failed.contains(&seq) {
            "the hook failed when it was asked about it"
        } else {
            return Ok(());
        };
        if self.kept.remove(&seq) {
            return Ok(());
        }
        Err(format!("{attempt} of {} is dispatched, and the hook has not kept it; {why}", item.id))
    }

    fn reported(&mut self) -> Result<(), String> {
        match self.broken.take() {
            Some(why) => Err(format!("an answer of the hook is not reported as a failure: {why}")),
            None => Ok(()),
        }
    }

    fn handled(&mut self, now_ms: u64) -> Result<(), String> {
        self.reported()?;
        match &self.asking {
            Some(Asking { answer: None, at_ms, .. }) if now_ms >= at_ms + LIMIT_MS => {
                Err(format!("the hook is late by {} ms, and it is not reported", now_ms - at_ms - LIMIT_MS))
            }
            _ => Ok(()),
        }
    }
}

impl Asking {
    /// Whether what is asked about still stands still: there is no answer, or something of it is not durable.
    fn is_open(&self, see: &Seen<'_>) -> bool {
        let Some(answer) = &self.answer else { return true };
        answer.deletes.iter().chain(&answer.puts).any(|seq| see.shows(*seq))
    }

    /// Takes an answer that keeps the rules; who is kept?
    fn accept(&mut self, given: &[(ItemId, Verdict)]) -> Result<BTreeSet<Seq>, String> {
        let places: BTreeMap<&ItemId, Seq> = self.items.iter().map(|(seq, item)| (&item.id, *seq)).collect();
        let mut verdicts: BTreeMap<Seq, &Verdict> = BTreeMap::new();
        for (id, verdict) in given {
            let seq = *places.get(id).ok_or_else(|| format!("{id} was not asked about"))?;
            if verdicts.insert(seq, verdict).is_some() {
                return Err(format!("{id} is answered twice"));
            }
        }
        let is_kept = |seq: &Seq| matches!(verdicts.get(seq), Some(Verdict::Keep | Verdict::Rewrite(_)));
        let kept: BTreeSet<Seq> = self.items.keys().copied().filter(is_kept).collect();
        let mut keys: BTreeMap<Seq, Key> = BTreeMap::new();
        for (seq, verdict) in &verdicts {
            let Verdict::SquashInto(into) = verdict else { continue };
            let survivor = places.get(into).filter(|into| kept.contains(into));
            let survivor = *survivor.ok_or_else(|| format!("{into} does not stay"))?;
            let key = keys.entry(survivor).or_insert_with(|| self.items[&survivor].key.clone());
            if let Ok(union) = key.union(&self.items[seq].key) {
                *key = union;
            }
        }
        let mut answer = Answer::default();
        for (seq, item) in &self.items {
            match verdicts.get(seq) {
                Some(Verdict::Keep) => {
                    if keys.get(seq).is_some_and(|key| *key != item.key) {
                        answer.puts.insert(*seq);
                    }
                }
                Some(Verdict::Rewrite(new)) => {
                    let key = new.key.as_ref().or_else(|| keys.get(seq));
                    let changed = new.args.as_ref().is_some_and(|args| *args != item.args)
                        || key.is_some_and(|key| *key != item.key)
                        || new.metadata.as_ref().is_some_and(|metadata| *metadata != item.metadata);
                    if changed {
                        answer.puts.insert(*seq);
                    }
                }
                Some(Verdict::Remove | Verdict::SquashInto(_)) | None => drop(answer.deletes.insert(*seq)),
            }
        }
        drop(places);
        self.answer = Some(answer);
        Ok(kept)
    }

    /// A transaction while something is asked: it claims nothing that is asked about, and if it writes
    /// something of the answer then all of it.
    fn writes(&mut self, see: &Seen<'_>, op: OpId, writes: &[Write]) -> Result<(), String> {
        if self.is_open(see) {
            for write in writes {
                if let Write::Put { seq, record } = write
                    && let Some(item) = self.items.get(seq)
                    && let Decoded::Item(put) = record::decode(*seq, record.as_bytes(), |name| name.into())
                    && put.retry_count > item.retry_count
                {
                    return Err(format!("{} is claimed, and the hook is asked about it", item.id));
                }
            }
        }
        let Some(answer) = &mut self.answer else { return Ok(()) };
        let of_answer = |write: &Write| match write {
            Write::Delete { seq, outcome: Outcome::Removed | Outcome::Squashed { .. } } => {
                answer.deletes.contains(seq).then_some(*seq)
            }
            Write::Put { seq, .. } => answer.puts.contains(seq).then_some(*seq),
            _ => None,
        };
        let written: BTreeSet<Seq> = writes.iter().filter_map(of_answer).collect();
        if written.is_empty() {
            return Ok(());
        }
        let all = answer.deletes.iter().chain(&answer.puts);
        if let Some(seq) = all.copied().find(|seq| see.shows(*seq) && !written.contains(seq)) {
            return Err(format!("an answer of the hook is torn: {seq} is left out of {writes:?}"));
        }
        answer.op = Some(op);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        oracle::tamper::{calm, effects, inputs, rang, truth, unavailable_at_first},
        scenario::Scenario,
    };

    fn asked() -> Scenario {
        let mut scenario = unavailable_at_first(3);
        scenario.options.hook = HookStyle::Keep;
        scenario
    }

    fn judged(liar: impl FnMut(&Effect) -> Vec<Effect>) -> Option<String> {
        effects(&mut Hook::default(), &asked(), liar)
    }

    /// Tells the hook's answers otherwise.
    fn answers(mut lie: impl FnMut(&mut Vec<(ItemId, Verdict)>)) -> impl FnMut(&Input) -> Vec<Input> {
        move |input| {
            let mut input = input.clone();
            if let Input::Answered { verdicts: Ok(verdicts), .. } = &mut input {
                lie(verdicts);
            }
            vec![input]
        }
    }

    #[test]
    fn a_hook_that_keeps_all_is_in_order() {
        assert_eq!(truth(&mut Hook::default(), &asked()), None);
        assert_eq!(truth(&mut Hook::default(), &calm(3)), None);
    }

    #[test]
    fn what_is_asked_about_and_sent_before_the_answer_rings() {
        let found = inputs(&mut Hook::default(), &asked(), |input| match input {
            Input::Answered { .. } => Vec::new(),
            input => vec![input.clone()],
        });
        rang(found, "the hook is asked about");
    }

    #[test]
    fn a_retry_that_nobody_kept_rings() {
        let found = judged(|effect| match effect {
            Effect::AskBeforeRetry { .. } => Vec::new(),
            effect => vec![effect.clone()],
        });
        rang(found, "it is a retry");
    }

    #[test]
    fn an_ask_too_early_or_while_one_is_open_rings() {
        let found = judged(|effect| match effect {
            Effect::AskBeforeRetry { .. } => vec![effect.clone(), effect.clone()],
            effect => vec![effect.clone()],
        });
        rang(found, "an answer is under way");
        let found = judged(|effect| match effect {
            Effect::AskBeforeRetry { .. } => {
                let end = Effect::Notify(Event::Leading(false));
                vec![effect.clone(), end, effect.clone()]
            }
            effect => vec![effect.clone()],
        });
        rang(found, "too early");
    }

    #[test]
    fn an_item_that_is_marked_wrongly_or_in_flight_rings() {
        let found = judged(|effect| {
            let mut effect = effect.clone();
            if let Effect::AskBeforeRetry { items, .. } = &mut effect {
                items[0].sent = Sent::Never;
            }
            vec![effect]
        });
        rang(found, "was never sent");
        let mut last = None;
        let found = judged(|effect| match effect {
            Effect::Dispatch { attempt, item, .. } => {
                last = Some((*attempt, item.clone()));
                let mut item = Item::clone(item);
                item.seq = Some(attempt.seq);
                let items = vec![AskedItem { item, sent: Sent::Maybe }];
                vec![effect.clone(), Effect::AskBeforeRetry { ask: AskId(99), items }]
            }
            effect => vec![effect.clone()],
        });
        assert!(last.is_some());
        rang(found, "which is in flight");
    }

    #[test]
    fn a_broken_answer_that_is_taken_rings() {
        let stranger = ItemId::new("stranger").expect("a short id");
        let lie = answers(move |verdicts| verdicts.push((stranger.clone(), Verdict::Keep)));
        rang(inputs(&mut Hook::default(), &asked(), lie), "stranger was not asked about");
        let lie = answers(|verdicts| {
            let id = verdicts[0].0.clone();
            verdicts[0].1 = Verdict::SquashInto(id);
        });
        rang(inputs(&mut Hook::default(), &asked(), lie), "does not stay");
    }

    #[test]
    fn an_answer_that_is_torn_rings() {
        // The oracle believes that two are to go; then one is deleted alone.
        let mut lie = answers(|verdicts| verdicts.iter_mut().for_each(|(_, is)| *is = Verdict::Remove));
        let mut oracle = Hook::default();
        let mut asked_about = Vec::new();
        let found = crate::oracle::tamper::told(&mut oracle, &asked(), |moment, tell| match moment {
            Moment::Effect { effect: Effect::AskBeforeRetry { items, .. }, .. } => {
                asked_about = items.iter().filter_map(|asked| asked.item.seq).collect();
                tell(moment);
            }
            Moment::Input { tab, input } if matches!(input, Input::Answered { .. }) => {
                tell(&Moment::Input { tab: *tab, input: &lie(input)[0] });
                let delete = Write::Delete { seq: asked_about[0], outcome: Outcome::Removed };
                let effect = Effect::Persist { op: OpId(999), fence: None, writes: vec![delete] };
                tell(&Moment::Effect { tab: *tab, effect: &effect });
            }
            moment => tell(moment),
        });
        assert!(asked_about.len() > 1, "several are asked about");
        rang(found, "is torn");
    }
}
