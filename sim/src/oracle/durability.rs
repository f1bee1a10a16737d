//! Durability (R1, R5): written first, and kept.
//!
//! - At `Reply Enqueued{id, seq}` the store has committed an insert of `id` that got `seq`.
//! - A call that ends in an error other than `Unknown` leaves no trace: its item was never stored, and is not
//!   stored later.
//! - At a dispatch under the store's own epoch the item is stored, or was when the store was last asked.
//! - What is stored is what was committed: after every transaction there are as many rows as inserts that
//!   nothing has ended; after a loss of power that undid nothing, and at the end, they are the same, byte for
//!   byte.

use std::collections::{BTreeMap, BTreeSet};

use outbox::{
    AttemptId, CallError, CallId, Effect, Input, Item, ItemId, Reply, Seq,
    storage::{StorageError, Write, WriteResult},
};

use super::{Facts, Oracle};
use crate::{moment::Moment, world::World};

/// The judge.
#[derive(Debug, Default)]
pub struct Durability {
    /// Calls that make an item and have no reply yet.
    calls: BTreeMap<(u32, CallId), ItemId>,
    /// Items whose callers were told that nothing was stored.
    refused: BTreeSet<ItemId>,
}

impl Oracle for Durability {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R1", "R5"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Input { tab, input } => self.called(*tab, input),
            Moment::Effect { tab, effect: Effect::Reply { call, result } } => {
                let Some(id) = self.calls.remove(&(*tab, *call)) else { return Ok(()) };
                return self.replied(facts, id, result);
            }
            Moment::Effect { tab, effect: Effect::Dispatch { attempt, item, .. } } => {
                return is_stored(facts, *tab, *attempt, item);
            }
            Moment::Ended { tab, .. } => self.calls.retain(|(of, _), _| of != tab),
            Moment::Ran { request: Effect::Persist { writes, .. }, answer, .. } => {
                if let Input::Persisted { result: Ok(committed), .. } = answer {
                    self.is_welcome(writes, &committed.results)?;
                    return are_as_many(world, facts);
                }
            }
            Moment::Planted { .. } | Moment::MadeAnew => return are_as_many(world, facts),
            Moment::Undone { .. } | Moment::End => return are_the_same(world, facts),
            _ => {}
        }
        Ok(())
    }
}

impl Durability {
    fn called(&mut self, tab: u32, input: &Input) {
        let (call, id) = match input {
            Input::Enqueue { call, draft } => (call, &draft.id),
            Input::RetryFailure { call, id, .. } => (call, id),
            _ => return,
        };
        self.refused.remove(id);
        self.calls.insert((tab, *call), id.clone());
    }

    fn replied(
        &mut self,
        facts: &Facts,
        id: ItemId,
        result: &Result<Reply, CallError>,
    ) -> Result<(), String> {
        match result {
            Ok(Reply::Enqueued { id: told, seq }) => {
                let committed = facts.places(&id).iter().any(|place| place.seq == *seq);
                if *told == id && committed {
                    return Ok(());
                }
                Err(format!(
                    "{id} is said to be enqueued as {told} at {seq}; the store committed no such insert"
                ))
            }
            Err(CallError::Storage(StorageError::Unknown) | CallError::Duplicate { .. }) => Ok(()),
            Ok(Reply::Done(_)) | Err(_) if facts.places(&id).is_empty() => {
                self.refused.insert(id);
                Ok(())
            }
            other => {
                let places = facts.places(&id);
                Err(format!("{id} was stored ({places:?}); its caller is told that it was not: {other:?}"))
            }
        }
    }

    /// Nothing is inserted whose caller was told that it is not.
    fn is_welcome(&self, writes: &[Write], results: &[WriteResult]) -> Result<(), String> {
        if self.refused.is_empty() {
            return Ok(());
        }
        for (write, result) in writes.iter().zip(results) {
            let (Write::Insert { id, .. } | Write::RetryFailure { id, .. }) = write else { continue };
            if matches!(result, WriteResult::Inserted(_)) && self.refused.contains(id) {
                return Err(format!("{id} is stored though its enqueue has failed"));
            }
        }
        Ok(())
    }
}

fn is_stored(facts: &Facts, tab: u32, attempt: AttemptId, item: &Item) -> Result<(), String> {
    let id = &item.id;
    if facts.places(id).is_empty() {
        return Err(format!("{attempt} dispatches {id}, which was never stored"));
    }
    let Some(page) = facts.page(tab).filter(|_| facts.current_fence(tab).is_some()) else { return Ok(()) };
    if facts.row(attempt.seq).is_some_and(|row| row.id() == Some(id)) {
        return Ok(());
    }
    let asked = page.proofs.get(&attempt.seq).map_or(0, |proof| proof.ran);
    let gone = facts.gone(attempt.seq).filter(|gone| gone.row.id() == Some(id));
    match gone {
        Some(gone) if gone.ended.moment > asked && asked > 0 => Ok(()), // nobody here can know yet
        Some(gone) => Err(format!(
            "{attempt} dispatches {id}, which ended {} ms before",
            facts.now_ms - gone.ended.at_ms
        )),
        None => Err(format!("{attempt} dispatches {id}, which is not stored there")),
    }
}

fn are_as_many(world: &World, facts: &Facts) -> Result<(), String> {
    let (stored, expected) = (world.store.memory().rows().len(), facts.rows().len());
    if stored == expected {
        return Ok(());
    }
    Err(format!("{stored} rows are stored; inserts less ends make {expected}"))
}

fn are_the_same(world: &World, facts: &Facts) -> Result<(), String> {
    are_as_many(world, facts)?;
    for ((seq, record), (expected, row)) in world.store.memory().rows().zip(facts.rows()) {
        same_row((seq, record), (expected, &row.record))?;
    }
    Ok(())
}

fn same_row(stored: (Seq, &[u8]), expected: (Seq, &[u8])) -> Result<(), String> {
    if stored == expected {
        return Ok(());
    }
    let text = |(seq, record): (Seq, &[u8])| format!("{seq} {}", String::from_utf8_lossy(record));
    Err(format!("stored is {}; the last commit wrote {}", text(stored), text(expected)))
}

#[cfg(test)]
mod tests {
    use outbox::{
        Event, Place, ViewChange,
        storage::{Fence, StoreId},
    };

    use super::*;
    use crate::oracle::tamper::{story, told, truth};

    #[test]
    fn a_quiet_run_is_in_order() {
        assert_eq!(truth(&mut Durability::default(), &story(&[(100, "a"), (100, "a")])), None);
    }

    #[test]
    fn a_reply_before_the_commit_rings() {
        // Told of the place as soon as it is shown, long before the store has run anything.
        let found = told(&mut Durability::default(), &story(&[(100, "a")]), |moment, tell| {
            tell(moment);
            if let Moment::Input { tab, input: Input::Enqueue { call, draft } } = moment {
                let result = Ok(Reply::Enqueued { id: draft.id.clone(), seq: Seq(1) });
                tell(&Moment::Effect { tab: *tab, effect: &Effect::Reply { call: *call, result } });
            }
        });
        assert_eq!(
            found.as_deref(),
            Some("i1 is said to be enqueued as i1 at #1; the store committed no such insert")
        );
    }

    #[test]
    fn an_error_that_leaves_a_trace_rings() {
        let found = told(&mut Durability::default(), &story(&[(100, "a")]), |moment, tell| match moment {
            Moment::Effect { tab, effect: Effect::Reply { call, .. } } => {
                let result = Err(CallError::Storage(StorageError::Full));
                tell(&Moment::Effect { tab: *tab, effect: &Effect::Reply { call: *call, result } });
            }
            _ => tell(moment),
        });
        assert!(found.is_some_and(|what| what.contains("its caller is told that it was not")));
    }

    #[test]
    fn a_lost_row_rings() {
        // The oracle hears of the insert and not of the delete: the store misses a row that nothing ended.
        let found = told(&mut Durability::default(), &story(&[(100, "a"), (500, "b")]), |moment, tell| {
            let delete = |write: &Write| matches!(write, Write::Delete { .. });
            match moment {
                Moment::Ran { request: Effect::Persist { writes, .. }, .. } if writes.iter().any(delete) => {}
                _ => tell(moment),
            }
        });
        assert!(found.is_some_and(|what| what.contains("rows are stored; inserts less ends make")));
    }

    #[test]
    fn what_was_never_stored_is_not_dispatched() {
        let mut shown = None;
        let found = told(&mut Durability::default(), &story(&[(100, "a")]), |moment, tell| {
            if let Moment::Effect {
                effect: Effect::View(ViewChange::Set { place: Place::Writing(_), item }),
                ..
            } = moment
            {
                shown = Some(item.clone());
            }
            tell(moment);
            if let (
                Moment::Effect { tab, effect: Effect::Notify(Event::Leading(true)) | Effect::View(_) },
                Some(item),
            ) = (moment, &shown)
            {
                let fence = Fence { store: StoreId(1), epoch: outbox::Epoch(1) };
                let attempt = fence.attempt(Seq(1), 1);
                let (item, deadline) = (item.clone(), item.created_at.plus_ms(1));
                tell(&Moment::Effect { tab: *tab, effect: &Effect::Dispatch { attempt, item, deadline } });
            }
        });
        assert_eq!(found.as_deref(), Some("#1/1@1 dispatches i1, which was never stored"));
    }
}
