//! What must hold after every input. A violation is a bug in this library, never the caller's fault.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    Outbox,
    entry::{Entry, Queued, Stage},
};
use crate::{effect::Place, item::Seq, time::Timestamp};

/// Larger states are checked by the simulator alone: a check looks at every entry.
#[cfg(debug_assertions)]
const MAX_ENTRIES: usize = 128;

impl Outbox {
    #[cfg(debug_assertions)]
    pub(super) fn check_invariants_sometimes(&self) {
        if self.len() <= MAX_ENTRIES {
            self.check_invariants();
        }
    }

    /// Checks everything that the state promises of itself; O(n).
    ///
    /// # Panics
    /// If an invariant does not hold: a bug in this library.
    pub fn check_invariants(&self) {
        self.check_indexes();
        self.check_stages();
        self.check_queues();
        self.check_lanes();
        assert!(self.journal.unclaimed.is_none_or(|seq| self.entries.contains(seq)));
        assert!(!self.journal.full || self.journal.unclaimed.is_some(), "a full store drains (R5)");
        assert!(self.sleep.is_none_or(|at| at > self.now), "no timer in the past is asked for (R31)");
    }

    fn check_indexes(&self) {
        let barriers: Vec<Seq> =
            self.entries.iter().filter(|(_, entry)| entry.item.barrier).map(|(seq, _)| seq).collect();
        assert!(barriers.iter().eq(&self.barriers), "every barrier is known as one (R7)");
        for (seq, entry) in self.entries.iter() {
            assert_eq!(entry.item.seq, Some(seq), "an entry is found under its own place");
            assert_eq!(
                self.ids.find(&entry.item.id),
                Some(&Place::Stored(seq)),
                "an entry is found by its id"
            );
        }
        assert!(self.ids.len() <= self.len(), "an id names a pending item");
    }

    fn check_stages(&self) {
        let busy = self.entries.values().filter(|entry| entry.stage.is_busy()).count();
        assert_eq!(busy, self.busy, "busy entries are counted");
        for (seq, entry) in self.entries.iter() {
            let holds = self.slots.slot(Place::Stored(seq)).is_some();
            let wants =
                matches!(entry.stage, Stage::Claiming { .. } | Stage::Verifying | Stage::InFlight { .. });
            let is_ahead = self.claiming_ahead.contains(&seq);
            assert_eq!(
                holds,
                wants && !is_ahead,
                "{seq} holds a slot exactly while claimed or in flight (R8)"
            );
            assert!(
                !is_ahead || matches!(entry.stage, Stage::Claiming { .. }),
                "{seq} is claimed ahead (R2)"
            );
            if let Stage::InFlight { deadline, .. } = entry.stage {
                assert!(
                    self.deadlines.contains(&(deadline, seq)),
                    "an attempt in flight has a deadline (R14)"
                );
                assert!(self.is_leading(), "only a leader has attempts in flight (R26)");
            }
            if matches!(entry.stage, Stage::Claiming { .. } | Stage::Claimed { .. } | Stage::InFlight { .. })
            {
                assert!(entry.item.claimed && entry.item.retry_count > 0, "{seq} is claimed (R2)");
            }
            if matches!(entry.stage, Stage::Settling(_)) {
                self.check_settling(seq);
            }
        }
        assert!(self.slots.len() <= self.config.max_concurrency as usize, "slots are bounded (R8)");
    }

    /// A settled item is on its way out: nothing can strand it (R5).
    fn check_settling(&self, seq: Seq) {
        let journal = &self.journal;
        let queued = journal.deletes.contains(&seq) || journal.buries.contains(&seq);
        let answered = journal.answer.as_ref().is_some_and(|answer| answer.deletes.contains(&seq));
        assert!(queued || answered || journal.is_deleting(seq), "the delete of {seq} is under way (R5)");
    }

    fn check_queues(&self) {
        let is_known = |seq: &Seq| self.entries.contains(*seq);
        assert!(self.claiming_ahead.iter().all(is_known), "only an item is claimed ahead (R2)");
        assert!(self.queues.held.iter().all(|(_, seq)| is_known(seq)), "only an item is held (R2)");
        for (seq, entry) in self.entries.iter() {
            match entry.queued {
                Queued::No => assert!(
                    !self.is_eligible(seq, entry),
                    "{seq} is eligible, so it is in a queue: it would never be sent"
                ),
                Queued::Backoff(at) => assert!(self.queues.backoff.contains(&(at, seq))),
                Queued::Hook => assert!(self.queues.hook.contains(&(Timestamp::ZERO, seq))),
                Queued::Ready(_) => assert!(self.queues.has_ready()),
            }
            if entry.queued != Queued::No {
                assert!(!entry.stage.is_busy() && !entry.flags.frozen && entry.parked.is_none());
            }
        }
    }

    fn is_eligible(&self, seq: Seq, entry: &Entry) -> bool {
        let idle = !entry.stage.is_busy() && entry.parked.is_none() && !entry.flags.frozen;
        self.is_leading() && seq <= self.through() && idle && self.is_next(seq, entry)
    }

    /// At most one attempt per lane is in flight (R6).
    fn check_lanes(&self) {
        let mut sent: BTreeMap<Option<&str>, Seq> = BTreeMap::new();
        for (seq, entry) in self.entries.iter() {
            if !matches!(entry.stage, Stage::InFlight { .. }) {
                continue;
            }
            let keys = entry.item.key.keys();
            let unknown = entry.item.key.is_unknown().then_some(None);
            for lane in unknown.into_iter().chain(keys.iter().map(|key| Some(&**key))) {
                let other = sent.insert(lane, seq);
                assert!(other.is_none(), "{seq} and {other:?} are in flight in one lane (R6)");
            }
        }
    }
}
