//! Slots: how many attempts may be in flight (R8), and slow start after a transport failure (R9).

use alloc::vec::Vec;

use crate::{effect::Place, item::Seq, marks::sometimes, mutants::mutant, time::Timestamp};

/// An attempt older than this no longer counts against the slow-start limit (R9).
const YOUNG_MS: u64 = 2000;

/// Who holds a slot: claims under way and attempts in flight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slots {
    max: u32,
    /// The slow-start limit; equal to `max` when all is well.
    limit: u32,
    /// By place.
    held: Vec<(Place, Slot)>,
    /// How many of `held` have failed before.
    failed: u32,
    /// Answers (anything but a transport failure) so far.
    answers: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) since: Timestamp,
    pub(super) failed_before: bool,
    /// Sent although the connectivity hint says offline (R8).
    pub(super) probe: bool,
    /// Answers so far when the attempt began.
    answers: u64,
}

impl Slots {
    pub(super) fn new(max: u32) -> Self {
        Self { max, limit: max, held: Vec::new(), failed: 0, answers: 0 }
    }

    /// Whether one more may start. Items that have failed before hold at most max−1 slots, if max > 1.
    pub(super) fn has_room(&self, now: Timestamp, failed_before: bool) -> bool {
        let crowded =
            failed_before && self.max > 1 && self.failed >= self.max - 1 && !mutant!(FailedTakeEverySlot);
        let full = self.held.len() >= self.max as usize;
        let slow = self.is_slow() && self.young(now).count() >= self.limit as usize;
        !(full || slow || crowded)
    }

    /// Whether it has not recovered from a transport failure (R9).
    pub(super) fn is_slow(&self) -> bool {
        self.limit < self.max
    }

    fn young(&self, now: Timestamp) -> impl Iterator<Item = &Slot> {
        self.slots().filter(move |slot| now.since_ms(slot.since) < YOUNG_MS)
    }

    /// When the slow-start limit alone will free a place.
    pub(super) fn ages_at(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.is_slow() || self.held.len() >= self.max as usize {
            return None;
        }
        self.young(now).map(|slot| slot.since.plus_ms(YOUNG_MS)).min()
    }

    pub(super) fn take(&mut self, place: Place, now: Timestamp, failed_before: bool, probe: bool) {
        let slot = Slot { since: now, failed_before, probe, answers: self.answers };
        self.insert(place, slot);
        self.failed += u32::from(failed_before);
    }

    fn insert(&mut self, place: Place, slot: Slot) {
        let at = self.find(place).expect_err("an item holds at most one slot");
        self.held.insert(at, (place, slot));
    }

    /// Where the slot of `place` is; else where it would be.
    fn find(&self, place: Place) -> Result<usize, usize> {
        self.held.binary_search_by_key(&place, |&(held, _)| held)
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.held.iter().map(|(_, slot)| slot)
    }

    /// The attempt itself begins now.
    pub(super) fn begin(&mut self, place: Place, now: Timestamp) {
        if let Ok(at) = self.find(place) {
            let slot = &mut self.held[at].1;
            slot.since = now;
            slot.answers = self.answers;
        }
    }

    pub(super) fn release(&mut self, place: Place) -> Option<Slot> {
        let at = self.find(place).ok()?;
        let (_, slot) = self.held.remove(at);
        self.failed -= u32::from(slot.failed_before);
        Some(slot)
    }

    pub(super) fn rename(&mut self, from: Place, to: Place) {
        if let Ok(at) = self.find(from) {
            let (_, slot) = self.held.remove(at);
            self.insert(to, slot);
        }
    }

    pub(super) fn slot(&self, place: Place) -> Option<&Slot> {
        self.find(place).ok().map(|at| &self.held[at].1)
    }

    /// The stored items that hold one, in seq order.
    pub(super) fn stored(&self) -> impl Iterator<Item = Seq> + '_ {
        self.held
            .iter()
            .filter_map(|(place, _)| if let Place::Stored(seq) = place { Some(*seq) } else { None })
    }

    pub(super) fn is_probing(&self) -> bool {
        self.slots().any(|slot| slot.probe)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// A new leader starts with none held and no memory of the network.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.max);
    }

    /// The server answered; a success or a refusal doubles the limit (R9).
    pub(super) fn answered(&mut self, doubles: bool) {
        self.answers += 1;
        if doubles {
            self.limit = self.limit.saturating_mul(2).min(self.max);
        }
    }

    /// No answer came: the limit falls to one, unless another attempt was answered meanwhile (R9).
    pub(super) fn unanswered(&mut self, slot: Slot) {
        if self.answers == slot.answers && !mutant!(NoSlowStart) {
            sometimes!(SlowStart);
            self.limit = 1;
        } else {
            sometimes!(SlowStartSpared);
        }
    }
}
