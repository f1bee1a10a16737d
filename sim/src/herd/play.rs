//! The event loop of the herd: one heap for all clients; storage answers at once.
//!
//! During the outage no client matters to another, so each is played alone until its end: that keeps what is
//! touched close together, and is twice as fast.

use std::{cmp::Reverse, collections::BinaryHeap, mem};

use outbox::{
    AttemptId, AttemptOutcome, CallId, Class, Config, Draft, Effect, Event, Failure, Input, ItemId, Json,
    Key, Outbox, Outcome, SerializedError, Timestamp, Trigger,
    storage::{MemoryStore, Store, StoreId},
};

use super::{Failing, HerdOptions, Hint, Policy, Return, server::Server};
use crate::{
    rng::{Draw, Streams},
    world::WALL_START,
};

const MUTATOR: &str = "write";

/// The configuration of every client.
pub(super) fn config(options: &HerdOptions, policy: Policy) -> Config {
    Config {
        jitter: policy.jitter,
        timeout_ms: options.timeout_ms,
        max_concurrency: options.max_concurrency,
        shared: false,
        ..Config::with_mutators([MUTATOR])
    }
}

/// The outage and the return under one policy.
pub(super) fn play(options: &HerdOptions, policy: Policy) -> Return {
    let mut play = Play::new(options, policy);
    play.through_the_outage();
    play.until_all_is_through();
    play.counts.report(options, policy)
}

/// One client.
struct Client {
    outbox: Outbox,
    store: MemoryStore,
    /// How many timers it has asked for: only the last is in force.
    timers: u32,
    /// Requests so far: the numbers of draws.
    requests: u64,
    /// Events it has asked for so far.
    asked: u64,
    /// By item: the server has done it.
    done: Vec<bool>,
}

/// What is to come for a client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Coming {
    /// The app enqueues its n-th item.
    Enqueue { item: u32 },
    /// Its request arrives at the server; it gives up at `deadline_ms`.
    Arrive { attempt: AttemptId, way_back_ms: u64, deadline_ms: u64 },
    /// It hears of an attempt.
    Reply { attempt: AttemptId, reply: Reply },
    /// Its timer.
    Tick { timer: u32 },
    /// Its online flag goes up, after a flap or for good.
    Edge,
}

/// By time; at one instant by client, then in the order in which it was asked for.
type Agenda = BinaryHeap<Reverse<(u64, u32, u64, Coming)>>;

/// What a client makes of a reply, or of none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reply {
    Done,
    Transport,
    Unavailable { retry_after_s: Option<u64> },
}

struct Play<'a> {
    options: &'a HerdOptions,
    policy: Policy,
    streams: Streams,
    clients: Vec<Client>,
    server: Server,
    coming: Agenda,
    now_ms: u64,
    counts: Counts,
    /// A buffer that is used again.
    effects: Vec<Effect>,
}

impl<'a> Play<'a> {
    fn new(options: &'a HerdOptions, policy: Policy) -> Self {
        let streams = Streams::new(options.seed);
        let config = config(options, policy);
        let client = |at: u32| {
            let id = [0, 1].map(|half| u128::from(streams.draw(at.into(), Draw::Store, half)));
            Client {
                outbox: Outbox::new(config.clone(), WALL_START).expect("the options were validated"),
                store: MemoryStore::new(StoreId((id[0] << 64) | id[1])),
                timers: 0,
                requests: 0,
                asked: 0,
                done: vec![false; options.items as usize],
            }
        };
        Self {
            options,
            policy,
            streams,
            clients: (0..options.clients).map(client).collect(),
            server: Server::new(options.capacity_per_s, options.queue),
            coming: Agenda::new(),
            now_ms: 0,
            counts: Counts::default(),
            effects: Vec::new(),
        }
    }

    /// Every client starts, leads its own store, enqueues its items and tries in vain.
    fn through_the_outage(&mut self) {
        let outage_ms = self.options.outage_ms;
        let mut later = Agenda::new();
        for at in 0..self.options.clients {
            self.now_ms = 0;
            self.open(at);
            while let Some(Reverse((at_ms, ..))) = self.coming.peek()
                && *at_ms < outage_ms
            {
                self.next();
            }
            later.append(&mut self.coming);
        }
        self.coming = later;
    }

    fn open(&mut self, at: u32) {
        if self.options.hint == Hint::Offline {
            self.feed(at, Input::Online(false));
        }
        self.feed(at, Input::Wake(Trigger::Init));
        self.feed(at, Input::Elected);
        for item in 0..self.options.items {
            let range = (0, self.options.enqueue_ms);
            let at_ms = self.streams.within(range, at.into(), Draw::Herd, item.into());
            self.push(at, at_ms, Coming::Enqueue { item });
        }
        if self.options.hint != Hint::Online {
            self.push(at, self.options.outage_ms, Coming::Edge);
        }
    }

    fn until_all_is_through(&mut self) {
        let items = self.options.clients as usize * self.options.items as usize;
        let last_ms = self.options.outage_ms.max(self.options.enqueue_ms) + self.options.horizon_ms;
        while self.now_ms <= last_ms && self.counts.drained_at_ms.len() < items {
            self.next();
        }
    }

    fn next(&mut self) {
        let Reverse((at_ms, at, _, coming)) = self.coming.pop().expect("what is not through has a timer");
        self.now_ms = at_ms;
        match coming {
            Coming::Enqueue { item } => self.enqueue(at, item),
            Coming::Arrive { attempt, way_back_ms, deadline_ms } => {
                self.arrive(at, attempt, way_back_ms, deadline_ms);
            }
            Coming::Reply { attempt, reply } => {
                let outcome = self.outcome(reply);
                self.feed(at, Input::Resolved { attempt, outcome });
            }
            Coming::Tick { timer } => {
                if self.clients[at as usize].timers == timer {
                    self.feed(at, Input::Tick);
                }
            }
            Coming::Edge => {
                if self.options.hint == Hint::Flap {
                    self.feed(at, Input::Online(false));
                }
                self.feed(at, Input::Online(true));
            }
        }
    }

    fn enqueue(&mut self, at: u32, item: u32) {
        let id = ItemId::new(format!("i{item}")).expect("a short id");
        let key = Key::one(format!("lane{}", item % self.options.lanes)).expect("a short key");
        let args = Json::from_value(&item).expect("a number is JSON");
        let draft = Draft::new(id, MUTATOR, args).with_key(key);
        self.feed(at, Input::Enqueue { call: CallId(item.into()), draft });
    }

    /// Gives a client an input, and carries out what it asks for.
    fn feed(&mut self, at: u32, input: Input) {
        let now = WALL_START.plus_ms(self.now_ms);
        let mut effects = mem::take(&mut self.effects);
        let mut next = Some(input);
        while let Some(input) = next.take() {
            self.clients[at as usize].outbox.handle(now, input, &mut effects);
            for effect in effects.drain(..) {
                if let Some(answer) = self.carry_out(at, effect) {
                    debug_assert!(next.is_none(), "one storage request is in flight at a time (R4)");
                    next = Some(answer);
                }
            }
        }
        self.effects = effects;
    }

    /// The answer, if storage was asked.
    fn carry_out(&mut self, at: u32, effect: Effect) -> Option<Input> {
        let client = &mut self.clients[at as usize];
        match effect {
            Effect::Acquire { op } => return Some(Input::Loaded { op, result: client.store.acquire() }),
            Effect::Load { op, fence, scope } => {
                return Some(Input::Loaded { op, result: client.store.load(fence, &scope) });
            }
            Effect::Persist { op, fence, writes } => {
                return Some(Input::Persisted { op, result: client.store.persist(fence, &writes) });
            }
            Effect::Dispatch { attempt, deadline, .. } => self.send(at, attempt, deadline),
            Effect::Sleep { until } => {
                client.timers += 1;
                let timer = client.timers;
                if let Some(until) = until {
                    self.push(at, until.since_ms(WALL_START), Coming::Tick { timer });
                }
            }
            Effect::Notify(Event::Settled { outcome, .. }) => {
                debug_assert!(matches!(outcome, Outcome::Committed { .. }), "nothing is refused for good");
                self.counts.drained_at_ms.push(self.now_ms);
            }
            // A cancelled attempt needs nothing: no reply comes after its deadline.
            _ => {}
        }
        None
    }

    fn send(&mut self, at: u32, attempt: AttemptId, deadline: Timestamp) {
        let client = &mut self.clients[at as usize];
        client.requests += 1;
        let way = |draw| self.streams.within(self.options.network_ms, at.into(), draw, client.requests);
        let (way_ms, way_back_ms) = (way(Draw::Request), way(Draw::Reply));
        let deadline_ms = deadline.since_ms(WALL_START);
        self.push(at, self.now_ms + way_ms, Coming::Arrive { attempt, way_back_ms, deadline_ms });
    }

    fn arrive(&mut self, at: u32, attempt: AttemptId, way_back_ms: u64, deadline_ms: u64) {
        let out = self.now_ms < self.options.outage_ms;
        let done_at_ms = if out { None } else { self.server.take(self.now_ms) };
        let second = self.now_ms.checked_sub(self.options.outage_ms).map(|ms| (ms / 1_000) as usize);
        self.counts.arrived(second, done_at_ms.is_none());
        let (reply, at_ms) = match (done_at_ms, out) {
            (Some(done_at_ms), _) => {
                let done = &mut self.clients[at as usize].done[attempt.seq.0 as usize - 1];
                self.counts.repeats += u64::from(mem::replace(done, true));
                (Some(Reply::Done), done_at_ms + way_back_ms)
            }
            (None, true) => (failing(self.options.outage), self.now_ms + way_back_ms),
            (None, false) => (failing(self.options.overload), self.now_ms + way_back_ms),
        };
        match reply {
            Some(reply) if at_ms < deadline_ms => {
                self.push(at, at_ms, Coming::Reply { attempt, reply });
            }
            // The core sees the deadline by itself, as a transport failure; without slow start the driver
            // must be first, and say what it says of those.
            _ if !self.policy.slow_start => {
                let before_ms = (deadline_ms - 1).max(self.now_ms);
                self.push(at, before_ms, Coming::Reply { attempt, reply: Reply::Transport });
            }
            _ => {}
        }
    }

    fn outcome(&self, reply: Reply) -> AttemptOutcome {
        let failure = |class, name: &str, message: &str, retry_after_s: Option<u64>| Failure {
            class,
            error: SerializedError::new(name, message),
            retry_after_ms: retry_after_s.map(|seconds| seconds.saturating_mul(1_000)),
        };
        AttemptOutcome::Failure(match reply {
            Reply::Done => return AttemptOutcome::Success { result: None },
            Reply::Transport if self.policy.slow_start => {
                failure(Class::Transport, "ConnectError", "connection refused", None)
            }
            Reply::Transport => failure(Class::Server, "ConnectError", "connection refused", None),
            Reply::Unavailable { retry_after_s } => {
                failure(Class::Server, "HttpError", "503 Service Unavailable", retry_after_s)
            }
        })
    }

    fn push(&mut self, at: u32, at_ms: u64, coming: Coming) {
        let client = &mut self.clients[at as usize];
        client.asked += 1;
        self.coming.push(Reverse((at_ms, at, client.asked, coming)));
    }
}

fn failing(failing: Failing) -> Option<Reply> {
    match failing {
        Failing::Refuses => Some(Reply::Transport),
        Failing::Silent => None,
        Failing::Unavailable { retry_after_s } => Some(Reply::Unavailable { retry_after_s }),
    }
}

/// What is counted on the way.
#[derive(Default)]
struct Counts {
    arrivals_per_s: Vec<u32>,
    refusals_per_s: Vec<u32>,
    in_outage: u64,
    repeats: u64,
    /// When each item was through, in order.
    drained_at_ms: Vec<u64>,
}

impl Counts {
    /// A request arrived, in a second after the outage or before its end.
    fn arrived(&mut self, second: Option<usize>, refused: bool) {
        let Some(second) = second else {
            self.in_outage += 1;
            return;
        };
        if self.arrivals_per_s.len() <= second {
            self.arrivals_per_s.resize(second + 1, 0);
            self.refusals_per_s.resize(second + 1, 0);
        }
        self.arrivals_per_s[second] += 1;
        self.refusals_per_s[second] += u32::from(refused);
    }

    fn report(self, options: &HerdOptions, policy: Policy) -> Return {
        let mut sorted = self.arrivals_per_s.clone();
        sorted.sort_unstable();
        let items = options.clients as usize * options.items as usize;
        let drained = |percent| {
            let at_ms = self.drained_at_ms.get(rank(items, percent))?;
            Some(at_ms.saturating_sub(options.outage_ms))
        };
        let sum = |counts: &[u32]| counts.iter().map(|&count| u64::from(count)).sum();
        Return {
            policy,
            peak_per_s: sorted.last().copied().unwrap_or_default(),
            p99_per_s: sorted.get(rank(sorted.len(), 99)).copied().unwrap_or_default(),
            requests_in_outage: self.in_outage,
            requests: sum(&self.arrivals_per_s),
            refusals: sum(&self.refusals_per_s),
            repeats: self.repeats,
            drained_50_ms: drained(50),
            drained_99_ms: drained(99),
            drained_ms: drained(100),
            arrivals_per_s: self.arrivals_per_s,
            refusals_per_s: self.refusals_per_s,
        }
    }
}

/// The place in a sorted list of `len` below which so many of a hundred are (nearest rank).
fn rank(len: usize, percent: usize) -> usize {
    (len * percent).div_ceil(100).saturating_sub(1)
}
