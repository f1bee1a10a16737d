//! Backoff, `Retry-After` and triggers (R10, R11, R13), modelled from what a page is given and asks for.
//!
//! - `AttemptFailed` after the n-th attempt, at T in the page's own time, names a time in [T + w/2, T + w]
//!   (T + w without jitter), w = min(2^(n-1), 60) s; with `Retry-After` r, no sooner than T + r and no later
//!   than the larger of both, r clamped to 24 h.
//! - The record that says so is written with that time, or an earlier one if a trigger has acted since, or
//!   one that is over as well if that time is (a claim was taken back, R5); and with `retryAfter` = T + r.
//! - Attempt n + 1 is not dispatched before that time (as stored, if another page recorded it, clamped when
//!   it was acquired, R30), unless a trigger that may pull the item has acted since; and never before T + r.
//! - Which triggers may: each item once until a wait of its own has run out by itself; an online edge pulls
//!   transport failures always; init none whose last claim has no recorded result; the first success after a
//!   transport failure pulls transport failures.
//! - A trigger within 5 s of the last is deferred: the page has a timer no later than the end of the 5 s.

use std::collections::BTreeMap;

use outbox::{
    AttemptId, AttemptOutcome, Class, Effect, Event, Failure, Input, Item, ItemId, Outcome, Seq, Timestamp,
    Trigger,
};

use super::{Facts, Oracle};
use crate::{moment::Moment, world::World};

/// The longest backoff (R10).
const CAP_MS: u64 = 60_000;
/// The longest `Retry-After` (R11).
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Triggers act at most this often (R13).
const SPACING_MS: u64 = 5_000;

/// The judge.
#[derive(Debug, Default)]
pub struct Backoff {
    tabs: BTreeMap<u32, Tab>,
}

/// One page.
#[derive(Debug, Default)]
struct Tab {
    /// The moment of the input that is being handled.
    input: u64,
    /// The failure that is being handled, if it is one.
    failure: Option<(AttemptId, Class, Option<u64>)>,
    /// The input that is being handled is a success; whether it counts is seen by what it settles (R14).
    success: bool,
    /// The attempt that was cancelled last in this input.
    cancelled: Option<AttemptId>,
    waits: BTreeMap<Seq, Wait>,
    triggers: Triggers,
    /// The timer that it has asked for.
    sleep: Option<Timestamp>,
}

/// An item that failed, or was interrupted, and will be tried again; times are the page's own.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// The attempt that failed.
    attempt: u32,
    due: Timestamp,
    /// Its `Retry-After`.
    floor: Option<Timestamp>,
    /// The moment of the input that set it.
    set: u64,
    class: Option<Class>,
    /// The attempt has no recorded result.
    claimed: bool,
    /// A trigger pulled it, and no wait of its own has run out since.
    spent: bool,
}

/// When triggers have acted: the moments of the inputs, 0 for never.
#[derive(Debug, Default)]
struct Triggers {
    online: Option<bool>,
    last: Option<Timestamp>,
    deferred: Option<(Timestamp, bool)>,
    init_pending: bool,
    /// A transport failure came since the last success.
    transport_failed: bool,
    any: u64,
    online_edge: u64,
    init: u64,
    success: u64,
}

impl Oracle for Backoff {
    fn name(&self) -> &'static str {
        "backoff"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R10", "R11", "R13", "R30"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => drop(self.tabs.insert(*tab, Tab::default())),
            Moment::Ended { tab, .. } => drop(self.tabs.remove(tab)),
            Moment::Input { tab: number, input } => {
                let (Some(tab), Some(page)) = (self.tabs.get_mut(number), world.page(*number)) else {
                    return Ok(());
                };
                tab.given(world.time_of(page), facts, input);
            }
            Moment::Effect { tab: number, effect } => {
                let (Some(tab), Some(page)) = (self.tabs.get_mut(number), world.page(*number)) else {
                    return Ok(());
                };
                return tab.wants(world.time_of(page), world, facts, *number, effect);
            }
            Moment::Ran { tab: number, page, request: Effect::Persist { .. }, .. } => {
                let Some(tab) = self.tabs.get(number) else { return Ok(()) };
                if facts.page(*number).is_some_and(|open| open.id.page == *page) {
                    return world
                        .page(*number)
                        .map_or(Ok(()), |page| tab.recorded(world.time_of(page), facts));
                }
            }
            Moment::Handled { tab, .. } => {
                let Some(tab) = self.tabs.get_mut(tab) else { return Ok(()) };
                tab.cancelled = None;
                let (sleep, deferred) = (tab.sleep, tab.triggers.deferred);
                if let Some((at, _)) = deferred
                    && sleep.is_none_or(|until| until > at)
                {
                    return Err(format!("a trigger is deferred to {at}; the page sleeps until {sleep:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Tab {
    fn given(&mut self, now: Timestamp, facts: &Facts, input: &Input) {
        self.input = facts.moment;
        self.failure = None;
        self.success = matches!(input, Input::Resolved { outcome: AttemptOutcome::Success { .. }, .. });
        self.triggers.given(now, facts.moment, input);
        if let Input::Resolved { attempt, outcome: AttemptOutcome::Failure(failure) } = input {
            let Failure { class, retry_after_ms, .. } = failure;
            self.failure = Some((*attempt, *class, *retry_after_ms));
        }
        self.triggers.expire(now, facts.moment);
    }

    fn wants(
        &mut self,
        now: Timestamp,
        world: &World,
        facts: &Facts,
        number: u32,
        effect: &Effect,
    ) -> Result<(), String> {
        match effect {
            Effect::Sleep { until } => self.sleep = *until,
            Effect::Cancel(attempt) => self.cancelled = Some(*attempt),
            Effect::Notify(Event::Resolved { outcome: Outcome::Committed { .. }, .. }) if self.success => {
                if std::mem::take(&mut self.triggers.transport_failed) {
                    self.triggers.success = self.input;
                }
            }
            Effect::Notify(Event::Resolved { outcome: Outcome::Dropped { .. }, .. }) => {
                let answered = self.failure.as_ref().is_none_or(|(_, class, _)| *class != Class::Transport);
                self.triggers.transport_failed |= self.cancelled.is_some() || !answered;
            }
            Effect::Notify(Event::Leading(true)) => self.acquired(now, facts),
            Effect::Notify(Event::Leading(false)) => self.waits.clear(),
            Effect::Notify(Event::AttemptFailed { id, attempt, next_attempt_at, .. }) => {
                let jitter = world.scenario.options.jitter;
                return self.failed(now, jitter, id, *attempt, *next_attempt_at);
            }
            Effect::Dispatch { attempt, item, .. } => {
                debug_assert!(facts.page(number).is_some(), "a page that dispatches is open");
                return self.dispatched(now, *attempt, item);
            }
            _ => {}
        }
        Ok(())
    }

    /// What is stored when this page begins to lead is what its waits begin with.
    fn acquired(&mut self, now: Timestamp, facts: &Facts) {
        self.waits.clear();
        for (seq, row) in facts.rows() {
            let Some(item) = row.item.as_ref().filter(|item| item.retry_count > 0) else { continue };
            let floor = item.retry_after.map(|at| at.min(now.plus_ms(DAY_MS)));
            let latest = now.plus_ms(CAP_MS).max(floor.unwrap_or(Timestamp::ZERO));
            let wait = Wait {
                attempt: item.retry_count,
                due: item.next_attempt_at.min(latest),
                floor: floor.filter(|_| !item.claimed),
                set: self.input,
                class: item.last_class,
                claimed: item.claimed,
                spent: false,
            };
            self.waits.insert(seq, wait);
        }
        if std::mem::take(&mut self.triggers.init_pending) {
            self.triggers.init = self.input;
        }
    }

    fn failed(
        &mut self,
        now: Timestamp,
        jitter: bool,
        id: &ItemId,
        attempt: u32,
        next: Timestamp,
    ) -> Result<(), String> {
        let timeout = self.cancelled.take().filter(|cancelled| cancelled.attempt == attempt);
        let timeout = timeout.map(|cancelled| (cancelled, Class::Transport, None));
        let resolved = || self.failure.take().filter(|(failed, ..)| failed.attempt == attempt);
        let Some((failed, class, retry_after_ms)) = timeout.or_else(resolved) else {
            return Err(format!("attempt {attempt} of {id} is said to have failed; nothing says how"));
        };
        let window_ms = window_ms(attempt);
        let floor_ms = retry_after_ms.map(|ms| ms.min(DAY_MS));
        let least_ms = (if jitter { window_ms / 2 } else { window_ms }).max(floor_ms.unwrap_or(0));
        let most_ms = window_ms.max(floor_ms.unwrap_or(0));
        if !(now.plus_ms(least_ms)..=now.plus_ms(most_ms)).contains(&next) {
            let got_ms = next.since_ms(now);
            return Err(format!(
                "{failed} of {id} failed and waits {got_ms} ms, not {least_ms} to {most_ms}"
            ));
        }
        self.triggers.transport_failed |= class == Class::Transport;
        let spent = self.waits.get(&failed.seq).is_some_and(|wait| wait.spent);
        let floor = floor_ms.map(|ms| now.plus_ms(ms));
        let class = Some(class);
        let wait = Wait { attempt, due: next, floor, set: self.input, class, claimed: false, spent };
        self.waits.insert(failed.seq, wait);
        Ok(())
    }

    /// Records of failures say what was told.
    fn recorded(&self, now: Timestamp, facts: &Facts) -> Result<(), String> {
        for (seq, wait) in &self.waits {
            let Some(row) = facts.row(*seq).filter(|row| row.written.moment == facts.moment) else {
                continue;
            };
            let Some(item) = &row.item else { continue };
            if item.claimed || item.retry_count != wait.attempt || wait.claimed {
                continue;
            }
            let pulled = item.next_attempt_at < wait.due && self.may_be_pulled(wait);
            let over = (wait.due..=now).contains(&item.next_attempt_at);
            if item.next_attempt_at != wait.due && !pulled && !over {
                let (stored, due) = (item.next_attempt_at, wait.due);
                return Err(format!("{seq} waits until {due}; its record says {stored}"));
            }
            if item.retry_after != wait.floor {
                let (stored, floor) = (item.retry_after, wait.floor);
                return Err(format!("{seq} is not sent before {floor:?}; its record says {stored:?}"));
            }
        }
        Ok(())
    }

    fn dispatched(&mut self, now: Timestamp, attempt: AttemptId, item: &Item) -> Result<(), String> {
        let Some(wait) = self.waits.get(&attempt.seq).copied() else { return Ok(()) };
        if wait.attempt + 1 != attempt.attempt {
            return Ok(());
        }
        if let Some(floor) = wait.floor.filter(|floor| now < *floor) {
            let early_ms = floor.since_ms(now);
            return Err(format!("{attempt} ({}) is {early_ms} ms before its Retry-After", item.id));
        }
        let early = now < wait.due;
        if early && !self.may_be_pulled(&wait) {
            let early_ms = wait.due.since_ms(now);
            return Err(format!(
                "{attempt} ({}) is {early_ms} ms before its backoff ends; no trigger may pull it",
                item.id
            ));
        }
        if let Some(wait) = self.waits.get_mut(&attempt.seq) {
            wait.spent = early;
        }
        Ok(())
    }

    /// Whether a trigger that may pull this item has acted since its wait began.
    fn may_be_pulled(&self, wait: &Wait) -> bool {
        let since = |acted: u64| acted >= wait.set;
        let transport = wait.class == Some(Class::Transport);
        let triggers = &self.triggers;
        let once = since(triggers.any)
            || (transport && since(triggers.success))
            || (!wait.claimed && since(triggers.init));
        (once && !wait.spent) || (transport && since(triggers.online_edge))
    }
}

impl Triggers {
    fn given(&mut self, now: Timestamp, moment: u64, input: &Input) {
        match input {
            Input::Online(online) => {
                let edge = *online && self.online == Some(false);
                self.online = Some(*online);
                if edge {
                    self.trigger(now, moment, true);
                }
            }
            Input::Wake(Trigger::Init) => self.init_pending = true,
            Input::Wake(Trigger::Visible | Trigger::Focus) => self.trigger(now, moment, false),
            _ => {}
        }
    }

    fn trigger(&mut self, now: Timestamp, moment: u64, edge: bool) {
        match self.last.map(|last| last.plus_ms(SPACING_MS)).filter(|at| *at > now) {
            None => self.act(now, moment, edge),
            Some(at) => {
                let edge = edge || self.deferred.is_some_and(|(_, edge)| edge);
                self.deferred = Some((at, edge));
            }
        }
    }

    fn act(&mut self, now: Timestamp, moment: u64, edge: bool) {
        (self.last, self.deferred, self.any) = (Some(now), None, moment);
        if edge {
            self.online_edge = moment;
        }
    }

    fn expire(&mut self, now: Timestamp, moment: u64) {
        if let Some((at, edge)) = self.deferred
            && at <= now
        {
            self.act(now, moment, edge);
        }
    }
}

/// The window after the n-th failure (R10).
fn window_ms(failures: u32) -> u64 {
    match failures {
        0 => 0,
        1..=6 => 1000 << (failures - 1),
        _ => CAP_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        oracle::tamper::{at_attempt, resolved, story, told, truth},
        scenario::{RetryAfter, Scenario, What},
    };

    /// The first attempt is answered by 503 and `Retry-After: 5`.
    fn unavailable() -> Scenario {
        let mut scenario = story(&[(100, "a")]);
        let what = What::Unavailable { status: 503, retry_after: RetryAfter::Seconds(5) };
        scenario.faults.push(at_attempt(1, 1, what));
        scenario
    }

    #[test]
    fn waiting_as_asked_is_in_order() {
        assert_eq!(truth(&mut Backoff::default(), &unavailable()), None);
    }

    #[test]
    fn a_wait_that_is_too_short_rings() {
        let found =
            told(&mut Backoff::default(), &unavailable(), |moment, tell| match (resolved(moment), moment) {
                (Some((attempt, AttemptOutcome::Failure(failure))), Moment::Input { tab, .. }) => {
                    let failure = Failure { retry_after_ms: Some(6_000), ..failure.clone() };
                    let outcome = AttemptOutcome::Failure(failure);
                    tell(&Moment::Input { tab: *tab, input: &Input::Resolved { attempt, outcome } });
                }
                _ => tell(moment),
            });
        assert_eq!(found.as_deref(), Some("#1/1@1 of i1 failed and waits 5000 ms, not 6000 to 6000"));
    }

    /// After the failure the item is dispatched at once, and before that `first` happens.
    fn dispatched_at_once(scenario: &Scenario, first: Option<&Input>) -> Option<String> {
        let mut sent = None;
        told(&mut Backoff::default(), scenario, |moment, tell| {
            tell(moment);
            match moment {
                Moment::Effect { effect: Effect::Dispatch { attempt, item, .. }, .. } => {
                    sent = Some((*attempt, item.clone()));
                }
                Moment::Effect { tab, effect: Effect::Notify(Event::AttemptFailed { .. }) } => {
                    if let Some(input) = first {
                        tell(&Moment::Input { tab: *tab, input });
                    }
                    let (first, item) = sent.clone().expect("it was sent before it failed");
                    let attempt = outbox::AttemptId { attempt: 2, ..first };
                    let deadline = item.created_at;
                    tell(&Moment::Effect {
                        tab: *tab,
                        effect: &Effect::Dispatch { attempt, item, deadline },
                    });
                }
                _ => {}
            }
        })
    }

    #[test]
    fn an_early_attempt_rings_unless_a_trigger_pulls_it() {
        let mut refused = story(&[(100, "a")]);
        refused.faults.push(at_attempt(1, 1, What::Refuse));
        let found = dispatched_at_once(&refused, None);
        assert_eq!(
            found.as_deref(),
            Some("#1/2@1 (i1) is 1000 ms before its backoff ends; no trigger may pull it")
        );
        let visible = Input::Wake(Trigger::Visible);
        assert_eq!(dispatched_at_once(&refused, Some(&visible)), None);
        let floored = dispatched_at_once(&unavailable(), Some(&visible));
        assert_eq!(floored.as_deref(), Some("#1/2@1 (i1) is 5000 ms before its Retry-After"));
    }

    #[test]
    fn a_dropped_trigger_rings() {
        let found = told(&mut Backoff::default(), &unavailable(), |moment, tell| {
            if let Moment::Input { tab, input: Input::Resolved { .. } } = moment {
                let visible = Input::Wake(Trigger::Visible);
                tell(&Moment::Input { tab: *tab, input: &visible });
                tell(&Moment::Input { tab: *tab, input: &visible });
            }
            tell(moment);
        });
        assert!(found.is_some_and(|what| what.starts_with("a trigger is deferred to")));
    }
}
