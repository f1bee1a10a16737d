//! R26: leases over a lossy channel. No two overlap while messages are timely; a leader comes in the end.

use std::collections::BTreeMap;

use outbox::{
    Timestamp,
    lease::{Election, ElectionConfig, ElectionEffect, ElectionInput, ElectionMessage, Says},
};
use proptest::prelude::*;

/// The default times.
const LEASE_MS: u64 = 3_000;
const DELAY_MS: u64 = 250;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn handle(election: &mut Election, ms: u64, input: ElectionInput) -> Vec<ElectionEffect> {
    let mut effects = Vec::new();
    election.handle(at(ms), input, &mut effects);
    assert!(effects.len() <= 6, "{effects:?}");
    for effect in &effects {
        assert!(
            !matches!(effect, ElectionEffect::Sleep { until: Some(until) } if *until <= at(ms)),
            "{effects:?}"
        );
    }
    effects
}

fn message(from: &str, nth: u64, says: Says) -> ElectionInput {
    ElectionInput::Message(ElectionMessage { from: from.into(), nth, says })
}

/// What it broadcast.
fn said(effects: &[ElectionEffect]) -> Vec<Says> {
    let says = |effect: &ElectionEffect| match effect {
        ElectionEffect::Broadcast(message) => Some(message.says),
        _ => None,
    };
    effects.iter().filter_map(says).collect()
}

fn started(replica: &str) -> Election {
    let mut election = Election::new(ElectionConfig::new(replica, 7), at(0)).unwrap();
    assert_eq!(said(&handle(&mut election, 0, ElectionInput::Started)), [Says::Ask]);
    election
}

/// Ticks as asked until it says `says`; when that was.
fn tick_until(election: &mut Election, says: Says) -> u64 {
    for _ in 0..32 {
        let until = election.wake_at().unwrap().as_millis();
        if said(&handle(election, until, ElectionInput::Tick)).contains(&says) {
            return until;
        }
    }
    panic!("it never says {says:?}");
}

/// A leader and when it was elected.
fn leader(replica: &str) -> (Election, u64) {
    let mut election = started(replica);
    let elected = tick_until(&mut election, Says::Lease);
    assert!(election.holds_lease(at(elected)));
    (election, elected)
}

#[test]
fn r26_a_lone_replica_leads_after_a_lease_and_a_claim() {
    let (mut election, elected) = leader("b");
    assert!((LEASE_MS + 2 * DELAY_MS..LEASE_MS + 4 * DELAY_MS).contains(&elected), "{elected}");
    assert_eq!(tick_until(&mut election, Says::Lease) - elected, LEASE_MS / 3, "it renews");
    assert_eq!(
        handle(&mut election, elected + 1001, ElectionInput::Tick),
        [],
        "a spurious wake does nothing"
    );
}

#[test]
fn r26_a_leader_objects_to_a_claim_and_answers_who_asks() {
    let (mut election, elected) = leader("b");
    for (nth, says) in [(1, Says::Ask), (2, Says::Claim)] {
        assert_eq!(said(&handle(&mut election, elected + 10, message("a", nth, says))), [Says::Lease]);
    }
}

#[test]
fn r26_a_follower_waits_for_the_whole_lease() {
    let mut election = started("b");
    handle(&mut election, 100, message("x", 5, Says::Lease));
    assert_eq!(election.leader(), Some("x"));
    assert_eq!(tick_until(&mut election, Says::Ask), 100 + LEASE_MS / 2, "it wakes a throttled leader first");
    let claimed = tick_until(&mut election, Says::Claim);
    assert!((100 + LEASE_MS..100 + LEASE_MS + DELAY_MS).contains(&claimed), "{claimed}");
    assert_eq!(election.leader(), None);
}

#[test]
fn r26_ties_are_broken_by_the_replicas_id() {
    let mut election = started("b");
    let claimed = tick_until(&mut election, Says::Claim);
    let again = handle(&mut election, claimed + 1, message("c", 2, Says::Claim));
    assert_eq!(said(&again), [Says::Claim], "c may not have heard the first");
    handle(&mut election, claimed + 2, message("a", 2, Says::Claim));
    assert!(election.wake_at().unwrap() >= at(claimed + 2 + 4 * DELAY_MS), "a goes first");
    assert!(tick_until(&mut election, Says::Claim) >= claimed + 2 + 4 * DELAY_MS, "but a never came");
}

#[test]
fn r26_of_two_leaders_the_larger_id_goes() {
    let (mut election, elected) = leader("b");
    let effects = handle(&mut election, elected + 1, message("c", 9, Says::Lease));
    assert_eq!(said(&effects), [Says::Lease], "c hears of b");
    assert!(election.holds_lease(at(elected + 1)));
    let effects = handle(&mut election, elected + 2, message("a", 9, Says::Lease));
    assert_eq!((effects[0].clone(), election.leader()), (ElectionEffect::Deposed, Some("a")));
    assert!(!election.holds_lease(at(elected + 2)));
}

#[test]
fn r26_a_thawed_leader_looks_at_the_clock_first() {
    let (mut election, elected) = leader("b");
    let last = elected + LEASE_MS;
    assert!(election.holds_lease(at(last - 1)) && !election.holds_lease(at(last)));
    let effects = handle(&mut election.clone(), last, message("a", 1, Says::Ask));
    assert_eq!(effects[0], ElectionEffect::Deposed);
    assert!(!said(&effects).contains(&Says::Lease), "{effects:?}");
    let effects = handle(&mut election, last - 1, message("a", 1, Says::Ask));
    assert_eq!(said(&effects), [Says::Lease], "in time");
}

#[test]
fn r26_a_thawed_candidate_claims_again() {
    let mut election = started("b");
    let claimed = tick_until(&mut election, Says::Claim);
    let effects = handle(&mut election, claimed + 2 * DELAY_MS, ElectionInput::Tick);
    assert_eq!(said(&effects), [Says::Claim], "objections may wait unread: {effects:?}");
    assert!(!effects.contains(&ElectionEffect::Elected));
}

/// A hidden tab: its timers come once a second, four delays apart.
#[test]
fn r26_a_lone_replica_with_throttled_timers_leads() {
    let mut election = started("b");
    for second in 1..=120 {
        handle(&mut election, second * 1_000, ElectionInput::Tick);
        assert_eq!(election.holds_lease(at(second * 1_000)), second >= 7, "after {second} s");
    }
}

#[test]
fn r26_a_candidate_claims_again_at_two_late_wakes() {
    let mut election = started("b");
    let claimed = tick_until(&mut election, Says::Claim);
    let mut late =
        |delays: u64| said(&handle(&mut election, claimed + delays * DELAY_MS, ElectionInput::Tick));
    assert_eq!([late(1), late(2)], [[Says::Claim], [Says::Claim]]);
    assert_eq!(late(3), [], "it takes this for a throttled timer, but two delays are not over");
    assert_eq!(late(4), [Says::Lease]);
}

/// Who heard its claim waits no longer than a lease: another may lead by then.
#[test]
fn r26_a_candidate_that_slept_for_a_lease_begins_anew() {
    let mut election = started("b");
    let mut now = tick_until(&mut election, Says::Claim);
    for _ in 0..8 {
        now += LEASE_MS - DELAY_MS;
        assert_eq!(said(&handle(&mut election, now, ElectionInput::Tick)), [Says::Claim]);
    }
    for _ in 0..2 {
        now += LEASE_MS - DELAY_MS - 1;
        assert_eq!(said(&handle(&mut election, now, ElectionInput::Tick)), [Says::Claim]);
    }
    now += LEASE_MS - DELAY_MS - 1;
    assert_eq!(said(&handle(&mut election, now, ElectionInput::Tick)), [Says::Lease]);
}

#[test]
fn r26_of_two_replicas_with_throttled_timers_one_leads() {
    for (offset_ms, b_first) in [(0, false), (0, true), (1, false), (400, true), (999, false)] {
        let mut replicas = [started("a"), started("b")];
        let mut wakes = Vec::new();
        for second in 1..=120 {
            wakes.push((second * 1_000, usize::from(b_first)));
            wakes.push((second * 1_000 + offset_ms, usize::from(!b_first)));
        }
        for (now, who) in wakes {
            // Every message is handled at once, and so are the answers.
            let mut inputs = vec![(who, ElectionInput::Tick)];
            while let Some((who, input)) = inputs.pop() {
                for effect in handle(&mut replicas[who], now, input) {
                    if let ElectionEffect::Broadcast(message) = effect {
                        inputs.push((1 - who, ElectionInput::Message(message)));
                    }
                }
            }
            let leaders = replicas.iter().filter(|replica| replica.holds_lease(at(now))).count();
            assert!(leaders <= 1, "both lead at {now}");
            assert!(leaders == 1 || now < 9_000, "none leads at {now}");
        }
    }
}

#[test]
fn r26_a_goodbye_hands_over_at_once() {
    let mut election = started("b");
    handle(&mut election, 100, message("x", 5, Says::Lease));
    handle(&mut election, 200, message("x", 6, Says::Bye));
    handle(&mut election, 201, message("x", 5, Says::Lease)); // overtaken by the goodbye
    let elected = tick_until(&mut election, Says::Lease);
    assert!(elected < 200 + 4 * DELAY_MS, "{elected}");
    assert_eq!(
        said(&handle(&mut election, elected + 1, message("x", 6, Says::Bye))),
        [],
        "no news to a leader"
    );

    let mut election = started("b");
    handle(&mut election, 100, message("x", 5, Says::Lease));
    handle(&mut election, 150, message("y", 1, Says::Bye));
    assert!(tick_until(&mut election, Says::Claim) > LEASE_MS, "only the leader's own goodbye counts");
}

#[test]
fn r26_who_resigns_stands_back_for_a_round() {
    let (mut election, elected) = leader("a");
    let effects = handle(&mut election, elected + 5, ElectionInput::Resign);
    assert_eq!((said(&effects), effects.contains(&ElectionEffect::Deposed)), (vec![Says::Bye], true));
    let mut other = started("b");
    handle(&mut other, elected, message("a", 50, Says::Lease));
    handle(&mut other, elected + 5 + DELAY_MS, message("a", 51, Says::Bye));
    let other_leads = tick_until(&mut other, Says::Lease);
    let claims = tick_until(&mut election, Says::Claim);
    assert!(other_leads + DELAY_MS <= claims, "{other_leads} {claims}");
    assert!(claims < elected + LEASE_MS, "alone, it leads again soon");
}

#[test]
fn r26_a_goodbye_gives_back_what_was_left_of_the_claim_before_it() {
    let mut follower = started("b");
    handle(&mut follower, 100, message("a", 1, Says::Claim));
    handle(&mut follower, 600, message("a", 2, Says::Lease));
    handle(&mut follower, 610, message("a", 3, Says::Bye));
    let claims = tick_until(&mut follower, Says::Claim);
    assert!(claims < 610 + DELAY_MS, "{claims}");

    // One that was said before the claim, and comes late, does not.
    let mut follower = started("b");
    handle(&mut follower, 100, message("a", 1, Says::Lease));
    handle(&mut follower, 200, message("a", 3, Says::Claim));
    handle(&mut follower, 300, message("a", 2, Says::Bye));
    let claims = tick_until(&mut follower, Says::Claim);
    assert!(claims >= 200 + LEASE_MS, "{claims}");
}

#[test]
fn r26_a_stopped_replica_says_goodbye_and_is_silent() {
    let (mut election, elected) = leader("a");
    let effects = handle(&mut election, elected + 5, ElectionInput::Stop);
    assert_eq!(said(&effects), [Says::Bye]);
    assert!(
        effects.contains(&ElectionEffect::Deposed)
            && effects.contains(&ElectionEffect::Sleep { until: None })
    );
    for input in
        [message("b", 1, Says::Claim), ElectionInput::Tick, ElectionInput::Stop, ElectionInput::Resign]
    {
        assert_eq!(handle(&mut election, elected + 90_000, input), []);
    }
    assert_eq!(said(&handle(&mut election, elected + 90_001, ElectionInput::Started)), [Says::Ask]);
}

#[test]
fn r30_a_clock_that_runs_back_or_ends_does_no_harm() {
    let (mut election, elected) = leader("a");
    let mut effects = Vec::new();
    election.handle(at(5), ElectionInput::Tick, &mut effects);
    assert_eq!(effects, []);
    assert!(election.holds_lease(at(elected + 1)));
    for input in
        [ElectionInput::Tick, message("b", 1, Says::Claim), ElectionInput::Resign, ElectionInput::Tick]
    {
        election.handle(at(u64::MAX), input, &mut effects);
    }
}

#[test]
fn r32_a_config_out_of_its_limits_is_an_error() {
    let good = ElectionConfig::new("a", 1);
    good.validate().unwrap();
    for (field, config) in [
        ("replica", ElectionConfig { replica: String::new(), ..good.clone() }),
        ("maxDelayMs", ElectionConfig { max_delay_ms: 1, ..good.clone() }),
        ("maxDelayMs", ElectionConfig { max_delay_ms: u64::MAX, ..good.clone() }),
        ("leaseMs", ElectionConfig { lease_ms: 1_999, ..good.clone() }),
        ("leaseMs", ElectionConfig { lease_ms: u64::MAX, ..good }),
    ] {
        assert_eq!(Election::new(config, at(0)).unwrap_err().field, field);
    }
}

#[test]
fn the_state_is_plain_data() {
    let (election, _) = leader("a");
    let text = serde_json::to_string(&election).unwrap();
    assert_eq!(serde_json::from_str::<Election>(&text).unwrap(), election);
}

/// What is done to the replicas of a [`World`].
#[derive(Clone, Copy, Debug)]
enum Fault {
    Start,
    Stop,
    Crash,
    Resign,
    /// Shorter than a delay: the messages are late, but not too late.
    Hiccup,
    Freeze {
        ms: u64,
    },
}

#[derive(Clone, Debug)]
enum Happening {
    Input(ElectionInput),
    /// Only if it is still the one asked for.
    Tick(Timestamp),
    Fault(Fault),
}

struct Replica {
    election: Election,
    /// Its clock is so far ahead of the others'.
    offset_ms: u64,
    /// Its births: a new life has a new id.
    life: u64,
    frozen_until: u64,
    long_freeze: bool,
    leading: bool,
    alive: bool,
}

/// Replicas on one channel, in true time.
struct World {
    now: u64,
    nth: u64,
    random: u64,
    /// Every message is handled in less than this; what is left of a delay is for hiccups.
    transit_ms: u64,
    loss_percent: u64,
    duplicate_percent: u64,
    agenda: BTreeMap<(u64, u64), (usize, u64, Happening)>,
    replicas: Vec<Replica>,
    overlaps: u64,
    elections: u64,
}

impl World {
    fn new(replicas: usize, random: u64, loss_percent: u64, duplicate_percent: u64) -> Self {
        let mut world = Self {
            now: 1_000_000,
            nth: 0,
            random,
            transit_ms: if random.is_multiple_of(2) { DELAY_MS } else { DELAY_MS / 2 },
            loss_percent,
            duplicate_percent,
            agenda: BTreeMap::new(),
            replicas: Vec::new(),
            overlaps: 0,
            elections: 0,
        };
        for who in 0..replicas {
            let offset_ms = world.below(1_000_000);
            let election = world.born(who, 0, offset_ms);
            world.replicas.push(Replica {
                election,
                offset_ms,
                life: 0,
                frozen_until: 0,
                long_freeze: false,
                leading: false,
                alive: false,
            });
        }
        world
    }

    fn born(&mut self, who: usize, life: u64, offset_ms: u64) -> Election {
        let config = ElectionConfig::new(format!("r{who}-{life}"), self.below(u64::MAX));
        Election::new(config, at(self.now + offset_ms)).unwrap()
    }

    /// splitmix64
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn plan(&mut self, at: u64, who: usize, happening: Happening) {
        self.nth += 1;
        let life = self.replicas[who].life;
        self.agenda.insert((at, self.nth), (who, life, happening));
    }

    /// Runs to `until`, and counts the moments at which two leases held.
    fn run(&mut self, until: u64) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= until) {
            let (time, _) = *entry.key();
            let (who, life, happening) = entry.remove();
            self.now = time;
            self.step(who, life, happening);
            self.overlaps += u64::from(self.leaders() > 1);
        }
        self.now = until;
    }

    fn leaders(&self) -> usize {
        let holds = |r: &&Replica| r.alive && r.election.holds_lease(at(self.now + r.offset_ms));
        self.replicas.iter().filter(holds).count()
    }

    fn step(&mut self, who: usize, life: u64, happening: Happening) {
        let replica = &self.replicas[who];
        if let Happening::Fault(fault) = happening {
            return self.fault(who, fault);
        }
        if life != replica.life || !replica.alive {
            return;
        }
        if self.now < replica.frozen_until {
            // After a long freeze the backlog comes in any order, each in less than a delay.
            let (thaw, spread) =
                (replica.frozen_until, if replica.long_freeze { self.transit_ms } else { 1 });
            let later = thaw + self.below(spread);
            return self.plan(later, who, happening);
        }
        match happening {
            Happening::Input(input) => self.input(who, input),
            Happening::Tick(until) if replica.election.wake_at() == Some(until) => {
                self.input(who, ElectionInput::Tick);
            }
            Happening::Tick(_) | Happening::Fault(_) => (),
        }
    }

    fn fault(&mut self, who: usize, fault: Fault) {
        let frozen = self.now < self.replicas[who].frozen_until + 2 * DELAY_MS;
        let alive = self.replicas[who].alive;
        match fault {
            Fault::Start if !alive => {
                let (life, offset_ms) = (self.replicas[who].life + 1, self.replicas[who].offset_ms);
                let election = self.born(who, life, offset_ms);
                let replica = &mut self.replicas[who];
                (replica.election, replica.life, replica.leading) = (election, life, false);
                (replica.alive, replica.frozen_until) = (true, 0);
                self.input(who, ElectionInput::Started);
            }
            Fault::Stop if alive && !frozen => {
                self.input(who, ElectionInput::Stop);
                self.replicas[who].alive = false;
            }
            Fault::Crash => self.replicas[who].alive = false,
            Fault::Resign if alive && !frozen => self.input(who, ElectionInput::Resign),
            Fault::Hiccup if !frozen && self.transit_ms < DELAY_MS => {
                self.freeze(who, DELAY_MS - self.transit_ms - 1, false);
            }
            Fault::Freeze { ms } if !frozen => self.freeze(who, ms, true),
            _ => (),
        }
    }

    fn freeze(&mut self, who: usize, ms: u64, long: bool) {
        let until = self.now + ms;
        let replica = &mut self.replicas[who];
        (replica.frozen_until, replica.long_freeze) = (until, long);
    }

    fn input(&mut self, who: usize, input: ElectionInput) {
        let offset_ms = self.replicas[who].offset_ms;
        for effect in handle(&mut self.replicas[who].election, self.now + offset_ms, input) {
            match effect {
                ElectionEffect::Broadcast(message) => self.broadcast(who, &message),
                ElectionEffect::Elected => {
                    assert!(!self.replicas[who].leading, "elected twice");
                    self.replicas[who].leading = true;
                    self.elections += 1;
                }
                ElectionEffect::Deposed => {
                    assert!(self.replicas[who].leading, "deposed twice");
                    self.replicas[who].leading = false;
                }
                ElectionEffect::Sleep { until: Some(until) } => {
                    let late = self.below(DELAY_MS / 4);
                    self.plan(until.as_millis() - offset_ms + late, who, Happening::Tick(until));
                }
                ElectionEffect::Sleep { until: None } => (),
            }
        }
    }

    fn broadcast(&mut self, from: usize, message: &ElectionMessage) {
        for to in 0..self.replicas.len() {
            if to == from || self.below(100) < self.loss_percent {
                continue;
            }
            let copies = 1 + u64::from(self.below(100) < self.duplicate_percent);
            for _ in 0..copies {
                let transit_ms = match self.below(3) {
                    0 => 0,
                    1 => self.transit_ms - 1,
                    _ => self.below(self.transit_ms),
                };
                let arrives = self.now + transit_ms;
                self.plan(arrives, to, Happening::Input(ElectionInput::Message(message.clone())));
            }
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::Start),
        1 => Just(Fault::Stop),
        1 => Just(Fault::Crash),
        1 => Just(Fault::Resign),
        3 => Just(Fault::Hiccup),
        3 => (DELAY_MS..2 * LEASE_MS).prop_map(|ms| Fault::Freeze { ms }),
    ]
}

/// Faults, each a while after the one before it; many at once, and some around a lease later.
fn faults() -> impl Strategy<Value = Vec<(u64, usize, Fault)>> {
    let gap = prop_oneof![Just(0), 0..DELAY_MS, 0..4 * DELAY_MS, 0..2 * LEASE_MS];
    prop::collection::vec((gap, any::<usize>(), fault()), 0..60)
}

/// Runs the faults, then lets things be for as long as a leader may take to come; then it must stay.
fn leader_in_the_end(world: &mut World, faults: &[(u64, usize, Fault)]) -> Result<(), TestCaseError> {
    let mut time = world.now;
    let count = world.replicas.len();
    for who in 0..count {
        world.plan(time, who, Happening::Fault(Fault::Start));
    }
    for (gap, who, fault) in faults {
        time += gap;
        world.plan(time, who % count, Happening::Fault(*fault));
    }
    world.run(time);
    // The last freeze ends in at most two leases. Someone is alive.
    world.plan(time, 0, Happening::Fault(Fault::Start));
    let loss = std::mem::take(&mut world.loss_percent);
    world.run(time + 2 * LEASE_MS + LEASE_MS + 20 * DELAY_MS);
    prop_assert_eq!(world.leaders(), 1, "loss was {}", loss);
    let (overlaps, elections) = (world.overlaps, world.elections);
    world.run(world.now + 10 * LEASE_MS);
    prop_assert_eq!((world.leaders(), world.overlaps, world.elections), (1, overlaps, elections), "it stays");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r26_no_two_leases_overlap_while_messages_are_timely(
        replicas in 1..6_usize, random: u64, duplicates in 0..30_u64, faults in faults(),
    ) {
        let mut world = World::new(replicas, random, 0, duplicates);
        leader_in_the_end(&mut world, &faults)?;
        prop_assert_eq!(world.overlaps, 0);
    }

    #[test]
    fn r26_a_leader_comes_in_the_end_whatever_is_lost(
        replicas in 1..6_usize, random: u64, loss in 1..100_u64, duplicates in 0..30_u64, faults in faults(),
    ) {
        let mut world = World::new(replicas, random, loss, duplicates);
        leader_in_the_end(&mut world, &faults)?;
    }
}

/// The alarm rings: with messages lost, the harness above does see leases overlap.
#[test]
fn the_harness_sees_an_overlap_when_there_is_one() {
    let overlaps = (0..20).map(|seed| {
        let mut world = World::new(3, seed, 90, 0);
        (0..3).for_each(|who| world.plan(world.now, who, Happening::Fault(Fault::Start)));
        world.run(world.now + 20 * LEASE_MS);
        world.overlaps
    });
    assert!(overlaps.sum::<u64>() > 0);
}

#[test]
fn r31_at_the_end_of_time_no_timer_is_asked_for_that_is_over() {
    let end = Timestamp::from_millis(u64::MAX);
    let mut election = Election::new(ElectionConfig::new("a", 7), end).expect("the times are the defaults");
    for input in
        [ElectionInput::Started, ElectionInput::Tick, message("b", 1, Says::Claim), ElectionInput::Resign]
    {
        election.handle(end, input, &mut Vec::new());
        assert!(election.wake_at().is_some_and(|at| at < end), "a wait can be added to any time");
    }
}
