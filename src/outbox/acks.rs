//! What the answer to a transaction means, and what a failed one leads to (R4, R5).

use alloc::{sync::Arc, vec::Vec};

use super::{
    Effects, Known, Outbox,
    batch::MAX_WRITES,
    entry::Stage,
    journal::{CallKind, CallWrite, Class, Job, Kind, Request, Retry},
};
use crate::{
    effect::{Effect, Event, Place, Reply, ViewChange},
    error::CallError,
    input::Poke,
    item::{ItemId, Outcome, Seq},
    marks::sometimes,
    mutants::mutant,
    record,
    storage::{Committed, Fence, OpId, StorageError, WriteResult},
    time::Timestamp,
};

/// A leader whose store has failed or not answered for so long resigns (R27).
const GIVE_UP_MS: u64 = 10_000;

/// What a commit did, for the poke (R28).
#[derive(Default)]
struct Done {
    /// Whether there may be others to poke.
    shared: bool,
    settled: Vec<(Seq, ItemId, Outcome)>,
    changed: Vec<Seq>,
    more: bool,
}

impl Done {
    fn settled(&mut self, seq: Seq, id: &ItemId, outcome: &Outcome) {
        if self.shared {
            self.settled.push((seq, id.clone(), outcome.clone()));
        }
    }

    fn changed(&mut self, seq: Seq) {
        if self.shared {
            self.changed.push(seq);
        }
    }
}

impl Outbox {
    pub(super) fn persisted(&mut self, op: OpId, result: Result<Committed, StorageError>, fx: &mut Effects) {
        let asked = |request: &mut Request| request.op == op && !request.is_read();
        let Some(request) = self.journal.in_flight.take_if(asked) else { return };
        let Kind::Persist { jobs, fence, answer } = request.kind else { return };
        // An answer that leaves writes out says nothing of them: look.
        let result = result.and_then(|committed| {
            if committed.results.len() == jobs.len() { Ok(committed) } else { Err(StorageError::Unknown) }
        });
        match result {
            Ok(committed) => self.committed(jobs, answer, request.since, &committed, fx),
            Err(StorageError::Fenced) => self.fenced_out(jobs, fx),
            Err(StorageError::Unknown) => {
                self.storage_failed(&StorageError::Unknown, fx);
                self.doubtful(jobs, answer, fence);
            }
            Err(error) => {
                self.storage_failed(&error, fx);
                if answer {
                    sometimes!(AnswerRetried);
                    self.put_failed(&error);
                } else {
                    self.write_failed(jobs, &error, fence, fx);
                }
            }
        }
    }

    fn committed(
        &mut self,
        mut jobs: Vec<Job>,
        answer: bool,
        since: Timestamp,
        committed: &Committed,
        fx: &mut Effects,
    ) {
        self.storage_works(&jobs, fx);
        let change = committed.change;
        let mut done = Done { shared: self.config.shared, ..Done::default() };
        for (job, result) in jobs.drain(..).zip(&committed.results) {
            self.job_done(job, *result, since, &mut done, fx);
        }
        self.journal.reuse(jobs);
        if answer {
            let puts = self.journal.answer.take().unwrap_or_default().puts;
            self.end_rekeys(puts.into_iter());
            self.answer_is_durable();
        }
        if self.config.shared {
            fx.push(Effect::Poke(self.poke_of(change, done)));
        }
        self.note_own_change(change);
        self.evict_excess();
    }

    /// What others are told of a commit. If it is not sure which store it was in, they look for themselves.
    fn poke_of(&self, change: u64, done: Done) -> Poke {
        let Done { settled, changed, more, .. } = done;
        match self.known {
            Some(Known { store, change: before, .. }) if before < change => {
                Poke::Committed { store, from: change.saturating_sub(1), to: change, settled, changed, more }
            }
            _ => Poke::Unknown,
        }
    }

    fn job_done(
        &mut self,
        job: Job,
        result: WriteResult,
        since: Timestamp,
        done: &mut Done,
        fx: &mut Effects,
    ) {
        match job {
            Job::Delete(seq, outcome) | Job::Bury(seq, outcome) => {
                self.delete_done(seq, outcome, result, done, fx);
            }
            Job::Put { seq, claim } => {
                if result == WriteResult::Missing {
                    return self.missing(seq, Some(Outcome::Removed), fx);
                }
                self.journal.unclaimed.take_if(|unclaimed| *unclaimed == seq);
                done.changed(seq);
                let claim = if mutant!(AckMatchedByItem) {
                    self.entries.get(seq).map(|entry| entry.item.retry_count)
                } else {
                    claim
                };
                if let Some(attempt) = claim {
                    self.claim_acknowledged(seq, attempt, since, fx);
                }
            }
            Job::Call(call) => self.call_done(&call, result, done, fx),
            Job::Insert(local) => match result {
                WriteResult::Inserted(seq) => {
                    done.changed(seq);
                    done.more |= self.writing.get(local).is_some_and(|writing| writing.failure.is_some());
                    self.stored(local, seq, since, fx);
                }
                WriteResult::Duplicate => {
                    let Some(id) = self.writing.get(local).map(|writing| writing.item.id.clone()) else {
                        return;
                    };
                    self.refuse(local, Err(CallError::Duplicate { id }), fx);
                }
                WriteResult::Done | WriteResult::Missing => self.refuse(local, Ok(Reply::Done(false)), fx),
            },
        }
    }

    /// A settled item's delete is durable: it leaves lane and view (R5, R29). That holds as well when this
    /// replica has stepped down meanwhile: others learn of it by the same poke.
    fn delete_done(
        &mut self,
        seq: Seq,
        outcome: Outcome,
        result: WriteResult,
        done: &mut Done,
        fx: &mut Effects,
    ) {
        let Some(entry) = self.entries.get(seq) else { return };
        let id = entry.item.id.clone();
        // Whichever delete commits first decides (R18); a repeated one of ours finds its own work done (R4).
        let mine = result == WriteResult::Done || entry.flags.in_doubt;
        let outcome = if mine { outcome } else { Outcome::Removed };
        if mine && let Outcome::Dropped { .. } = outcome {
            sometimes!(Buried);
            done.more = true;
            if let Stage::Settling(settlement) = &entry.stage
                && let Some(text) = &settlement.failure
            {
                let names = &self.names;
                let record = record::decode_failure(text.as_bytes(), |name| Self::intern(names, name)).ok();
                self.failures.add(id.clone(), text.len(), record);
            }
        }
        done.settled(seq, &id, &outcome);
        self.finish(seq, outcome, fx);
    }

    fn call_done(&mut self, write: &CallWrite, result: WriteResult, done: &mut Done, fx: &mut Effects) {
        let did = result == WriteResult::Done || (result == WriteResult::Missing && write.in_doubt);
        match &write.kind {
            CallKind::Remove(id) => {
                if let Some(&Place::Stored(seq)) = self.ids.find(id) {
                    if did && mutant!(RemovalLeavesCopy) {
                        self.set_stage(seq, Stage::Waiting);
                        self.reconsider(seq);
                    } else if did {
                        done.settled(seq, id, &Outcome::Removed);
                        self.finish(seq, Outcome::Removed, fx);
                    } else {
                        // Gone without us: a load tells how.
                        self.missing(seq, None, fx);
                    }
                } else {
                    done.more |= did;
                }
            }
            CallKind::Dismiss(id) => {
                self.failures.remove(id);
                done.more |= did;
                if did && write.call.is_none() {
                    Self::notify(fx, Event::FailureEvicted { id: id.clone() });
                }
            }
            CallKind::Pause(_) | CallKind::Resume(_) => {
                write.apply_to_pauses(&mut self.pauses); // in force since it was asked for
                done.more = true;
            }
        }
        if let Some(call) = write.call {
            sometimes!(RemoveNothing, !did && matches!(write.kind, CallKind::Remove(_)));
            Self::reply(fx, call, Ok(Reply::Done(did)));
        }
    }

    /// A write found no row: someone else ended the item. Without an outcome, a load is to tell it.
    fn missing(&mut self, seq: Seq, outcome: Option<Outcome>, fx: &mut Effects) {
        if !self.entries.contains(seq) {
            return;
        }
        sometimes!(RemovedElsewhere);
        self.cancel_if_in_flight(seq, fx);
        match outcome {
            Some(outcome) => self.finish(seq, outcome, fx),
            None => self.journal.want.since = true,
        }
    }

    /// An insert is durable: the item takes its place.
    fn stored(&mut self, local: u64, seq: Seq, since: Timestamp, fx: &mut Effects) {
        let Some(writing) = self.writing.remove(local) else { return };
        if let Some(failure) = &writing.failure {
            sometimes!(FailureRetried);
            self.failures.remove(failure);
        }
        if self.is_leading() && seq <= self.through() {
            // No store gives a place twice: it was made anew, and what was dispatched to its places before
            // says nothing of who has them now (R14).
            self.fenced_out(Vec::new(), fx);
        }
        let id = writing.item.id.clone();
        // Storage had the place and the id to give: what was known to have them is gone.
        let at_place = self.entries.contains(seq).then_some(seq);
        let namesake = self.seq_of(&id);
        for gone in at_place.into_iter().chain(namesake) {
            self.lost(gone, None, fx);
        }
        self.advance_through(seq);
        let (from, to) = (Place::Writing(local), Place::Stored(seq));
        if !mutant!(ViewByArrival) {
            Self::view(fx, ViewChange::Moved { from, to });
        }
        Self::reply(fx, writing.call, Ok(Reply::Enqueued { id: id.clone(), seq }));
        self.slots.rename(from, to);
        self.add_entry(seq, writing.item, fx);
        if namesake.is_some()
            && let Some(entry) = self.entries.get(seq)
        {
            // Who lists items by id knew but one of the two, and has heard that it is gone.
            Self::view(fx, ViewChange::Set { place: to, item: Arc::clone(&entry.item) });
        }
        let waits = matches!(self.entries.get(seq), Some(entry) if entry.stage == Stage::Waiting);
        if writing.born_claimed.is_some() && self.is_leading() && writing.removals.is_empty() && waits {
            let attempt = 1;
            self.set_stage(seq, Stage::Claiming { requested: since });
            self.claim_acknowledged(seq, attempt, since, fx);
        } else {
            self.slots.release(to);
            self.reconsider(seq);
        }
        for call in writing.removals {
            sometimes!(RemovedWriting);
            self.remove(call, id.clone(), fx);
        }
    }

    // Failures.

    /// Another replica leads: bookkeeping is discarded; the rest goes again, unfenced and unclaimed,
    /// before newer ones (R4).
    pub(super) fn fenced_out(&mut self, jobs: Vec<Job>, fx: &mut Effects) {
        for job in jobs.into_iter().rev() {
            match job {
                Job::Insert(local) => {
                    sometimes!(FencedInserts);
                    self.unclaim_writing(local);
                    self.slots.release(Place::Writing(local));
                    self.requeue_insert(local);
                }
                Job::Call(call) => self.journal.calls.push_front(call),
                Job::Delete(..) | Job::Bury(..) | Job::Put { .. } => {}
            }
        }
        if self.is_leading() && !mutant!(FencedStaysLeader) {
            sometimes!(Fenced);
            self.step_down(fx);
            fx.push(Effect::Resign);
        }
    }

    fn requeue_insert(&mut self, local: u64) {
        if let Some(writing) = self.writing.get_mut(local) {
            writing.in_flight = false;
            self.journal.inserts.push_front(local);
        }
    }

    /// The store cannot tell whether it committed: look before writing again (R4), and ever more rarely if
    /// it never can.
    fn doubtful(&mut self, jobs: Vec<Job>, answer: bool, fence: Option<Fence>) {
        sometimes!(Doubt);
        self.journal.want.doubt = true;
        if !mutant!(DoubtsWithoutPause) {
            self.journal.retry.doubt.failed_again(self.now);
        }
        for job in jobs.into_iter().rev() {
            if let Job::Insert(local) = job {
                if let Some(writing) = self.writing.get_mut(local) {
                    writing.in_doubt = true; // never repeated; found by its id, or refused
                }
                continue;
            }
            if let Job::Delete(seq, _) | Job::Bury(seq, _) | Job::Put { seq, .. } = &job
                && let Some(entry) = self.entries.get_mut(*seq)
            {
                entry.flags.in_doubt |= matches!(job, Job::Delete(..) | Job::Bury(..));
                entry.flags.claim_in_doubt |= matches!(job, Job::Put { claim: Some(_), .. });
            }
            if !answer {
                self.requeue(job, true, fence);
            }
        }
    }

    /// Puts a write back into its queue, if it still stands.
    pub(super) fn requeue(&mut self, job: Job, in_doubt: bool, fence: Option<Fence>) {
        let stands = fence.is_none() || fence == self.fence();
        match job {
            Job::Insert(local) => {
                if !stands {
                    self.unclaim_writing(local);
                }
                self.requeue_insert(local);
            }
            Job::Call(mut call) => {
                call.in_doubt |= in_doubt && self.has_target(&call.kind);
                self.journal.calls.push_front(call);
            }
            Job::Delete(..) | Job::Bury(..) | Job::Put { .. } if !stands => {}
            Job::Delete(seq, _) if mutant!(ErrorAfterSuccess) => {
                self.set_stage(seq, Stage::Waiting);
                self.reconsider(seq);
            }
            Job::Delete(seq, _) => drop(self.journal.deletes.insert(seq)),
            Job::Bury(seq, _) => drop(self.journal.buries.insert(seq)),
            Job::Put { seq, .. } => drop(self.journal.puts.insert(seq)),
        }
    }

    /// Whether a call is about something that this replica knows to be stored: if it is missing after a
    /// doubt, it was this call that took it away.
    fn has_target(&self, kind: &CallKind) -> bool {
        match kind {
            CallKind::Remove(id) => self.ids.find(id).is_some(),
            CallKind::Dismiss(id) => self.failures.holds(id),
            CallKind::Pause(_) | CallKind::Resume(_) => true,
        }
    }

    /// What is still known after the load that follows a doubt was not taken away by the write in doubt: if
    /// it is missing later, somebody else did that (R18).
    pub(super) fn what_is_there_was_not_deleted(&mut self) {
        let journal = &mut self.journal;
        let answered = journal.answer.iter().flat_map(|answer| &answer.deletes);
        for &seq in journal.deletes.iter().chain(journal.buries.iter()).chain(answered) {
            if let Some(entry) = self.entries.get_mut(seq) {
                entry.flags.in_doubt = false;
            }
        }
        for call in &mut journal.calls {
            call.in_doubt &= match &call.kind {
                CallKind::Remove(id) => self.ids.find(id).is_none(),
                CallKind::Dismiss(id) => !self.failures.holds(id),
                CallKind::Pause(_) | CallKind::Resume(_) => true,
            };
        }
    }

    /// Nothing was written. A mixed transaction is repeated class by class; one of a single class waits,
    /// is halved, or fails its callers (R4, R5).
    fn write_failed(&mut self, jobs: Vec<Job>, error: &StorageError, fence: Option<Fence>, fx: &mut Effects) {
        let class = jobs.iter().map(Job::class).max().unwrap_or(Class::Free);
        let mixed = jobs.iter().any(|job| job.class() != class);
        let count = jobs.len();
        if let [Job::Insert(local)] = jobs[..] {
            sometimes!(InsertRefused);
            return self.refuse(local, Err(error.clone().into()), fx);
        }
        mutant!(BatchFails => {
            if class == Class::Insert && !mixed {
                return self.fail_all(jobs, error, fence, fx);
            }
        });
        let callers_fail = jobs.iter().all(|job| matches!(job, Job::Call(_)));
        for job in jobs.into_iter().rev() {
            match job {
                Job::Call(call) if callers_fail => self.call_failed(&call, error, fx),
                job => self.requeue(job, false, fence),
            }
        }
        sometimes!(BatchSplit, mixed);
        if !core::mem::replace(&mut self.journal.separate, true) {
            self.journal.insert_limit = MAX_WRITES;
        }
        match class {
            _ if mixed => {} // at once, class by class
            Class::Free => {
                sometimes!(DeleteRepeated);
                self.journal.retry.free.failed(self.now);
            }
            Class::Put => self.put_failed(error),
            Class::Insert => {
                sometimes!(InsertsHalved);
                self.journal.insert_limit = count.div_ceil(2);
            }
        }
    }

    /// Writes that need space failed, with nothing else in their transaction.
    fn put_failed(&mut self, error: &StorageError) {
        self.journal.retry.put.failed(self.now);
        if *error == StorageError::Full {
            self.make_room();
        }
    }

    /// A call's write failed with nothing else in its transaction: its caller is told.
    fn call_failed(&mut self, write: &CallWrite, error: &StorageError, fx: &mut Effects) {
        match &write.kind {
            CallKind::Remove(id) => {
                if let Some(&Place::Stored(seq)) = self.ids.find(id)
                    && matches!(self.entries.get(seq), Some(entry) if entry.stage == Stage::Removing)
                {
                    self.set_stage(seq, Stage::Waiting);
                    self.reconsider(seq);
                }
            }
            CallKind::Dismiss(id) => self.failures.keep(id),
            CallKind::Pause(_) | CallKind::Resume(_) => self.pauses_changed(fx),
        }
        if let Some(call) = write.call {
            Self::reply(fx, call, Err(CallError::Storage(error.clone())));
        }
    }

    /// A claim or bury was refused for space: claims that nobody needs yet are given back; when there are
    /// none, the oldest failure records make way; when there are none, one item may be sent unclaimed (R5).
    fn make_room(&mut self) {
        if self.give_back_ahead() {
            self.journal.retry.put = Retry::default();
            return;
        }
        let evicted = self.failures.oldest_quarter();
        if evicted.is_empty() {
            return self.send_one_unclaimed();
        }
        sometimes!(FailuresEvicted);
        self.evict(evicted);
        self.journal.retry.put = Retry::default();
    }

    /// More failure records than are kept: the oldest go (R15).
    fn evict_excess(&mut self) {
        if self.is_leading() {
            let evicted = self.failures.excess();
            if !evicted.is_empty() {
                self.evict(evicted);
            }
        }
    }

    fn evict(&mut self, ids: Vec<ItemId>) {
        let writes = ids.into_iter().map(|id| CallWrite::new(None, CallKind::Dismiss(id)));
        self.journal.calls.extend(writes);
    }

    pub(super) fn storage_failed(&mut self, error: &StorageError, fx: &mut Effects) {
        if matches!(error, StorageError::Unavailable { .. } | StorageError::Unknown) {
            self.journal.failing_since.get_or_insert(self.now);
        }
        if !core::mem::replace(&mut self.journal.told_failing, true) {
            Self::notify(fx, Event::StorageFailed(error.clone()));
        }
    }

    /// A transaction of these writes, or a read, went well.
    pub(super) fn storage_works(&mut self, jobs: &[Job], fx: &mut Effects) {
        let did = |class| jobs.iter().any(|job| job.class() == class);
        if did(Class::Put) {
            self.claim_the_unclaimed();
        }
        let journal = &mut self.journal;
        journal.failing_since = None;
        if did(Class::Free) || !journal.has_free() {
            journal.retry.free = Retry::default();
        }
        if did(Class::Put) || !journal.has_put() {
            journal.retry.put = Retry::default();
        }
        if !jobs.is_empty() || journal.is_idle() {
            journal.retry.doubt = Retry::default();
        }
        if journal.separate {
            journal.insert_limit = journal.insert_limit.saturating_mul(2);
            journal.separate = !(did(Class::Insert) || journal.inserts.is_empty());
        }
        if journal.is_healthy() && core::mem::replace(&mut journal.told_failing, false) {
            Self::notify(fx, Event::StorageRecovered);
        }
    }

    pub(super) fn read_works(&mut self, fx: &mut Effects) {
        self.journal.retry.read = Retry::default();
        self.storage_works(&[], fx);
    }

    pub(super) fn gives_up_at(&self, since: Timestamp) -> Option<Timestamp> {
        (!self.is_follower()).then(|| since.plus_ms(GIVE_UP_MS))
    }

    /// Storage has failed, or not answered, for 10 s: another replica may do better (R27).
    pub(super) fn expire_storage(&mut self, fx: &mut Effects) {
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.now);
        let silent = self.journal.in_flight.as_ref().filter(|request| !request.gave_up);
        let silent = due(silent.and_then(|request| self.gives_up_at(request.since)));
        let failing = due(self.journal.failing_since.and_then(|since| self.gives_up_at(since)));
        if failing && self.journal.is_at_rest() {
            // Nothing was asked since: ask, before giving up what may work again.
            self.journal.failing_since = None;
            self.journal.want.since = true;
        } else if silent || failing {
            sometimes!(ResignedSilent);
            if let Some(request) = &mut self.journal.in_flight {
                request.gave_up = true;
            }
            self.journal.failing_since = None;
            self.step_down(fx);
            fx.push(Effect::Resign);
        }
    }
}
