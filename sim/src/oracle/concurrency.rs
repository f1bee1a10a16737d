//! Concurrency and slow start (R8, R9, R20), modelled from what a page is given and asks for.
//!
//! - At every dispatch: at most `maxConcurrency` attempts of the page are in flight, and second or later
//!   attempts hold at most one less of them (if there is more than one slot).
//! - No dispatch while a pause is in force in the page: one that it was asked for, or that a load told it.
//! - While the page is told "offline", its k-th dispatch comes no sooner than k minutes after the edge, and
//!   rests on an answer asked for while offline.
//! - Slow start: a transport failure sets the limit to one unless another attempt was answered since the
//!   failing one began; an answer doubles it. While it is below the maximum, a transaction holds no more new
//!   claims than there was room for, at best, since the transaction before: the limit less the attempts in
//!   flight for under 2 s. (A claim takes its slot between the two; one that failed is left out, since its
//!   claims are older than the transaction that repeats them. The answer of the hook is a transaction of its
//!   own, which goes before the claims that wait: it is passed over.)
//! - Claims ahead of the slots (R2): at the maximum, a transaction holds at most twice as many more as it
//!   deletes and buries, and at most 96. None of them is of a later attempt, nor of an item whose attempts
//!   are limited: those claims, and the attempts in flight, are no more than the maximum.

use std::collections::{BTreeMap, BTreeSet};

use outbox::{
    AskId, AttemptId, AttemptOutcome, CallId, Class, Effect, Event, Failure, Input, Seq,
    storage::{Fence, Scope, Write},
};

use super::{Facts, Oracle, facts};
use crate::{moment::Moment, world::World};

/// An attempt older than this does not count against the slow-start limit (R9).
const YOUNG_MS: u64 = 2_000;
/// While offline, one probe per this (R8).
const PROBE_MS: u64 = 60_000;
/// A transaction claims at most so many ahead of the slots (R2).
const AHEAD: i64 = 96;

/// The judge.
#[derive(Debug, Default)]
pub struct Concurrency {
    tabs: BTreeMap<u32, Tab>,
}

/// One page.
#[derive(Debug)]
struct Tab {
    pauses: Pauses,
    /// Since when it is told that it is offline.
    offline_since_ms: Option<u64>,
    /// Dispatches since then that were asked for since then.
    probes: u64,
    /// When it was offline before.
    offline_before: Vec<(u64, u64)>,
    start: SlowStart,
}

/// Pause reasons as this page knows them (R20).
#[derive(Debug, Default)]
struct Pauses {
    stored: BTreeSet<String>,
    /// Calls without a reply, in order: whether they pause, and the reason.
    calls: Vec<(CallId, bool, String)>,
    /// The load under way reads rows by place, and nothing else.
    reads_items: bool,
}

/// The slow-start limit, and how much room it left (R9).
#[derive(Debug)]
struct SlowStart {
    fence: Option<Fence>,
    max: i64,
    limit: i64,
    /// Answers so far.
    answers: u64,
    /// Attempts in flight: since when, and the answers when they began.
    flights: BTreeMap<AttemptId, (u64, u64)>,
    /// The attempt that was cancelled last, and the answers when it began.
    cancelled: Option<(AttemptId, u64)>,
    /// A transaction failed in this epoch: claims may be older than they look.
    unsure: bool,
    /// Since the last transaction.
    window: Window,
    /// What the transaction under way was judged by.
    judged: Window,
    answer: Answer,
    /// The transaction under way may be the answer: it writes nothing else.
    writes_answer: bool,
    /// The transaction was asked in the input that is being handled.
    just_asked: bool,
    /// What the transaction under way had room for.
    room: Option<i64>,
    /// What was in flight when it was asked.
    in_flight: BTreeSet<Seq>,
}

/// Where the answer of the hook is (R17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    #[default]
    None,
    /// This is asked.
    Asked(AskId),
    /// It was given: the next transaction writes it, if there is anything to write.
    Given,
}

/// The time between two transactions.
#[derive(Clone, Copy, Debug)]
struct Window {
    since_ms: u64,
    /// The most room that there was.
    room: i64,
}

impl Oracle for Concurrency {
    fn name(&self) -> &'static str {
        "concurrency"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R8", "R9", "R20"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        let now_ms = facts.now_ms;
        match moment {
            Moment::Opened { tab, .. } => {
                let max = i64::from(world.scenario.options.max_concurrency);
                self.tabs.insert(*tab, Tab::new(max));
            }
            Moment::Ended { tab, .. } => drop(self.tabs.remove(tab)),
            Moment::Input { tab, input } => {
                let Some(tab) = self.tabs.get_mut(tab) else { return Ok(()) };
                tab.given(now_ms, input);
            }
            Moment::Effect { tab: number, effect } => {
                let Some(tab) = self.tabs.get_mut(number) else { return Ok(()) };
                if let Effect::Dispatch { attempt, .. } = effect {
                    tab.may_send(facts, *number, *attempt)?;
                }
                tab.wants(facts, *number, effect);
            }
            Moment::Ran { tab: number, page, request: Effect::Persist { .. }, .. } => {
                let asked = facts.page(*number).filter(|open| open.id.page == *page);
                let asked = asked.and_then(|page| page.asked.as_ref());
                let Some(tab) = self.tabs.get_mut(number) else { return Ok(()) };
                let claims = asked.iter().flat_map(|asked| &asked.claims).filter(|claim| claim.fresh);
                let in_slots = |claim: &&facts::Claim| needs_a_slot(world, facts, *number, claim);
                let in_slots: BTreeSet<Seq> =
                    claims.clone().filter(in_slots).map(|claim| claim.seq).collect();
                return tab.start.claimed(claims.count(), &in_slots);
            }
            Moment::Handled { tab, .. } => {
                let Some(tab) = self.tabs.get_mut(tab) else { return Ok(()) };
                tab.start.handled(now_ms);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Tab {
    fn new(max: i64) -> Self {
        Self {
            pauses: Pauses::default(),
            offline_since_ms: None,
            probes: 0,
            offline_before: Vec::new(),
            start: SlowStart::new(max),
        }
    }

    fn given(&mut self, now_ms: u64, input: &Input) {
        match input {
            Input::Online(false) if self.offline_since_ms.is_none() => {
                (self.offline_since_ms, self.probes) = (Some(now_ms), 0);
            }
            Input::Online(true) => {
                let before = self.offline_since_ms.take();
                self.offline_before.extend(before.map(|since_ms| (since_ms, now_ms)));
            }
            Input::Pause { call, reason } => self.pauses.calls.push((*call, true, reason.clone())),
            Input::Resume { call, reason } => self.pauses.calls.push((*call, false, reason.clone())),
            Input::Loaded { result: Ok(snapshot), .. } if !self.pauses.reads_items => {
                self.pauses.stored = snapshot.paused.iter().cloned().collect();
            }
            Input::Persisted { result: Err(_), .. } => self.start.unsure = true,
            Input::Resolved { attempt, outcome } => self.start.resolved(*attempt, outcome),
            Input::Answered { ask, verdicts: Ok(_) } if self.start.answer == Answer::Asked(*ask) => {
                self.start.answer = Answer::Given;
            }
            _ => {}
        }
    }

    fn wants(&mut self, facts: &Facts, number: u32, effect: &Effect) {
        match effect {
            Effect::Load { scope, .. } => self.pauses.reads_items = matches!(scope, Scope::Items(_)),
            Effect::Acquire { .. } => self.pauses.reads_items = false,
            Effect::Reply { call, result } => self.pauses.replied(*call, result.is_ok()),
            Effect::Persist { fence, writes, .. } => {
                let known = facts.page(number).and_then(|page| page.fence);
                self.start.asked(facts.now_ms, *fence, known, writes);
            }
            Effect::AskBeforeRetry { ask, .. } => self.start.answer = Answer::Asked(*ask),
            Effect::Notify(Event::HookFailed(_)) => self.start.answer = Answer::None,
            Effect::Dispatch { attempt, .. } => {
                self.start.flights.insert(*attempt, (facts.now_ms, self.start.answers));
            }
            Effect::Cancel(attempt) => self.start.cancel(*attempt),
            Effect::Notify(Event::AttemptFailed { attempt, .. }) => self.start.timed_out(*attempt),
            Effect::Notify(Event::Leading(_)) => self.start = SlowStart::new(self.start.max),
            _ => {}
        }
    }

    fn may_send(&mut self, facts: &Facts, number: u32, attempt: AttemptId) -> Result<(), String> {
        let Some(page) = facts.page(number) else { return Ok(()) };
        let max = self.start.max as usize;
        if page.flights.len() > max {
            return Err(format!("{attempt} makes {} in flight; the maximum is {max}", page.flights.len()));
        }
        let again = page.flights.keys().filter(|flight| flight.attempt > 1).count();
        if max > 1 && again >= max {
            return Err(format!("{attempt}: {again} that failed before are in flight, of {max} slots"));
        }
        if let Some(reason) = self.pauses.in_force() {
            return Err(format!("{attempt} is dispatched while paused for {reason:?}"));
        }
        let Some(since_ms) = self.offline_since_ms else { return Ok(()) };
        let asked_ms = page.proofs.get(&attempt.seq).map_or(0, |proof| proof.asked_ms);
        if asked_ms >= since_ms {
            self.probes += 1;
            let offline_ms = facts.now_ms - since_ms;
            if self.probes * PROBE_MS > offline_ms {
                return Err(format!("{attempt} is probe {} in {offline_ms} ms offline", self.probes));
            }
        } else if !self.offline_before.iter().any(|(from_ms, to_ms)| (*from_ms..=*to_ms).contains(&asked_ms))
        {
            return Err(format!("{attempt} was taken while online and is dispatched offline"));
        }
        Ok(())
    }
}

impl Pauses {
    fn replied(&mut self, call: CallId, done: bool) {
        let Some(at) = self.calls.iter().position(|(of, ..)| *of == call) else { return };
        let (_, pauses, reason) = self.calls.remove(at);
        match (done, pauses) {
            (true, true) => drop(self.stored.insert(reason)),
            (true, false) => drop(self.stored.remove(&reason)),
            (false, _) => {}
        }
    }

    /// A reason that is stored, as far as known here, or being written, and not being taken back.
    fn in_force(&self) -> Option<&str> {
        let last = |reason: &str| self.calls.iter().rev().find(|(_, _, of)| of == reason).map(|call| call.1);
        let stored = self.stored.iter().find(|reason| last(reason) != Some(false));
        let writing = || self.calls.iter().find(|(_, _, reason)| last(reason) == Some(true));
        stored.map(String::as_str).or_else(|| writing().map(|(_, _, reason)| reason.as_str()))
    }
}

impl SlowStart {
    fn new(max: i64) -> Self {
        Self {
            fence: None,
            max,
            limit: max,
            answers: 0,
            flights: BTreeMap::new(),
            cancelled: None,
            unsure: false,
            window: Window { since_ms: 0, room: max },
            judged: Window { since_ms: 0, room: max },
            answer: Answer::None,
            writes_answer: false,
            just_asked: false,
            room: None,
            in_flight: BTreeSet::new(),
        }
    }

    fn answered(&mut self, doubles: bool) {
        self.answers += 1;
        if doubles {
            self.limit = self.limit.saturating_mul(2).min(self.max);
        }
    }

    fn unanswered(&mut self, answers: u64) {
        if self.answers == answers {
            self.limit = 1;
        }
    }

    fn resolved(&mut self, attempt: AttemptId, outcome: &AttemptOutcome) {
        let began = self.flights.remove(&attempt).map(|(_, answers)| answers);
        match (outcome, began) {
            (AttemptOutcome::Failure(Failure { class: Class::Transport, .. }), Some(answers)) => {
                self.unanswered(answers);
            }
            (AttemptOutcome::Failure(Failure { class: Class::Transport, .. }), None) => {}
            (AttemptOutcome::Failure(Failure { class: Class::Server, .. }), began) => {
                if began.is_some() {
                    self.answered(false);
                }
            }
            _ => self.answered(true), // late ones count too
        }
    }

    fn cancel(&mut self, attempt: AttemptId) {
        let flight = self.flights.remove(&attempt);
        self.cancelled = flight.map(|(_, answers)| (attempt, answers));
    }

    /// A cancelled attempt is said to have failed: it ran into its timeout.
    fn timed_out(&mut self, number: u32) {
        if let Some((_, answers)) = self.cancelled.take_if(|(attempt, _)| attempt.attempt == number) {
            self.unanswered(answers);
        }
    }

    /// How many more may be taken right now.
    fn room(&self, now_ms: u64) -> i64 {
        if self.limit >= self.max {
            return self.max;
        }
        let young = self.flights.values().filter(|(since_ms, _)| now_ms - since_ms < YOUNG_MS).count();
        (self.limit - young as i64).max(0)
    }

    fn handled(&mut self, now_ms: u64) {
        if !std::mem::take(&mut self.just_asked) {
            let room = self.room(now_ms);
            self.window.room = self.window.room.max(room);
        }
        self.cancelled = None;
    }

    /// The transaction under way was committed with so many new claims; these items may be claimed for a slot
    /// alone. (One that was sent unclaimed, while the store was full, may be claimed in flight.)
    fn claimed(&mut self, claims: usize, in_slots: &BTreeSet<Seq>) -> Result<(), String> {
        self.writes_answer &= claims == 0;
        if let Some(room) = self.room.filter(|room| claims as i64 > *room) {
            return Err(format!("{claims} new claims in one transaction; there was room for {room}"));
        }
        let held = in_slots.union(&self.in_flight).count();
        if held > self.max as usize {
            let (claims, max) = (in_slots.len(), self.max);
            return Err(format!(
                "{held} need a slot, {claims} of them for a new claim; the maximum is {max}"
            ));
        }
        Ok(())
    }

    /// A transaction is asked: it holds the claims taken since the last one that was not an answer.
    fn asked(&mut self, now_ms: u64, fence: Option<Fence>, known: Option<Fence>, writes: &[Write]) {
        let room = self.room(now_ms);
        self.window.room = self.window.room.max(room);
        if self.writes_answer {
            // It held no claims: those taken before it may be in this one.
            self.window.since_ms = self.judged.since_ms;
            self.window.room = self.window.room.max(self.judged.room);
        }
        self.judged = self.window;
        let same = fence.is_some() && self.fence == known;
        let short = now_ms - self.judged.since_ms < YOUNG_MS;
        let ends = |write: &&Write| matches!(write, Write::Delete { .. } | Write::Bury { .. });
        let ended = writes.iter().filter(ends).count() as i64;
        let ahead = if self.limit < self.max { 0 } else { (2 * ended).min(AHEAD) };
        self.room = (same && short && !self.unsure).then_some(self.judged.room + ahead);
        self.in_flight = self.flights.keys().map(|attempt| attempt.seq).collect();
        self.fence = known;
        self.window = Window { since_ms: now_ms, room: i64::MIN };
        let of_an_answer = |write: &Write| matches!(write, Write::Delete { .. } | Write::Put { .. });
        self.writes_answer = self.answer == Answer::Given && writes.iter().all(of_an_answer);
        if self.answer == Answer::Given {
            self.answer = Answer::None;
        }
        self.just_asked = true;
    }
}

/// Whether an item may be claimed for a slot alone: it was claimed before, or its attempts are limited (R2).
fn needs_a_slot(world: &World, facts: &Facts, tab: u32, claim: &facts::Claim) -> bool {
    let item = facts.row(claim.seq).and_then(|row| row.item.as_ref());
    let Some((item, page)) = item.zip(world.page(tab)) else { return false };
    let mutator = page.outbox.config().mutators.get(&*item.mutator_name);
    claim.attempt > 1 || mutator.is_some_and(|mutator| mutator.max_attempts.is_some())
}

#[cfg(test)]
mod tests {
    use outbox::SerializedError;

    use super::*;
    use crate::oracle::tamper::{dispatched, resolved, story, told, truth};

    #[test]
    fn a_slow_start_after_a_failure_is_in_order() {
        let mut scenario = story(&[(100, "a"), (200, "b"), (200, "c"), (200, "d"), (200, "e")]);
        let refuse = crate::scenario::What::Refuse;
        scenario.faults.push(crate::oracle::tamper::at_attempt(1, 1, refuse));
        assert_eq!(truth(&mut Concurrency::default(), &scenario), None);
    }

    #[test]
    fn one_too_many_rings() {
        let mut scenario = story(&[(100, "a"), (100, "b")]);
        scenario.options.max_concurrency = 1;
        let found = told(&mut Concurrency::default(), &scenario, |moment, tell| {
            if resolved(moment).is_none() {
                tell(moment);
            }
        });
        assert_eq!(found.as_deref(), Some("#2/1@1 makes 2 in flight; the maximum is 1"));
    }

    #[test]
    fn a_dispatch_while_paused_or_offline_rings() {
        let before_dispatch = |input: Input| {
            told(&mut Concurrency::default(), &story(&[(100, "a")]), move |moment, tell| {
                if let (Some(_), Moment::Effect { tab, .. }) = (dispatched(moment), moment) {
                    tell(&Moment::Input { tab: *tab, input: &input });
                }
                tell(moment);
            })
        };
        let paused = before_dispatch(Input::Pause { call: CallId(77), reason: "auth".into() });
        assert_eq!(paused.as_deref(), Some("#1/1@1 is dispatched while paused for \"auth\""));
        let offline = before_dispatch(Input::Online(false));
        assert_eq!(offline.as_deref(), Some("#1/1@1 was taken while online and is dispatched offline"));
    }

    #[test]
    fn a_full_start_after_a_failure_rings() {
        // The first item is said to have failed without an answer; the page, who knows better, goes on.
        let scenario = story(&[(100, "a"), (200, "b"), (200, "c"), (200, "d"), (200, "e")]);
        let found =
            told(&mut Concurrency::default(), &scenario, |moment, tell| match (resolved(moment), moment) {
                (Some((attempt, _)), Moment::Input { tab, .. }) if attempt.seq.0 == 1 => {
                    let error = SerializedError::new("ConnectError", "refused");
                    let failure = Failure { class: Class::Transport, error, retry_after_ms: None };
                    let outcome = AttemptOutcome::Failure(failure);
                    tell(&Moment::Input { tab: *tab, input: &Input::Resolved { attempt, outcome } });
                }
                _ => tell(moment),
            });
        assert!(found.is_some_and(|what| what.contains("new claims in one transaction; there was room for")));
    }
}
