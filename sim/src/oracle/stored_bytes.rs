//! Stored bytes (R21, R23, R25): what is dispatched is, byte for byte, what is stored.
//!
//! At every dispatch the item handed to the mutator is encoded and compared with the row's record: the one
//! that the store holds now if the page's epoch is the store's; else the last one, if this page wrote it.
//! The one item that a full disk lets out unclaimed (R5) may differ in its bookkeeping: neither its claims
//! nor its failures could be written.

use outbox::{AttemptId, Effect, Item, record};

use super::{Facts, Oracle, facts::Row};
use crate::{moment::Moment, world::World};

/// The judge.
#[derive(Debug, Default)]
pub struct StoredBytes;

impl Oracle for StoredBytes {
    fn name(&self) -> &'static str {
        "stored bytes"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R21", "R23", "R25"]
    }

    fn see(&mut self, _world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        let Moment::Effect { tab, effect: Effect::Dispatch { attempt, item, .. } } = moment else {
            return Ok(());
        };
        let Some(fence) = facts.page(*tab).and_then(|page| page.fence) else { return Ok(()) };
        let current = facts.is_current(fence);
        let row = facts.row(attempt.seq).or_else(|| facts.gone(attempt.seq).map(|gone| &gone.row));
        match row.filter(|row| row.id() == Some(&item.id)) {
            Some(row) if current || row.written.fence == Some(fence) => compare(*attempt, item, row),
            _ => Ok(()), // not stored, or rewritten by a later leader: other oracles judge that
        }
    }
}

fn compare(attempt: AttemptId, item: &Item, row: &Row) -> Result<(), String> {
    let stored = match &row.item {
        Some(stored) if row.readable => stored,
        _ => return Err(format!("{attempt} dispatches a record that this build cannot read")),
    };
    let sent = if row.claimed() == Some(attempt.attempt) {
        record::encode(item)
    } else {
        let mut unclaimed = item.clone();
        unclaimed.retry_count = stored.retry_count;
        unclaimed.claimed = stored.claimed;
        unclaimed.next_attempt_at = stored.next_attempt_at;
        unclaimed.retry_after = stored.retry_after;
        unclaimed.last_class = stored.last_class;
        unclaimed.last_error.clone_from(&stored.last_error);
        record::encode(&unclaimed)
    };
    if *sent.as_bytes() == *row.record {
        return Ok(());
    }
    let stored = String::from_utf8_lossy(&row.record);
    Err(format!("{attempt} dispatches {sent}, stored is {stored}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        oracle::tamper::{at_attempt, story, told, truth},
        scenario::What,
    };

    #[test]
    fn what_is_stored_is_what_is_sent() {
        let mut scenario = story(&[(100, "a"), (100, "b")]);
        scenario.faults.push(at_attempt(1, 1, What::Refuse));
        assert_eq!(truth(&mut StoredBytes, &scenario), None);
    }

    #[test]
    fn other_args_than_those_stored_ring() {
        let found = told(&mut StoredBytes, &story(&[(100, "a")]), |moment, tell| match moment {
            Moment::Effect { tab, effect: Effect::Dispatch { attempt, item, deadline } } => {
                let other = Item { args: outbox::Json::null(), ..Item::clone(item) };
                let (attempt, item, deadline) = (*attempt, Arc::new(other), *deadline);
                tell(&Moment::Effect { tab: *tab, effect: &Effect::Dispatch { attempt, item, deadline } });
            }
            _ => tell(moment),
        });
        assert!(found.is_some_and(|what| what.starts_with("#1/1@1 dispatches {")));
    }
}
