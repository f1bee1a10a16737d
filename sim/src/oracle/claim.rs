//! Claim before dispatch (R2, R5): every attempt was counted durably, under its epoch's fence, before it.
//!
//! At every dispatch of attempt n in epoch e:
//! - the page has acquired e;
//! - a transaction under e's fence has left a record with `claimed` and `retryCount` = n, and no later write
//!   is about that item (as far as e is still the store's epoch);
//! - it rests on an answer of the store under that fence which was asked for at most 4 s before: the claim's
//!   own ack, else a read that found the item.
//!
//! The exception (R5): while a claim or bury of this page is refused for want of space, one item may be sent
//! after such a read alone; the next only once that item is gone, or written, or parked as used up.

use std::collections::BTreeMap;

use outbox::{
    AttemptId, Effect, Epoch, Event, Input, Seq,
    storage::{Fence, OpId, StorageError, StoreId, Write},
};

use super::{Facts, Oracle, facts, facts::Proof};
use crate::{moment::Moment, world::World};

/// For so long an answer of the store may be acted on (R2).
const TRUST_MS: u64 = 4_000;

/// The judge.
#[derive(Debug, Default)]
pub struct Claim {
    /// The last attempt of each item that was claimed under each fence.
    claims: BTreeMap<(StoreId, Epoch, Seq), u32>,
    tabs: BTreeMap<u32, Tab>,
}

/// What one page has been told of space.
#[derive(Debug, Default)]
struct Tab {
    /// The fence that the rest belongs to.
    fence: Option<Fence>,
    /// The transaction under way that puts or buries.
    putting: Option<OpId>,
    /// The last of those was refused for want of space.
    full: bool,
    /// The item that was sent unclaimed, and the moment.
    unclaimed: Option<(Seq, u64)>,
}

impl Oracle for Claim {
    fn name(&self) -> &'static str {
        "claim"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R2", "R5"]
    }

    fn see(&mut self, _world: &World, known: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Ended { tab, .. } => drop(self.tabs.remove(tab)),
            // Epochs that were undone are given again.
            Moment::Undone { commits } if *commits > 0 => self.claims.clear(),
            Moment::Ran { tab, page, request: Effect::Persist { fence: Some(fence), .. }, .. } => {
                let asked = known.page(*tab).filter(|open| open.id.page == *page);
                let claims =
                    asked.and_then(|page| page.asked.as_ref()).map_or(&[][..], |asked| &asked.claims);
                let of = |claim: &facts::Claim| ((fence.store, fence.epoch, claim.seq), claim.attempt);
                self.claims.extend(claims.iter().map(of));
            }
            Moment::Effect { tab, effect: Effect::Persist { op, writes, .. } } => {
                let puts = writes.iter().any(|write| matches!(write, Write::Put { .. } | Write::Bury { .. }));
                self.tabs.entry(*tab).or_default().putting = puts.then_some(*op);
            }
            Moment::Input { tab, input: Input::Persisted { op, result } } => {
                let tab = self.tabs.entry(*tab).or_default();
                if tab.putting.take_if(|putting| putting == op).is_some() {
                    tab.full = matches!(result, Err(StorageError::Full)) || (tab.full && result.is_err());
                }
            }
            Moment::Effect { tab, effect: Effect::Notify(Event::Parked { id, .. }) } => {
                let tab = self.tabs.entry(*tab).or_default();
                let is_parked = |seq| known.row(seq).is_some_and(|row| row.id() == Some(id));
                tab.unclaimed.take_if(|(seq, _)| is_parked(*seq));
            }
            Moment::Effect { tab, effect: Effect::Dispatch { attempt, .. } } => {
                return self.dispatched(known, *tab, *attempt);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Claim {
    fn dispatched(&mut self, facts: &Facts, tab: u32, attempt: AttemptId) -> Result<(), String> {
        let AttemptId { store: _, epoch, seq, attempt: number } = attempt;
        let page = facts.page(tab);
        let Some((page, fence)) = page.and_then(|page| Some((page, page.fence?))) else {
            return Err(format!("{attempt} is dispatched by a page that has acquired nothing"));
        };
        if fence != attempt.fence() {
            return Err(format!(
                "{attempt} is dispatched by a page that has acquired epoch {}",
                fence.epoch.0
            ));
        }
        let Some(proof) = page.proofs.get(&seq) else {
            return Err(format!("{attempt}: no fenced answer of the store precedes it"));
        };
        let age_ms = facts.now_ms - proof.asked_ms;
        if age_ms > TRUST_MS {
            return Err(format!("{attempt} rests on an answer that was asked for {age_ms} ms before"));
        }
        if self.claims.get(&(fence.store, epoch, seq)) == Some(&number) {
            return still_claimed(facts, attempt, fence);
        }
        self.unclaimed(facts, tab, attempt, fence, *proof)
    }

    fn unclaimed(
        &mut self,
        facts: &Facts,
        tab: u32,
        attempt: AttemptId,
        fence: Fence,
        proof: Proof,
    ) -> Result<(), String> {
        let tab = self.tabs.entry(tab).or_default();
        if tab.fence != Some(fence) {
            (tab.fence, tab.unclaimed) = (Some(fence), None);
        }
        if !tab.full || proof.claim {
            return Err(format!("{attempt} was never claimed, and not for want of space"));
        }
        if let Some((other, since)) = tab.unclaimed.filter(|(other, _)| *other != attempt.seq) {
            let waits = facts.row(other).filter(|row| row.written.moment < since);
            if facts.is_current(fence) && waits.is_some() {
                return Err(format!("{attempt} is sent unclaimed while {other} is too, and still stored"));
            }
        }
        tab.unclaimed = Some((attempt.seq, facts.moment));
        Ok(())
    }
}

/// The claim stands: nothing was written about the item since, as far as this is still the store's epoch.
fn still_claimed(facts: &Facts, attempt: AttemptId, fence: Fence) -> Result<(), String> {
    let Some(row) = facts.row(attempt.seq).filter(|_| facts.is_current(fence)) else { return Ok(()) };
    if row.claimed() == Some(attempt.attempt) && row.written.fence == Some(fence) {
        return Ok(());
    }
    Err(format!("{attempt} was claimed, and its record was written again before it is dispatched"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        oracle::tamper::{at_attempt, dispatched, story, told, truth},
        scenario::{EffectKind, Fault, What, When},
    };

    #[test]
    fn a_repeated_attempt_is_claimed_again() {
        let mut scenario = story(&[(100, "a"), (100, "a")]);
        scenario.faults.push(at_attempt(1, 1, What::Refuse));
        assert_eq!(truth(&mut Claim::default(), &scenario), None);
    }

    #[test]
    fn a_dispatch_before_the_ack_rings() {
        // The ack of every transaction is heard of too late.
        let found = told(&mut Claim::default(), &story(&[(100, "a")]), |moment, tell| {
            if !matches!(moment, Moment::Input { input: Input::Persisted { .. }, .. }) {
                tell(moment);
            }
        });
        assert_eq!(found.as_deref(), Some("#1/1@1: no fenced answer of the store precedes it"));
    }

    #[test]
    fn an_attempt_that_was_not_counted_rings() {
        let found = told(&mut Claim::default(), &story(&[(100, "a")]), |moment, tell| match moment {
            Moment::Effect { tab, effect: Effect::Dispatch { attempt, item, deadline } } => {
                let attempt = AttemptId { attempt: 2, ..*attempt };
                let (item, deadline) = (item.clone(), *deadline);
                tell(&Moment::Effect { tab: *tab, effect: &Effect::Dispatch { attempt, item, deadline } });
            }
            _ => tell(moment),
        });
        assert_eq!(found.as_deref(), Some("#1/2@1 was never claimed, and not for want of space"));
    }

    #[test]
    fn a_stale_ack_that_is_not_checked_rings() {
        // The claim's ack takes 5 s; the read that checks it is kept from the oracle.
        let mut scenario = story(&[(100, "a")]);
        let when = When::Nth { tab: 0, kind: EffectKind::Persist, n: 1 };
        scenario.faults.push(Fault { when, what: What::SlowStorage { by_ms: 5_000 } });
        assert_eq!(truth(&mut Claim::default(), &scenario), None);
        let mut dispatches = 0;
        let found = told(&mut Claim::default(), &scenario, |moment, tell| {
            dispatches += u32::from(dispatched(moment).is_some());
            let read = matches!(moment, Moment::Effect { effect: Effect::Load { fence: Some(_), .. }, .. });
            if dispatches > 0 || !read {
                tell(moment);
            }
        });
        assert!(
            found.is_some_and(|what| what.starts_with("#1/1@1 rests on an answer that was asked for 50"))
        );
    }
}
