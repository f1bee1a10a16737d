//! The run: from a scenario to its end, or to the first violation.

use std::{collections::BTreeMap, hash::Hasher, rc::Rc};

use outbox::{
    Effect, Input, Outbox, Registry, Trigger,
    lease::{Election, ElectionConfig, ElectionInput},
};

use super::{
    World,
    queue::{Event, Mail, PageId, WORLD},
    tab::{Page, name},
    watch::{Found, RunHash, Sink, Watch},
};
use crate::{
    app::{App, Server},
    moment::Moment,
    oracle::{self, Oracle},
    rng::Draw,
    scenario::{EffectKind, Leadership, Scenario, What, When},
};

/// More moments than any scenario needs: beyond it is an endless loop.
const MAX_MOMENTS: u64 = 20_000_000;

/// How long what is to be stored gathers, where it does.
const GATHER_MS: u64 = 1;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of every moment and its time: the same scenario has the same hash, on every target.
    pub hash: u64,
    /// How many moments there were.
    pub moments: u64,
    /// How long it took, in simulated milliseconds.
    pub simulated_ms: u64,
    /// Faults that struck, by name.
    pub struck: BTreeMap<&'static str, u64>,
    /// The same by the states that items of the tab were in (see [`crate::matrix`]).
    pub cells: BTreeMap<(&'static str, &'static str), u64>,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which oracle found it.
    pub oracle: &'static str,
    /// The rules it judges.
    pub rules: &'static [&'static str],
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// At which moment, counted from 1.
    pub moment: u64,
    /// What was expected, and what was found.
    pub what: String,
}

/// Plays a scenario with all oracles.
///
/// # Panics
/// If it is out of its limits: see [`Scenario::check`].
#[must_use]
pub fn run(app: &dyn App, scenario: &Scenario) -> Report {
    run_with(app, scenario, None)
}

/// The same; `sink` sees every moment.
///
/// # Panics
/// As [`run`] does.
#[must_use]
pub fn run_with<'a>(app: &'a dyn App, scenario: &Scenario, sink: Option<Sink<'a>>) -> Report {
    let mut oracles = oracle::all(scenario);
    oracles.extend(app.oracles(scenario));
    run_judged(app, scenario, oracles, sink)
}

/// The same with these oracles alone.
///
/// # Panics
/// As [`run`] does.
#[must_use]
pub fn run_judged<'a>(
    app: &'a dyn App,
    scenario: &Scenario,
    oracles: Vec<Box<dyn Oracle>>,
    sink: Option<Sink<'a>>,
) -> Report {
    if let Err(error) = scenario.check() {
        panic!("the scenario cannot be played: {error}");
    }
    let facts = oracle::Facts::default();
    let watch = Watch { oracles, facts, sink, hash: RunHash::default(), moments: 0, found: None };
    let world = World::new(Rc::new(scenario.clone()));
    let server = app.server(scenario);
    Play { world, watch, app, server, registries: BTreeMap::new(), effects: Some(Vec::new()) }.finish()
}

/// A run under way.
pub(super) struct Play<'a> {
    pub(super) world: World,
    pub(super) watch: Watch<'a>,
    pub(super) app: &'a dyn App,
    pub(super) server: Box<dyn Server>,
    /// By build.
    registries: BTreeMap<u32, Registry>,
    /// A buffer that is used again; gone while it is in use.
    effects: Option<Vec<Effect>>,
}

impl Play<'_> {
    fn finish(mut self) -> Report {
        self.plan();
        let end = loop {
            if self.is_over() {
                break None;
            }
            if self.watch.moments > MAX_MOMENTS {
                break Some(format!("{MAX_MOMENTS} moments: an endless loop"));
            }
            let Some((at_ms, event)) = self.world.queue.pop() else {
                break Some("nothing is left to happen".into());
            };
            debug_assert!(at_ms >= self.world.now_ms, "time does not run back");
            self.world.now_ms = at_ms;
            self.happen(event);
        };
        if end.is_none() {
            self.see(&Moment::End);
        }
        self.report(end)
    }

    /// Puts the whole scenario into the queue.
    fn plan(&mut self) {
        let scenario = Rc::clone(&self.world.scenario);
        for (at, step) in scenario.steps.iter().enumerate() {
            self.world.queue.push(step.at_ms.min(scenario.heal_at_ms), step.tab, Event::Step(at));
        }
        for (at, fault) in scenario.faults.iter().enumerate() {
            if let When::At { ms, tab } = fault.when
                && ms < scenario.heal_at_ms
            {
                self.world.queue.push(ms, tab, Event::Fault(at));
            }
        }
        self.world.queue.push(scenario.heal_at_ms, WORLD, Event::Heal);
    }

    fn report(self, end: Option<String>) -> Report {
        let Self { world, watch, .. } = self;
        let at_ms = world.now_ms;
        let found = watch.found.map(|Found { oracle, moment, what }| {
            let oracle = &watch.oracles[oracle];
            Violation { oracle: oracle.name(), rules: oracle.rules(), at_ms, moment, what }
        });
        let ended = end.map(|what| {
            let (oracle, rules) = ("progress", ["R26", "R28", "R31"].as_slice());
            Violation { oracle, rules, at_ms, moment: watch.moments, what }
        });
        let violation = found.or(ended);
        Report {
            hash: watch.hash.finish(),
            moments: watch.moments,
            simulated_ms: world.now_ms,
            struck: world.struck,
            cells: world.cells,
            violation,
        }
    }

    pub(super) fn see(&mut self, moment: &Moment<'_>) {
        self.watch.see(&self.world, moment);
    }

    /// A violation has been found, or everything has come to its end.
    fn is_over(&self) -> bool {
        self.watch.found.is_some() || self.is_quiet() || self.is_late()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Step(at) => self.step(at),
            Event::Fault(at) => self.fault(at),
            Event::Deliver { page, mail } => self.deliver(page, mail),
            Event::RunStorage { page, request, plan } => self.run_storage(page, &request, plan),
            Event::Arrive { page, attempt, request, plan } => self.arrive(page, attempt, &request, plan),
            Event::Grant => self.grant(),
            Event::Thaw(page) => self.thaw(page),
            Event::Reopen { tab, build } => self.open(tab, build),
            Event::Undeceive(page) => self.undeceive(page),
            Event::Heal => self.heal(),
            Event::Resume => self.resume_all(),
        }
    }

    // --- Pages.

    /// Opens a page of a tab; does nothing if one is open.
    pub(super) fn open(&mut self, tab: u32, build: u32) {
        let mutators = self.registry(build).configs();
        let world = &mut self.world;
        let Some(owner) = world.tabs.get_mut(tab as usize).filter(|tab| tab.page.is_none()) else { return };
        owner.pages += 1;
        let id = PageId { tab, page: owner.pages };
        let clock = super::WALL_START.plus_ms(world.now_ms);
        let clock =
            outbox::Timestamp::from_millis(clock.as_millis().saturating_add_signed(world.wall_step_ms));
        let options = &world.scenario.options;
        let config = outbox::Config {
            replica: name(id),
            mutators,
            max_concurrency: options.max_concurrency,
            jitter: options.jitter,
            timeout_ms: options.timeout_ms,
            before_retry: options.hook != crate::scenario::HookStyle::None,
            shared: true,
            ping: true,
            gather: options.gather,
            ..outbox::Config::default()
        };
        let election = (options.leadership == Leadership::Leases).then(|| {
            let draw = world.streams.draw(tab.into(), Draw::Election, id.page.into());
            Election::new(ElectionConfig::new(name(id), draw), clock).expect("the times are the defaults")
        });
        owner.page = Some(Page {
            id,
            build,
            outbox: Outbox::new(config, clock).expect("the options are within the core's limits"),
            election,
            clock,
            since_ms: world.now_ms,
            frozen: false,
            throttled: false,
            flights: BTreeMap::new(),
            asked_storage: false,
            gathering: false,
            deaf: false,
            calls: BTreeMap::new(),
            view: BTreeMap::new(),
            inbox: std::collections::VecDeque::new(),
            timer: 0,
            election_timer: 0,
            told_holder: None,
        });
        let online = owner.online;
        self.see(&Moment::Opened { tab, page: id.page, build });
        self.feed(id, Input::Online(online));
        self.feed(id, Input::Wake(Trigger::Init));
        match self.world.scenario.options.leadership {
            Leadership::Locks => self.queue_for_lock(id),
            Leadership::Leases => self.feed_election(id, ElectionInput::Started),
        }
        self.tell_holder();
    }

    /// A page ends. What it asked of the store may still be run; nothing answers it.
    pub(super) fn end(&mut self, id: PageId, crashed: bool) {
        if self.page(id).is_none() {
            return;
        }
        if !crashed {
            self.feed_election(id, ElectionInput::Stop);
        }
        self.world.tabs[id.tab as usize].page = None;
        self.see(&Moment::Ended { tab: id.tab, page: id.page, crashed });
        self.release_lock(id);
    }

    pub(super) fn page(&self, id: PageId) -> Option<&Page> {
        self.world.page(id.tab).filter(|page| page.id == id)
    }

    pub(super) fn page_mut(&mut self, id: PageId) -> Option<&mut Page> {
        self.world.tabs[id.tab as usize].page.as_mut().filter(|page| page.id == id)
    }

    pub(super) fn registry(&mut self, build: u32) -> &Registry {
        self.registries.entry(build).or_insert_with(|| self.app.registry(build))
    }

    // --- Feeding.

    /// Something reaches a page: now, or when it wakes; a dead one never gets it.
    pub(super) fn deliver(&mut self, id: PageId, mail: Mail) {
        let Some(page) = self.page_mut(id) else { return };
        if page.frozen {
            page.inbox.push_back(mail);
            return;
        }
        match mail {
            Mail::Input(input) => self.feed(id, *input),
            Mail::Result { attempt, outcome, even_if_cancelled } => {
                let known = page.flights.remove(&attempt).is_some();
                if known || even_if_cancelled {
                    self.feed(id, Input::Resolved { attempt, outcome });
                }
            }
            Mail::Tick { timer } if page.timer == timer => self.feed(id, Input::Tick),
            Mail::Gathered => {
                page.gathering = false;
                if page.outbox.wants_storage() {
                    self.feed(id, Input::Tick);
                }
            }
            Mail::Election(input) => self.feed_election(id, input),
            Mail::ElectionTick { timer } if page.election_timer == timer => {
                self.feed_election(id, ElectionInput::Tick);
            }
            Mail::Tick { .. } | Mail::ElectionTick { .. } => {}
            Mail::Deposed => {
                // About a hold that is over; the page may have another since, which that says nothing of.
                if !self.holds_leadership(id) {
                    self.feed(id, Input::Deposed);
                    self.queue_for_lock(id);
                }
            }
            Mail::Elected => {
                if self.world.locks.holder == Some(id) {
                    self.feed(id, Input::Elected);
                }
            }
        }
    }

    /// Gives the core of a page an input and carries out its effects, in order; a fault may end it between
    /// any two. An effect never leads to the next input within this [its `Sleep` would be overtaken].
    pub(super) fn feed(&mut self, id: PageId, input: Input) {
        let Some(page) = self.page(id) else { return };
        let now = self.world.time_of(page);
        self.watch.see(&self.world, &Moment::Input { tab: id.tab, input: &input });
        let buffer = self.effects.take();
        let mut effects = buffer.expect("what an input led to is carried out before the next is fed");
        let page = self.page_mut(id).expect("it was there");
        if matches!(input, Input::Loaded { .. } | Input::Persisted { .. }) {
            page.asked_storage = false;
        }
        page.outbox.handle(now, input, &mut effects);
        let count = effects.len() as u32;
        for effect in effects.drain(..) {
            if self.dies_at(id) {
                break;
            }
            self.watch.see(&self.world, &Moment::Effect { tab: id.tab, effect: &effect });
            self.carry_out(id, effect);
        }
        self.effects = Some(effects);
        if self.page(id).is_some() {
            self.see(&Moment::Handled { tab: id.tab, effects: count });
            self.gather(id);
        }
    }

    /// What may be asked of storage, and was not, is asked a moment later, with what comes meanwhile (R4).
    fn gather(&mut self, id: PageId) {
        let Some(page) = self.page_mut(id) else { return };
        if page.outbox.wants_storage() && !page.gathering {
            page.gathering = true;
            self.post(id, GATHER_MS, Mail::Gathered);
        }
    }

    /// Whether a fault ends the page here: at the n-th effect of any kind, before it is carried out.
    fn dies_at(&mut self, id: PageId) -> bool {
        if self.page(id).is_none() {
            return true;
        }
        let crash = self.world.faults_at(id.tab, EffectKind::Any).into_iter().find_map(|what| match what {
            What::Crash { reopen_ms } => Some(reopen_ms),
            _ => None,
        });
        let Some(reopen_ms) = crash else { return false };
        self.crash(id, reopen_ms);
        true
    }

    /// Gives the election of a page an input.
    pub(super) fn feed_election(&mut self, id: PageId, input: ElectionInput) {
        let Some(page) = self.page(id) else { return };
        let now = self.world.time_of(page);
        if page.election.is_none() {
            return;
        }
        self.watch.see(&self.world, &Moment::ElectionInput { tab: id.tab, input: &input });
        let mut effects = Vec::new();
        let page = self.page_mut(id).expect("it was there");
        if let Some(election) = &mut page.election {
            election.handle(now, input, &mut effects);
        }
        for effect in effects {
            self.watch.see(&self.world, &Moment::ElectionEffect { tab: id.tab, effect: &effect });
            self.carry_out_election(id, effect);
        }
        let Some(page) = self.page_mut(id) else { return };
        let leader = page.election.as_ref().and_then(Election::leader).map(String::from);
        if page.told_holder != leader {
            page.told_holder.clone_from(&leader);
            self.feed(id, Input::Holder(leader));
        }
    }
}
