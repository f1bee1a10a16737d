//! What must hold at every step, whatever the story: checked by the world itself.

use outbox::{
    AttemptId, Effect, Event, Input, Item, Poke, Reason, Reply, Seq,
    record::{self, Decoded},
    storage::{Contents, Write},
};

use super::World;

/// A transaction's limits (R4).
const MAX_WRITES: usize = 256;
const MAX_BYTES: usize = 1 << 20;

/// The most effects that `input` may cause (R31): a share for each thing it names, for each slot it may
/// free, and for each item shown if it can change them all.
pub(super) fn effects_bound(input: &Input, slots: u32, shown: usize) -> usize {
    let named = match input {
        Input::Loaded { result: Ok(snapshot), .. } => match &snapshot.contents {
            Contents::Full { rows, failures } => shown + rows.len() + failures.len(),
            Contents::Part { rows, gone, failures } => {
                rows.len() + gone.len() + failures.as_ref().map_or(0, Vec::len)
            }
        },
        Input::Persisted { .. } => MAX_WRITES,
        Input::Answered { .. } => shown,
        Input::Poked(Poke::Committed { settled, changed, .. }) => settled.len() + changed.len(),
        _ => 1,
    };
    16 + 6 * (named + slots as usize)
}

impl World {
    /// Checks an effect before it is carried out.
    pub(super) fn check_effect(&self, r: usize, effect: &Effect) {
        match effect {
            Effect::Acquire { .. } | Effect::Load { .. } => self.check_request(r),
            Effect::Persist { fence, writes, .. } => {
                self.check_request(r);
                self.check_transaction(fence.is_some(), writes);
            }
            Effect::Dispatch { attempt, item, deadline } => {
                assert!(*deadline > self.now, "{attempt} is late before it starts (R14)");
                self.check_dispatch(r, *attempt, item);
            }
            Effect::Sleep { until } => {
                assert!(until.is_none_or(|at| at > self.now), "a timer in the past (R31)");
                assert_ne!(*until, self.replicas[r].last_sleep, "a timer that is set already");
            }
            Effect::Reply { call, result } => {
                assert!(self.replicas[r].open.contains(call), "{call:?} is replied twice");
                if let Ok(Reply::Enqueued { id, seq }) = result {
                    assert_eq!(self.ever.get(seq), Some(id), "enqueue resolved before it was durable (R1)");
                }
            }
            Effect::Notify(Event::Settled { seq, id, .. }) => {
                let named = format!(r#""id":"{id}""#); // another store may have given its place anew
                let is_it = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&named);
                let stored = self.store.rows().any(|(at, bytes)| at == *seq && is_it(bytes));
                assert!(!stored, "{id} is told settled and is still stored (R5)");
                let again = self.replicas[r].settled.contains(seq);
                assert!(!again, "{id} is told settled twice in one epoch");
            }
            _ => {}
        }
    }

    fn check_request(&self, r: usize) {
        let other = &self.replicas[r].request;
        assert!(other.is_none(), "two storage requests in flight (R4): {other:?}");
    }

    fn check_transaction(&self, fenced: bool, writes: &[Write]) {
        assert!(!writes.is_empty(), "an empty transaction");
        assert!(writes.len() <= MAX_WRITES, "{} writes in a transaction (R4)", writes.len());
        let bytes: usize = writes.iter().map(bytes).sum();
        assert!(bytes <= MAX_BYTES || writes.len() == 1, "{bytes} bytes in a transaction (R4)");
        let ranks: Vec<u8> = writes.iter().filter_map(rank).collect();
        assert!(ranks.is_sorted(), "not deletes, then puts, then inserts (R4)");
        let mut puts: Vec<Seq> = writes.iter().filter_map(put_at).collect();
        let all = puts.len();
        puts.sort_unstable();
        puts.dedup();
        assert_eq!(puts.len(), all, "an item is put twice in one transaction (R4)");
        if !fenced {
            for write in writes {
                let bookkeeping =
                    matches!(write, Write::Delete { .. } | Write::Bury { .. } | Write::Put { .. });
                assert!(!bookkeeping, "bookkeeping without a fence (R27): {write:?}");
                if let Write::Insert { record, .. } = write {
                    assert!(!record.contains(r#""claimed":true"#), "a claim without a fence (R2)");
                }
            }
        }
    }

    fn check_dispatch(&self, r: usize, attempt: AttemptId, item: &Item) {
        let replica = &self.replicas[r];
        let outbox = replica.outbox.as_ref().expect("it is running");
        assert!(outbox.is_leading(), "a replica that does not lead dispatches {attempt}");
        assert_eq!(item.seq, Some(attempt.seq), "{attempt} carries another item");
        assert_eq!(item.retry_count, attempt.attempt, "{attempt} carries another count");
        assert!(replica.flights.len() < replica.config.max_concurrency as usize, "too many (R8)");
        for (other, flying) in &replica.flights {
            let shares = share_a_lane(flying, item);
            assert!(!shares, "{other} and {attempt} share a lane in flight (R6)");
        }
        if self.store.epoch() != attempt.epoch {
            return; // fenced without knowing it yet: an overlap that no fence can prevent (R29)
        }
        let row = self.store.rows().find(|(seq, _)| *seq == attempt.seq);
        if row.is_none() && self.answer_is_old {
            return; // removed after its claim was committed and before the ack came: nobody can know
        }
        let (_, bytes) = row.unwrap_or_else(|| panic!("{attempt} is dispatched, not stored (R1)"));
        for (seq, bytes) in self.store.rows().take_while(|(seq, _)| *seq < attempt.seq) {
            let (Decoded::Item(before) | Decoded::Opaque { item: before, .. }) =
                record::decode(seq, bytes, |name| name.into())
            else {
                continue;
            };
            assert!(!share_a_lane(&before, item), "{attempt} overtakes {seq} in a lane (R6)");
        }
        if self.unclaimed_allowed {
            return;
        }
        let Decoded::Item(stored) = record::decode(attempt.seq, bytes, |name| name.into()) else {
            panic!("{attempt} dispatches a record that cannot be read (R23)");
        };
        assert!(stored.claimed && stored.retry_count == attempt.attempt, "{attempt} has no claim (R2)");
        assert_eq!(*record::encode(item).as_bytes(), *bytes, "dispatched bytes are the stored bytes");
    }

    /// Checks a replica after a step.
    pub(super) fn check_replica(&self, r: usize) {
        let now = self.now;
        let replica = &self.replicas[r];
        let Some(outbox) = &replica.outbox else { return };
        let (held, flying) = (outbox.in_flight(), replica.flights.len());
        assert!(held >= flying, "{held} slots for {flying} flights");
        assert!(held <= replica.config.max_concurrency as usize, "{held} slots (R8)");
        assert!(replica.sleep.is_none_or(|at| at > now), "a due timer was left (R31)");
        assert_eq!(outbox.wake_at(), replica.sleep, "the timer asked for and the timer known");
        if replica.view.len() > 64 {
            return; // the checks below look at every item
        }
        let shown = replica.view.values().map(|item| (&item.id, &item.args));
        let pending = outbox.pending().map(|item| (&item.id, &item.args));
        assert!(shown.eq(pending), "view changes do not add up to the pending items (R22)");
        if replica.request.is_none() {
            for item in outbox.pending() {
                let why = outbox.explain(&item.id).expect("a pending item can be explained (R19)");
                assert_ne!(why.reason, Reason::Ready, "{} is left lying", item.id);
                assert!(why.until.is_none_or(|at| at > now), "{}: {why:?} is over", item.id);
            }
        }
    }
}

fn share_a_lane(a: &Item, b: &Item) -> bool {
    (a.key.is_unknown() && b.key.is_unknown())
        || a.barrier
        || b.barrier
        || a.key.keys().iter().any(|key| b.key.keys().contains(key))
}

/// Where a write belongs in its transaction; `None`: anywhere.
fn rank(write: &Write) -> Option<u8> {
    match write {
        Write::Delete { .. } | Write::Bury { .. } => Some(0),
        Write::Put { .. } => Some(1),
        Write::Insert { .. } | Write::RetryFailure { .. } => Some(2),
        Write::Remove { .. } | Write::DismissFailure { .. } | Write::Pause { .. } | Write::Resume { .. } => {
            None
        }
    }
}

fn put_at(write: &Write) -> Option<Seq> {
    if let Write::Put { seq, .. } = write { Some(*seq) } else { None }
}

fn bytes(write: &Write) -> usize {
    match write {
        Write::Put { record, .. } | Write::Insert { record, .. } | Write::RetryFailure { record, .. } => {
            record.len()
        }
        Write::Bury { failure, .. } => failure.len(),
        _ => 0,
    }
}
