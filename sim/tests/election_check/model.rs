//! The model: replicas, messages on their way, and what can happen next.

use outbox::{
    Timestamp,
    lease::{Election, ElectionConfig, ElectionEffect, ElectionInput, ElectionMessage},
};
use stateright::{Model, Property};

/// When everything begins.
const START_MS: u64 = 1_000_000;

/// Not a promise but an example: without one the check would show nothing.
pub(crate) const THERE_IS_A_LEADER: &str = "there is a leader";

/// A small world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) replicas: usize,
    pub(crate) left: Budget,
    /// `D`: every message is handled in less.
    pub(crate) delay_ms: u64,
    /// Timers are at most so late.
    pub(crate) late_ms: u64,
    /// A planted fault: no message is heard.
    pub(crate) hears_nothing: bool,
}

/// How often things may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    pub(crate) freezes: u8,
    pub(crate) resigns: u8,
    /// A message that comes at any later time, or never.
    pub(crate) stragglers: u8,
}

/// One world.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) now: u64,
    pub(crate) delay_ms: u64,
    pub(crate) late_ms: u64,
    pub(crate) replicas: Vec<Replica>,
    /// In the order in which they were sent.
    pub(crate) messages: Vec<Message>,
    pub(crate) left: Budget,
}

/// One replica.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replica {
    /// `None`: not started, or dead.
    pub(crate) election: Option<Election>,
    pub(crate) seed: u64,
    /// How often it was started: each life has a new id.
    pub(crate) lives: u64,
    pub(crate) frozen_since: Option<u64>,
    /// The end of the last freeze of `D` or more.
    pub(crate) thawed: u64,
}

/// A message on its way to one replica.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) to: usize,
    pub(crate) sent: u64,
    /// It comes at any later time, or never.
    pub(crate) straggler: bool,
    pub(crate) message: ElectionMessage,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A millisecond passes.
    Pass,
    /// A replica starts, with a new id.
    Start { replica: usize },
    /// Its timer is due.
    Tick { replica: usize },
    /// A message arrives.
    Deliver { message: usize },
    /// A message becomes a straggler.
    Delay { message: usize },
    /// A replica dies, without a goodbye.
    Crash { replica: usize },
    /// Nothing reaches it …
    Freeze { replica: usize },
    /// … until it wakes.
    Thaw { replica: usize },
    /// Its outbox asked it to end the lease.
    Resign { replica: usize },
}

impl Replica {
    fn wake_at(&self) -> Option<u64> {
        self.election.as_ref()?.wake_at().map(Timestamp::as_millis)
    }

    fn is_awake(&self) -> bool {
        self.election.is_some() && self.frozen_since.is_none()
    }

    fn holds_lease(&self, now: u64) -> bool {
        self.election.as_ref().is_some_and(|election| election.holds_lease(Timestamp::from_millis(now)))
    }
}

impl State {
    /// Since when a message could have been handled: it has `D` from there.
    pub(crate) fn counts_from(&self, message: &Message) -> u64 {
        message.sent.max(self.replicas[message.to].thawed)
    }

    /// Whether a message must be handled before time passes.
    fn is_pressing(&self, message: &Message) -> bool {
        self.now + 1 >= self.counts_from(message) + self.delay_ms
    }

    fn leaders(&self) -> usize {
        self.replicas.iter().filter(|replica| replica.holds_lease(self.now)).count()
    }

    fn may_pass(&self) -> bool {
        let pressing = self.messages.iter().any(|message| {
            !message.straggler && self.replicas[message.to].is_awake() && self.is_pressing(message)
        });
        let overdue = self.replicas.iter().any(|replica| {
            replica.is_awake() && replica.wake_at().is_some_and(|at| at + self.late_ms <= self.now)
        });
        !pressing && !overdue
    }

    /// A freeze shorter than `D` is no excuse for a message that is late.
    fn may_thaw(&self, replica: usize, since: u64) -> bool {
        let missed = |message: &Message| {
            message.to == replica
                && !message.straggler
                && self.now >= self.counts_from(message) + self.delay_ms
        };
        self.now >= since + self.delay_ms || !self.messages.iter().any(missed)
    }

    fn input(&mut self, replica: usize, input: ElectionInput) {
        let now = Timestamp::from_millis(self.now);
        let Some(election) = &mut self.replicas[replica].election else { return };
        let mut effects = Vec::new();
        election.handle(now, input, &mut effects);
        for effect in effects {
            let ElectionEffect::Broadcast(message) = effect else { continue };
            for to in 0..self.replicas.len() {
                if to != replica && self.replicas[to].election.is_some() {
                    let message = message.clone();
                    self.messages.push(Message { to, sent: self.now, straggler: false, message });
                }
            }
        }
    }

    fn start(&mut self, replica: usize) {
        let (now, delay_ms) = (Timestamp::from_millis(self.now), self.delay_ms);
        let it = &mut self.replicas[replica];
        it.lives += 1;
        let config = ElectionConfig {
            lease_ms: 8 * delay_ms,
            max_delay_ms: delay_ms,
            ..ElectionConfig::new(format!("{replica}.{}", it.lives), it.seed)
        };
        it.election = Some(Election::new(config, now).expect("the configuration is within its limits"));
        self.input(replica, ElectionInput::Started);
    }

    fn crash(&mut self, replica: usize) {
        self.left.crashes -= 1;
        self.replicas[replica].election = None;
        self.replicas[replica].frozen_since = None;
        self.messages.retain(|message| message.to != replica);
    }

    /// Nothing goes wrong any more. Whether that leads to one leader.
    pub(crate) fn comes_to_a_leader(&self) -> bool {
        let mut calm = self.clone();
        for replica in &mut calm.replicas {
            replica.frozen_since = None;
        }
        let end = calm.now + (3 * 8 + 16) * calm.delay_ms;
        loop {
            while !calm.messages.is_empty() {
                let Message { to, message, .. } = calm.messages.remove(0);
                calm.input(to, ElectionInput::Message(message));
            }
            let wakes = calm.replicas.iter().filter_map(Replica::wake_at);
            let Some(next) = wakes.min() else { return true };
            if next > end {
                break;
            }
            calm.now = calm.now.max(next);
            for replica in 0..calm.replicas.len() {
                if calm.replicas[replica].wake_at().is_some_and(|at| at <= calm.now) {
                    calm.input(replica, ElectionInput::Tick);
                }
            }
        }
        calm.leaders() == 1
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let replica = |seed| Replica { election: None, seed, lives: 0, frozen_since: None, thawed: 0 };
        let state = |draw: usize| State {
            now: START_MS,
            delay_ms: self.delay_ms,
            late_ms: self.late_ms,
            replicas: (0..self.replicas).map(|at| replica(if draw >> at & 1 == 0 { 1 } else { 2 })).collect(),
            messages: Vec::new(),
            left: self.left,
        };
        (0..1 << self.replicas).map(state).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.may_pass() {
            actions.push(Action::Pass);
        }
        for (at, message) in state.messages.iter().enumerate() {
            if state.replicas[message.to].is_awake() {
                actions.push(Action::Deliver { message: at });
            }
            if state.left.stragglers > 0 && !message.straggler {
                actions.push(Action::Delay { message: at });
            }
        }
        for (at, replica) in state.replicas.iter().enumerate() {
            let spare = u64::from(self.left.crashes - state.left.crashes);
            match (&replica.election, replica.frozen_since) {
                (None, _) if replica.lives <= spare => actions.push(Action::Start { replica: at }),
                (None, _) => {}
                (Some(_), Some(since)) => {
                    if state.may_thaw(at, since) {
                        actions.push(Action::Thaw { replica: at });
                    }
                }
                (Some(_), None) => {
                    if replica.wake_at().is_some_and(|due| due <= state.now) {
                        actions.push(Action::Tick { replica: at });
                    }
                    if state.left.freezes > 0 {
                        actions.push(Action::Freeze { replica: at });
                    }
                    if state.left.resigns > 0 && replica.holds_lease(state.now) {
                        actions.push(Action::Resign { replica: at });
                    }
                }
            }
            if state.left.crashes > 0 && replica.election.is_some() {
                actions.push(Action::Crash { replica: at });
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Pass => state.now += 1,
            Action::Start { replica } => state.start(replica),
            Action::Tick { replica } => state.input(replica, ElectionInput::Tick),
            Action::Deliver { message } => {
                let Message { to, message, .. } = state.messages.remove(message);
                if !self.hears_nothing {
                    state.input(to, ElectionInput::Message(message));
                }
            }
            Action::Delay { message } => {
                state.left.stragglers -= 1;
                state.messages[message].straggler = true;
            }
            Action::Crash { replica } => state.crash(replica),
            Action::Freeze { replica } => {
                state.left.freezes -= 1;
                state.replicas[replica].frozen_since = Some(state.now);
            }
            Action::Thaw { replica } => {
                let it = &mut state.replicas[replica];
                let since = it.frozen_since.take().unwrap_or(state.now);
                if state.now >= since + state.delay_ms {
                    it.thawed = state.now;
                }
            }
            Action::Resign { replica } => {
                state.left.resigns -= 1;
                state.input(replica, ElectionInput::Resign);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let in_time = self.left.stragglers == 0;
        let alone: fn(&Self, &State) -> bool = |_, state| state.leaders() <= 1;
        let comes: fn(&Self, &State) -> bool = |_, state| state.comes_to_a_leader();
        let mut properties =
            vec![Property::sometimes(THERE_IS_A_LEADER, |_, state: &State| state.leaders() == 1)];
        if in_time {
            properties.push(Property::always("no two leases overlap", alone));
        }
        properties.push(Property::always("a leader comes in the end", comes));
        properties
    }
}
