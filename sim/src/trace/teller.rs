//! `Teller`: turns moments into lines, and knows which of them are noise.

use std::collections::{BTreeMap, BTreeSet};

use outbox::{
    AttemptOutcome, Effect, Event, Input, Poke,
    lease::{ElectionEffect, ElectionInput, Says},
    storage::{OpId, Scope},
};

use super::{ItemMark, Kind, Line, Who, found_nothing, is_check, items::Items, words};
use crate::{
    app::{Answer, Request},
    moment::Moment,
    scenario::Action,
    world::World,
};

/// A replica right now.
pub(super) struct Replica {
    /// Milliseconds since the run began.
    pub(super) at_ms: u64,
    pub(super) tab: u32,
    pub(super) page: u32,
    /// What its clock says at the start of the run, in milliseconds since the Unix epoch.
    pub(super) zero_ms: u64,
}

impl Replica {
    fn of(world: &World, tab: u32) -> Self {
        let (page, zero_ms) = world
            .page(tab)
            .map_or((0, 0), |page| (page.id.page, page.clock.as_millis().saturating_sub(page.since_ms)));
        Self { at_ms: world.now_ms, tab, page, zero_ms }
    }

    fn operation(&self, op: OpId) -> String {
        operation(self.tab, self.page, op)
    }

    fn name(&self) -> String {
        format!("t{}.{}", self.tab, self.page)
    }
}

fn operation(tab: u32, page: u32, op: OpId) -> String {
    format!("t{tab}.{page} op{}", op.0)
}

/// What it remembers between moments.
#[derive(Debug, Default)]
pub(super) struct Teller {
    items: Items,
    told: u64,
    /// The numbers of the lines that are noise.
    pub(super) noise: BTreeSet<u64>,
    /// The numbers of the lines that follow from others.
    pub(super) echoes: BTreeSet<u64>,
    /// Loads of items that a poke named.
    hinted: BTreeSet<String>,
    /// What the store did, and nobody has been told yet: its line, by operation.
    untold: BTreeMap<String, u64>,
    /// Tabs whose hint says that they are offline.
    offline: BTreeSet<u32>,
    /// An input that is noise if it leads to nothing: a tick, the answer to a check; by tab.
    idle: BTreeMap<u32, u64>,
    /// Looks at the change counter that have found nothing so far: their lines, by operation.
    checks: BTreeMap<String, Vec<u64>>,
}

impl Teller {
    /// The number of the line that was told last.
    pub(super) fn next_n(&mut self) -> u64 {
        self.told += 1;
        self.told
    }

    /// One moment of a world.
    pub(super) fn moment(&mut self, world: &World, moment: &Moment<'_>) -> Line {
        let at_ms = world.now_ms;
        let tell = |who, kind, text: String| line(at_ms, who, kind, text);
        match moment {
            Moment::Input { tab, input } => self.input(&Replica::of(world, *tab), input),
            Moment::Effect { tab, effect } => self.effect(&Replica::of(world, *tab), effect),
            Moment::Handled { tab, effects } => self.handled(&Replica::of(world, *tab), *effects as usize),
            Moment::Opened { tab, build, .. } => self.opened(&Replica::of(world, *tab), Some(*build)),
            Moment::Ended { tab, page, crashed } => {
                self.items.end_page(*tab);
                self.offline.remove(tab);
                let (kind, how) =
                    if *crashed { (Kind::Crashed, "dies") } else { (Kind::Closed, "is closed") };
                tell(Who::Tab(*tab), kind, format!("page t{tab}.{page} {how}"))
            }
            Moment::Step { tab, action } => self.step(world, *tab, action),
            Moment::Fault { tab, what } => {
                tell(tab.map_or(Who::World, Who::Tab), Kind::Fault, words::fault(*what))
            }
            Moment::Frozen { tab } => tell(Who::Tab(*tab), Kind::Frozen, "frozen".into()),
            Moment::Thawed { tab } => tell(Who::Tab(*tab), Kind::Thawed, "wakes".into()),
            Moment::ElectionInput { tab, input } => self.election_input(at_ms, *tab, input),
            Moment::ElectionEffect { tab, effect } => self.election_effect(at_ms, *tab, effect),
            Moment::Ran { tab, page, request, answer, told } => {
                self.ran(at_ms, (*tab, *page), request, answer, told)
            }
            Moment::Served { tab, attempt, request, answer } => {
                served(at_ms, *tab, attempt.to_string(), request, answer)
            }
            Moment::Planted { seq, record } => {
                let items = self.items.rows_are(world.store.memory().rows());
                let text = format!("a row of {} bytes appears at {seq}", record.len());
                Line { items, ..tell(Who::Store, Kind::Changed, text) }
            }
            Moment::Undone { commits } => {
                let items = self.items.rows_are(world.store.memory().rows());
                Line { items, ..tell(Who::Store, Kind::Changed, format!("{commits} commits are undone")) }
            }
            Moment::MadeAnew => {
                let items = self.items.rows_are(world.store.memory().rows());
                Line { items, ..tell(Who::Store, Kind::Changed, "deleted and made anew".into()) }
            }
            Moment::Lock { holder } => {
                let holder = holder.map_or_else(|| "nobody".into(), |tab| format!("tab {tab}"));
                tell(Who::World, Kind::Lock, format!("the lock goes to {holder}"))
            }
            Moment::Healed => tell(Who::World, Kind::Healed, "all faults end".into()),
            Moment::End => tell(Who::World, Kind::End, "the run ends".into()),
        }
    }

    /// A page starts.
    pub(super) fn opened(&mut self, replica: &Replica, build: Option<u32>) -> Line {
        let build = build.map_or_else(String::new, |build| format!(", build {build}"));
        let text = format!("page {} opens{build}", replica.name());
        line(replica.at_ms, Who::Tab(replica.tab), Kind::Opened, text)
    }

    /// A replica is given an input.
    pub(super) fn input(&mut self, replica: &Replica, input: &Input) -> Line {
        let items = self.items.input(replica.tab, input);
        match input {
            Input::Poked(_) => drop(self.echoes.insert(self.told + 1)),
            Input::Online(online) => self.hint(replica.tab, *online),
            Input::Tick => drop(self.idle.insert(replica.tab, self.told + 1)),
            Input::Loaded { op, .. } => {
                let found = !found_nothing(input);
                if !found && self.checks.contains_key(&replica.operation(*op)) {
                    self.idle.insert(replica.tab, self.told + 1);
                }
                self.check_ends(&replica.operation(*op), found);
                if self.hinted.remove(&replica.operation(*op)) {
                    self.echoes.insert(self.told + 1);
                }
            }
            _ => {}
        }
        if let Input::Loaded { op, .. } | Input::Persisted { op, .. } = input {
            self.echoes.extend(self.untold.remove(&replica.operation(*op)));
        }
        let kind = match input {
            Input::Online(true) => Kind::Online,
            Input::Online(false) => Kind::Offline,
            _ => Kind::Input,
        };
        let link = match input {
            Input::Loaded { op, .. } | Input::Persisted { op, .. } => Some(replica.operation(*op)),
            Input::Resolved { attempt, .. } => Some(attempt.to_string()),
            Input::Poked(poke) => poke_link(poke),
            Input::Ping { from, .. } => Some(format!("ping {from}")),
            Input::Pong { from, .. } => Some(format!("pong {from}")),
            _ => None,
        };
        Line { link, items, ..line(replica.at_ms, Who::Tab(replica.tab), kind, input.to_string()) }
    }

    /// A replica asks for an effect.
    pub(super) fn effect(&mut self, replica: &Replica, effect: &Effect) -> Line {
        let items = self.items.effect(replica.tab, effect);
        match effect {
            Effect::Sleep { .. } => drop(self.noise.insert(self.told + 1)),
            Effect::View(_) | Effect::Poke(_) => drop(self.echoes.insert(self.told + 1)),
            Effect::Load { op, scope: Scope::Items(_), .. } => {
                self.echoes.insert(self.told + 1);
                self.hinted.insert(replica.operation(*op));
            }
            Effect::Load { op, .. } if is_check(effect) => {
                // The tick before it is noise if this finds nothing.
                let mut lines = vec![self.told + 1];
                lines.extend(self.idle.get(&replica.tab));
                self.checks.insert(replica.operation(*op), lines);
            }
            _ => self.is_no_noise(replica.tab),
        }
        let kind = match effect {
            Effect::Notify(Event::Leading(true)) => Kind::Leads,
            Effect::Notify(Event::Leading(false)) => Kind::Follows,
            _ => Kind::Effect,
        };
        let link = match effect {
            Effect::Acquire { op } | Effect::Load { op, .. } | Effect::Persist { op, .. } => {
                Some(replica.operation(*op))
            }
            Effect::Dispatch { attempt, .. } => Some(attempt.to_string()),
            Effect::Poke(poke) => poke_link(poke),
            Effect::Ping { .. } => Some(format!("ping {}", replica.name())),
            Effect::Pong { .. } => Some(format!("pong {}", replica.name())),
            _ => None,
        };
        let text = words::effect(effect, replica.zero_ms);
        Line { link, items, ..line(replica.at_ms, Who::Tab(replica.tab), kind, text) }
    }

    /// A connectivity hint that says nothing new is noise if it leads to nothing.
    fn hint(&mut self, tab: u32, online: bool) {
        let is_new = if online { self.offline.remove(&tab) } else { self.offline.insert(tab) };
        if !is_new {
            self.idle.insert(tab, self.told + 1);
        }
    }

    /// What a tab is handling led to something.
    fn is_no_noise(&mut self, tab: u32) {
        if let Some(n) = self.idle.remove(&tab) {
            for lines in self.checks.values_mut() {
                lines.retain(|line| *line != n);
            }
        }
    }

    /// All effects of an input are carried out.
    pub(super) fn handled(&mut self, replica: &Replica, effects: usize) -> Line {
        self.noise.insert(self.told + 1);
        // It led to nothing, or to a look at the counter that is still under way.
        if let Some(n) = self.idle.remove(&replica.tab)
            && !self.checks.values().any(|lines| lines.contains(&n))
        {
            self.noise.insert(n);
        }
        let text = format!("handled, {effects} effects");
        line(replica.at_ms, Who::Tab(replica.tab), Kind::Handled, text)
    }

    /// The run has ended: looks at the change counter that are still under way have found nothing.
    pub(super) fn end(&mut self) {
        for lines in std::mem::take(&mut self.checks).into_values() {
            self.noise.extend(lines);
        }
    }

    /// A look at the change counter ends: all its lines are noise, or none.
    fn check_ends(&mut self, operation: &str, found: bool) {
        let Some(lines) = self.checks.remove(operation) else { return };
        if !found {
            self.noise.extend(lines);
        }
    }

    fn ran(
        &mut self,
        at_ms: u64,
        (tab, page): (u32, u32),
        request: &Effect,
        answer: &Input,
        told: &Input,
    ) -> Line {
        let op = match request {
            Effect::Acquire { op } | Effect::Load { op, .. } | Effect::Persist { op, .. } => *op,
            _ => unreachable!("only storage requests reach the store"),
        };
        let link = operation(tab, page, op);
        if found_nothing(answer)
            && let Some(lines) = self.checks.get_mut(&link)
        {
            lines.push(self.told + 1);
        }
        if told == answer {
            self.untold.insert(link.clone(), self.told + 1);
        }
        let items = self.items.ran(request, answer);
        let mut text = format!("for t{tab}.{page}: {answer}");
        if told != answer {
            text += &format!("; it is told: {told}");
        }
        Line { link: Some(link), items, ..line(at_ms, Who::Store, Kind::Ran, text) }
    }

    /// A step is noise if what it leads to is told anyway.
    fn step(&mut self, world: &World, tab: u32, action: &Action) -> Line {
        let page = world.page(tab);
        let is_told = match action {
            Action::Link(_) | Action::Throttle(_) => false,
            Action::Open { .. } => page.is_none(),
            Action::Crash => page.is_some(),
            Action::Thaw => page.is_some_and(|page| page.frozen),
            _ => page.is_some_and(|page| !page.frozen),
        };
        if is_told {
            self.noise.insert(self.told + 1);
        }
        let mut text = words::action(action);
        if !is_told && !matches!(action, Action::Link(_)) && page.is_none_or(|page| page.frozen) {
            text += if page.is_none() { ": the tab is closed" } else { ": the tab is frozen" };
        }
        line(world.now_ms, Who::Tab(tab), Kind::Step, text)
    }

    fn election_input(&mut self, at_ms: u64, tab: u32, input: &ElectionInput) -> Line {
        let text = match input {
            ElectionInput::Started => "election: starts".into(),
            ElectionInput::Message(message) => {
                format!("election: {} says {}", message.from, words::says(message.says))
            }
            ElectionInput::Tick => "election: tick".into(),
            ElectionInput::Resign => "election: resigns".into(),
            ElectionInput::Stop => "election: stops".into(),
        };
        let is_lease = matches!(input, ElectionInput::Message(message) if message.says == Says::Lease);
        if is_lease || *input == ElectionInput::Tick {
            self.noise.insert(self.told + 1);
        }
        line(at_ms, Who::Tab(tab), Kind::Election, text)
    }

    fn election_effect(&mut self, at_ms: u64, tab: u32, effect: &ElectionEffect) -> Line {
        let text = match effect {
            ElectionEffect::Broadcast(message) => {
                format!("election: tells all {}", words::says(message.says))
            }
            ElectionEffect::Elected => "election: won".into(),
            ElectionEffect::Deposed => "election: lost".into(),
            ElectionEffect::Sleep { .. } => "election: sleeps".into(),
        };
        let is_lease = matches!(effect, ElectionEffect::Broadcast(message) if message.says == Says::Lease);
        if is_lease || matches!(effect, ElectionEffect::Sleep { .. }) {
            self.noise.insert(self.told + 1);
        }
        line(at_ms, Who::Tab(tab), Kind::Election, text)
    }
}

/// A request arrived at the server.
fn served(at_ms: u64, tab: u32, attempt: String, request: &Request, answer: &Answer) -> Line {
    let Answer { outcome, applied } = answer;
    let (kind, did) = match (outcome, applied) {
        (_, true) => (Kind::Applied, "applied"),
        (AttemptOutcome::Success { .. }, false) => (Kind::Repeated, "a repeat, known"),
        (AttemptOutcome::Failure(_), false) => (Kind::Refused, "not applied"),
    };
    let text = format!("for tab {tab}: {} {attempt} {did}, answers {outcome}", request.item);
    let items = vec![ItemMark { id: request.item.as_str().into(), state: None, keys: Vec::new() }];
    Line { link: Some(attempt), items, ..line(at_ms, Who::Server, kind, text) }
}

fn poke_link(poke: &Poke) -> Option<String> {
    match poke {
        Poke::Committed { from, to, .. } => Some(format!("poke {from}→{to}")),
        Poke::Unknown => None,
    }
}

/// Its number is given when it is told.
fn line(at_ms: u64, who: Who, kind: Kind, text: String) -> Line {
    Line { n: 0, at_ms, who, kind, text, link: None, items: Vec::new() }
}
