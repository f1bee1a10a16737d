//! One order (R3, R6): per lane, across crashes and leaders.
//!
//! - Places are given in ascending order, none twice, in one store.
//! - At a dispatch under the store's own epoch, no earlier item that shares a lane is stored (a barrier
//!   shares every lane); what this build cannot place in a lane holds nothing up (R24).
//! - At any dispatch, no other item of its lanes is in flight in that page.
//! - At the server, first applications follow the order of places in each lane: an item that is still stored
//!   is not applied for the first time after a later item of a lane that it was inserted into. What was
//!   removed or dropped may still arrive late; a loss of power that undoes commits begins anew, and what was
//!   sent before it says nothing of the order since: it may stand behind an item that the loss brought back.

use std::collections::{BTreeMap, BTreeSet};

use outbox::{AttemptId, Effect, Input, Item, ItemId, Seq, storage::WriteResult};

use super::{
    Facts, Oracle,
    facts::{Lane, lanes, share_a_lane},
};
use crate::{moment::Moment, world::World};

/// The judge.
#[derive(Debug, Default)]
pub struct Order {
    /// The last place given.
    last: Seq,
    /// What was dispatched since the store last lost something.
    sent: BTreeSet<AttemptId>,
    /// Items that the server has applied.
    applied: BTreeSet<ItemId>,
    /// The latest item of each lane that was.
    latest: BTreeMap<Lane, Seq>,
    /// The latest of all, and the latest barrier.
    latest_any: Seq,
    latest_barrier: Seq,
}

impl Oracle for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R3", "R6"]
    }

    fn see(&mut self, _world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Ran { request: Effect::Persist { .. }, answer, .. } => {
                let Input::Persisted { result: Ok(committed), .. } = answer else { return Ok(()) };
                for result in &committed.results {
                    if let WriteResult::Inserted(seq) = result {
                        self.given(*seq)?;
                    }
                }
            }
            Moment::Planted { seq, .. } => return self.given(*seq),
            Moment::Undone { commits } if *commits > 0 => self.begin_anew(facts.through),
            Moment::MadeAnew => self.begin_anew(Seq(0)),
            Moment::Effect { tab, effect: Effect::Dispatch { attempt, item, .. } } => {
                self.sent.insert(*attempt);
                return is_next(facts, *tab, *attempt, item);
            }
            Moment::Served { attempt, request, answer, .. } if answer.applied => {
                return self.applied(facts, *attempt, &request.item);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Order {
    fn begin_anew(&mut self, last: Seq) {
        let applied = std::mem::take(&mut self.applied);
        *self = Self { last, applied, ..Self::default() };
    }

    fn given(&mut self, seq: Seq) -> Result<(), String> {
        let last = std::mem::replace(&mut self.last, seq);
        if seq > last {
            return Ok(());
        }
        Err(format!("the place {seq} was given after {last}"))
    }

    fn applied(&mut self, facts: &Facts, attempt: AttemptId, id: &ItemId) -> Result<(), String> {
        if !self.applied.insert(id.clone()) || !self.sent.contains(&attempt) {
            return Ok(());
        }
        let Some(seq) = facts.stored(id) else { return Ok(()) };
        let Some(row) = facts.row(seq).filter(|row| !row.rekeyed) else { return Ok(()) };
        let Some(item) = &row.item else { return Ok(()) };
        let in_lanes = lanes(&item.key).filter_map(|lane| self.latest.get(&lane).copied());
        let all = if item.barrier { self.latest_any } else { self.latest_barrier };
        let latest = in_lanes.chain([all]).max().unwrap_or_default();
        if latest > seq {
            return Err(format!("{id} at {seq} is applied for the first time after {latest} of its lanes"));
        }
        for lane in lanes(&item.key) {
            self.latest.insert(lane, seq);
        }
        self.latest_any = self.latest_any.max(seq);
        if item.barrier {
            self.latest_barrier = seq;
        }
        Ok(())
    }
}

fn is_next(facts: &Facts, tab: u32, attempt: AttemptId, item: &Item) -> Result<(), String> {
    let Some(page) = facts.page(tab) else { return Ok(()) };
    let own = (&item.key, item.barrier);
    for (other, flight) in &page.flights {
        if *other != attempt && share_a_lane(own, (&flight.key, flight.barrier)) {
            return Err(format!("{attempt} is dispatched while {other} of its lanes is in flight"));
        }
    }
    if facts.current_fence(tab).is_none() {
        return Ok(()); // fenced without knowing it yet: an overlap that no fence can prevent (R29)
    }
    match facts.ahead(attempt.seq, &item.key, item.barrier) {
        Some(earlier) => Err(format!("{attempt} ({}) overtakes {earlier}, which is stored", item.key)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use outbox::storage::Write;

    use super::*;
    use crate::oracle::tamper::{resolved, story, told, truth};

    #[test]
    fn a_lane_in_turn_is_in_order() {
        assert_eq!(truth(&mut Order::default(), &story(&[(100, "a"), (100, "a"), (100, "b")])), None);
    }

    #[test]
    fn overtaking_a_stored_item_rings() {
        let scenario = story(&[(100, "a"), (100, "a")]);
        let found = told(&mut Order::default(), &scenario, |moment, tell| {
            let delete = |write: &Write| matches!(write, Write::Delete { .. });
            match moment {
                Moment::Ran { request: Effect::Persist { writes, .. }, .. } if writes.iter().any(delete) => {}
                _ => tell(moment),
            }
        });
        assert_eq!(found.as_deref(), Some("#2/1@1 (a) overtakes #1, which is stored"));
    }

    #[test]
    fn two_of_a_lane_in_flight_ring() {
        let found = told(&mut Order::default(), &story(&[(100, "a"), (100, "a")]), |moment, tell| {
            if resolved(moment).is_none() {
                tell(moment);
            }
        });
        assert_eq!(found.as_deref(), Some("#2/1@1 is dispatched while #1/1@1 of its lanes is in flight"));
    }

    #[test]
    fn a_place_given_twice_rings() {
        let found = told(&mut Order::default(), &story(&[(100, "a")]), |moment, tell| {
            tell(moment);
            if let Moment::Ran { request: Effect::Persist { .. }, .. } = moment {
                tell(moment);
            }
        });
        assert_eq!(found.as_deref(), Some("the place #1 was given after #1"));
    }

    #[test]
    fn a_first_application_out_of_turn_rings() {
        // The server is said to have applied the second item just before the first.
        let scenario = story(&[(100, "a"), (100, "a")]);
        let found = told(&mut Order::default(), &scenario, |moment, tell| match moment {
            Moment::Served { tab, attempt, request, answer } if attempt.seq == Seq(1) => {
                let second = ItemId::new("i2").expect("a short id");
                let request = crate::app::Request { item: second, ..(*request).clone() };
                tell(&Moment::Served { tab: *tab, attempt: *attempt, request: &request, answer });
                tell(moment);
            }
            _ => tell(moment),
        });
        assert_eq!(found.as_deref(), Some("i1 at #1 is applied for the first time after #2 of its lanes"));
    }
}
