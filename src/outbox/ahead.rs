//! Claims ahead of the slots (R2): a transaction that is written anyway claims those that are next, too.
//!
//! So a backlog does not wait for storage once for each wave of its slots: whoever is claimed is sent when a
//! slot is free. What it costs is that a crash leaves claims of items that were never sent: they may have
//! been, for all that is stored, and wait out their first backoff. So there are no more of them than end
//! during two transactions, and none of an item for which an attempt more or less decides something.

use alloc::sync::Arc;

use super::{Outbox, entry::Stage, schedule::Send};
use crate::{item::Item, marks::sometimes, mutants::mutant};

/// At most so many claims wait for a slot: with the deletes of as many, they fit into one transaction …
const MAX_AHEAD: usize = 96;
/// … and one transaction makes at most so many bytes of args ahead; one item may be larger.
const MAX_BYTES: usize = 64 << 10;

impl Outbox {
    /// A transaction is about to be put together: claims what will be sent while the one after it is written.
    pub(super) fn claim_ahead(&mut self) {
        let is_calm = self.journal.is_healthy() && !self.journal.full && !self.slots.is_slow();
        if !is_calm || self.may_send() != Send::Yes {
            return;
        }
        // Those that ended since the last one was asked for, and as many again, so that the number can grow:
        // where storage is quick, or the server slow, that is next to none.
        let ended = self.journal.deletes.len() + self.journal.buries.len();
        let limit = if mutant!(AheadWithoutLimit) { usize::MAX } else { (2 * ended).min(MAX_AHEAD) };
        let mut bytes = 0;
        while self.claiming_ahead.len() + self.queues.held.len() < limit
            && let Some(&(_, seq)) = self.queues.fresh.first()
        {
            let Some(entry) = self.entries.get(seq) else { return };
            let is_next = self.is_next(seq, entry);
            if is_next && self.counts_attempts(&entry.item) {
                return; // in order, or not at all
            }
            let own = entry.item.args.as_str().len();
            if bytes > 0 && bytes + own > MAX_BYTES {
                return;
            }
            self.dequeue(seq);
            if is_next {
                sometimes!(ClaimedAhead);
                bytes += own;
                self.claim(seq);
                self.set_stage(seq, Stage::Claiming { requested: self.now });
                self.journal.puts.insert(seq);
                self.claiming_ahead.insert(seq);
            }
        }
    }

    /// Whether a claim that is never sent might cost it something: its attempts have a limit (R16).
    fn counts_attempts(&self, item: &Arc<Item>) -> bool {
        let mutator = self.mutator(&item.mutator_name);
        mutator.is_some_and(|mutator| mutator.max_attempts.is_some()) && !mutant!(AheadOfLimited)
    }
}
