//! What goes into the next transaction (R4): deletes and buries first, then puts, then inserts.
//!
//! Space is made before it is needed. While writes fail each class goes alone; the hook's answer always does.

use alloc::vec::Vec;

use super::{
    Outbox,
    entry::Stage,
    journal::{Class, Job},
};
use crate::{
    item::{Outcome, Seq},
    mutants::mutant,
    record,
    storage::Write,
};

/// The most writes of one transaction …
pub(super) const MAX_WRITES: usize = 256;
/// … and the most bytes; one item may be larger.
const MAX_BYTES: usize = 1 << 20;
/// What a write without a record counts for.
const SMALL_BYTES: usize = 64;

/// A transaction being put together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    pub(super) writes: Vec<Write>,
    bytes: usize,
    pub(super) fenced: bool,
    pub(super) answer: bool,
}

impl Batch {
    /// Whether a write of so many bytes still goes in; the first one always does.
    fn fits(&self, bytes: usize) -> bool {
        self.jobs.is_empty() || (self.jobs.len() < MAX_WRITES && self.bytes + bytes <= MAX_BYTES)
    }

    fn push(&mut self, job: Job, write: Write, bytes: usize) {
        self.jobs.push(job);
        self.writes.push(write);
        self.bytes += bytes;
    }
}

impl Outbox {
    /// The next transaction.
    pub(super) fn next_batch(&mut self) -> Batch {
        let jobs = core::mem::take(&mut self.journal.spare_jobs);
        let writes = Vec::with_capacity(self.journal.waiting().min(MAX_WRITES));
        let mut batch = Batch { jobs, writes, ..Batch::default() };
        let separate = self.journal.separate;
        let now = self.now;
        if self.journal.answer.is_some() && self.journal.retry.put.is_due(now) {
            self.batch_answer(&mut batch);
            return batch;
        }
        let (free, put) = (self.journal.retry.free.is_due(now), self.journal.retry.put.is_due(now));
        if free {
            self.batch_deletes(&mut batch);
        }
        if put && (!separate || batch.jobs.is_empty()) {
            self.batch_buries(&mut batch);
        }
        if free && (!separate || batch.jobs.is_empty()) {
            self.batch_calls(&mut batch);
        }
        if put && !(separate && batch.jobs.iter().any(|job| job.class() == Class::Free)) {
            self.batch_puts(&mut batch);
        }
        if !separate || batch.jobs.is_empty() {
            self.batch_inserts(&mut batch);
        }
        batch
    }

    fn batch_answer(&mut self, batch: &mut Batch) {
        let answer = self.journal.answer.clone().unwrap_or_default();
        batch.answer = true;
        for seq in answer.deletes {
            self.push_delete(batch, seq);
        }
        let squashes =
            |write: &Write| matches!(write, Write::Delete { outcome: Outcome::Squashed { .. }, .. });
        if mutant!(SquashLosesSurvivor) && batch.writes.iter().any(squashes) {
            return;
        }
        if mutant!(AnswerInTwo) && !batch.jobs.is_empty() {
            for seq in answer.puts {
                self.journal.puts.insert(seq);
            }
            return;
        }
        for seq in answer.puts {
            if let Some((job, write, bytes)) = self.put_of(seq) {
                batch.fenced = true;
                batch.push(job, write, bytes);
            }
        }
    }

    fn batch_deletes(&mut self, batch: &mut Batch) {
        while batch.fits(SMALL_BYTES)
            && let Some(seq) = self.journal.deletes.pop_first()
        {
            self.push_delete(batch, seq);
        }
    }

    fn push_delete(&self, batch: &mut Batch, seq: Seq) {
        let Some(entry) = self.entries.get(seq) else { return };
        let Stage::Settling(settlement) = &entry.stage else { return };
        let outcome = settlement.outcome.clone();
        batch.push(Job::Delete(seq, outcome.clone()), Write::Delete { seq, outcome }, SMALL_BYTES);
        batch.fenced = true;
    }

    fn batch_buries(&mut self, batch: &mut Batch) {
        while let Some(&seq) = self.journal.buries.first() {
            if let Some((job, write, bytes)) = self.bury_of(seq) {
                if !batch.fits(bytes) {
                    return;
                }
                batch.push(job, write, bytes);
                batch.fenced = true;
            }
            self.journal.buries.remove(&seq);
        }
    }

    fn bury_of(&self, seq: Seq) -> Option<(Job, Write, usize)> {
        let entry = self.entries.get(seq)?;
        let Stage::Settling(settlement) = &entry.stage else { return None };
        let failure = settlement.failure.clone()?;
        let bytes = failure.len();
        let write = if mutant!(NoFailureRecord) {
            Write::Delete { seq, outcome: settlement.outcome.clone() }
        } else {
            Write::Bury { seq, id: entry.item.id.clone(), failure }
        };
        Some((Job::Bury(seq, settlement.outcome.clone()), write, bytes))
    }

    fn batch_calls(&mut self, batch: &mut Batch) {
        while batch.fits(SMALL_BYTES)
            && let Some(call) = self.journal.calls.pop_front()
        {
            let write = call.write();
            batch.push(Job::Call(call), write, SMALL_BYTES);
        }
    }

    fn batch_puts(&mut self, batch: &mut Batch) {
        while let Some(&seq) = self.journal.puts.first() {
            if let Some((job, write, bytes)) = self.put_of(seq) {
                if !batch.fits(bytes) {
                    return;
                }
                batch.push(job, write, bytes);
                batch.fenced = true;
            }
            self.journal.puts.remove(&seq);
        }
    }

    fn put_of(&mut self, seq: Seq) -> Option<(Job, Write, usize)> {
        let entry = self.entries.get(seq)?;
        let claim = matches!(entry.stage, Stage::Claiming { .. }).then_some(entry.item.retry_count);
        let record = record::encode_in(&mut self.journal.spare_text, &entry.item);
        let bytes = record.len();
        Some((Job::Put { seq, claim }, Write::Put { seq, record }, bytes))
    }

    fn batch_inserts(&mut self, batch: &mut Batch) {
        let limit = if self.journal.separate { self.journal.insert_limit.max(1) } else { MAX_WRITES };
        for _ in 0..limit {
            let Some(&local) = self.journal.inserts.front() else { return };
            if let Some(writing) = self.writing.get_mut(local) {
                let record = record::encode_in(&mut self.journal.spare_text, &writing.item);
                let bytes = record.len();
                if !batch.fits(bytes) {
                    return;
                }
                writing.in_flight = true;
                batch.fenced |= writing.born_claimed.is_some();
                batch.push(Job::Insert(local), writing.insert(record), bytes);
            }
            self.journal.inserts.pop_front();
        }
    }
}
