//! `beforeRetry` (R17): when it is asked, what its answer may say, and its one transaction.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use super::{
    Effects, Outbox,
    entry::{Entry, Settlement, Stage},
    journal::Answer,
    schedule::Send,
};
use crate::{
    backoff,
    before_retry::{Rewrite, Verdict},
    effect::{AskedItem, Effect, Event, Place, Sent, ViewChange},
    error::HookError,
    input::AskId,
    item::{Item, ItemId, Outcome, Seq},
    keys::Key,
    marks::sometimes,
    mutants::mutant,
    sorted::Sorted,
    time::Timestamp,
};

/// The hook answers within this time.
const LIMIT_MS: u64 = 10_000;
/// The hook is asked at most this often.
const SPACING_MS: u64 = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Hook {
    last_ask: u64,
    /// Not asked before this.
    ready_at: Timestamp,
    /// Failures in a row.
    failures: u32,
    phase: Phase,
}

/// A verdict for each item asked about, in seq order.
type Plan = Vec<(Seq, Verdict)>;

fn verdict_of(plan: &Plan, seq: Seq) -> Option<&Verdict> {
    let place = plan.binary_search_by_key(&seq, |&(seq, _)| seq).ok()?;
    Some(&plan[place].1)
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Phase {
    #[default]
    Idle,
    /// The items asked about are frozen until the answer is durable.
    Asking { ask: AskId, deadline: Timestamp, asked: Sorted<Seq> },
    /// The answer is being written.
    Writing { asked: Sorted<Seq> },
}

impl Hook {
    pub(super) fn reset(&mut self) {
        self.phase = Phase::Idle;
    }

    fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }
}

impl Outbox {
    /// Whether the hook has to be asked before this entry is sent.
    pub(super) fn must_ask(&self, entry: &Entry) -> bool {
        let due = entry.item.retry_count >= 1 || entry.flags.must_ask;
        self.config.before_retry && due && !entry.flags.cleared && !entry.stage.is_claimed()
    }

    /// Asks about every item that nothing is under way for, once one of them is due.
    pub(super) fn ask_hook(&mut self, fx: &mut Effects) {
        let wanted = !self.queues.hook.is_empty() && self.hook.is_idle() && self.may_send() != Send::No;
        if !wanted || self.now < self.hook.ready_at {
            return;
        }
        let is_asked = |entry: &Entry| entry.stage == Stage::Waiting && entry.parked.is_none();
        let asked: Sorted<Seq> =
            self.entries.iter().filter(|(_, entry)| is_asked(entry)).map(|(seq, _)| seq).collect();
        let mut items = Vec::with_capacity(asked.len());
        for &seq in &asked {
            self.dequeue(seq);
            let entry = self.entries.get_mut(seq).expect("it was just found");
            entry.flags.frozen = true;
            let sent = if entry.item.retry_count == 0 { Sent::Never } else { Sent::Maybe };
            items.push(AskedItem { item: Item::clone(&entry.item), sent });
        }
        sometimes!(Asked);
        self.hook.last_ask += 1;
        let ask = AskId(self.hook.last_ask);
        self.hook.ready_at = self.now.plus_ms(SPACING_MS);
        self.hook.phase = Phase::Asking { ask, deadline: self.now.plus_ms(LIMIT_MS), asked };
        fx.push(Effect::AskBeforeRetry { ask, items });
    }

    pub(super) fn hook_wake(&self) -> Option<Timestamp> {
        match &self.hook.phase {
            Phase::Asking { deadline, .. } => Some(*deadline),
            Phase::Idle if !self.queues.hook.is_empty() && self.may_send() != Send::No => {
                Some(self.hook.ready_at).filter(|&at| at > self.now)
            }
            Phase::Idle | Phase::Writing { .. } => None,
        }
    }

    pub(super) fn expire_hook(&mut self, fx: &mut Effects) {
        if matches!(self.hook.phase, Phase::Asking { deadline, .. } if deadline <= self.now) {
            sometimes!(HookLate);
            self.hook_failed(HookError::Late { limit_ms: LIMIT_MS }, fx);
        }
    }

    /// An item asked about ends or is being removed first: the answer is void, and the hook is asked again.
    /// One that is accepted already stands, and all of it stays frozen until it is durable.
    pub(super) fn void_ask_about(&mut self, seq: Seq) {
        if matches!(&self.hook.phase, Phase::Asking { asked, .. } if asked.contains(&seq)) {
            sometimes!(AnswerVoid);
            self.thaw(false);
        }
    }

    /// Freezing ends; with `must_ask`, none of the items asked about is sent before another answer.
    fn thaw(&mut self, must_ask: bool) {
        let asked = match core::mem::take(&mut self.hook.phase) {
            Phase::Idle => return,
            Phase::Asking { asked, .. } | Phase::Writing { asked } => asked,
        };
        for seq in asked {
            if let Some(entry) = self.entries.get_mut(seq) {
                entry.flags.frozen = false;
                entry.flags.must_ask |= must_ask;
                entry.flags.cleared &= !must_ask; // what an earlier answer allowed is asked anew
            }
            self.reconsider(seq);
        }
    }

    /// Nothing asked about is sent; the hook is asked again, with backoff.
    fn hook_failed(&mut self, error: HookError, fx: &mut Effects) {
        sometimes!(HookFailed);
        Self::notify(fx, Event::HookFailed(error));
        self.hook.failures = self.hook.failures.saturating_add(1);
        self.hook.ready_at = self.now.plus_ms(backoff::window_ms(self.hook.failures));
        self.thaw(true);
    }

    pub(super) fn answered(
        &mut self,
        ask: AskId,
        verdicts: Result<Vec<(ItemId, Verdict)>, HookError>,
        fx: &mut Effects,
    ) {
        let asked = match &self.hook.phase {
            Phase::Asking { ask: current, asked, .. } if *current == ask => asked.clone(),
            _ => return, // late, or void
        };
        let plan = verdicts.and_then(|verdicts| self.plan(&asked, verdicts));
        match plan {
            Ok(plan) => self.accept(asked, plan, fx),
            Err(error) => self.hook_failed(error, fx),
        }
    }

    // What the answer may say.

    /// A verdict for each item asked about, if the answer keeps the rules.
    fn plan(&self, asked: &Sorted<Seq>, verdicts: Vec<(ItemId, Verdict)>) -> Result<Plan, HookError> {
        let mut said: Vec<Option<Verdict>> = asked.iter().map(|_| None).collect();
        for (id, verdict) in verdicts {
            let seq = self.seq_of(&id);
            let place = seq.and_then(|seq| asked.find(&seq)).filter(|&place| said[place].is_none());
            let (Some(seq), Some(place)) = (seq, place) else { return Err(HookError::NotAsked { id }) };
            if let Verdict::Rewrite(rewrite) = &verdict {
                self.check_rewrite(&id, seq, rewrite)?;
            }
            said[place] = Some(verdict);
        }
        let verdicts = said.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Remove));
        let plan: Plan = asked.iter().copied().zip(verdicts).collect();
        self.check_squashes(&plan)?;
        Ok(plan)
    }

    fn check_rewrite(&self, id: &ItemId, seq: Seq, rewrite: &Rewrite) -> Result<(), HookError> {
        let item = &self.entries.get(seq).expect("only entries are asked about").item;
        let args = rewrite.args.as_ref().unwrap_or(&item.args);
        let metadata = rewrite.metadata.as_ref().map_or(item.metadata.as_ref(), Option::as_ref);
        self.check_json(args, metadata).map_err(|cause| HookError::Input { id: id.clone(), cause })
    }

    /// Whoever is squashed is squashed into one that stays, and its keys fit there.
    fn check_squashes(&self, plan: &Plan) -> Result<(), HookError> {
        for (seq, verdict) in plan {
            let Verdict::SquashInto(into) = verdict else { continue };
            let stays = self.seq_of(into).and_then(|target| verdict_of(plan, target));
            if !matches!(stays, Some(Verdict::Keep | Verdict::Rewrite(_))) {
                let id = self.id_of(*seq);
                return Err(HookError::SquashTarget { id, into: into.clone() });
            }
        }
        for &(seq, ref verdict) in plan {
            if matches!(verdict, Verdict::Keep | Verdict::Rewrite(_)) {
                let key = self.squashed_key(seq, plan);
                key.map_err(|cause| HookError::Input { id: self.id_of(seq), cause })?;
            }
        }
        Ok(())
    }

    pub(super) fn seq_of(&self, id: &ItemId) -> Option<Seq> {
        match self.ids.find(id)? {
            Place::Stored(seq) => Some(*seq),
            Place::Writing(_) => None,
        }
    }

    fn id_of(&self, seq: Seq) -> ItemId {
        self.entries.get(seq).expect("only entries are asked about").item.id.clone()
    }

    /// The key of a survivor: its own if it names one, else the union with those squashed into it.
    fn squashed_key(&self, seq: Seq, plan: &Plan) -> Result<Key, crate::InputError> {
        let survivor = &self.entries.get(seq).expect("only entries are asked about").item;
        if let Some(Verdict::Rewrite(Rewrite { key: Some(key), .. })) = verdict_of(plan, seq) {
            return Ok(key.clone());
        }
        let into_it =
            |verdict: &Verdict| matches!(verdict, Verdict::SquashInto(into) if *into == survivor.id);
        let squashed = plan.iter().filter(|(_, verdict)| into_it(verdict));
        squashed.map(|(seq, _)| seq).try_fold(survivor.key.clone(), |key, seq| {
            let entry = self.entries.get(*seq).expect("only entries are asked about");
            key.union(&entry.item.key)
        })
    }

    // Carrying it out.

    /// The new args hold at once; the write is one transaction, retried until it is durable.
    fn accept(&mut self, asked: Sorted<Seq>, plan: Plan, fx: &mut Effects) {
        self.hook.failures = 0;
        let keys: Vec<Option<Key>> =
            plan.iter().map(|(seq, _)| self.squashed_key(*seq, &plan).ok()).collect();
        let mut answer = Answer::default();
        self.hook.phase = Phase::Writing { asked };
        for ((seq, verdict), key) in plan.into_iter().zip(&keys) {
            match verdict {
                Verdict::Remove => self.answer_ends(seq, Outcome::Removed, &mut answer),
                Verdict::SquashInto(into) => {
                    sometimes!(Squashed);
                    self.answer_ends(seq, Outcome::Squashed { into }, &mut answer);
                }
                Verdict::Keep => self.answer_keeps(seq, Rewrite::default(), key.as_ref(), &mut answer, fx),
                Verdict::Rewrite(rewrite) => self.answer_keeps(seq, rewrite, key.as_ref(), &mut answer, fx),
            }
        }
        if answer == Answer::default() {
            self.answer_is_durable();
        } else {
            self.journal.answer = Some(answer);
        }
    }

    fn answer_ends(&mut self, seq: Seq, outcome: Outcome, answer: &mut Answer) {
        self.journal.puts.remove(&seq);
        self.set_stage(seq, Stage::Settling(Box::new(Settlement { outcome, failure: None })));
        answer.deletes.push(seq);
    }

    fn answer_keeps(
        &mut self,
        seq: Seq,
        rewrite: Rewrite,
        key: Option<&Key>,
        answer: &mut Answer,
        fx: &mut Effects,
    ) {
        let entry = self.entries.get_mut(seq).expect("only entries are asked about");
        entry.flags.cleared = true;
        let before = Arc::clone(&entry.item);
        let item = Arc::make_mut(&mut entry.item);
        if let Some(metadata) = rewrite.metadata {
            item.metadata = metadata;
        }
        if let Some(args) = rewrite.args.filter(|args| *args != item.args) {
            sometimes!(Rewritten);
            item.args = args;
            item.rewrites = item.rewrites.saturating_add(1);
            if !mutant!(OldKeyOnRewrite) {
                item.idempotency_key =
                    item.idempotency_key.as_deref().map(|key| next_key(key, item.rewrites));
            }
            entry.first_attempt = item.retry_count.saturating_add(1);
        }
        if let Some(key) = key {
            item.key = key.clone();
        }
        if entry.item == before {
            return;
        }
        let (item, rekeyed) = (Arc::clone(&entry.item), entry.item.key != before.key);
        self.journal.puts.remove(&seq);
        answer.puts.push(seq);
        if item.args != before.args {
            Self::view(fx, ViewChange::Set { place: Place::Stored(seq), item });
        }
        if rekeyed {
            self.begin_rekey(seq);
        }
    }

    /// Everything that an accepted answer was to write has ended meanwhile: nothing is left to wait for.
    pub(super) fn drop_empty_answer(&mut self) {
        let Some(answer) = &self.journal.answer else { return };
        let deletes = answer.deletes.iter().any(|&seq| self.is_settling(seq));
        let stands = deletes || answer.puts.iter().any(|seq| self.entries.contains(*seq));
        if !stands && !self.journal.is_writing_answer() {
            self.journal.answer = None;
            self.answer_is_durable();
        }
    }

    fn is_settling(&self, seq: Seq) -> bool {
        matches!(self.entries.get(seq), Some(entry) if matches!(entry.stage, Stage::Settling(_)))
    }

    pub(super) fn answer_is_durable(&mut self) {
        self.thaw(false);
    }
}

/// The idempotency key after the n-th rewrite of `K`: `K.2`, `K.3` … (R21).
fn next_key(key: &str, rewrites: u32) -> Arc<str> {
    let stem = match rewrites {
        0 | 1 => key,
        _ => key.rsplit_once('.').map_or(key, |(stem, _)| stem),
    };
    Arc::from(alloc::format!("{stem}.{}", u64::from(rewrites) + 1))
}
