//! Triggers: what pulls waiting items forward (R13), and the connectivity hint (R8).

use alloc::sync::Arc;

use super::{Outbox, schedule::PROBE_MS};
use crate::{
    backoff::{self, Draw},
    item::{Class, Seq},
    marks::sometimes,
    mutants::mutant,
    time::Timestamp,
};

/// Triggers act at most this often; one that comes earlier is deferred, never dropped.
const SPACING_MS: u64 = 5_000;
/// A pulled item is tried within this time.
const SPREAD_MS: u64 = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Triggers {
    /// The replica started and has not acquired since.
    pub(super) init_pending: bool,
    /// A transport failure came since the last success.
    pub(super) transport_failed: bool,
    last: Option<Timestamp>,
    deferred: Option<Deferred>,
}

/// A trigger waiting for the end of the spacing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Deferred {
    at: Timestamp,
    online_edge: bool,
}

/// Which waiting items a trigger pulls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pull {
    /// Those not pulled since their own backoff last ran out by itself.
    Once,
    /// The same, and transport failures always.
    OnlineEdge,
    /// As `Once`, but not those whose last claim has no recorded result [poison that kills the app].
    Init,
    /// As `Once`, transport failures only.
    TransportFailures,
}

impl Triggers {
    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.deferred.map(|deferred| deferred.at)
    }
}

impl Outbox {
    pub(super) fn connectivity(&mut self, online: bool) {
        let edge = online && !self.online;
        if !online && self.online {
            self.probe_at = self.now.plus_ms(PROBE_MS);
        }
        self.online = online;
        if edge {
            self.trigger(true);
        }
    }

    /// The first acts at once; one within 5 s of the last is deferred to the end of the 5 s.
    pub(super) fn trigger(&mut self, online_edge: bool) {
        let at = self.triggers.last.map_or(self.now, |last| last.plus_ms(SPACING_MS));
        if at > self.now {
            let online_edge =
                online_edge || self.triggers.deferred.is_some_and(|deferred| deferred.online_edge);
            sometimes!(TriggerDeferred);
            if !mutant!(TriggerDropped) {
                self.triggers.deferred = Some(Deferred { at, online_edge });
            }
        } else {
            self.act_on_trigger(online_edge);
        }
    }

    fn act_on_trigger(&mut self, online_edge: bool) {
        self.triggers.last = Some(self.now);
        self.triggers.deferred = None;
        self.pull(if online_edge { Pull::OnlineEdge } else { Pull::Once });
    }

    pub(super) fn expire_triggers(&mut self) {
        if let Some(deferred) = self.triggers.deferred
            && deferred.at <= self.now
        {
            self.act_on_trigger(deferred.online_edge);
        }
    }

    /// The first acquire after a start is the init trigger; it takes no part in the spacing.
    pub(super) fn trigger_init(&mut self) {
        if core::mem::take(&mut self.triggers.init_pending) {
            self.pull(Pull::Init);
        }
    }

    /// The first success after a transport failure pulls the other transport failures.
    pub(super) fn network_works(&mut self) {
        if core::mem::take(&mut self.triggers.transport_failed) {
            self.pull(Pull::TransportFailures);
        }
    }

    fn pull(&mut self, pull: Pull) {
        let waiting: alloc::vec::Vec<Seq> = self.queues.backoff.iter().map(|&(_, seq)| seq).collect();
        for seq in waiting {
            self.pull_one(seq, pull);
        }
    }

    fn pull_one(&mut self, seq: Seq, pull: Pull) {
        let (now, seed) = (self.now, self.seed());
        let Some(entry) = self.entries.get_mut(seq) else { return };
        let transport = entry.item.last_class == Some(Class::Transport);
        let eligible = match pull {
            Pull::Once => !entry.flags.pull_spent,
            Pull::OnlineEdge => !entry.flags.pull_spent || transport,
            Pull::Init => !entry.flags.pull_spent && !entry.item.claimed,
            Pull::TransportFailures => !entry.flags.pull_spent && transport,
        };
        let spread = backoff::uniform(seed, seq, entry.item.retry_count, Draw::Spread, SPREAD_MS);
        let floor = entry.item.retry_after.filter(|_| !mutant!(RetryAfterShortened));
        let floor = floor.unwrap_or(Timestamp::ZERO);
        let at = now.plus_ms(spread).max(floor);
        sometimes!(InitSpared, pull == Pull::Init && entry.item.claimed);
        if eligible && at < entry.item.next_attempt_at {
            sometimes!(Pulled);
            sometimes!(PullFloored, at == floor);
            Arc::make_mut(&mut entry.item).next_attempt_at = at;
            entry.flags.pulled = true;
            entry.flags.pull_spent = true;
            self.reconsider(seq);
        }
    }
}
