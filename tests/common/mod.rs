//! The harness of the scenarios: `World`, a virtual clock, one store and the replicas that share it.
//!
//! A scenario says what happens; the world carries out the effects and checks, at every step, what must
//! always hold (see `check.rs`). Unless a scenario holds them back, storage answers at once and pokes
//! arrive at once.

#![expect(
    dead_code,
    unreachable_pub,
    reason = "each scenario is a crate of its own and uses a part of the harness"
)]

mod check;
mod read;
mod storage;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use outbox::{
    AskId, AskedItem, AttemptId, AttemptOutcome, CallError, CallId, Config, Draft, Effect, Event, Input,
    Item, ItemId, MutatorConfig, Outbox, Place, Poke, Reply, Seq, Timestamp, Trigger, Verdict, ViewChange,
    storage::{MemoryStore, StorageError, StoreId, Write},
};

use storage::Fault;
pub use words::*;

/// When every story begins: far from zero, and not on a round second.
pub const START: Timestamp = Timestamp::from_millis(1_700_000_000_123);

/// Steps that may happen at one instant before the world calls it an endless loop.
const MAX_STEPS: usize = 20_000;

/// One replica and its driver's state.
pub struct Replica {
    /// `None` while it is crashed.
    outbox: Option<Outbox>,
    /// What it starts with, again after a crash.
    pub config: Config,
    /// The storage request in flight, and its answer once the store has one.
    request: Option<(Effect, Option<Input>)>,
    /// The timer.
    sleep: Option<Timestamp>,
    /// What the last [`Effect::Sleep`] said: the timer, also when it has fired.
    last_sleep: Option<Timestamp>,
    /// Attempts in flight: dispatched, not answered, not cancelled.
    flights: BTreeMap<AttemptId, Arc<Item>>,
    /// Everything it dispatched since the world began, in order.
    dispatched: Vec<(Timestamp, AttemptId, Arc<Item>)>,
    /// Everything it cancelled.
    cancelled: Vec<AttemptId>,
    /// The question to the hook that waits for an answer, and how many were asked.
    ask: Option<(AskId, Vec<AskedItem>)>,
    asks: Vec<(Timestamp, Vec<AskedItem>)>,
    /// Calls that wait for their reply.
    open: BTreeSet<CallId>,
    /// What it told since the world began.
    events: Vec<Event>,
    /// The pending list as a view layer would hold it, folded from [`ViewChange`]s alone.
    view: BTreeMap<Place, Arc<Item>>,
    /// Settles told in this epoch.
    settled: BTreeSet<Seq>,
    /// How often it asked to resign.
    resigned: usize,
    /// Every transaction it asked for.
    persists: Vec<Vec<Write>>,
    /// Loads and acquires it asked for.
    loads: usize,
    /// What its recording would hold since it started.
    inputs: Vec<(Timestamp, Input)>,
    /// What those inputs caused.
    effects: Vec<Effect>,
    started_at: Timestamp,
}

/// Replicas, their store, and the time.
pub struct World {
    now: Timestamp,
    /// The shared store; scenarios put strange rows into it by its own contract.
    pub store: MemoryStore,
    replicas: Vec<Replica>,
    replies: BTreeMap<CallId, Result<Reply, CallError>>,
    next_call: u64,
    faults: VecDeque<Fault>,
    /// While true, every transaction that adds or changes a row is refused as `Full`.
    disk_full: bool,
    never_knows: bool,
    /// While set, every storage request is refused with it.
    broken: Option<StorageError>,
    /// While true, storage answers only when told to.
    hold_storage: bool,
    /// While true, messages between replicas wait.
    hold_mail: bool,
    mail: VecDeque<(usize, Input)>,
    /// Every insert that committed.
    ever: BTreeMap<Seq, ItemId>,
    /// Whether an attempt whose claim is not stored is in order (R5: a full disk must drain).
    unclaimed_allowed: bool,
    /// The storage answer being fed is of a transaction that was committed in an earlier step.
    answer_is_old: bool,
    trace: String,
}

impl World {
    /// An empty store and no replica.
    pub fn empty() -> Self {
        Self {
            now: START,
            store: MemoryStore::new(StoreId(7)),
            replicas: Vec::new(),
            replies: BTreeMap::new(),
            next_call: 0,
            faults: VecDeque::new(),
            disk_full: false,
            never_knows: false,
            broken: None,
            hold_storage: false,
            hold_mail: false,
            mail: VecDeque::new(),
            ever: BTreeMap::new(),
            unclaimed_allowed: false,
            answer_is_old: false,
            trace: String::new(),
        }
    }

    /// One replica, alone with its store, that leads: no jitter, no hook, no counter check.
    pub fn solo() -> Self {
        Self::led(config())
    }

    /// One replica of this configuration that leads.
    pub fn led(config: Config) -> Self {
        let mut world = Self::empty();
        world.start(config);
        world.elect(0);
        world
    }

    /// Two replicas with jitter and a hook; of their items one has failed, and the store is full from now on.
    pub fn two_in_trouble() -> Self {
        let mut world = Self::empty();
        for _ in 0..2 {
            world.start(Config { jitter: true, shared: true, ..hook_config() });
        }
        world.elect(0);
        for n in 0..12 {
            world.enqueue(n % 2, &format!("i{n}"), ["a", "b", "a+b", ""][n % 4]);
        }
        world.fail("i0", transport());
        world.advance_ms(3_000);
        world.store_fails(StorageError::Full);
        world
    }

    /// `n` replicas named `r0`, `r1`, … that share the store; the first leads.
    pub fn shared(n: usize) -> Self {
        let mut world = Self::empty();
        for _ in 0..n {
            world.start(shared_config());
        }
        world.elect(0);
        world
    }

    // --- Replicas come and go.

    /// Starts a replica; its number is returned.
    pub fn start(&mut self, mut config: Config) -> usize {
        let r = self.replicas.len();
        config.replica = format!("r{r}");
        self.replicas.push(Replica::down(config));
        self.restart(r);
        r
    }

    /// Starts a crashed replica again, on what the store holds.
    pub fn restart(&mut self, r: usize) {
        let replica = &mut self.replicas[r];
        assert!(replica.outbox.is_none(), "r{r} is running");
        let outbox = Outbox::new(replica.config.clone(), self.now).expect("a valid configuration");
        replica.outbox = Some(outbox);
        replica.started_at = self.now;
        self.step(r, Input::Wake(Trigger::Init));
    }

    /// A crash: all that is not stored is lost. A request the store has not run is never run.
    pub fn crash(&mut self, r: usize) {
        self.note(&format!("r{r} crashes"));
        let old = std::mem::replace(&mut self.replicas[r], Replica::down(config()));
        let new = &mut self.replicas[r];
        new.config = old.config;
        new.dispatched = old.dispatched;
        new.events = old.events;
        new.asks = old.asks;
        self.mail.retain(|(to, _)| *to != r);
    }

    /// Crash, start, lead again.
    pub fn restart_and_lead(&mut self, r: usize) {
        self.crash(r);
        self.restart(r);
        self.elect(r);
    }

    /// The replica gets the leader's lock.
    pub fn elect(&mut self, r: usize) {
        self.step(r, Input::Elected);
    }

    /// The replica loses the leader's lock.
    pub fn depose(&mut self, r: usize) {
        self.step(r, Input::Deposed);
    }

    // --- Calls of the app.

    /// A call: its reply is kept for [`World::reply`].
    pub fn call(&mut self, r: usize, input: impl FnOnce(CallId) -> Input) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        self.replicas[r].open.insert(call);
        self.step(r, input(call));
        call
    }

    /// Registers a mutator late, as a part of the app that is loaded when it is needed.
    pub fn register(&mut self, r: usize, name: &str, mutator: MutatorConfig) -> CallId {
        self.config_mut(r).mutators.insert(name.into(), mutator.clone());
        self.call(r, |call| Input::Register { call, name: name.into(), mutator })
    }

    /// Enqueues `id` for the mutator `write` under `key`: `""` is unknown, `"a+b"` two keys.
    pub fn enqueue(&mut self, r: usize, id: &str, key: &str) -> CallId {
        self.enqueue_draft(r, draft(id, "write", key))
    }

    /// Enqueues a draft.
    pub fn enqueue_draft(&mut self, r: usize, draft: Draft) -> CallId {
        self.call(r, |call| Input::Enqueue { call, draft })
    }

    /// Removes an item.
    pub fn remove(&mut self, r: usize, id: &str) -> CallId {
        self.call(r, |call| Input::Remove { call, id: item_id(id) })
    }

    /// Pauses for `reason`.
    pub fn pause(&mut self, r: usize, reason: &str) -> CallId {
        self.call(r, |call| Input::Pause { call, reason: reason.into() })
    }

    /// Takes `reason` back.
    pub fn resume(&mut self, r: usize, reason: &str) -> CallId {
        self.call(r, |call| Input::Resume { call, reason: reason.into() })
    }

    // --- The environment.

    /// The connectivity flag of one replica.
    pub fn online(&mut self, r: usize, online: bool) {
        self.step(r, Input::Online(online));
    }

    /// The page gets the focus.
    pub fn focus(&mut self, r: usize) {
        self.step(r, Input::Wake(Trigger::Focus));
    }

    /// The item's attempt in flight ends well.
    pub fn succeed(&mut self, id: &str) {
        self.resolve_item(id, success());
    }

    /// The item's attempt in flight fails.
    pub fn fail(&mut self, id: &str, failure: AttemptOutcome) {
        self.resolve_item(id, failure);
    }

    fn resolve_item(&mut self, id: &str, outcome: AttemptOutcome) {
        let (r, attempt) = self.flight_of(id).unwrap_or_else(|| panic!("{id} is not in flight"));
        self.resolve(r, attempt, outcome);
    }

    /// The item's attempt in flight fails, and its backoff runs out.
    pub fn fail_and_wait(&mut self, id: &str, failure: AttemptOutcome) {
        let (r, _) = self.flight_of(id).unwrap_or_else(|| panic!("{id} is not in flight"));
        self.fail(id, failure);
        let wait = self.until_ms(r, id).unwrap_or_else(|| panic!("{id} does not wait"));
        self.advance_ms(wait);
    }

    /// An attempt ends, however old it is.
    pub fn resolve(&mut self, r: usize, attempt: AttemptId, outcome: AttemptOutcome) {
        self.replicas[r].flights.remove(&attempt);
        self.step(r, Input::Resolved { attempt, outcome });
    }

    /// The hook answers what it was asked last.
    pub fn answer_hook(&mut self, r: usize, verdicts: Vec<(&str, Verdict)>) {
        let (ask, _) = self.replicas[r].ask.take().expect("the hook was asked");
        let verdicts = Ok(verdicts.into_iter().map(|(id, verdict)| (item_id(id), verdict)).collect());
        self.step(r, Input::Answered { ask, verdicts });
    }

    /// The hook keeps all that it was asked about.
    pub fn hook_keeps_all(&mut self, r: usize) {
        let (ask, items) = self.replicas[r].ask.take().expect("the hook was asked");
        let verdicts = Ok(items.into_iter().map(|asked| (asked.item.id, Verdict::Keep)).collect());
        self.step(r, Input::Answered { ask, verdicts });
    }

    /// Jumps from timer to timer until `millis` have passed.
    pub fn advance_ms(&mut self, millis: u64) {
        let end = self.now.plus_ms(millis);
        for _ in 0..MAX_STEPS {
            let due = (0..self.replicas.len()).filter_map(|r| Some((self.replicas[r].sleep?, r))).min();
            match due {
                Some((at, r)) if at <= end => {
                    self.now = at;
                    self.step(r, Input::Tick);
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("{MAX_STEPS} timers in {millis} ms: a busy loop");
    }

    /// The clock jumps without a timer: the process was suspended.
    pub fn suspend_ms(&mut self, millis: u64) {
        self.now = self.now.plus_ms(millis);
    }

    /// The clock is set back under a running replica.
    pub fn rewind_ms(&mut self, millis: u64) {
        self.now = Timestamp::from_millis(self.now.as_millis() - millis);
    }

    /// Feeds one input and lets storage and messages come to rest, unless they are held.
    pub fn step(&mut self, r: usize, input: Input) {
        self.feed(r, input);
        self.settle();
    }

    /// Storage answers and messages arrive until nothing moves, unless they are held.
    pub fn settle(&mut self) {
        for _ in 0..MAX_STEPS {
            let asked = (0..self.replicas.len()).find(|&r| self.replicas[r].request.is_some());
            if let Some(r) = asked.filter(|_| !self.hold_storage) {
                self.answer(r);
            } else if !self.hold_mail
                && let Some((to, input)) = self.mail.pop_front()
            {
                self.feed(to, input);
            } else {
                return;
            }
        }
        panic!("storage and messages never come to rest");
    }

    // --- Messages between replicas.

    /// From here on messages wait.
    pub fn hold_mail(&mut self) {
        self.hold_mail = true;
    }

    /// Waiting messages are lost, later ones arrive.
    pub fn lose_mail(&mut self) {
        self.mail.clear();
        self.hold_mail = false;
    }

    /// Waiting messages arrive, and later ones at once.
    pub fn deliver_mail(&mut self) {
        self.hold_mail = false;
        self.settle();
    }

    /// A hint from nobody in particular.
    pub fn poke(&mut self, r: usize, poke: Poke) {
        self.step(r, Input::Poked(poke));
    }

    // --- Feeding.

    fn feed(&mut self, r: usize, input: Input) {
        let replica = &mut self.replicas[r];
        let Some(outbox) = &mut replica.outbox else { return };
        if matches!(input, Input::Tick) && replica.sleep.is_some_and(|at| at <= self.now) {
            replica.sleep = None; // the timer has fired
        }
        let bound = check::effects_bound(&input, replica.config.max_concurrency, replica.view.len());
        replica.inputs.push((self.now, input.clone()));
        let line = line(self.now, r, "<-", &input);
        self.trace.push_str(&line);
        let mut effects = Vec::new();
        outbox.handle(self.now, input, &mut effects);
        assert!(effects.len() <= bound, "{} effects of one input, {bound} allowed (R31)", effects.len());
        for effect in effects {
            let line = self::line(self.now, r, "->", &effect);
            self.trace.push_str(&line);
            self.check_effect(r, &effect);
            self.replicas[r].effects.push(effect.clone());
            self.absorb(r, effect);
        }
        self.check_replica(r);
    }

    fn absorb(&mut self, r: usize, effect: Effect) {
        let replica = &mut self.replicas[r];
        match effect {
            Effect::Acquire { .. } | Effect::Load { .. } | Effect::Persist { .. } => {
                match &effect {
                    Effect::Persist { writes, .. } => replica.persists.push(writes.clone()),
                    _ => replica.loads += 1,
                }
                replica.request = Some((effect, None));
            }
            Effect::Dispatch { attempt, item, .. } => {
                replica.dispatched.push((self.now, attempt, item.clone()));
                replica.flights.insert(attempt, item);
            }
            Effect::Cancel(attempt) => {
                replica.cancelled.push(attempt);
                replica.flights.remove(&attempt);
            }
            Effect::AskBeforeRetry { ask, items } => {
                replica.asks.push((self.now, items.clone()));
                replica.ask = Some((ask, items));
            }
            Effect::Resign => replica.resigned += 1,
            Effect::Sleep { until } => (replica.sleep, replica.last_sleep) = (until, until),
            Effect::Reply { call, result } => {
                replica.open.remove(&call);
                self.replies.insert(call, result);
            }
            Effect::View(change) => replica.fold(change),
            Effect::Notify(event) => {
                match &event {
                    Event::Leading(true) => replica.settled.clear(),
                    Event::Settled { seq, .. } => drop(replica.settled.insert(*seq)),
                    _ => {}
                }
                replica.events.push(event);
            }
            Effect::Poke(poke) => self.post(r, None, &Input::Poked(poke)),
            Effect::Ping { to, parked } => {
                let from = self.replicas[r].config.replica.clone();
                self.post(r, to.as_deref(), &Input::Ping { from, parked });
            }
            Effect::Pong { to, registered } => {
                let from = self.replicas[r].config.replica.clone();
                self.post(r, Some(&to), &Input::Pong { from, registered });
            }
            Effect::Steal(_) => {}
        }
    }

    /// A message from `r` to one other replica, or to all.
    fn post(&mut self, r: usize, to: Option<&str>, input: &Input) {
        for (other, replica) in self.replicas.iter().enumerate() {
            let named = to.is_none_or(|name| name == replica.config.replica);
            if other != r && named && replica.outbox.is_some() {
                self.mail.push_back((other, input.clone()));
            }
        }
    }
}

/// A scenario that fails prints its story.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.trace);
        }
    }
}

impl Replica {
    fn down(config: Config) -> Self {
        Self {
            outbox: None,
            config,
            request: None,
            sleep: None,
            last_sleep: None,
            flights: BTreeMap::new(),
            dispatched: Vec::new(),
            cancelled: Vec::new(),
            ask: None,
            asks: Vec::new(),
            open: BTreeSet::new(),
            events: Vec::new(),
            view: BTreeMap::new(),
            settled: BTreeSet::new(),
            resigned: 0,
            persists: Vec::new(),
            loads: 0,
            inputs: Vec::new(),
            effects: Vec::new(),
            started_at: START,
        }
    }

    fn fold(&mut self, change: ViewChange) {
        match change {
            ViewChange::Set { place, item } => drop(self.view.insert(place, item)),
            ViewChange::Moved { from, to } => {
                let item = self.view.remove(&from).expect("what is moved was shown");
                self.view.insert(to, item);
            }
            ViewChange::Left { place, .. } => drop(self.view.remove(&place)),
        }
    }
}

fn line(now: Timestamp, r: usize, arrow: &str, what: &impl std::fmt::Display) -> String {
    let ms = now.since_ms(START);
    format!("{:>5}.{:03} r{r} {arrow} {what}\n", ms / 1000, ms % 1000)
}

/// Compares the story so far with `snapshots/NAME.snap`.
#[track_caller]
pub fn snapshot(name: &str, world: &World) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, world.trace()));
}
