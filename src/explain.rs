//! `Blocked`: exactly why an item is not being sent, and when that can next change (R19).

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    effect::ParkReason,
    item::{ItemId, Seq},
    time::Timestamp,
};

/// Why an item is not being sent right now (or that it is), and when that can next change by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    /// Why: the first reason that holds, in the order of [`Reason`].
    pub reason: Reason,
    /// When this can next change by itself; `None`: something else must happen first.
    pub until: Option<Timestamp>,
}

/// Why an item is not being sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Reason {
    /// Its insert is not durable yet.
    Writing,
    /// It is settled; its delete is not durable yet.
    Settling,
    /// It is being removed; that is not durable yet.
    Removing,
    /// Being sent.
    InFlight {
        /// The attempt's number.
        attempt: u32,
        /// Since when.
        since: Timestamp,
    },
    /// Its claim is being written.
    Claiming,
    /// Held back until a named condition changes.
    Parked(ParkReason),
    /// Another replica leads, and sends.
    Follower,
    /// This replica leads but has not loaded yet what it must know first.
    Loading,
    /// The outbox is paused.
    Paused {
        /// Why.
        reasons: Vec<String>,
    },
    /// Behind another item of one of its lanes.
    Behind {
        /// That item.
        id: ItemId,
        /// Its place.
        seq: Seq,
        /// The lane: a key, `unknown`, or `barrier`.
        lane: String,
    },
    /// Waiting for its backoff, or for what `Retry-After` asked.
    Backoff,
    /// The hook is being asked about it, or must be first.
    Hook,
    /// Offline; one probe a minute goes out.
    Offline,
    /// All slots are taken.
    Concurrency,
    /// The store is full; it is sent when its turn comes.
    StoreFull,
    /// Nothing blocks it.
    Ready,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writing => f.write_str("being written"),
            Self::Settling => f.write_str("settled, being deleted"),
            Self::Removing => f.write_str("being removed"),
            Self::InFlight { attempt, since } => write!(f, "attempt {attempt} in flight since {since}"),
            Self::Claiming => f.write_str("its claim is being written"),
            Self::Parked(ParkReason::Unregistered) => f.write_str("parked: its mutator is not registered"),
            Self::Parked(ParkReason::NewerVersion { version }) => {
                write!(f, "parked: its record is of version {version}, which this build cannot read")
            }
            Self::Parked(ParkReason::Unreadable) => f.write_str("parked: its record cannot be read"),
            Self::Parked(ParkReason::Attempts { attempts }) => write!(f, "parked after {attempts} attempts"),
            Self::Follower => f.write_str("another replica sends"),
            Self::Loading => f.write_str("loading"),
            Self::Paused { reasons } => write!(f, "paused: {}", reasons.join(", ")),
            Self::Behind { id, seq, lane } => write!(f, "behind {id} ({seq}) in lane {lane}"),
            Self::Backoff => f.write_str("waiting to be tried again"),
            Self::Hook => f.write_str("waiting for beforeRetry"),
            Self::Offline => f.write_str("offline"),
            Self::Concurrency => f.write_str("all slots are taken"),
            Self::StoreFull => f.write_str("the store is full"),
            Self::Ready => f.write_str("ready"),
        }
    }
}
