//! `swarm`: from a seed to a scenario. Each class of fault is off with probability one half, else it has a
//! random weight; so a run has few kinds of trouble, but much of each, and some runs are calm.

use rand_chacha::{ChaCha8Rng, rand_core::Rng};

use crate::{
    app::{Call, Taste, Workload},
    rng::{Draw, Streams},
    scenario::{
        Action, EffectKind, Fault, HookStyle, Leadership, Options, RetryAfter, Scenario, Step, Strange, What,
        When,
    },
    standard::Standard,
};

mod rare;

/// The longest time until the heal.
const LENGTH_MS: u64 = 60_000;
/// Long enough for an item to fail ten times (R16).
const STUBBORN_MS: u64 = 420_000;
/// How many do.
const STUBBORN_ITEMS: u32 = 4;
/// Operations of people, at least and at most.
const OPERATIONS: (u64, u64) = (100, 140);
/// Effects of a kind that faults are drawn for, per tab.
const EFFECTS: u32 = 120;
/// Attempts of an item that faults are drawn for.
const ATTEMPTS: u32 = 5;

/// The scenario of a seed, for the standard app.
#[must_use]
pub fn swarm(seed: u64) -> Scenario {
    swarm_of(&Standard, seed)
}

/// The scenario of a seed, with what people do with this app.
#[must_use]
pub fn swarm_of(app: &dyn Workload, seed: u64) -> Scenario {
    let mut draw = Chance(Streams::new(seed).rng(0, Draw::Swarm, 0));
    let mut options = options(&mut draw);
    // Streams of their own: they came later, and move no other draw.
    options.aborts = Streams::new(seed).within((0, 2), 1, Draw::Swarm, 0) > 0;
    options.gather = Streams::new(seed).within((0, 2), 2, Draw::Swarm, 0) == 0;
    let stubborn = draw.one_in(30);
    let length_ms = if stubborn { STUBBORN_MS } else { draw.within(10_000, LENGTH_MS) };
    let mut steps = Vec::new();
    let items = workload(app, &mut draw, &options, length_ms, &mut steps);
    life(&mut draw, &options, length_ms, &mut steps);
    late_parts(&mut Chance(Streams::new(seed).rng(2, Draw::Swarm, 0)), &options, length_ms, &mut steps);
    steps.sort_by_key(|step| step.at_ms);
    let mut faults = if draw.one_in(8) { Vec::new() } else { faults(&mut draw, &options, length_ms, items) };
    if stubborn {
        faults.extend(refused_ten_times(&mut draw, items));
    }
    let mut scenario = Scenario { seed, options, steps, faults, heal_at_ms: length_ms };
    rare::add(app, &mut scenario);
    scenario
}

/// Draws of one stream, in order.
struct Chance(ChaCha8Rng);

impl Chance {
    fn within(&mut self, min: u64, max: u64) -> u64 {
        min + self.0.next_u64() % (max - min + 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.within(0, n - 1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A weight in hundredths: off in half of all scenarios.
    fn weight(&mut self) -> u64 {
        if self.one_in(2) { 0 } else { self.of(&[1, 2, 5, 10, 30]) }
    }

    /// With this weight.
    fn strikes(&mut self, weight: u64) -> bool {
        self.below(100) < weight
    }
}

fn options(draw: &mut Chance) -> Options {
    Options {
        tabs: draw.within(1, 5) as u32,
        max_concurrency: draw.of(&[1, 2, 4, 4, 8]),
        jitter: !draw.one_in(4),
        timeout_ms: draw.of(&[2_000, 5_000, 15_000]),
        hook: draw.of(&[HookStyle::None, HookStyle::None, HookStyle::Keep, HookStyle::Mixed]),
        leadership: draw.of(&[Leadership::Locks, Leadership::Locks, Leadership::Leases]),
        storage_ms: draw.of(&[(0, 0), (0, 2), (1, 20), (5, 200)]),
        network_ms: draw.of(&[(0, 0), (1, 30), (20, 300), (50, 2_000)]),
        message_ms: draw.of(&[(0, 0), (0, 3), (1, 100)]),
        timer_ms: draw.of(&[(0, 0), (0, 4), (0, 50)]),
        hook_ms: draw.of(&[(0, 0), (1, 50), (100, 2_000)]),
        aborts: true,
        keyed: !draw.one_in(6),
        relaxed: draw.one_in(12),
        gather: false,
    }
}

/// What people do; how many items they make.
fn workload(
    app: &dyn Workload,
    draw: &mut Chance,
    options: &Options,
    length_ms: u64,
    steps: &mut Vec<Step>,
) -> u32 {
    let operations = draw.within(OPERATIONS.0, OPERATIONS.1);
    let lanes = draw.of(&[1, 3, 10, 100]);
    let storms = draw.one_in(3);
    let taste = Taste { lanes, rare: draw.weight() };
    let mut items = 0;
    let mut at_ms = 0;
    for n in 0..operations {
        // A storm comes all at once, as a sync after a day in a cellar does.
        at_ms = if storms && n % 10 != 0 { at_ms } else { draw.below(length_ms) };
        let tab = draw.below(options.tabs.into()) as u32;
        let action = if items > 0 && draw.strikes(10) {
            about_an_item(draw, items)
        } else if draw.strikes(taste.rare / 2) {
            let reason = String::from(draw.of(&["auth", "user"]));
            if draw.one_in(2) { Action::Pause { reason } } else { Action::Resume { reason } }
        } else {
            items += 1;
            let Call { mutator, args } = app.enqueue(items, taste, &mut |n| draw.below(n));
            Action::Enqueue { item: items, mutator, args }
        };
        steps.push(Step { at_ms, tab, action });
    }
    items
}

fn about_an_item(draw: &mut Chance, items: u32) -> Action {
    let item = draw.within(1, items.into()) as u32;
    match draw.below(5) {
        0 => Action::RetryFailure { item },
        1 => Action::DismissFailure { item },
        _ => Action::Remove { item },
    }
}

/// Tabs come and go, and are shown and hidden; the network comes and goes.
fn life(draw: &mut Chance, options: &Options, length_ms: u64, steps: &mut Vec<Step>) {
    let restless = draw.weight();
    let flapping = draw.weight();
    for tab in 0..options.tabs {
        let build = u32::from(!draw.one_in(4));
        let first_ms = if tab == 0 { 0 } else { draw.below(length_ms / 2) };
        steps.push(Step { at_ms: first_ms, tab, action: Action::Open { build } });
        for at_ms in (0..length_ms).step_by(2_000) {
            if draw.strikes(restless) {
                let action = match draw.below(9) {
                    0 => Action::Close,
                    1 => Action::Crash,
                    2 => Action::Freeze,
                    3 => Action::Thaw,
                    4 => Action::Throttle(true),
                    5 => Action::Throttle(false),
                    6 => Action::Visible,
                    7 => Action::Focus,
                    _ => Action::Open { build: draw.below(2) as u32 },
                };
                steps.push(Step { at_ms: at_ms + draw.below(2_000), tab, action });
                let open = Action::Open { build: u32::from(!draw.one_in(4)) };
                steps.push(Step { at_ms: at_ms + draw.within(2_000, 6_000), tab, action: open });
            }
            if draw.strikes(flapping) {
                let (link, online) = (draw.one_in(2), draw.one_in(2));
                let at_ms = at_ms + draw.below(2_000);
                steps.push(Step { at_ms, tab, action: Action::Link(link) });
                steps.push(Step { at_ms, tab, action: Action::Online(online) });
            }
        }
    }
}

/// Parts of the app that come late bring mutators with them (R23).
fn late_parts(draw: &mut Chance, options: &Options, length_ms: u64, steps: &mut Vec<Step>) {
    if !draw.one_in(3) {
        return;
    }
    for step in steps.iter_mut() {
        if let Action::Open { build } = &mut step.action
            && draw.one_in(2)
        {
            *build = 0;
        }
    }
    for tab in 0..options.tabs {
        for _ in 0..draw.below(3) {
            steps.push(Step { at_ms: draw.below(length_ms), tab, action: Action::Register { build: 1 } });
        }
    }
}

/// What goes wrong, class by class.
fn faults(draw: &mut Chance, options: &Options, length_ms: u64, items: u32) -> Vec<Fault> {
    let mut faults = Vec::new();
    network(draw, items, &mut faults);
    for tab in 0..options.tabs {
        at_effects(draw, tab, &mut faults);
    }
    at_times(draw, options, length_ms, &mut faults);
    faults
}

fn network(draw: &mut Chance, items: u32, faults: &mut Vec<Fault>) {
    let weights: Vec<u64> = (0..6).map(|_| draw.weight()).collect();
    // A day's wait is a day of simulated idleness: seldom.
    let absurd = draw.one_in(30);
    for item in 1..=items {
        for n in 1..=ATTEMPTS {
            let when = When::Attempt { item, n };
            for (class, &weight) in weights.iter().enumerate() {
                if draw.strikes(weight) {
                    faults.push(Fault { when, what: network_fault(draw, class, absurd) });
                }
            }
        }
    }
}

/// Some items fail until they are stuck (R16): no connection, or a server that asks for a wait which their
/// backoff outgrows (R11).
fn refused_ten_times(draw: &mut Chance, items: u32) -> Vec<Fault> {
    let mut faults = Vec::new();
    for _ in 0..STUBBORN_ITEMS {
        let item = draw.within(1, items.into()) as u32;
        let busy = |seconds| What::Unavailable { status: 503, retry_after: RetryAfter::Seconds(seconds) };
        let what = draw.of(&[What::Refuse, busy(5), busy(20)]);
        faults.extend((1..=12).map(|n| Fault { when: When::Attempt { item, n }, what }));
    }
    faults
}

fn network_fault(draw: &mut Chance, class: usize, absurd: bool) -> What {
    let wait_ms = draw.of(&[10, 500, 3_000, 20_000]);
    match class {
        0 => draw.of(&[What::LoseRequest, What::Refuse]),
        1 => draw.of(&[What::LoseReply, What::BreakReply]),
        2 => draw.of(&[What::Duplicate { after_ms: wait_ms }, What::RepeatResult { after_ms: wait_ms }]),
        3 => draw.of(&[
            What::SlowRequest { by_ms: wait_ms },
            What::SlowReply { by_ms: wait_ms },
            What::ReplyAtDeadline,
            What::ReplyAfterCancel,
        ]),
        4 => {
            let retry_after = match draw.below(60) {
                0..6 if absurd => RetryAfter::Absurd,
                0..20 => RetryAfter::Seconds(draw.of(&[1, 5, 90])),
                20..40 => RetryAfter::Date(draw.of(&[0, 3, 100])),
                _ => RetryAfter::None,
            };
            What::Unavailable { status: draw.of(&[408, 425, 429, 500, 503]), retry_after }
        }
        _ => What::RefuseForGood,
    }
}

/// Faults at the n-th effect of a kind of a tab.
fn at_effects(draw: &mut Chance, tab: u32, faults: &mut Vec<Fault>) {
    let storage = draw.weight();
    let crash = draw.weight() / 5;
    let messages = draw.weight();
    let timers = draw.weight();
    let hook = draw.weight();
    for n in 1..=EFFECTS {
        let mut at = |kind, what| faults.push(Fault { when: When::Nth { tab, kind, n }, what });
        let wait_ms = draw.of(&[10, 300, 4_500, 12_000]);
        if draw.strikes(storage) {
            let kind = draw.of(&[EffectKind::Persist, EffectKind::Persist, EffectKind::Load]);
            at(kind, storage_fault(draw, wait_ms));
        }
        if draw.strikes(crash) {
            let kind =
                draw.of(&[EffectKind::Any, EffectKind::Dispatch, EffectKind::Persist, EffectKind::Reply]);
            at(kind, What::Crash { reopen_ms: wait_ms });
        }
        if draw.strikes(messages) {
            let what = draw.of(&[
                What::LoseMessage,
                What::RepeatMessage { after_ms: wait_ms },
                What::SlowMessage { by_ms: wait_ms },
            ]);
            at(EffectKind::Message, what);
        }
        if draw.strikes(timers) {
            let what = draw.of(&[What::EarlyTimer { by_ms: wait_ms }, What::LateTimer { by_ms: wait_ms }]);
            at(EffectKind::Sleep, what);
        }
        if draw.strikes(hook) {
            let what = draw.of(&[
                What::SlowHook { by_ms: wait_ms },
                What::ThrowingHook,
                What::SilentHook,
                What::WrongHook,
            ]);
            at(EffectKind::Ask, what);
        }
    }
}

fn storage_fault(draw: &mut Chance, wait_ms: u64) -> What {
    match draw.below(16) {
        0 => What::SilentStorage,
        1..4 => What::UnknownStorage { committed: draw.one_in(2) },
        4..8 => What::UnavailableStorage { for_ms: 0 },
        8..11 => What::FullStorage { for_ms: 0 },
        _ => What::SlowStorage { by_ms: wait_ms },
    }
}

/// Faults at a time.
fn at_times(draw: &mut Chance, options: &Options, length_ms: u64, faults: &mut Vec<Fault>) {
    let weights: Vec<u64> = (0..5).map(|_| draw.weight()).collect();
    for ms in (0..length_ms).step_by(1_000) {
        for (class, &weight) in weights.iter().enumerate() {
            if draw.strikes(weight / 2) {
                let when =
                    When::At { ms: ms + draw.below(1_000), tab: draw.below(options.tabs.into()) as u32 };
                faults.push(Fault { when, what: timed_fault(draw, options, class) });
            }
        }
    }
}

fn timed_fault(draw: &mut Chance, options: &Options, class: usize) -> What {
    let for_ms = draw.of(&[100, 2_000, 15_000]);
    match class {
        0 => draw.of(&[What::UnavailableStorage { for_ms }, What::FullStorage { for_ms }]),
        1 => What::StrangeRow(draw.of(&[Strange::Garbage, Strange::NewerVersion, Strange::BrokenBody])),
        2 => draw.of(&[
            What::FalselyElected { for_ms },
            What::Steal { told_after_ms: Some(for_ms) },
            What::Steal { told_after_ms: None },
        ]),
        3 => draw.of(&[What::Freeze { for_ms }, What::Crash { reopen_ms: for_ms }, What::Suspend { for_ms }]),
        _ if options.relaxed => What::PowerLoss { commits: draw.within(0, 4) as u32 },
        _ if draw.one_in(12) => What::StoreMadeAnew,
        // Years back: what is left of a Retry-After is then clamped to a day (R30).
        _ if draw.one_in(60) => What::StepClock { by_ms: -63_000_000_000 },
        _ => What::StepClock { by_ms: draw.of(&[-5_000, 3_000, 94_000_000_000]) },
    }
}
