//! Who is next (R6, R8), claims before dispatch (R2), and the one unclaimed item of a full disk (R5).

use alloc::{sync::Arc, vec::Vec};

use super::{
    Effects, Outbox,
    entry::{Entry, Queued, Stage},
    writing::Writing,
};
use crate::{
    backoff,
    effect::{Effect, Place},
    item::{AttemptId, Item, Seq},
    lane::{Places, lane_keys},
    marks::sometimes,
    mutants::mutant,
    sorted::Sorted,
    time::Timestamp,
    timeline::Timeline,
};

/// While offline, one item goes out this often: online flags lie (R8).
pub(super) const PROBE_MS: u64 = 60_000;
/// A claim whose ack took longer is checked by a fenced read: the tab may have been frozen (R2).
pub(super) const STALE_MS: u64 = 4_000;

/// The entries that nothing but time, slots or the hook keeps from being sent.
///
/// Every such entry is in exactly the queue that its `queued` names. An entry may stay queued when it is
/// no longer first in its lanes: that is checked again when it is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Queues {
    pub(super) backoff: Timeline,
    /// Claimed and never failed: runnable without a write, in the order they became so.
    pub(super) held: Sorted<(Timestamp, Seq)>,
    /// Runnable and never claimed, in the order they became so.
    pub(super) fresh: Sorted<(Timestamp, Seq)>,
    /// Runnable after a failure, in the order they became so.
    failed: Timeline,
    /// Runnable once the hook has been asked.
    pub(super) hook: Timeline,
}

impl Queues {
    pub(super) fn has_ready(&self) -> bool {
        !(self.held.is_empty() && self.fresh.is_empty() && self.failed.is_empty())
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// How dispatch is limited right now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Send {
    No,
    Yes,
    /// Offline: one probe.
    Probe,
}

impl Outbox {
    /// What pause, connectivity and leadership allow (R8, R20).
    pub(super) fn may_send(&self) -> Send {
        if !self.is_leading() || self.is_paused() && !mutant!(PausedSends) {
            Send::No
        } else if self.online || mutant!(ProbesNeverEnd) {
            Send::Yes
        } else if self.now >= self.probe_at && !self.slots.is_probing() {
            Send::Probe
        } else {
            Send::No
        }
    }

    // Queues.

    /// Puts an entry into the queue that fits, or into none.
    pub(super) fn reconsider(&mut self, seq: Seq) {
        self.dequeue(seq);
        if !self.is_leading() || seq > self.through() && !mutant!(GapIgnored) {
            return;
        }
        let Some(entry) = self.entries.get(seq) else { return };
        let idle = !entry.stage.is_busy() && entry.parked.is_none() && !entry.flags.frozen;
        if !idle || !self.is_next(seq, entry) {
            return;
        }
        let due = if entry.stage.is_claimed() { Timestamp::ZERO } else { entry.item.next_attempt_at };
        let queued = if due > self.now {
            Queued::Backoff(due)
        } else if self.must_ask(entry) {
            Queued::Hook
        } else {
            Queued::Ready(self.now)
        };
        self.enqueue_as(seq, queued);
    }

    fn enqueue_as(&mut self, seq: Seq, queued: Queued) {
        let Some(entry) = self.entries.get_mut(seq) else { return };
        entry.queued = queued;
        match queued {
            Queued::No => {}
            Queued::Backoff(at) => drop(self.queues.backoff.insert((at, seq))),
            Queued::Ready(at) if entry.failed_before() => drop(self.queues.failed.insert((at, seq))),
            Queued::Ready(at) if entry.stage.is_claimed() => drop(self.queues.held.insert((at, seq))),
            Queued::Ready(at) => drop(self.queues.fresh.insert((at, seq))),
            Queued::Hook => drop(self.queues.hook.insert((Timestamp::ZERO, seq))),
        }
    }

    pub(super) fn dequeue(&mut self, seq: Seq) {
        let Some(entry) = self.entries.get_mut(seq) else { return };
        match core::mem::take(&mut entry.queued) {
            Queued::No => {}
            Queued::Backoff(at) => drop(self.queues.backoff.remove(&(at, seq))),
            Queued::Ready(at) => {
                let at = (at, seq);
                if !(self.queues.fresh.remove(&at) || self.queues.held.remove(&at)) {
                    self.queues.failed.remove(&at);
                }
            }
            Queued::Hook => drop(self.queues.hook.remove(&(Timestamp::ZERO, seq))),
        }
    }

    /// First in all its lanes, and no barrier in the way (R6, R7).
    pub(super) fn is_next(&self, seq: Seq, entry: &Entry) -> bool {
        mutant!(TimestampOrder => {
            return self.is_oldest(entry) && self.passes_barrier(seq, entry);
        });
        self.lanes.is_next(&entry.places, seq) && self.passes_barrier(seq, entry)
    }

    fn passes_barrier(&self, seq: Seq, entry: &Entry) -> bool {
        match self.barriers.first() {
            None => true,
            Some(&barrier) if barrier < seq => false,
            Some(&barrier) if barrier > seq => true,
            Some(_) => {
                let others = self.busy - usize::from(entry.stage.is_busy());
                self.entries.seqs().next() == Some(seq) && others == 0
            }
        }
    }

    /// After a change of these lanes: their heads, and the first barrier, may be next now.
    pub(super) fn reconsider_heads(&mut self, places: &Places) {
        for &lane in places.ids() {
            if let Some(head) = self.lanes.head(lane) {
                self.reconsider(head);
            }
        }
        self.reconsider_barrier();
    }

    fn reconsider_barrier(&mut self) {
        if let Some(&barrier) = self.barriers.first() {
            self.reconsider(barrier);
        }
    }

    pub(super) fn reconsider_every_head(&mut self) {
        let mut heads = Timeline::default();
        for seq in self.lanes.heads() {
            heads.insert((Timestamp::ZERO, seq));
        }
        for (_, seq) in heads {
            self.reconsider(seq);
        }
        self.reconsider_barrier();
    }

    /// Whose backoff has run out, in time or by a trigger, is runnable.
    pub(super) fn expire_backoffs(&mut self) {
        while let Some(&(at, seq)) = self.queues.backoff.first()
            && at <= self.now
            && self.may_send() != Send::No
        {
            if let Some(entry) = self.entries.get_mut(seq) {
                let by_itself = !core::mem::take(&mut entry.flags.pulled);
                entry.flags.pull_spent &= !by_itself;
            }
            self.reconsider(seq);
        }
    }

    pub(super) fn backoff_wake(&self) -> Option<Timestamp> {
        let &(at, _) = self.queues.backoff.first()?;
        (self.may_send() == Send::Yes).then_some(at)
    }

    pub(super) fn slots_wake(&self) -> Option<Timestamp> {
        let waiting = || self.queues.has_ready() && self.may_send() == Send::Yes;
        self.slots.ages_at(self.now).filter(|_| waiting())
    }

    pub(super) fn probe_wake(&self) -> Option<Timestamp> {
        if self.online {
            return None;
        }
        let queues = &self.queues;
        let waiting = queues.has_ready() || !queues.backoff.is_empty() || !queues.hook.is_empty();
        let leading = self.is_leading() && !self.is_paused();
        let earliest = queues.backoff.first().map_or(self.probe_at, |&(at, _)| at.max(self.probe_at));
        let at = if queues.has_ready() || !queues.hook.is_empty() { self.probe_at } else { earliest };
        (leading && waiting && at > self.now).then_some(at)
    }

    // Stages.

    /// The one place where a stage changes: keeps lanes, slots and deadlines in step with it.
    pub(super) fn set_stage(&mut self, seq: Seq, stage: Stage) {
        let mut entry = self.entries.get_mut(seq).expect("a stage belongs to an entry");
        if entry.queued != Queued::No {
            self.dequeue(seq);
            entry = self.entries.get_mut(seq).expect("a stage belongs to an entry");
        }
        let before = core::mem::replace(&mut entry.stage, stage);
        let (was_busy, is_busy) = (before.is_busy(), entry.stage.is_busy());
        match before {
            Stage::InFlight { deadline, .. } => drop(self.deadlines.remove(&(deadline, seq))),
            Stage::Claiming { .. } => drop(self.claiming_ahead.remove(&seq)),
            _ => {}
        }
        match entry.stage {
            Stage::InFlight { deadline, .. } => drop(self.deadlines.insert((deadline, seq))),
            Stage::Claiming { .. } | Stage::Verifying => {}
            _ => drop(self.slots.release(Place::Stored(seq))),
        }
        if is_busy && !was_busy {
            self.busy += 1;
            self.lanes.occupy(&entry.places, seq);
        } else if was_busy && !is_busy {
            self.busy -= 1;
            let places = entry.places.clone();
            self.lanes.vacate(&places, seq);
            self.reconsider_heads(&places);
        }
    }

    // Claims and dispatch.

    /// Starts what may be started, in the order it became runnable (R8).
    pub(super) fn pump(&mut self, fx: &mut Effects) {
        if self.journal.full {
            self.pump_unclaimed(fx);
        }
        while !self.journal.full
            && let Some((seq, failed, probe)) = self.next_runnable()
        {
            self.dequeue(seq);
            let Some(entry) = self.entries.get(seq) else { continue };
            let is_under_way = matches!(entry.stage, Stage::Claiming { .. });
            if !is_under_way && !self.is_next(seq, entry) {
                continue; // no longer first; the one that is will be reconsidered
            }
            let held = if let Stage::Claimed { trusted } = entry.stage { Some(trusted) } else { None };
            if entry.stage == Stage::Waiting && self.park_used_up(seq, fx) {
                continue;
            }
            self.take_slot(seq, failed, probe);
            if is_under_way {
                self.claiming_ahead.remove(&seq); // it is sent when its claim is durable
            } else if let Some(trusted) = held {
                if trusted < self.now || self.journal.reads_or_wants_to() {
                    self.verify(seq); // who leads now, and is it still stored?
                } else {
                    sometimes!(SentAhead);
                    self.dispatch(seq, fx);
                }
            } else {
                self.write_claim(seq);
                mutant!(DispatchBeforeAck => {
                    self.dispatch(seq, fx);
                });
            }
        }
        self.ask_hook(fx);
    }

    fn take_slot(&mut self, seq: Seq, failed: bool, probe: bool) {
        if probe {
            sometimes!(Probe);
            self.probe_at = self.now.plus_ms(PROBE_MS);
        }
        self.slots.take(Place::Stored(seq), self.now, failed, probe);
    }

    /// The next entry to start, whether it failed before, and whether it is a probe. Those that are claimed
    /// already, and those whose claim is under way, were the first of the fresh ones.
    fn next_runnable(&self) -> Option<(Seq, bool, bool)> {
        if !self.queues.has_ready() && self.claiming_ahead.is_empty() {
            return None;
        }
        let probe = match self.may_send() {
            Send::No => return None,
            Send::Yes => false,
            Send::Probe => true,
        };
        let has_room = |failed| self.slots.has_room(self.now, failed);
        let under_way = || self.claiming_ahead.first().map(|&seq| (self.now, seq));
        let fresh = || self.queues.fresh.first().copied();
        let first = self.queues.held.first().copied().or_else(under_way).or_else(fresh);
        let first = first.filter(|_| has_room(false));
        let failed = self.queues.failed.first().copied().filter(|_| has_room(true));
        match (first, failed) {
            (Some(first), Some(failed)) if failed < first => Some((failed.1, true, probe)),
            (Some((_, seq)), _) => Some((seq, false, probe)),
            (None, Some((_, seq))) => Some((seq, true, probe)),
            (None, None) => None,
        }
    }

    /// Claims it by the next transaction.
    pub(super) fn write_claim(&mut self, seq: Seq) {
        self.claim(seq);
        self.set_stage(seq, Stage::Claiming { requested: self.now });
        self.journal.puts.insert(seq);
    }

    /// Counts an attempt, and sets when it would be repeated should its result never be recorded (R25).
    fn claim(&mut self, seq: Seq) {
        let (seed, jitter, now) = (self.seed(), self.config.jitter, self.now);
        let Some(entry) = self.entries.get_mut(seq) else { return };
        let item = Arc::make_mut(&mut entry.item);
        item.retry_count = item.retry_count.saturating_add(1);
        item.claimed = true;
        mutant!(KeyPerAttempt => {
            item.idempotency_key = Some(alloc::format!("{}-{}", item.id, item.retry_count).into());
        });
        item.next_attempt_at = now.plus_ms(backoff::delay_ms(seed, seq, item.retry_count, jitter));
        entry.flags.cleared = false;
        entry.flags.must_ask = false;
        entry.flags.claim_in_doubt = false;
    }

    /// Whether an item enqueued now would be sent at once: then its insert is its claim too (R2).
    pub(super) fn can_be_born_claimed(&self, item: &Item) -> bool {
        let open = || self.may_send() == Send::Yes && self.slots.has_room(self.now, false);
        let none_waits = !self.queues.has_ready() && self.claiming_ahead.is_empty();
        let calm = !self.journal.separate && !self.journal.full && none_waits;
        let barrier_ahead = || if item.barrier { !self.is_empty() } else { !self.barriers.is_empty() };
        let free = |lane| !self.lanes.is_occupied(lane);
        // Last, as it looks at all that is being written; if all else holds, that is little.
        let is_ahead = |writing: &Writing| writing.item.barrier || writing.item.key.meets(&item.key);
        let first = || !self.writing.values().any(is_ahead);
        calm && open() && !barrier_ahead() && lane_keys(&item.key).all(free) && first()
    }

    /// The claim of `attempt`, asked for at `requested`, is durable.
    pub(super) fn claim_acknowledged(
        &mut self,
        seq: Seq,
        attempt: u32,
        requested: Timestamp,
        fx: &mut Effects,
    ) {
        let Some(entry) = self.entries.get(seq) else { return };
        let mine = matches!(entry.stage, Stage::Claiming { .. }) && entry.item.retry_count == attempt;
        if !mine {
            return;
        }
        let is_late = self.now.since_ms(requested) > STALE_MS && !mutant!(StaleClaimTrusted);
        if self.claiming_ahead.contains(&seq) {
            self.hold(seq, self.trusted_until(requested));
        } else if is_late {
            sometimes!(ClaimStale);
            self.verify(seq);
        } else {
            self.dispatch_or_hold(seq, fx);
        }
    }

    /// Keeps its claim until it may be sent, and there is a slot (R2).
    fn hold(&mut self, seq: Seq, trusted: Timestamp) {
        self.set_stage(seq, Stage::Claimed { trusted });
        self.reconsider(seq);
    }

    /// Sends a claimed item, or keeps its claim for later if it may not be sent just now (R2).
    pub(super) fn dispatch_or_hold(&mut self, seq: Seq, fx: &mut Effects) {
        let Some(entry) = self.entries.get(seq) else { return };
        let probing = self.slots.slot(Place::Stored(seq)).is_some_and(|slot| slot.probe);
        let may = match self.may_send() {
            Send::Yes => true,
            Send::No | Send::Probe => probing && self.is_leading() && !self.is_paused(),
        };
        if may && (seq <= self.through() || mutant!(GapIgnored)) && self.is_next(seq, entry) {
            self.dispatch(seq, fx);
        } else if self.journal.unclaimed == Some(seq) {
            self.unclaim(seq);
        } else {
            sometimes!(ClaimHeld);
            self.hold(seq, Timestamp::ZERO); // nobody knows for how long
        }
    }

    fn dispatch(&mut self, seq: Seq, fx: &mut Effects) {
        let fence = self.fence().expect("only a leader dispatches");
        let entry = self.entries.get(seq).expect("only an entry is dispatched");
        let timeout_ms = self.mutator(&entry.item.mutator_name).and_then(|mutator| mutator.timeout_ms);
        let deadline = self.now.plus_ms(timeout_ms.unwrap_or(self.config.timeout_ms));
        let attempt = fence.attempt(seq, entry.item.retry_count);
        fx.push(Effect::Dispatch { attempt, item: Arc::clone(&entry.item), deadline });
        self.slots.begin(Place::Stored(seq), self.now);
        self.set_stage(seq, Stage::InFlight { deadline });
    }

    /// The attempt that is in flight for an entry.
    pub(super) fn attempt_in_flight(&self, seq: Seq) -> Option<AttemptId> {
        let entry = self.entries.get(seq)?;
        let in_flight = matches!(entry.stage, Stage::InFlight { .. });
        let fence = self.fence().filter(|_| in_flight)?;
        Some(fence.attempt(seq, entry.item.retry_count))
    }

    // A full disk (R5).

    /// No claim can be written: of those waiting, one may be sent after a fenced read; the others go back.
    pub(super) fn send_one_unclaimed(&mut self) {
        if self.journal.full {
            return;
        }
        let is_claiming = |seq: &Seq| {
            self.entries.get(*seq).is_some_and(|entry| matches!(entry.stage, Stage::Claiming { .. }))
        };
        let claiming: Vec<Seq> = self.slots.stored().filter(is_claiming).collect();
        let Some(chosen) = self.journal.unclaimed.or(claiming.first().copied()) else { return };
        (self.journal.full, self.journal.unclaimed) = (true, Some(chosen));
        for seq in claiming {
            if seq == chosen {
                sometimes!(SentUnclaimed);
                self.verify(seq);
            } else {
                self.unclaim(seq);
            }
        }
    }

    /// Takes back a claim that was never stored; one that may have been still counts (R25).
    pub(super) fn unclaim(&mut self, seq: Seq) {
        let entry = self.entries.get_mut(seq).expect("only an entry is claimed");
        sometimes!(ClaimKeptInDoubt, entry.flags.claim_in_doubt);
        let item = Arc::make_mut(&mut entry.item);
        item.retry_count -= u32::from(!entry.flags.claim_in_doubt);
        item.claimed = false;
        item.next_attempt_at = self.now;
        self.set_stage(seq, Stage::Waiting);
        self.reconsider(seq);
    }

    /// Sends it only if a fenced read still finds it.
    fn verify(&mut self, seq: Seq) {
        self.set_stage(seq, Stage::Verifying);
        self.journal.want.verify.insert(seq);
    }

    /// Claims can be written again: the one that was to go without, and has not gone yet, is claimed (R2).
    pub(super) fn claim_the_unclaimed(&mut self) {
        let full = core::mem::take(&mut self.journal.full);
        let Some(seq) = self.journal.unclaimed.filter(|_| full) else { return };
        if matches!(self.entries.get(seq), Some(entry) if entry.stage == Stage::Verifying) {
            self.journal.want.verify.remove(&seq);
            self.set_stage(seq, Stage::Claiming { requested: self.now });
            self.journal.puts.insert(seq);
        }
    }

    /// While the store is full only that one item may be tried again, in its turn (R8); the next follows its
    /// delete.
    fn pump_unclaimed(&mut self, fx: &mut Effects) {
        let Some(seq) = self.journal.unclaimed else { return };
        let Some(entry) = self.entries.get(seq) else { return };
        let failed = entry.failed_before();
        let is_ready = matches!(entry.queued, Queued::Ready(_)) && self.slots.has_room(self.now, failed);
        let may = self.may_send();
        if is_ready && may != Send::No && !self.park_used_up(seq, fx) {
            self.take_slot(seq, failed, may == Send::Probe);
            self.claim(seq);
            self.verify(seq);
        }
    }
}
