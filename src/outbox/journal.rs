//! Which storage request is next (R4): one in flight, and what arrives meanwhile is the next
//! transaction.
//!
//! Writes fall in three classes by what they need. [`Class::Free`] frees space or needs next to none,
//! [`Class::Put`] may need some, [`Class::Insert`] does, and is the only one that fails its caller. While
//! all goes well a transaction mixes them; after a failure each goes alone, in that order, so that a
//! full disk does not block the deletes that free it.

use alloc::{collections::VecDeque, string::String, sync::Arc, vec::Vec};

use super::{Effects, Known, Outbox, failures::FailureRetry};
use crate::{
    backoff,
    effect::Effect,
    input::CallId,
    item::{ItemId, Outcome, Seq},
    mutants::mutant,
    sorted::{Sorted, Texts},
    storage::{Fence, OpId, Scope, Write},
    time::Timestamp,
};

/// What waits for storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Journal {
    next_op: u64,
    pub(super) in_flight: Option<Request>,

    // Writes that wait.
    pub(super) deletes: Sorted<Seq>,
    pub(super) buries: Sorted<Seq>,
    pub(super) puts: Sorted<Seq>,
    pub(super) calls: VecDeque<CallWrite>,
    pub(super) inserts: VecDeque<u64>,
    /// An accepted answer of the hook: one transaction of its own (R17).
    pub(super) answer: Option<Answer>,

    // Reads that wait.
    pub(super) want: Want,
    /// The last request was a read, so a write goes first.
    read_last: bool,
    /// A load of all that changed went before rows that are wanted by their places, so those go first: while
    /// others write, there is always more that changed.
    places_next: bool,

    // After a failure.
    /// Each class goes alone.
    pub(super) separate: bool,
    /// The most inserts of one transaction while `separate`.
    pub(super) insert_limit: usize,
    pub(super) retry: Retries,
    /// Since when the store has answered nothing but failures.
    pub(super) failing_since: Option<Timestamp>,
    pub(super) told_failing: bool,
    /// Claims are refused for want of space: but for one item, none is sent (R5).
    pub(super) full: bool,
    /// That one item, until it is gone or written: a write that has room says nothing of the next one.
    pub(super) unclaimed: Option<Seq>,

    // Memory that the next transaction uses again; both are empty in between.
    pub(super) spare_jobs: Vec<Job>,
    pub(super) spare_text: String,
}

/// Reads that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Want {
    pub(super) acquire: bool,
    pub(super) full: bool,
    pub(super) since: bool,
    /// Rows that a poke named.
    pub(super) items: Sorted<Seq>,
    /// Rows that are sent only if a fenced read still finds them (R2, R5).
    pub(super) verify: Sorted<Seq>,
    /// A write may or may not have been committed: read before writing again (R4).
    pub(super) doubt: bool,
    /// Retries of failure records that were not known when they were asked for: decided by what is read.
    pub(super) retries: Vec<FailureRetry>,
}

impl Want {
    /// Whether everything that changed is to be read.
    pub(super) fn is_broad(&self) -> bool {
        self.acquire || self.full || self.since || self.doubt || !self.retries.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_broad() && self.items.is_empty() && self.verify.is_empty()
    }

    /// The next load, and the part of these wants that it serves; they are taken out. Something is wanted.
    /// Rows that are wanted by their places come after what changed, or before it if `places_next`.
    fn next_load(&mut self, known: Option<&Known>, places_next: bool) -> (Scope, Self) {
        let places = |seqs: &Sorted<Seq>| Scope::Items(seqs.iter().copied().collect());
        let by_place = places_next || !self.is_broad();
        let verify = core::mem::take(&mut self.verify);
        if by_place && !verify.is_empty() {
            return (places(&verify), Self { verify, ..Self::default() });
        }
        let items = core::mem::take(&mut self.items);
        let (scope, served) = match known.filter(|_| !self.full) {
            None => (Scope::Full, core::mem::take(self)),
            Some(_) if by_place && !items.is_empty() => (places(&items), Self { items, ..Self::default() }),
            Some(known) => {
                let served = core::mem::take(self);
                // The poke that named them moved the counter past them: unless they are new, they are not
                // among what changed since (R28).
                self.items.extend(items.into_iter().filter(|seq| *seq <= known.through));
                (Scope::Since { change: known.change, through: known.through }, served)
            }
        };
        self.verify = verify;
        (scope, served)
    }

    /// Wants again what a failed load did not bring.
    pub(super) fn join(&mut self, other: Self) {
        self.full |= other.full;
        self.since |= other.since;
        self.doubt |= other.doubt;
        self.items.extend(other.items);
        self.verify.extend(other.verify);
        self.retries.extend(other.retries);
    }
}

/// When failed requests are repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Retries {
    pub(super) free: Retry,
    pub(super) put: Retry,
    pub(super) read: Retry,
    /// Doubts, one after the other, about what was committed (R4).
    pub(super) doubt: Retry,
}

/// When one kind of request is repeated, with backoff.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Retry {
    failures: u32,
    at: Option<Timestamp>,
}

impl Retry {
    pub(super) fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.at = Some(now.plus_ms(backoff::window_ms(self.failures)));
    }

    /// As [`Retry::failed`], but once is no reason to wait.
    pub(super) fn failed_again(&mut self, now: Timestamp) {
        match self.failures {
            0 => self.failures = 1,
            _ => self.failed(now),
        }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.at.is_none_or(|at| at <= now)
    }
}

/// What an accepted answer of the hook writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Answer {
    pub(super) deletes: Vec<Seq>,
    pub(super) puts: Vec<Seq>,
}

/// The request in flight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Request {
    pub(super) op: OpId,
    pub(super) since: Timestamp,
    pub(super) kind: Kind,
    /// This replica resigned because no answer came.
    pub(super) gave_up: bool,
}

impl Request {
    /// Whether it is answered by `Loaded`; an answer of the other kind is a driver's mistake and ignored.
    pub(super) fn is_read(&self) -> bool {
        !matches!(self.kind, Kind::Persist { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// What it is to satisfy beside the acquire.
    Acquire(Want),
    /// What it is to satisfy.
    Load(Want),
    /// `answer`: it is the hook's answer.
    Persist { jobs: Vec<Job>, fence: Option<Fence>, answer: bool },
}

/// One write, and what its answer is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Job {
    Delete(Seq, Outcome),
    Bury(Seq, Outcome),
    Call(CallWrite),
    /// `claim`: the attempt that it claims.
    Put {
        seq: Seq,
        claim: Option<u32>,
    },
    Insert(u64),
}

/// What a write needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Free,
    Put,
    Insert,
}

impl Job {
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Delete(..) | Self::Call(_) => Class::Free,
            Self::Bury(..) | Self::Put { .. } => Class::Put,
            Self::Insert(_) => Class::Insert,
        }
    }
}

/// A write that a call of the app asks for, or an eviction (no call).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CallWrite {
    pub(super) call: Option<CallId>,
    pub(super) kind: CallKind,
    /// An earlier try may have been committed.
    pub(super) in_doubt: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum CallKind {
    Remove(ItemId),
    Dismiss(ItemId),
    Pause(Arc<str>),
    Resume(Arc<str>),
}

impl CallWrite {
    pub(super) fn new(call: Option<CallId>, kind: CallKind) -> Self {
        Self { call, kind, in_doubt: false }
    }

    pub(super) fn write(&self) -> Write {
        match &self.kind {
            CallKind::Remove(id) => Write::Remove { id: id.clone() },
            CallKind::Dismiss(id) => Write::DismissFailure { id: id.clone() },
            CallKind::Pause(reason) => Write::Pause { reason: Arc::clone(reason) },
            CallKind::Resume(reason) => Write::Resume { reason: Arc::clone(reason) },
        }
    }

    pub(super) fn apply_to_pauses(&self, reasons: &mut Texts) {
        match &self.kind {
            CallKind::Pause(reason) => drop(reasons.insert(Arc::clone(reason))),
            CallKind::Resume(reason) => reasons.forget(reason),
            CallKind::Remove(_) | CallKind::Dismiss(_) => {}
        }
    }
}

impl Journal {
    /// Calls whose writes are in flight or wait, in order.
    pub(super) fn calls_under_way(&self) -> impl Iterator<Item = &CallWrite> {
        let jobs = match &self.in_flight {
            Some(Request { kind: Kind::Persist { jobs, .. }, .. }) => jobs.as_slice(),
            _ => &[],
        };
        let in_flight =
            jobs.iter().filter_map(|job| if let Job::Call(call) = job { Some(call) } else { None });
        in_flight.chain(&self.calls)
    }

    /// How many writes wait, but for the hook's answer.
    pub(super) fn waiting(&self) -> usize {
        let bookkeeping = self.deletes.len() + self.buries.len() + self.puts.len();
        bookkeeping + self.calls.len() + self.inserts.len()
    }

    /// Keeps the memory of a transaction's jobs for the next one's.
    pub(super) fn reuse(&mut self, mut jobs: Vec<Job>) {
        jobs.clear();
        self.spare_jobs = jobs;
    }

    /// Whether a write of [`Class::Free`] waits.
    pub(super) fn has_free(&self) -> bool {
        !(self.deletes.is_empty() && self.calls.is_empty())
    }

    /// Whether a write of [`Class::Put`] waits.
    pub(super) fn has_put(&self) -> bool {
        !(self.buries.is_empty() && self.puts.is_empty() && self.answer.is_none())
    }

    /// Whether nothing that was written last has failed.
    pub(super) fn is_healthy(&self) -> bool {
        !self.separate && self.retry == Retries::default()
    }

    /// Whether what is known may be outdated, as far as is known: others wrote, or it is being looked up.
    pub(super) fn reads_or_wants_to(&self) -> bool {
        self.is_reading() || !self.want.is_empty()
    }

    /// Whether a read is in flight.
    pub(super) fn is_reading(&self) -> bool {
        self.in_flight.as_ref().is_some_and(Request::is_read)
    }

    /// Whether the transaction in flight deletes this item.
    pub(super) fn is_deleting(&self, seq: Seq) -> bool {
        let Some(Request { kind: Kind::Persist { jobs, .. }, .. }) = &self.in_flight else { return false };
        jobs.iter().any(|job| matches!(job, Job::Delete(at, _) | Job::Bury(at, _) if *at == seq))
    }

    /// Whether the transaction in flight is the hook's answer.
    pub(super) fn is_writing_answer(&self) -> bool {
        let request = self.in_flight.as_ref();
        request.is_some_and(|request| matches!(request.kind, Kind::Persist { answer: true, .. }))
    }

    /// Whether nothing is asked of storage, nor waits to be.
    pub(super) fn is_at_rest(&self) -> bool {
        self.in_flight.is_none() && self.is_idle() && self.want.is_empty()
    }

    /// Whether a read that is due waits.
    fn wants_read(&self, now: Timestamp) -> bool {
        let after_doubt = !self.want.doubt || self.retry.doubt.is_due(now);
        !self.want.is_empty() && self.retry.read.is_due(now) && after_doubt
    }

    /// Whether none is in flight and one that is due waits; no write goes before a doubt is cleared.
    pub(super) fn is_wanted(&self, now: Timestamp) -> bool {
        let read = self.wants_read(now);
        let free = self.has_free() && self.retry.free.is_due(now);
        let put = self.has_put() && self.retry.put.is_due(now);
        let write = free || put || !self.inserts.is_empty();
        self.in_flight.is_none() && (read || write && !self.want.doubt)
    }

    pub(super) fn is_idle(&self) -> bool {
        let asked = match &self.in_flight {
            None => false,
            Some(Request { kind: Kind::Acquire(want) | Kind::Load(want), .. }) => !want.retries.is_empty(),
            Some(Request { kind: Kind::Persist { .. }, .. }) => true,
        };
        !asked
            && self.want.retries.is_empty()
            && !self.has_free()
            && !self.has_put()
            && self.inserts.is_empty()
    }

    /// The item at `seq` is gone: nothing is to be written about it.
    pub(super) fn forget(&mut self, seq: Seq) {
        self.deletes.remove(&seq);
        self.buries.remove(&seq);
        self.puts.remove(&seq);
        self.want.verify.remove(&seq);
    }

    /// The bookkeeping of a leader that leads no more (R22, R27).
    pub(super) fn discard_bookkeeping(&mut self) {
        self.deletes.clear();
        self.buries.clear();
        self.puts.clear();
        self.answer = None;
        (self.full, self.unclaimed) = (false, None);
        self.want.verify.clear();
        self.retry = Retries::default();
    }
}

impl Outbox {
    /// Sends the next storage request, if none is in flight and one is wanted.
    pub(super) fn request(&mut self, fx: &mut Effects) {
        if self.journal.in_flight.is_some() {
            return;
        }
        // Reads and writes take turns, so that neither starves; but no write goes before a doubt is cleared.
        let write_first = self.journal.read_last && !self.journal.want.doubt && !self.journal.want.acquire;
        let asked = (write_first && self.request_write(fx)) || self.request_read(fx);
        if !asked && !self.journal.want.doubt {
            self.request_write(fx);
        }
    }

    fn begin(&mut self, kind: Kind) -> OpId {
        self.journal.next_op += 1;
        let op = OpId(self.journal.next_op);
        self.journal.read_last = !matches!(kind, Kind::Persist { .. });
        self.journal.in_flight = Some(Request { op, since: self.now, kind, gave_up: false });
        op
    }

    fn request_read(&mut self, fx: &mut Effects) -> bool {
        if !self.journal.wants_read(self.now) {
            return false;
        }
        let want = &mut self.journal.want;
        if want.acquire {
            let served = core::mem::take(want);
            let op = self.begin(Kind::Acquire(served));
            fx.push(Effect::Acquire { op });
            return true;
        }
        let (scope, served) = want.next_load(self.known.as_ref(), self.journal.places_next);
        self.journal.places_next = served.is_broad() && !(want.verify.is_empty() && want.items.is_empty());
        let fence = self.fence();
        let op = self.begin(Kind::Load(served));
        fx.push(Effect::Load { op, fence, scope });
        true
    }

    fn request_write(&mut self, fx: &mut Effects) -> bool {
        if self.journal.waiting() == 0 && self.journal.answer.is_none() {
            return false;
        }
        self.claim_ahead();
        let batch = self.next_batch();
        if batch.jobs.is_empty() {
            self.journal.reuse(batch.jobs);
            return false;
        }
        let fence = if batch.fenced && !mutant!(ClaimNotFenced) { self.fence() } else { None };
        let op = self.begin(Kind::Persist { jobs: batch.jobs, fence, answer: batch.answer });
        fx.push(Effect::Persist { op, fence, writes: batch.writes });
        true
    }

    /// When a failed request is to be repeated, or a silent store given up.
    pub(super) fn storage_wake(&self) -> Option<Timestamp> {
        let journal = &self.journal;
        if let Some(request) = &journal.in_flight {
            return self.gives_up_at(request.since).filter(|_| !request.gave_up);
        }
        let (free, put) = (journal.has_free(), journal.has_put());
        let (read, doubt) = (!journal.want.is_empty(), journal.want.doubt);
        let retry = &journal.retry;
        let retries = [(free, &retry.free), (put, &retry.put), (read, &retry.read), (doubt, &retry.doubt)];
        let retry = retries.into_iter().filter(|(wanted, _)| *wanted).filter_map(|(_, retry)| retry.at);
        let give_up = journal.failing_since.and_then(|since| self.gives_up_at(since));
        retry.chain(give_up).filter(|&at| at > self.now).min()
    }
}
