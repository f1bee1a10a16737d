//! What happens next: events by time; at one instant by entity, then in the order they were asked for.

use std::{collections::BTreeMap, rc::Rc};

use outbox::{AttemptId, Effect, Input, lease::ElectionInput};

use crate::app::Request;

/// One thing to come.
pub(super) enum Event {
    /// A step of the scenario, by its place in the list.
    Step(usize),
    /// A fault of the scenario that has a time, by its place in the list.
    Fault(usize),
    /// A page gets something.
    Deliver { page: PageId, mail: Mail },
    /// The store runs a page's request.
    RunStorage { page: PageId, request: Box<Effect>, plan: StoragePlan },
    /// A request arrives at the server.
    Arrive { page: PageId, attempt: AttemptId, request: Rc<Request>, plan: RequestPlan },
    /// The leader's lock is looked at: it may be free.
    Grant,
    /// A frozen page wakes.
    Thaw(PageId),
    /// A tab whose page died is opened again.
    Reopen { tab: u32, build: u32 },
    /// A page that was told that it leads is told the truth.
    Undeceive(PageId),
    /// All faults end.
    Heal,
    /// After the heal: is there still a pause?
    Resume,
}

/// One page of one tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    /// The tab.
    pub tab: u32,
    /// The page: counted from 1 in each tab.
    pub page: u32,
}

/// What a page can get; a frozen one gets it when it wakes.
pub(super) enum Mail {
    /// For the core.
    Input(Box<Input>),
    /// An attempt's result; `wanted` even if it was cancelled.
    Result { attempt: AttemptId, outcome: outbox::AttemptOutcome, even_if_cancelled: bool },
    /// A timer of the core; nothing if another has taken its place.
    Tick { timer: u64 },
    /// What is to be stored has gathered for long enough.
    Gathered,
    /// For the election.
    Election(ElectionInput),
    /// A timer of the election.
    ElectionTick { timer: u64 },
    /// The page holds the leader's lock.
    Elected,
    /// The lock was taken from it: it queues again.
    Deposed,
}

/// What the drawn faults make of a storage request.
#[derive(Clone, Copy, Default)]
pub(super) struct StoragePlan {
    pub(super) n: u64,
    pub(super) silent: bool,
    /// `Some(committed)`: the store cannot tell.
    pub(super) unknown: Option<bool>,
    pub(super) unavailable: bool,
    pub(super) full: bool,
}

/// What the drawn faults make of a request.
#[derive(Clone, Copy, Default)]
pub(super) struct RequestPlan {
    pub(super) unavailable: Option<(u16, crate::scenario::RetryAfter)>,
    pub(super) refused: bool,
    pub(super) lose_reply: bool,
    pub(super) break_reply: bool,
    pub(super) reply_ms: u64,
    /// The reply comes right at this time.
    pub(super) reply_at_ms: Option<u64>,
    pub(super) even_if_cancelled: bool,
    pub(super) repeat_after_ms: Option<u64>,
}

/// Events that are nobody's.
pub(super) const WORLD: u32 = u32::MAX;

/// The events to come.
#[derive(Default)]
pub(super) struct Queue {
    events: BTreeMap<(u64, u32, u64), Event>,
    /// How many events each entity has asked for.
    asked: BTreeMap<u32, u64>,
}

impl Queue {
    /// `entity` asks for an event at a time.
    pub(super) fn push(&mut self, at_ms: u64, entity: u32, event: Event) {
        let n = self.asked.entry(entity).or_default();
        *n += 1;
        self.events.insert((at_ms, entity, *n), event);
    }

    /// Storage requests that have not been run are lost with the power.
    pub(super) fn drop_storage_requests(&mut self) {
        self.events.retain(|_, event| !matches!(event, Event::RunStorage { .. }));
    }

    /// The next event and its time.
    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        let ((at_ms, ..), event) = self.events.pop_first()?;
        Some((at_ms, event))
    }
}
