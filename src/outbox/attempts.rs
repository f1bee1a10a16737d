//! Results and timeouts of attempts, and what follows: backoff, settling, parking (R9–R12, R14–R16, R29).

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use super::{
    Effects, Outbox,
    entry::{Entry, Settlement, Squashed, Stage},
    journal::Retry,
};
use crate::{
    backoff,
    config::Exhausted,
    effect::{Effect, Event, ParkReason, Place, ViewChange},
    input::{AttemptOutcome, Failure},
    item::{AttemptId, Class, FailureRecord, Item, ItemId, Outcome, Seq, SerializedError},
    json::Json,
    marks::sometimes,
    mutants::mutant,
    record,
    sorted::Sorted,
};

/// After so many attempts, subscribers are told that an item is stuck (R16).
const STUCK_ATTEMPTS: u32 = 10;
/// Larger results are not handed on (R29).
const MAX_RESULT_BYTES: usize = 64 << 10;

impl Outbox {
    pub(super) fn resolved(&mut self, attempt: AttemptId, outcome: AttemptOutcome, fx: &mut Effects) {
        // A result counts only in the epoch that dispatched it, of that very store (R14, R27).
        let others = |fence| fence != attempt.fence() && !mutant!(EarlierEpochSettles);
        if self.fence().is_none_or(others) {
            sometimes!(OtherEpoch, self.is_leading());
            return;
        }
        let Some(entry) = self.entries.get(attempt.seq) else { return };
        let current = self.attempt_in_flight(attempt.seq) == Some(attempt);
        let first = if mutant!(OldAttemptSettlesRewrite) { 1 } else { entry.first_attempt };
        let ours = (first..=entry.item.retry_count).contains(&attempt.attempt);
        if entry.stage.is_decided() || !(current || ours) {
            sometimes!(LateDecided, entry.stage.is_decided());
            sometimes!(OldArgs, attempt.attempt < first);
            return;
        }
        let newer_in_flight = !current && matches!(entry.stage, Stage::InFlight { .. });
        match outcome {
            AttemptOutcome::Success { .. } if !current && mutant!(LateSuccessIgnored) => {}
            AttemptOutcome::Success { result } => self.succeeded(attempt.seq, current, result, fx),
            AttemptOutcome::Failure(failure) if current || mutant!(LateFailureCounted) => {
                self.failed(attempt.seq, failure, fx);
            }
            AttemptOutcome::Failure(Failure { class: Class::NonRetriable, error, .. })
                if !newer_in_flight =>
            {
                sometimes!(LateRefusal);
                self.slots.answered(true);
                self.drop_item(attempt.seq, error, fx);
            }
            AttemptOutcome::Failure(_) => {
                sometimes!(LateFailure); // and nothing new
            }
        }
    }

    fn succeeded(&mut self, seq: Seq, current: bool, result: Option<Json>, fx: &mut Effects) {
        sometimes!(LateSuccess, !current);
        if !current {
            sometimes!(LateSuccessSuperseded, self.attempt_in_flight(seq).is_some());
            self.cancel_if_in_flight(seq, fx); // a newer attempt is superseded (R14)
        }
        self.slots.answered(true);
        self.network_works();
        let result = result.filter(|json| json.as_str().len() <= MAX_RESULT_BYTES);
        self.settle(seq, Outcome::Committed { result }, None, fx);
    }

    fn failed(&mut self, seq: Seq, failure: Failure, fx: &mut Effects) {
        let slot = self.slots.slot(Place::Stored(seq)).copied();
        match (failure.class, slot) {
            (Class::Transport, Some(slot)) => {
                self.slots.unanswered(slot);
                self.triggers.transport_failed = true;
            }
            (class, _) => self.slots.answered(class == Class::NonRetriable),
        }
        if failure.class == Class::NonRetriable {
            return self.drop_item(seq, failure.error, fx);
        }
        let limit = self.entries.get(seq).and_then(|entry| {
            let limit = self.mutator(&entry.item.mutator_name)?.max_attempts?;
            (entry.item.retry_count >= limit.attempts).then_some(limit)
        });
        if limit.is_some_and(|limit| limit.then == Exhausted::Drop) {
            sometimes!(Exhausted);
            return self.drop_item(seq, failure.error, fx);
        }
        self.back_off(seq, failure, fx);
        if let Some(limit) = limit {
            self.park(seq, ParkReason::Attempts { attempts: limit.attempts }, fx);
        }
    }

    /// Records the failure and sets when the item is tried again (R10, R11).
    fn back_off(&mut self, seq: Seq, failure: Failure, fx: &mut Effects) {
        let (now, seed, jitter) = (self.now, self.seed(), self.config.jitter);
        let entry = self.entries.get_mut(seq).expect("a failed attempt belongs to an entry");
        let item = Arc::make_mut(&mut entry.item);
        sometimes!(RetryAfterClamped, failure.retry_after_ms > Some(backoff::RETRY_AFTER_CAP_MS));
        let floor_ms = failure.retry_after_ms.map(|ms| ms.min(backoff::RETRY_AFTER_CAP_MS));
        let backoff_ms = backoff::delay_ms(seed, seq, item.retry_count, jitter);
        item.retry_after = floor_ms.map(|ms| now.plus_ms(ms));
        item.next_attempt_at = now.plus_ms(backoff_ms.max(floor_ms.unwrap_or(0)));
        item.claimed = false;
        item.last_class = Some(failure.class);
        item.last_error = Some(Box::new(failure.error.clone()));
        entry.flags.pulled = false;
        let (id, attempt, next_attempt_at) = (item.id.clone(), item.retry_count, item.next_attempt_at);
        Self::notify(
            fx,
            Event::AttemptFailed { id: id.clone(), attempt, error: failure.error, next_attempt_at },
        );
        if attempt == STUCK_ATTEMPTS {
            sometimes!(Stuck);
            Self::notify(fx, Event::Stuck { id, attempts: attempt });
        }
        self.set_stage(seq, Stage::Waiting);
        self.journal.puts.insert(seq);
        self.reconsider(seq);
    }

    /// Parks an item if a claim of it that may have been stored, or that has no recorded result, was its last
    /// attempt: it counts, as it would for the next leader (R16, R25).
    pub(super) fn park_used_up(&mut self, seq: Seq, fx: &mut Effects) -> bool {
        let counts = |entry: &&Entry| entry.flags.claim_in_doubt || entry.item.claimed;
        let Some(entry) = self.entries.get(seq).filter(counts) else {
            return false;
        };
        let Some(reason) = self.why_parked(&entry.item, true) else { return false };
        self.park(seq, reason, fx);
        true
    }

    fn park(&mut self, seq: Seq, reason: ParkReason, fx: &mut Effects) {
        self.dequeue(seq);
        let entry = self.entries.get_mut(seq).expect("a parked item is an entry");
        entry.parked = Some(reason);
        sometimes!(ParkedExhausted);
        let (id, mutator_name) = (entry.item.id.clone(), (&*entry.item.mutator_name).into());
        Self::notify(fx, Event::Parked { id, mutator_name, reason });
        self.another_may_go_unclaimed(seq);
    }

    /// Refused for good: delete and failure record in one transaction (R15).
    fn drop_item(&mut self, seq: Seq, error: SerializedError, fx: &mut Effects) {
        let Some(entry) = self.entries.get(seq) else { return };
        let failure =
            FailureRecord { failed_at: self.now, error: error.clone(), item: Item::clone(&entry.item) };
        self.settle(seq, Outcome::Dropped { error }, Some(failure), fx);
    }

    /// Decides an item's end, tells who waits for it, and queues its delete (R5, R29).
    pub(super) fn settle(
        &mut self,
        seq: Seq,
        outcome: Outcome,
        failure: Option<FailureRecord>,
        fx: &mut Effects,
    ) {
        self.void_ask_about(seq);
        let entry = self.entries.get_mut(seq).expect("an item that settles is an entry");
        entry.flags.told = true;
        // What is squashed into it from here on is told when it is gone.
        let squashed = entry.take_squashed();
        Self::tell(core::iter::once(&entry.item.id).chain(&squashed), &outcome, fx);
        let failure = failure.map(|failure| record::encode_failure(&failure));
        self.journal.puts.remove(&seq);
        let queue = if failure.is_some() { &mut self.journal.buries } else { &mut self.journal.deletes };
        queue.insert(seq);
        self.set_stage(seq, Stage::Settling(Box::new(Settlement { outcome, failure })));
        mutant!(LaneReleasedEarly => {
            self.release_early(seq);
        });
    }

    /// Tells the outcome to the waiters of these items: one and those squashed into it (R17, R29).
    fn tell<'a>(ids: impl Iterator<Item = &'a ItemId>, outcome: &Outcome, fx: &mut Effects) {
        for id in ids {
            Self::notify(fx, Event::Resolved { id: id.clone(), outcome: outcome.clone() });
        }
    }

    /// An item is durably gone: it leaves lanes and view, and whoever was not told yet is.
    pub(super) fn finish(&mut self, seq: Seq, outcome: Outcome, fx: &mut Effects) {
        self.cancel_if_in_flight(seq, fx);
        self.void_ask_about(seq);
        let Some(mut entry) = self.take_entry(seq) else { return };
        let squashed = entry.take_squashed();
        let own = (!entry.flags.told).then_some(&entry.item.id);
        match &outcome {
            Outcome::Squashed { into } => {
                self.hand_over(own.into_iter().cloned().chain(squashed).collect(), into, fx);
            }
            outcome => Self::tell(own.into_iter().chain(&squashed), outcome, fx),
        }
        Self::view(fx, ViewChange::Left { place: Place::Stored(seq), outcome: Some(outcome.clone()) });
        Self::notify(fx, Event::Settled { id: entry.item.id.clone(), seq, outcome });
        self.another_may_go_unclaimed(seq);
    }

    /// The one item that a full store let go is gone, or is parked: claims are tried again at once, as its
    /// delete may have made room for them; if there is none, another goes (R5).
    fn another_may_go_unclaimed(&mut self, seq: Seq) {
        if self.journal.unclaimed.take_if(|unclaimed| *unclaimed == seq).is_some()
            && core::mem::take(&mut self.journal.full)
        {
            self.journal.retry.put = Retry::default();
            self.reconsider_every_head();
        }
    }

    /// The survivor's outcome will be told to these waiters; without a survivor their items are gone.
    fn hand_over(&mut self, ids: Vec<ItemId>, into: &ItemId, fx: &mut Effects) {
        let survivor = self.seq_of(into).and_then(|survivor| self.entries.get_mut(survivor));
        let Some(survivor) = survivor else {
            return Self::tell(ids.iter(), &Outcome::Gone, fx);
        };
        let mut handed = survivor.take_squashed();
        for id in ids {
            if !handed.contains(&id) {
                handed.push(id);
            }
        }
        survivor.squashed = (!handed.is_empty()).then(|| Box::new(Squashed(handed)));
    }

    /// Takes an entry out of every index; the items behind it move up.
    fn take_entry(&mut self, seq: Seq) -> Option<Entry> {
        self.dequeue(seq);
        let entry = self.entries.remove(seq)?;
        self.slots.release(Place::Stored(seq));
        self.claiming_ahead.remove(&seq);
        self.busy -= usize::from(entry.stage.is_busy());
        if let Stage::InFlight { deadline, .. } = entry.stage {
            self.deadlines.remove(&(deadline, seq));
        }
        self.ids.remove(&entry.item.id, &Place::Stored(seq));
        self.journal.forget(seq);
        self.lanes.leave(&entry.places, seq);
        if self.barriers.remove(&seq) {
            self.reconsider_every_head();
        } else {
            self.reconsider_heads(&entry.places);
        }
        Some(entry)
    }

    /// Cancels what has run into its timeout: a transport failure (R14).
    pub(super) fn expire_attempts(&mut self, fx: &mut Effects) {
        if self.deadlines.first().is_none_or(|&(at, _)| at > self.now) {
            return;
        }
        let due = self.deadlines.iter().take_while(|&&(at, _)| at <= self.now);
        let due: Sorted<Seq> = due.map(|&(_, seq)| seq).collect();
        for seq in due {
            let Some(attempt) = self.attempt_in_flight(seq) else { continue };
            sometimes!(TimedOut);
            let since = self.slots.slot(Place::Stored(seq)).map_or(self.now, |slot| slot.since);
            let message = alloc::format!("no answer within {} ms", self.now.since_ms(since));
            let error = SerializedError::new("TimeoutError", message);
            fx.push(Effect::Cancel(attempt));
            self.failed(seq, Failure { class: Class::Transport, error, retry_after_ms: None }, fx);
        }
    }
}
