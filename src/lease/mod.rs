//! Leadership by leases over a lossy broadcast channel (R26): for where there is no lock to queue for.
//!
//! [`Election`] is a pure state machine, as the outbox is: inputs go in with the time, effects come out.
//! **The lease gives liveness, the storage's fence gives safety** (R27): whatever happens here, two
//! leaders cannot both write.
//!
//! How it works, with `D` the longest a message may take ([`ElectionConfig::max_delay_ms`]) and `L` the
//! lease ([`ElectionConfig::lease_ms`]):
//!
//! * A leader broadcasts `Lease` every `L/3`, and leads until `L` after it last *sent* one, by its own
//!   clock. A follower waits until `L` after it last *heard* one, by its own clock. A message is heard
//!   after it is sent, so the lease is over before anybody's wait is; no two clocks are compared.
//! * Then a follower broadcasts `Claim` and waits `2D`. One `D` is for its claim to reach everybody, the
//!   other for an objection to come back: from a leader, or from a candidate whose id is smaller. Who
//!   hears a claim makes none of its own for `L`: until the claimant's first `Lease` must have come.
//! * A replica that was frozen looks at the clock first: a leader whose lease has run out is deposed
//!   before anything else is done, a candidate that missed `D` or more claims again, as objections may wait
//!   unread.
//! * To a candidate, a throttled timer looks like a freeze [a hidden tab's come once a second]. So it claims
//!   again at two late wakes; at the third and later ones it leads, as after any `2D`, if it claimed less
//!   than `L - D` ago. By then it has read what objected to its *first* claim: a freeze that held that up
//!   ended by the second late wake, `D` or more ago. So nobody led then; and nobody else came to lead since,
//!   as each claim reaches the others before the `L` that they grant the one before it are over.
//!   A replica that is woken less than once in `L - D` does not lead: it could not keep a lease.
//! * A replica that starts waits for `L`, because a leader may be there that cannot answer.
//! * `Bye` ends a lease at once, and gives back what was left of the `L` for the claim before it: the next
//!   leader comes within `4D`. Who resigned stands back for `6D`, so that it is another.
//!
//! So no two leases overlap if every message is handled in less than `D` after it was sent, a short
//! freeze of the receiver included; after a freeze of `D` or more, in less than `D` after its end. With
//! messages lost or later than that they may, and the one of the larger id ends as soon as it hears of
//! the other. They may, too, for less than `2D`, if one candidacy sees three freezes of `D` or more (or its
//! timers are throttled and it is frozen besides) while another replica thaws that has read none of its
//! claims.

mod election;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::{
    config::{MAX_TIMEOUT_MS, check_name, check_range},
    error::ConfigError,
    time::Timestamp,
};

pub use election::Election;

/// How leases are kept. The same two times in every replica of an outbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ElectionConfig {
    /// This replica: unique, and new at every start [late messages of an earlier life are told apart by
    /// it]. 1 to 256 bytes. The smaller one wins a tie.
    pub replica: String,
    /// How long a lease lasts, in milliseconds: 8 times `max_delay_ms` to one day, default 3,000.
    pub lease_ms: u64,
    /// No message takes as long as this, in milliseconds: at least 2, default 250.
    pub max_delay_ms: u64,
    /// Random per replica, so that replicas do not all claim at once.
    pub seed: u64,
}

impl ElectionConfig {
    /// The default times.
    #[must_use]
    pub fn new(replica: impl Into<String>, seed: u64) -> Self {
        Self { replica: replica.into(), lease_ms: 3_000, max_delay_ms: 250, seed }
    }

    /// Checks every limit.
    ///
    /// # Errors
    /// The first field that is out of its limits (R32).
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_name("replica", &self.replica)?;
        check_range("maxDelayMs", self.max_delay_ms, 2, MAX_TIMEOUT_MS / 8)?;
        check_range("leaseMs", self.lease_ms, 8 * self.max_delay_ms, MAX_TIMEOUT_MS)
    }
}

/// One thing that happened. Closed on purpose, as [`Input`](crate::Input).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ElectionInput {
    /// The replica starts, and wants to lead. Spurious ones do nothing.
    Started,
    /// A message of another replica arrived. It may be lost, repeated, late or out of order.
    Message(ElectionMessage),
    /// Time passed: what [`ElectionEffect::Sleep`] asked for. A spurious one does nothing.
    Tick,
    /// The outbox asked for it ([`Effect::Resign`](crate::Effect::Resign)): end the lease, and stand back
    /// for one round so that another can lead.
    Resign,
    /// The replica ends: say goodbye. Nothing but [`ElectionInput::Started`] wakes it again.
    Stop,
}

/// One thing to do, in order. Closed on purpose, as [`Effect`](crate::Effect).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ElectionEffect {
    /// Send to all other replicas.
    Broadcast(ElectionMessage),
    /// This replica leads now: for [`Input::Elected`](crate::Input::Elected).
    Elected,
    /// It no longer does: for [`Input::Deposed`](crate::Input::Deposed).
    Deposed,
    /// Send [`ElectionInput::Tick`] at `until`; `None`: no need. Replaces the sleep before it.
    Sleep {
        /// Later than the `now` of the input that caused it.
        until: Option<Timestamp>,
    },
}

/// What replicas tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ElectionMessage {
    /// The replica that sends it.
    pub from: String,
    /// It is the sender's n-th message, so that an old one is known for what it is.
    pub nth: u64,
    /// What it says.
    pub says: Says,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Says {
    /// Who leads? A leader whose timers are throttled renews its lease when asked.
    Ask,
    /// I will lead if nobody objects.
    Claim,
    /// I lead.
    Lease,
    /// I led, and no longer do.
    Bye,
}
