//! A tab and its page: what a driver would know.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use outbox::{
    AttemptId, CallId, Item, ItemId, Outbox, ParkReason, Place, Reason, Timestamp, ViewChange,
    lease::Election,
};

use super::queue::{Mail, PageId};
use crate::scenario::EffectKind;

/// A tab: at most one page at a time, and what outlives its pages.
pub struct Tab {
    /// Its number.
    pub number: u32,
    /// The page that is open.
    pub page: Option<Page>,
    /// How many pages there were.
    pub pages: u32,
    /// How many effects of each kind its pages have asked for.
    pub effects: BTreeMap<EffectKind, u32>,
    /// Whether its requests reach the network.
    pub link: bool,
    /// The connectivity hint that a new page starts with.
    pub online: bool,
    /// How many messages were sent to it, and requests of each kind made: the numbers of draws.
    pub(super) counts: Counts,
}

/// Numbers of draws.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) storage: u64,
    pub(super) messages: u64,
    pub(super) timers: u64,
    pub(super) hooks: u64,
    pub(super) calls: u64,
}

/// An open page.
pub struct Page {
    /// Which one.
    pub id: PageId,
    /// Its build.
    pub build: u32,
    /// The core.
    pub outbox: Outbox,
    /// The election, if tabs agree by leases.
    pub election: Option<Election>,
    /// The wall clock when it started.
    pub clock: Timestamp,
    /// When that was.
    pub since_ms: u64,
    /// It is frozen: nothing reaches it.
    pub frozen: bool,
    /// Its timers fire on whole seconds only.
    pub throttled: bool,
    /// Attempts that were dispatched and have not ended.
    pub flights: BTreeMap<AttemptId, Flight>,
    /// Whether a storage request is under way.
    pub asked_storage: bool,
    /// What is to be stored gathers.
    pub(super) gathering: bool,
    /// The storage request under way will never be answered.
    pub deaf: bool,
    /// Calls without a reply.
    pub calls: BTreeMap<CallId, ItemId>,
    /// The list of pending items as a view would hold it, folded from the changes alone (R22).
    pub view: BTreeMap<Place, Arc<Item>>,
    pub(super) inbox: VecDeque<Mail>,
    /// The timer in force.
    pub(super) timer: u64,
    pub(super) election_timer: u64,
    /// What it was last told of the lock's holder.
    pub(super) told_holder: Option<String>,
}

/// An attempt under way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// The item as dispatched.
    pub item: Arc<Item>,
    /// Since when.
    pub since_ms: u64,
}

impl Tab {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            page: None,
            pages: 0,
            effects: BTreeMap::new(),
            link: true,
            online: true,
            counts: Counts::default(),
        }
    }
}

impl Page {
    /// What other replicas call it.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.id)
    }

    /// Whether it holds back an item that has used up its attempts (R16): a build with another limit may
    /// help. It is asked, as only the page that made the last attempt is told.
    pub(super) fn is_exhausted(&self) -> bool {
        let reasons = self.outbox.pending().filter_map(|item| Some(self.outbox.explain(&item.id)?.reason));
        let exhausted = |reason| matches!(reason, Reason::Parked(ParkReason::Attempts { .. }));
        reasons.into_iter().any(exhausted)
    }

    pub(super) fn fold(&mut self, change: &ViewChange) {
        match change {
            ViewChange::Set { place, item } => drop(self.view.insert(*place, Arc::clone(item))),
            ViewChange::Moved { from, to } => {
                if let Some(item) = self.view.remove(from) {
                    self.view.insert(*to, item);
                }
            }
            ViewChange::Left { place, .. } => drop(self.view.remove(place)),
        }
    }
}

/// What other replicas call a page.
pub(super) fn name(id: PageId) -> String {
    format!("t{}.{}", id.tab, id.page)
}
