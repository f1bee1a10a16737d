//! What a state is made of: tabs with the real core, the real store, what is on its way, and what was
//! told to whom.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use outbox::{AttemptId, Config, Effect, Input, ItemId, Outbox, Poke, Seq, Timestamp, storage::MemoryStore};

/// Two replicas are all it takes to disagree.
pub(crate) const TABS: usize = 2;
/// The one mutator.
pub(crate) const MUTATOR: &str = "write";
/// When everything begins.
pub(crate) const START_MS: u64 = 1_000_000;

/// A value that many states share: changed by copying, its hash kept with it.
#[derive(Clone)]
pub(crate) struct Shared<T> {
    value: Arc<T>,
    hash: u64,
}

impl<T: Clone + Hash> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        let hash = hash_of(&value);
        Self { value: Arc::new(value), hash }
    }

    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = (*self.value).clone();
        let result = change(&mut value);
        *self = Self::new(value);
        result
    }
}

impl<T> std::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.hash.hash(hasher);
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.value == other.value
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:016x}", self.hash)
    }
}

pub(crate) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// One world.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct State {
    pub(crate) now: u64,
    pub(crate) tabs: [Tab; TABS],
    pub(crate) store: Shared<MemoryStore>,
    /// Who holds the leader's lock.
    pub(crate) lock: Option<usize>,
    /// The items that were enqueued, in that order.
    pub(crate) items: Vec<Fate>,
    /// The items that the server has, in the order in which it had each first.
    pub(crate) applied: Vec<usize>,
    /// Items that a request nobody waits for may still bring to the server.
    pub(crate) strays: BTreeSet<usize>,
    /// What may still happen.
    pub(crate) left: Budget,
    /// How often time passed because nothing else could happen.
    pub(crate) passes: u32,
    /// The rule that was broken on the way here.
    pub(crate) broken: Option<&'static str>,
}

/// How often things may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Removals that are asked for, from any tab, of any item.
    pub(crate) removals: u8,
    /// A tab dies at any point.
    pub(crate) crashes: u8,
    /// The lock is taken from its holder, which learns of it at any later point.
    pub(crate) steals: u8,
    /// A poke never arrives.
    pub(crate) lost_pokes: u8,
    /// A storage request fails: nothing was written.
    pub(crate) failures: u8,
    /// The store cannot tell whether it committed.
    pub(crate) doubts: u8,
    /// The network fails an attempt, before or after the server had it.
    pub(crate) unanswered: u8,
    /// The server refuses an item for good.
    pub(crate) refusals: u8,
    /// Time passes although something is on its way: an answer is late, or a tab froze.
    pub(crate) leaps: u8,
}

/// One tab: a replica and what is on its way from and to it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Tab {
    /// `None`: it died.
    pub(crate) core: Option<Shared<Outbox>>,
    /// The storage request that has not run yet.
    pub(crate) asked: Option<Effect>,
    /// The answer that is on its way.
    pub(crate) answer: Option<Input>,
    pub(crate) pokes: VecDeque<Poke>,
    pub(crate) flights: Vec<Flight>,
    /// It was told `Elected`, and neither told `Deposed` nor resigned since.
    pub(crate) elected: bool,
    /// `Deposed` is on its way to it.
    pub(crate) deposed: bool,
    /// Calls that it has not answered.
    pub(crate) calls: BTreeSet<u64>,
    /// Claims that are stored; the answer on its way says so.
    pub(crate) promised: Vec<AttemptId>,
    /// Claims that it knows to be stored, and has not used yet.
    pub(crate) claims: BTreeSet<AttemptId>,
    /// Items that it told to have settled.
    pub(crate) settled: BTreeSet<usize>,
}

/// One attempt between dispatch and result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flight {
    pub(crate) attempt: AttemptId,
    pub(crate) item: usize,
    /// Its result may still come, but nobody waits for it.
    pub(crate) cancelled: bool,
}

/// What became of an item so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fate {
    pub(crate) keys: &'static [&'static str],
    pub(crate) seq: Option<Seq>,
    /// The app was told that it is stored.
    pub(crate) acknowledged: bool,
    /// The app was told that it is not stored.
    pub(crate) refused: bool,
    /// The app asked to remove it.
    pub(crate) removal: bool,
    /// The app was told that it is removed.
    pub(crate) removed: bool,
    /// The server refused it for good.
    pub(crate) unwanted: bool,
    /// Storage had it, and has it no more.
    pub(crate) ended: bool,
}

impl Tab {
    pub(crate) fn dead() -> Self {
        Self {
            core: None,
            asked: None,
            answer: None,
            pokes: VecDeque::new(),
            flights: Vec::new(),
            elected: false,
            deposed: false,
            calls: BTreeSet::new(),
            promised: Vec::new(),
            claims: BTreeSet::new(),
            settled: BTreeSet::new(),
        }
    }

    /// A new replica; the same in every tab, so that tabs are interchangeable.
    pub(crate) fn fresh_core(now: Timestamp, slots: u32) -> Shared<Outbox> {
        let config = Config { jitter: false, max_concurrency: slots, ..Config::with_mutators([MUTATOR]) };
        Shared::new(Outbox::new(config, now).expect("the configuration is within its limits"))
    }

    /// Nothing of this tab is on its way, and it knows what is stored; so it is to say.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.core.as_ref().is_none_or(|core| core.is_loaded() && core.is_durable() && core.is_empty())
            && self.calls.is_empty()
    }
}

impl State {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    /// Everything is settled, everybody knows it, and somebody leads.
    pub(crate) fn is_at_rest(&self) -> bool {
        let leader = self.lock.and_then(|holder| self.tabs[holder].core.as_ref());
        leader.is_some_and(|core| core.is_leading())
            && self.store.rows().len() == 0
            && self.tabs.iter().all(Tab::is_at_rest)
    }

    pub(crate) fn share_a_lane(&self, one: usize, other: usize) -> bool {
        self.items[one].keys.iter().any(|key| self.items[other].keys.contains(key))
    }

    pub(crate) fn is_stored(&self, item: usize) -> bool {
        is_stored_in(&self.store, self.items[item].seq)
    }

    /// The same state with the tabs in the order of their hashes: tabs are interchangeable.
    pub(crate) fn representative(&self) -> Self {
        let hash = |at: usize| hash_of(&(self.lock == Some(at), &self.tabs[at]));
        let mut same = self.clone();
        if hash(0) > hash(1) {
            same.tabs.swap(0, 1);
            same.lock = same.lock.map(|holder| 1 - holder);
        }
        same
    }
}

pub(crate) fn is_stored_in(store: &MemoryStore, seq: Option<Seq>) -> bool {
    store.rows().any(|(at, _)| Some(at) == seq)
}

/// The id of the n-th item.
pub(crate) fn id_of(item: usize) -> ItemId {
    ItemId::new(format!("i{item}")).expect("an id has one to 256 bytes")
}

/// Which item an id names.
pub(crate) fn item_of(id: &ItemId) -> usize {
    id.as_str()[1..].parse().expect("every id of this model is of this form")
}
