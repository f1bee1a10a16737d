//! Claims ahead of the slots (R2): a transaction that is written anyway claims those that are next, too.
//!
//! So a backlog does not wait for storage once for each wave of its slots: whoever is claimed is sent when a
//! slot is free. What it costs is that a crash leaves claims of items that were never sent: they may have
//! been, for all that is stored, and wait out their first backoff. So there are no more of them than end
//! during two transactions, and none of an item for which an attempt more or less decides something.

use super::{
    Outbox,
    schedule::{STALE_MS, Send},
};
use crate::{item::Item, marks::sometimes, mutants::mutant, time::Timestamp};

/// At most so many claims wait for a slot: with the deletes of as many, they fit into one transaction …
const MAX_AHEAD: usize = 96;
/// … and one transaction makes at most so many bytes of args and metadata ahead; one item may be larger.
const MAX_BYTES: usize = 64 << 10;
/// For so long a claim ahead is trusted where others can remove its item: a fenced read costs a slow drain
/// little, and a removal that has resolved is to be heeded (R18).
const TRUST_SHARED_MS: u64 = 500;

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
            let metadata = entry.item.metadata.as_ref().map_or(0, |metadata| metadata.as_str().len());
            let own = entry.item.args.as_str().len() + metadata;
            if bytes > 0 && bytes + own > MAX_BYTES {
                return;
            }
            self.dequeue(seq);
            if is_next {
                sometimes!(ClaimedAhead);
                bytes += own;
                self.write_claim(seq);
                self.claiming_ahead.insert(seq);
            }
        }
    }

    /// Until when a claim ahead, asked for at `requested`, may be sent without another word of storage.
    pub(super) fn trusted_until(&self, requested: Timestamp) -> Timestamp {
        requested.plus_ms(if self.config.shared { TRUST_SHARED_MS } else { STALE_MS })
    }

    /// Those that have no slot need no claim: for want of space they go back first (R5). Whether there were
    /// any.
    pub(super) fn give_back_ahead(&mut self) -> bool {
        let ahead = core::mem::take(&mut self.claiming_ahead);
        let any = !ahead.is_empty();
        sometimes!(AheadGivenBack, any);
        for seq in ahead {
            if self.entries.get(seq).is_some_and(|entry| !entry.flags.claim_in_doubt) {
                self.journal.puts.remove(&seq); // as it is stored
            }
            self.unclaim(seq);
        }
        any
    }

    /// Whether a claim that is never sent might cost it something: its attempts have a limit (R16).
    fn counts_attempts(&self, item: &Item) -> bool {
        let mutator = self.mutator(&item.mutator_name);
        mutator.is_some_and(|mutator| mutator.max_attempts.is_some()) && !mutant!(AheadOfLimited)
    }
}
