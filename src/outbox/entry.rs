//! `Entry`: what a replica knows of one stored item.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use crate::{
    effect::ParkReason,
    item::{Item, ItemId, Outcome},
    lane::Places,
    time::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) item: Arc<Item>,
    pub(super) places: Places,
    pub(super) stage: Stage,
    pub(super) parked: Option<ParkReason>,
    pub(super) queued: Queued,
    pub(super) flags: Flags,
    /// The first attempt that was made with the current args (R14).
    pub(super) first_attempt: u32,
    /// Items that were squashed into this one: its outcome is theirs (R17).
    pub(super) squashed: Option<Box<Squashed>>,
}

/// They are few: an entry that has none spends a word on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Squashed(pub(super) Vec<ItemId>);

/// Small facts about an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state")]
pub(super) struct Flags {
    /// The hook must be asked before it is sent, whatever its retry count (R17).
    pub(super) must_ask: bool,
    /// The hook kept it: it may be sent once without a further ask (R17).
    pub(super) cleared: bool,
    /// The hook is being asked about it, or its answer is being written (R17).
    pub(super) frozen: bool,
    /// A trigger has pulled its present wait forward (R13).
    pub(super) pulled: bool,
    /// It was pulled since its own backoff last ran out by itself (R13).
    pub(super) pull_spent: bool,
    /// Waiters were told its outcome in this epoch (R29).
    pub(super) told: bool,
    /// Its delete may or may not have been committed (R4).
    pub(super) in_doubt: bool,
    /// Its claim may or may not have been committed (R4).
    pub(super) claim_in_doubt: bool,
    /// It holds the places of its key before a rewrite as well, until that is durable (R6, R17).
    pub(super) rekeyed: bool,
}

/// Where an item is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Nothing is under way.
    Waiting,
    /// Its claim is being written since `requested`; holds a slot, or is claimed ahead of one.
    Claiming { requested: Timestamp },
    /// Its claim is durable, and waits for a slot or until it may be sent; holds no slot. After `trusted` a
    /// fenced read precedes its dispatch (R2).
    Claimed { trusted: Timestamp },
    /// Its claim's ack came late, was held, or none could be written: a fenced read decides (R2, R5); holds
    /// a slot.
    Verifying,
    /// Sent; holds a slot.
    InFlight { deadline: Timestamp },
    /// Its end is decided; its delete is not durable yet (R5).
    Settling(Box<Settlement>),
    /// The app asked to remove it; that is not durable yet (R18).
    Removing,
}

impl Stage {
    /// Whether the item keeps the others of its lanes from being sent (R6).
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Claimed { .. })
    }

    /// Whether its claim is durable, and it was not sent yet.
    pub(super) fn is_claimed(&self) -> bool {
        matches!(self, Self::Claimed { .. })
    }

    /// Whether the item's end is decided, so that late results change nothing (R14).
    pub(super) fn is_decided(&self) -> bool {
        matches!(self, Self::Settling(_) | Self::Removing)
    }
}

/// An end that is being made durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Settlement {
    pub(super) outcome: Outcome,
    /// The failure record to leave behind (R15).
    pub(super) failure: Option<Arc<str>>,
}

/// In which queue of the scheduler an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Queued {
    /// In none: blocked, under way, parked or frozen.
    #[default]
    No,
    /// Until then.
    Backoff(Timestamp),
    /// Runnable since then.
    Ready(Timestamp),
    /// Runnable, but the hook must be asked first.
    Hook,
}

impl Entry {
    pub(super) fn new(item: Arc<Item>, places: Places, parked: Option<ParkReason>) -> Self {
        Self {
            item,
            places,
            stage: Stage::Waiting,
            parked,
            queued: Queued::No,
            flags: Flags::default(),
            first_attempt: 1,
            squashed: None,
        }
    }

    /// The items that were squashed into it; they are its no longer.
    pub(super) fn take_squashed(&mut self) -> Vec<ItemId> {
        self.squashed.take().map_or_else(Vec::new, |squashed| squashed.0)
    }

    /// Whether an earlier attempt failed or was interrupted (R8).
    pub(super) fn failed_before(&self) -> bool {
        let this_claim = u32::from(!matches!(self.stage, Stage::Waiting));
        self.item.retry_count > this_claim
    }
}
