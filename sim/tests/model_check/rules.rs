//! The rules, each checked at the event that could break it. The first that is broken is kept in the state.

use outbox::{
    AttemptId, Item, Outcome, Seq, Timestamp,
    record::{self, Decoded},
    storage::{Committed, Fence, MemoryStore, Write, WriteResult},
};

use super::state::{State, is_stored_in, item_of};

impl State {
    /// Keeps the first broken rule.
    pub(crate) fn expect(&mut self, holds: bool, rule: &'static str) {
        if !holds {
            self.broken.get_or_insert(rule);
        }
    }

    /// Before an attempt is on its way.
    pub(crate) fn check_dispatch(&mut self, tab: usize, attempt: AttemptId, item: &Item) {
        let claimed = self.tabs[tab].claims.remove(&attempt);
        self.expect(claimed, "R2: an attempt was dispatched whose claim is not known to be stored");
        let index = item_of(&item.id);
        let told = self.tabs[tab].settled.contains(&index);
        self.expect(!told, "R18: a replica dispatched an item that it had told to be settled");
        let in_flight = self.tabs[tab].flights.iter().filter(|flight| !flight.cancelled).count();
        self.expect(in_flight < 2, "R8: more attempts in flight than allowed");
        let earlier = (0..self.items.len()).any(|other| {
            self.items[other].seq < Some(attempt.seq)
                && self.share_a_lane(index, other)
                && self.is_stored(other)
        });
        self.expect(!earlier, "R6: an item was dispatched while an earlier one of its lane is stored");
    }

    /// After the server had an item for the first time.
    pub(crate) fn check_order(&mut self, applied: usize) {
        let Some(seq) = self.items[applied].seq else {
            return self.expect(false, "R1: the server has an item that was never stored");
        };
        let fate = self.items[applied];
        // What the user or the server ended may still arrive: its request was on its way.
        let voided = fate.ended && (fate.removal || fate.unwanted);
        let overtaken = self
            .applied
            .iter()
            .any(|&other| self.items[other].seq > Some(seq) && self.share_a_lane(applied, other));
        self.expect(voided || !overtaken, "R3, R6: the server had the items of a lane in another order");
    }

    /// After a transaction: `fence` and `writes` were asked, `before` was the store.
    pub(crate) fn check_commit(
        &mut self,
        before: &MemoryStore,
        fence: Option<Fence>,
        writes: &[Write],
        committed: &Committed,
    ) {
        let current = fence.is_none_or(|fence| fence.epoch == before.epoch());
        self.expect(current, "R27: a write of a replica that leads no more was committed");
        for (write, result) in writes.iter().zip(&committed.results) {
            self.check_write(fence, write, *result);
        }
        for item in 0..self.items.len() {
            let was = is_stored_in(before, self.items[item].seq);
            self.items[item].ended |= was && !self.is_stored(item);
        }
    }

    fn check_write(&mut self, fence: Option<Fence>, write: &Write, result: WriteResult) {
        let at = |state: &Self, seq: Seq| state.items.iter().position(|fate| fate.seq == Some(seq));
        let rule = "R27: a leader's write without a fence";
        match write {
            Write::Insert { id, record } => {
                if let WriteResult::Inserted(seq) = result {
                    let item = item_of(id);
                    self.expect(self.items[item].seq.is_none(), "R1: an item was stored twice");
                    self.expect(!self.items[item].refused, "R1: an item was stored after its enqueue failed");
                    self.items[item].seq = Some(seq);
                    let claimed = decode(seq, record.as_bytes()).is_some_and(|item| item.claimed);
                    self.expect(!claimed || fence.is_some(), rule);
                }
            }
            Write::Put { .. } => self.expect(fence.is_some(), rule),
            Write::Delete { seq, outcome } => {
                self.expect(fence.is_some(), rule);
                let Some(item) = at(self, *seq).filter(|_| result == WriteResult::Done) else { return };
                let committed = matches!(outcome, Outcome::Committed { .. });
                let had = self.applied.contains(&item);
                self.expect(committed && had, "R5: an item was deleted that the server does not have");
            }
            Write::Bury { seq, .. } => {
                self.expect(fence.is_some(), rule);
                let Some(item) = at(self, *seq).filter(|_| result == WriteResult::Done) else { return };
                self.expect(self.items[item].unwanted, "R15: an item was dropped that was not refused");
            }
            Write::Remove { id } => {
                let asked = self.items[item_of(id)].removal;
                self.expect(asked, "R18: an item was removed that nobody asked to remove");
            }
            Write::RetryFailure { .. }
            | Write::DismissFailure { .. }
            | Write::Pause { .. }
            | Write::Resume { .. } => self.expect(false, "a write that nobody asked for"),
        }
    }

    /// In every state.
    pub(crate) fn check_state(&mut self) {
        for item in 0..self.items.len() {
            let fate = self.items[item];
            let stored = self.is_stored(item);
            self.expect(
                !fate.acknowledged || stored || fate.ended,
                "R1: an acknowledged item is neither stored nor settled",
            );
            self.expect(!fate.removed || !stored, "R18: a removal was answered, and the item is stored");
        }
    }
}

/// The claims that a committed transaction has made durable.
pub(crate) fn claims(fence: Option<Fence>, writes: &[Write], committed: &Committed) -> Vec<AttemptId> {
    let Some(fence) = fence else { return Vec::new() };
    let mut claims = Vec::new();
    for (write, result) in writes.iter().zip(&committed.results) {
        let (seq, record) = match (write, result) {
            (Write::Put { seq, record }, WriteResult::Done)
            | (Write::Insert { record, .. }, WriteResult::Inserted(seq)) => (*seq, record),
            _ => continue,
        };
        if let Some(item) = decode(seq, record.as_bytes()).filter(|item| item.claimed) {
            claims.push(fence.attempt(seq, item.retry_count));
        }
    }
    claims
}

/// Whether an item is stored whose last claim has no recorded result.
pub(crate) fn has_claim(store: &MemoryStore) -> bool {
    store.rows().any(|(seq, record)| decode(seq, record).is_some_and(|item| item.claimed))
}

fn decode(seq: Seq, record: &[u8]) -> Option<Item> {
    match record::decode(seq, record, |name| name.into()) {
        Decoded::Item(item) => Some(item),
        _ => None,
    }
}

/// A deadline that has come.
pub(crate) fn is_due(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at <= now)
}
