//! `Outbox`: the state machine. This file holds its state, `handle`, its clock and its queries; the
//! other files of this folder each hold the rules of one matter:
//!
//! | file | decides |
//! |---|---|
//! | `calls` | enqueue, remove, failures, pause (R1, R15, R18, R20, R32) |
//! | `journal` | which storage request is next (R4) |
//! | `batch` | what goes into a transaction, and in which order (R4) |
//! | `acks` | what its answer means, and what a failed one leads to (R4, R5) |
//! | `sync` | loads and pokes: what this replica knows (R3, R22–R24, R28) |
//! | `leadership` | acquire, step down, ping and steal (R26, R27) |
//! | `schedule` | who is next, claims and dispatch (R2, R6, R8) |
//! | `ahead` | claims of those that have no slot yet (R2) |
//! | `attempts` | results, timeouts, backoff, settling (R9–R12, R14–R16, R29) |
//! | `triggers` | what pulls retries forward (R13) |
//! | `hook` | `beforeRetry` (R17) |
//! | `explain` | why an item is not being sent (R19) |
//! | `invariants` | what must hold after every input |

use alloc::{sync::Arc, vec::Vec};

use crate::{
    config::{Config, MutatorConfig},
    effect::{Effect, Event, Place, ViewChange},
    error::ConfigError,
    index::Index,
    input::{Input, Trigger},
    item::{FailureRecord, Item, ItemId, Seq},
    lane::LaneSet,
    mutants::mutant,
    sorted::{Sorted, Texts},
    storage::{Fence, StoreId},
    time::{self, Timestamp},
};

mod acks;
mod ahead;
mod attempts;
mod batch;
mod calls;
mod entries;
mod entry;
mod explain;
mod failures;
mod hook;
mod invariants;
mod journal;
mod leadership;
#[cfg(feature = "mutants")]
mod planted;
mod schedule;
mod slots;
mod sync;
mod triggers;
mod writing;

use entries::Entries;
use failures::{FailureRetry, Failures};
use hook::Hook;
use journal::Journal;
use leadership::{Presence, Role};
use schedule::Queues;
use slots::Slots;
use triggers::Triggers;
use writing::WritingQueue;

/// Where effects go.
type Effects = Vec<Effect>;

/// The state machine: one replica of an outbox.
///
/// Drive it with [`Outbox::handle`]; look at it with the queries. It is plain data: `Clone`, `Eq` and
/// `Hash`, so it can be compared, snapshotted and model-checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outbox {
    config: Config,
    /// Mutator names as shared text.
    names: Texts,
    now: Timestamp,
    sleep: Option<Timestamp>,

    online: bool,
    /// While offline: when the next probe may go out (R8).
    probe_at: Timestamp,
    role: Role,
    presence: Presence,

    /// What this replica knows of storage; `None` before the first load.
    known: Option<Known>,
    /// When to compare the change counter (R28).
    check_at: Option<Timestamp>,
    entries: Entries,
    ids: Index<ItemId, Place>,
    lanes: LaneSet,
    barriers: Sorted<Seq>,
    /// How many entries are in a busy stage.
    busy: usize,
    quarantined: Sorted<Seq>,
    failures: Failures,
    /// Pause reasons as stored.
    pauses: Texts,
    /// Pause reasons in force: those stored, with the changes that are being written (R20).
    paused: Texts,
    /// Mutators whose parking was told (R23).
    told_parked: Texts,

    writing: WritingQueue,

    queues: Queues,
    slots: Slots,
    /// Those whose claim is being written, and that have no slot yet (R2).
    claiming_ahead: Sorted<Seq>,
    deadlines: Sorted<(Timestamp, Seq)>,
    journal: Journal,
    hook: Hook,
    triggers: Triggers,
}

/// How far this replica's knowledge of storage reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Known {
    store: StoreId,
    /// The change counter up to which everything is known.
    change: u64,
    /// Every seq up to this one is known, present or not (R3).
    through: Seq,
}

impl Outbox {
    /// A replica that knows nothing yet. Send [`Input::Wake`] with [`Trigger::Init`] first.
    ///
    /// # Errors
    /// The first field of `config` that is out of its limits.
    pub fn new(config: Config, now: Timestamp) -> Result<Self, ConfigError> {
        config.validate()?;
        let now = Timestamp::ZERO.advanced_to(now);
        Ok(Self {
            names: config.mutators.keys().map(|name| Arc::from(name.as_str())).collect(),
            now,
            sleep: None,
            online: true,
            probe_at: now,
            role: Role::Follower,
            presence: Presence::default(),
            known: None,
            check_at: None,
            entries: Entries::default(),
            ids: Index::default(),
            lanes: LaneSet::default(),
            barriers: Sorted::default(),
            busy: 0,
            quarantined: Sorted::default(),
            failures: Failures::default(),
            pauses: Texts::default(),
            paused: Texts::default(),
            told_parked: Texts::default(),
            writing: WritingQueue::default(),
            queues: Queues::default(),
            slots: Slots::new(config.max_concurrency),
            claiming_ahead: Sorted::default(),
            deadlines: Sorted::default(),
            journal: Journal::default(),
            hook: Hook::default(),
            triggers: Triggers::default(),
            config,
        })
    }

    /// The only way state changes. Appends to `effects`; the caller owns and reuses the buffer.
    ///
    /// `now` never runs back inside a replica; one that does is read as the latest seen (R30).
    pub fn handle(&mut self, now: Timestamp, input: Input, effects: &mut Vec<Effect>) {
        self.now = self.now.advanced_to(now);
        let gathers = self.config.gather && !matches!(input, Input::Tick);
        match input {
            Input::Enqueue { call, draft } => {
                self.expire_attempts(effects); // what has timed out counts before a claim is made (R9)
                self.enqueue(call, draft, effects);
            }
            Input::Remove { call, id } => self.remove(call, id, effects),
            Input::RetryFailure { call, failure, id } => {
                self.retry_failure(FailureRetry { call, failure, id }, effects);
            }
            Input::DismissFailure { call, id } => self.dismiss_failure(call, id),
            Input::Pause { call, reason } => self.pause(call, reason, effects),
            Input::Resume { call, reason } => self.resume(call, reason, effects),
            Input::Register { call, name, mutator } => self.register(call, name, mutator, effects),
            Input::Online(online) => self.connectivity(online),
            Input::Wake(trigger) => self.wake(trigger),
            Input::Tick => {}
            Input::Elected => self.elected(),
            Input::Deposed => self.deposed(effects),
            Input::Holder(holder) => self.presence.holder_is(holder),
            Input::Ping { from, parked } => self.pinged(from, &parked, effects),
            Input::Pong { from, registered } => self.ponged(&from, &registered, effects),
            Input::Poked(poke) => self.poked(poke, effects),
            Input::Loaded { op, result } => self.loaded(op, result, effects),
            Input::Persisted { op, result } => self.persisted(op, result, effects),
            Input::Resolved { attempt, outcome } => self.resolved(attempt, outcome, effects),
            Input::Answered { ask, verdicts } => self.answered(ask, verdicts, effects),
        }
        self.expire(effects);
        self.drop_empty_answer();
        self.pump(effects);
        if !gathers {
            self.request(effects);
            debug_assert!(!self.wants_storage(), "what may be asked of storage now is asked (R4)");
        }
        self.set_sleep(effects);
        #[cfg(debug_assertions)]
        self.check_invariants_sometimes();
    }

    /// Acts on every timer that is due.
    fn expire(&mut self, fx: &mut Effects) {
        self.expire_attempts(fx);
        self.expire_triggers();
        self.expire_hook(fx);
        self.expire_storage(fx);
        self.expire_presence(fx);
        self.expire_backoffs();
        mutant!(NeverRescanned => {
            self.check_at = None;
        });
        if self.check_at.is_some_and(|at| at <= self.now) {
            self.check_counter(fx);
        }
    }

    /// The one place where the next deadline is chosen; each line is one timer (R31).
    fn next_deadline(&self) -> Option<Timestamp> {
        let timers = [
            self.deadlines.first().map(|&(at, _)| at),
            self.backoff_wake(),
            self.slots_wake(),
            self.probe_wake(),
            self.hook_wake(),
            self.triggers.wake(),
            self.storage_wake(),
            self.presence_wake(),
            self.check_at,
        ];
        timers.into_iter().fold(None, time::earlier)
    }

    fn set_sleep(&mut self, fx: &mut Effects) {
        let until = self.next_deadline();
        mutant!(TimerInThePast => {
            return fx.push(Effect::Sleep { until: Some(self.now) });
        });
        debug_assert!(until.is_none_or(|at| at > self.now), "a timer in the past was asked for (R31)");
        if until != self.sleep {
            self.sleep = until;
            fx.push(Effect::Sleep { until });
        }
    }

    fn wake(&mut self, trigger: Trigger) {
        match trigger {
            Trigger::Init => {
                self.triggers.init_pending = true;
                // A leader's acquire loads everything anyway.
                self.journal.want.full |= self.known.is_none() && self.is_follower();
            }
            Trigger::Visible => self.trigger(false),
            Trigger::Focus => {
                self.trigger(false);
                self.journal.want.since |= self.config.shared;
            }
        }
    }

    // Small queries that the rules share.

    fn mutator(&self, name: &str) -> Option<&MutatorConfig> {
        self.config.mutators.get(name)
    }

    fn intern(names: &Texts, name: &str) -> Arc<str> {
        names.get(name).cloned().unwrap_or_else(|| Arc::from(name))
    }

    /// Where a pending item is. One that is being written is not found by its id if a stored one, of another
    /// replica, had that until just now.
    fn place_of(&self, id: &ItemId) -> Option<Place> {
        let mut written = self.writing.iter();
        let mut written = || written.find(|(_, writing)| writing.item.id == *id);
        self.ids.find(id).copied().or_else(|| written().map(|(local, _)| Place::Writing(local)))
    }

    fn fence(&self) -> Option<Fence> {
        match self.role {
            Role::Leading { fence } => Some(fence),
            Role::Follower | Role::Elected => None,
        }
    }

    fn through(&self) -> Seq {
        self.known.map_or(Seq(0), |known| known.through)
    }

    /// What jitter is drawn from: random per store, so that two clients never share a schedule (R10).
    fn seed(&self) -> StoreId {
        self.known.map_or(StoreId(0), |known| known.store)
    }

    fn notify(fx: &mut Effects, event: Event) {
        fx.push(Effect::Notify(event));
    }

    fn view(fx: &mut Effects, change: ViewChange) {
        fx.push(Effect::View(change));
    }

    // Queries.

    /// The configuration it was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The pending items in seq order, those still being written last (R22).
    pub fn pending(&self) -> impl Iterator<Item = &Item> {
        let stored = self.entries.values().map(|entry| &*entry.item);
        stored.chain(self.writing.values().map(|writing| &*writing.item))
    }

    /// The changes that make an empty list into the list of pending items: what a
    /// [`View`](crate::View) that begins now is fed before the changes to come (R22).
    pub fn view_changes(&self) -> impl Iterator<Item = ViewChange> {
        let stored = self.entries.iter().map(|(seq, entry)| (Place::Stored(seq), &entry.item));
        let writing = self.writing.iter().map(|(local, writing)| (Place::Writing(local), &writing.item));
        stored.chain(writing).map(|(place, item)| ViewChange::Set { place, item: Arc::clone(item) })
    }

    /// One pending item.
    #[must_use]
    pub fn item(&self, id: &ItemId) -> Option<&Item> {
        match self.place_of(id)? {
            Place::Stored(seq) => self.entries.get(seq).map(|entry| &*entry.item),
            Place::Writing(local) => self.writing.get(local).map(|writing| &*writing.item),
        }
    }

    /// How many items are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() + self.writing.len()
    }

    /// Whether no item is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.writing.is_empty()
    }

    /// The failure records, oldest first (R15). Those that cannot be read are left out, and stay stored.
    pub fn failures(&self) -> impl Iterator<Item = &FailureRecord> {
        self.failures.records()
    }

    /// The pause reasons, in order, with those being written (R20).
    pub fn paused(&self) -> impl Iterator<Item = &str> {
        self.paused.iter().map(|reason| &**reason)
    }

    /// The connectivity hint in force.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// Whether this replica leads and has acquired (R27).
    #[must_use]
    pub fn is_leading(&self) -> bool {
        matches!(self.role, Role::Leading { .. })
    }

    /// Whether the pending items are known: a first load has succeeded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.known.is_some()
    }

    /// How many attempts are in flight or about to be: claims under way hold a slot too (R8).
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing of this replica waits for storage: what was asked and what was answered is durable.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.journal.is_idle() && self.writing.is_empty()
    }

    /// Whether a storage request could leave now: none is in flight, and something waits. Only with
    /// [`Config::gather`] can that be between two inputs; an [`Input::Tick`] then brings it.
    #[must_use]
    pub fn wants_storage(&self) -> bool {
        self.journal.is_wanted(self.now)
    }

    /// When the next timer is due: what the last [`Effect::Sleep`] said.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.sleep
    }
}
