//! `World`: tabs, one store, locks, messages, a network, and virtual time.
//!
//! | file | does |
//! |---|---|
//! | `tab` | what one tab is |
//! | `storage` | the store that all tabs share |
//! | `locks` | who holds the leader's lock |
//! | `queue` | what happens next |
//! | `play` | the run: from a scenario to its end |
//! | `act` | carries out steps and faults |
//! | `carry_out` | carries out effects |
//! | `heal` | ends all faults, and knows when everything is over |
//! | `watch` | shows every moment to the oracles, the hash and the trace |

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use outbox::{ItemId, Seq, Timestamp};

use crate::{
    rng::Streams,
    scenario::{EffectKind, Scenario, What, When},
};

mod act;
mod carry_out;
mod heal;
mod locks;
mod play;
mod queue;
mod storage;
mod tab;
mod watch;

pub use locks::Locks;
pub use play::{Report, Violation, run, run_judged, run_with};
pub use queue::PageId;
pub use storage::SimStore;
pub use tab::{Flight, Page, Tab};
pub(crate) use watch::RunHash;
pub use watch::Sink;

use queue::Queue;

/// For faults that are of no tab.
const WORLD_TAB: u32 = u32::MAX;

/// The wall clock when every run starts: far from zero, and not on a round second.
pub const WALL_START: Timestamp = Timestamp::from_millis(1_700_000_000_123);

/// Everything there is, for oracles to look at.
pub struct World {
    /// Milliseconds since the run began.
    pub now_ms: u64,
    /// What is played.
    pub scenario: Rc<Scenario>,
    /// The tabs.
    pub tabs: Vec<Tab>,
    /// The store.
    pub store: SimStore,
    /// The leader's lock.
    pub locks: Locks,
    /// All faults have ended.
    pub healed: bool,
    /// Rows that nobody in this world enqueued.
    pub planted: BTreeSet<Seq>,
    /// How many there were: each has an id of its own.
    plants: u32,
    /// How far the wall clock was stepped.
    wall_step_ms: i64,
    /// Which step each `iN` comes from is its number; how often each was dispatched.
    dispatched: BTreeMap<u32, u32>,
    /// How often a failure record was taken back, over all items.
    retried: u32,
    /// How often the lock was looked at.
    lock_looks: u64,
    streams: Streams,
    queue: Queue,
    faults: BTreeMap<When, Vec<What>>,
    /// How many faults of which name have struck.
    struck: BTreeMap<&'static str, u64>,
    /// How many of them while an item of the tab was in which state.
    cells: BTreeMap<(&'static str, &'static str), u64>,
}

impl World {
    fn new(scenario: Rc<Scenario>) -> Self {
        let streams = Streams::new(scenario.seed);
        let mut faults: BTreeMap<When, Vec<What>> = BTreeMap::new();
        for fault in &scenario.faults {
            faults.entry(fault.when).or_default().push(fault.what);
        }
        Self {
            now_ms: 0,
            tabs: (0..scenario.options.tabs).map(Tab::new).collect(),
            store: SimStore::new(streams, scenario.options.relaxed),
            locks: Locks::default(),
            healed: false,
            planted: BTreeSet::new(),
            plants: 0,
            wall_step_ms: 0,
            dispatched: BTreeMap::new(),
            retried: 0,
            lock_looks: 0,
            streams,
            queue: Queue::default(),
            faults,
            struck: BTreeMap::new(),
            cells: BTreeMap::new(),
            scenario,
        }
    }

    /// The tab's own time: wall clock at its page's start plus what has passed since (R30).
    #[must_use]
    pub fn time_of(&self, page: &Page) -> Timestamp {
        page.clock.plus_ms(self.now_ms - page.since_ms)
    }

    /// The open page of a tab.
    #[must_use]
    pub fn page(&self, tab: u32) -> Option<&Page> {
        self.tabs.get(tab as usize)?.page.as_ref()
    }

    /// The faults of the tab's next effect of this kind, which is counted.
    fn faults_at(&mut self, tab: u32, kind: EffectKind) -> Vec<What> {
        let count = self.tabs[tab as usize].effects.entry(kind).or_default();
        *count += 1;
        if self.healed {
            return Vec::new();
        }
        self.faults.get(&When::Nth { tab, kind, n: *count }).cloned().unwrap_or_default()
    }

    /// The faults of the next dispatch of this item, which is counted.
    fn faults_of(&mut self, id: &ItemId) -> Vec<What> {
        let Some(item) = number_of(id) else { return Vec::new() };
        let count = self.dispatched.entry(item).or_default();
        *count += 1;
        if self.healed {
            return Vec::new();
        }
        self.faults.get(&When::Attempt { item, n: *count }).cloned().unwrap_or_default()
    }
}

/// N of `iN` and of `iNrM`.
#[must_use]
pub fn number_of(id: &ItemId) -> Option<u32> {
    let digits = id.as_str().strip_prefix('i')?;
    digits.split('r').next()?.parse().ok()
}
