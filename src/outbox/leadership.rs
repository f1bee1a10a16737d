//! Leadership: acquire, step down, resign (R27); ping and steal (R26).

use alloc::{string::String, sync::Arc, vec::Vec};

use super::{
    Effects, Outbox,
    entry::{Flags, Queued, Stage},
    journal::Retries,
};
use crate::{
    backoff::{self, Draw},
    effect::{Effect, Event, ParkReason},
    item::Seq,
    marks::sometimes,
    sorted::Texts,
    storage::{Fence, StoreId},
    time::Timestamp,
};

/// A silent leader is pinged at most this often, and waited for at least this long (R26).
const PATIENCE_MS: u64 = 5_000;
/// … plus a drawn time up to this.
const PATIENCE_SPREAD_MS: u64 = 2_000;
/// A leader gives way to one that has the mutators it lacks at most this often (R27).
const GIVE_WAY_MS: u64 = 30_000;

/// This replica's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// Appends, and holds the same view; another may lead.
    Follower,
    /// Holds the lock, and has not acquired yet.
    Elected,
    /// Dispatches.
    Leading { fence: Fence },
}

/// What is known of the other replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Presence {
    /// Who holds the leader's lock.
    holder: Option<String>,
    /// When the leader was last heard or pinged.
    last: Timestamp,
    /// The holder that was pinged, and until when its answer is waited for.
    pinged: Option<(String, Timestamp)>,
    /// When this leader last gave way.
    gave_way: Option<Timestamp>,
}

impl Presence {
    pub(super) fn holder_is(&mut self, holder: Option<String>) {
        if self.holder != holder {
            self.pinged = None; // steal only from the one that failed to answer
            self.holder = holder;
        }
    }

    pub(super) fn heard(&mut self, now: Timestamp) {
        self.last = now;
        self.pinged = None;
    }
}

impl Outbox {
    pub(super) fn is_follower(&self) -> bool {
        self.role == Role::Follower
    }

    pub(super) fn elected(&mut self) {
        if self.is_follower() {
            self.role = Role::Elected;
            self.journal.want.acquire = true;
            // What failed for a follower is tried anew, and at once.
            self.journal.failing_since = None;
            self.journal.retry = Retries::default();
            if let Some(request) = &mut self.journal.in_flight {
                // Given up before, or asked as a follower: it has its time anew, and is given up again (R27).
                (request.since, request.gave_up) = (self.now, false);
            }
        }
    }

    pub(super) fn deposed(&mut self, fx: &mut Effects) {
        self.step_down(fx);
    }

    /// Leads no more: cancels flights, discards uncommitted bookkeeping, reloads, and keeps the view
    /// meanwhile (R22, R27).
    pub(super) fn step_down(&mut self, fx: &mut Effects) {
        let led = self.is_leading();
        let in_flight: Vec<Seq> = self.deadlines.iter().map(|&(_, seq)| seq).collect();
        for seq in in_flight {
            self.cancel_if_in_flight(seq, fx);
        }
        self.role = Role::Follower;
        self.journal.want.acquire = false;
        // What was known is not what is stored, or nothing was: the acquire was to load it.
        self.journal.want.full |= led || self.known.is_none();
        if !led {
            return;
        }
        sometimes!(SteppedDown);
        self.queues.clear();
        self.claiming_ahead.clear();
        self.deadlines.clear();
        self.slots.reset();
        self.hook.reset();
        let rekeyed = self.entries.iter().filter(|(_, entry)| entry.flags.rekeyed);
        let rekeyed: Vec<Seq> = rekeyed.map(|(seq, _)| seq).collect();
        self.end_rekeys(rekeyed.into_iter());
        self.journal.discard_bookkeeping();
        self.lanes.vacate_all();
        self.busy = 0;
        for (seq, entry) in self.entries.iter_mut() {
            entry.queued = Queued::No;
            entry.flags = Flags { told: entry.flags.told, ..Flags::default() };
            if entry.stage == Stage::Removing {
                self.busy += 1; // still under way: removals are not fenced
                self.lanes.occupy(&entry.places, seq);
            } else {
                entry.stage = Stage::Waiting;
            }
        }
        let born_claimed = self.writing.iter().filter(|(_, writing)| !writing.in_flight);
        let locals: Vec<u64> = born_claimed.map(|(local, _)| local).collect();
        for local in locals {
            self.unclaim_writing(local);
        }
        self.check_at = self.config.shared.then(|| self.now.plus_ms(self.check_interval_ms()));
        Self::notify(fx, Event::Leading(false));
    }

    /// An insert goes again unclaimed (R4).
    pub(super) fn unclaim_writing(&mut self, local: u64) {
        if let Some(writing) = self.writing.get_mut(local)
            && writing.born_claimed.take().is_some()
        {
            let item = Arc::make_mut(&mut writing.item);
            item.retry_count = 0;
            item.claimed = false;
            item.next_attempt_at = item.created_at;
        }
    }

    // Ping and steal: a frozen tab keeps its lock, but messages wake it (R26).

    fn has_work_waiting(&self) -> bool {
        self.config.ping && self.is_follower() && !self.is_empty()
    }

    pub(super) fn expire_presence(&mut self, fx: &mut Effects) {
        if !self.has_work_waiting() {
            self.presence.pinged = None;
            return;
        }
        match self.presence.pinged.clone() {
            Some((holder, deadline)) if deadline <= self.now => {
                sometimes!(Stolen);
                self.presence.heard(self.now);
                fx.push(Effect::Steal(holder));
            }
            Some(_) => {}
            None => self.ping_holder(fx),
        }
    }

    fn ping_holder(&mut self, fx: &mut Effects) {
        let Some(holder) = self.presence.holder.clone() else { return };
        if self.now < self.presence.last.plus_ms(PATIENCE_MS) {
            return;
        }
        self.presence.last = self.now;
        sometimes!(Pinged);
        self.presence.pinged = Some((holder.clone(), self.now.plus_ms(self.patience_ms())));
        fx.push(Effect::Ping { to: Some(holder), parked: Vec::new() });
    }

    /// Drawn per replica, so that the followers of a frozen leader do not all steal at once.
    fn patience_ms(&self) -> u64 {
        let own =
            |bytes: &[u8]| bytes.iter().fold(0u128, |hash, &byte| hash.rotate_left(7) ^ u128::from(byte));
        let seed = StoreId(self.seed().0 ^ own(self.config.replica.as_bytes()));
        PATIENCE_MS + backoff::uniform(seed, Seq(0), 0, Draw::Patience, PATIENCE_SPREAD_MS)
    }

    pub(super) fn presence_wake(&self) -> Option<Timestamp> {
        if !self.has_work_waiting() {
            return None;
        }
        match &self.presence.pinged {
            Some((_, deadline)) => Some(*deadline),
            None => self.presence.holder.as_ref().map(|_| self.presence.last.plus_ms(PATIENCE_MS)),
        }
    }

    pub(super) fn pinged(&mut self, from: String, parked: &[String], fx: &mut Effects) {
        let registered = parked.iter().filter(|name| self.mutator(name).is_some()).cloned().collect();
        fx.push(Effect::Pong { to: from, registered });
    }

    pub(super) fn ponged(&mut self, from: &str, registered: &[String], fx: &mut Effects) {
        if self.presence.holder.as_deref() == Some(from) {
            self.presence.heard(self.now);
        }
        let parked = self.parked_mutators();
        let waited = self.presence.gave_way.is_none_or(|at| self.now >= at.plus_ms(GIVE_WAY_MS));
        if self.is_leading() && waited && registered.iter().any(|name| parked.get(name).is_some()) {
            sometimes!(GaveWay);
            self.presence.gave_way = Some(self.now);
            self.step_down(fx);
            fx.push(Effect::Resign);
        }
    }

    fn parked_mutators(&self) -> Texts {
        let parked = self.entries.values().filter(|entry| entry.parked == Some(ParkReason::Unregistered));
        parked.map(|entry| Arc::clone(&entry.item.mutator_name)).collect()
    }

    /// Whether another live replica can run what this leader has parked (R27).
    pub(super) fn ask_about_parked(&mut self, fx: &mut Effects) {
        if self.config.ping && self.is_leading() {
            let parked: Vec<String> =
                self.parked_mutators().iter().map(|name| String::from(&**name)).collect();
            if !parked.is_empty() {
                fx.push(Effect::Ping { to: None, parked });
            }
        }
    }
}
