//! Why an item is not being sent, and when that can next change (R19).

use alloc::string::String;

use super::{
    Outbox,
    entry::{Entry, Queued, Stage},
    leadership::Role,
    schedule::Send,
};
use crate::{
    effect::Place,
    explain::{Blocked, Reason},
    item::{ItemId, Seq},
};

impl Outbox {
    /// Exactly why an item is not being sent (R19); `None` if it is not pending here.
    #[must_use]
    pub fn explain(&self, id: &ItemId) -> Option<Blocked> {
        let blocked = |reason| Some(Blocked { reason, until: None });
        let seq = match self.place_of(id)? {
            Place::Writing(_) => return blocked(Reason::Writing),
            Place::Stored(seq) => seq,
        };
        let entry = self.entries.get(seq)?;
        match &entry.stage {
            Stage::Settling(_) => blocked(Reason::Settling),
            Stage::Removing => blocked(Reason::Removing),
            Stage::Claiming { .. } => blocked(Reason::Claiming),
            Stage::Verifying => blocked(Reason::Loading),
            Stage::InFlight { deadline } => {
                let since = self.slots.slot(Place::Stored(seq)).map_or(self.now, |slot| slot.since);
                let reason = Reason::InFlight { attempt: entry.item.retry_count, since };
                Some(Blocked { reason, until: Some(*deadline) })
            }
            Stage::Waiting | Stage::Claimed { .. } => Some(self.explain_waiting(seq, entry)),
        }
    }

    fn explain_waiting(&self, seq: Seq, entry: &Entry) -> Blocked {
        let blocked = |reason| Blocked { reason, until: None };
        if let Some(reason) = entry.parked {
            return blocked(Reason::Parked(reason));
        }
        match self.role {
            Role::Follower => return blocked(Reason::Follower),
            Role::Elected => return blocked(Reason::Loading),
            Role::Leading { .. } => {}
        }
        if seq > self.through() {
            return blocked(Reason::Loading);
        }
        if self.is_paused() {
            return blocked(Reason::Paused { reasons: self.paused().map(String::from).collect() });
        }
        if let Some(behind) = self.explain_lane(seq, entry) {
            return blocked(behind);
        }
        match entry.queued {
            Queued::Backoff(at) if at > self.now => {
                return Blocked { reason: Reason::Backoff, until: Some(at) };
            }
            Queued::Hook => return Blocked { reason: Reason::Hook, until: self.hook_wake() },
            _ if entry.flags.frozen => return Blocked { reason: Reason::Hook, until: self.hook_wake() },
            Queued::Backoff(_) | Queued::Ready(_) | Queued::No => {}
        }
        match self.may_send() {
            Send::No if !self.online => {
                Blocked { reason: Reason::Offline, until: Some(self.probe_at).filter(|&at| at > self.now) }
            }
            _ if self.journal.full => blocked(Reason::StoreFull),
            Send::Yes | Send::Probe if !self.slots.has_room(self.now, entry.failed_before()) => {
                Blocked { reason: Reason::Concurrency, until: self.slots.ages_at(self.now) }
            }
            Send::Yes | Send::Probe | Send::No => blocked(Reason::Ready),
        }
    }

    fn explain_lane(&self, seq: Seq, entry: &Entry) -> Option<Reason> {
        let behind = |blocker: Seq, lane| {
            let id = self.entries.get(blocker).map(|entry| entry.item.id.clone())?;
            Some(Reason::Behind { id, seq: blocker, lane })
        };
        if let Some((blocker, lane)) = self.lanes.blocker(&entry.places, seq) {
            return behind(blocker, lane);
        }
        if self.is_next(seq, entry) {
            return None;
        }
        // A barrier waits for everything before it and whatever is under way; the others for the barrier.
        let first = self.barriers.first().copied().filter(|&barrier| barrier < seq);
        let earlier = first.or_else(|| self.entries.seqs().next());
        let busy = || self.entries.iter().find(|(_, entry)| entry.stage.is_busy()).map(|(seq, _)| seq);
        let blocker = earlier.filter(|&blocker| blocker != seq).or_else(busy)?;
        behind(blocker, "barrier".into())
    }
}
