//! Calls (R1, R4, R15, R18, R20): each call has one reply, nobody else has any, and a reply is true:
//! `Done(true)` if the store did it, `Done(false)` if the store had nothing to do.
//!
//! | after | compared |
//! |---|---|
//! | a reply | that its call is open; what it says, with what the store answered since the call |
//!
//! An enqueue that fails because the store refused it was refused alone: others in its transaction are not to
//! suffer from one (R4).
//!
//! A page that was told that a write of the call may or may not have been committed cannot know.

use std::collections::BTreeMap;

use outbox::{
    CallError, CallId, Effect, Event, Input, ItemId, Reply,
    storage::{StorageError, Write, WriteResult},
};

use super::{Facts, Oracle, per_tab::PerTab};
use crate::{moment::Moment, world::World};

/// The judge.
#[derive(Debug, Default)]
pub struct Calls {
    pages: PerTab<BTreeMap<CallId, Call>>,
    /// How many writes the last request had that each page was refused; a read has none.
    refused: PerTab<Option<usize>>,
}

#[derive(Debug)]
struct Call {
    about: About,
    /// The store did it.
    did: bool,
    /// The store had nothing to do.
    missing: bool,
    /// The page was told that nobody knows.
    unknown: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum About {
    /// `Enqueue`.
    Insert,
    /// `RetryFailure`: of this failure record.
    Retry(ItemId),
    Remove(ItemId),
    Dismiss(ItemId),
    Pause,
    Resume(String),
    /// `Register`: answered without the store.
    Register,
}

impl Oracle for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R1", "R4", "R15", "R18", "R20"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => self.pages.opened(*tab),
            Moment::Input { tab, input } => {
                if let Some((call, about)) = about(input) {
                    let open = Call { about, did: false, missing: false, unknown: false };
                    if self.pages.of(*tab).insert(call, open).is_some() {
                        return Err(format!("t{tab}: call {} is used twice", call.0));
                    }
                }
            }
            Moment::Effect { tab, effect: Effect::Reply { call, result } } => {
                let Some(open) = self.pages.of(*tab).remove(call) else {
                    return Err(format!("t{tab}: call {} is replied to and is not open", call.0));
                };
                if matches!(result, Err(CallError::Storage(error)) if *error != StorageError::Unknown) {
                    let refused = *self.refused.of(*tab);
                    open.may_fail(refused).map_err(|what| format!("t{tab}: call {} {what}", call.0))?;
                }
                if let Ok(reply) = result {
                    return open.check(world, facts, reply).map_err(|what| {
                        format!("t{tab}: call {} ({:?}) is told {reply:?}: {what}", call.0, open.about)
                    });
                }
            }
            Moment::Effect { tab, effect: Effect::Notify(Event::FailureEvicted { id }) } => {
                // It was the page itself that dismissed it, and the call was too late (R5, R15).
                let dismissals = self.pages.of(*tab).values_mut();
                for call in dismissals.filter(|call| matches!(&call.about, About::Dismiss(of) if of == id)) {
                    (call.did, call.missing) = (false, true);
                }
            }
            Moment::Ran { tab, page, answer: Input::Loaded { .. }, told, .. }
                if facts.page(*tab).is_some_and(|open| open.id.page == *page) =>
            {
                if matches!(told, Input::Loaded { result: Err(_), .. }) {
                    *self.refused.of(*tab) = Some(0);
                    return Ok(());
                }
                for call in self.pages.of(*tab).values_mut() {
                    call.missing |= matches!(&call.about, About::Retry(failure) if !has(world, failure));
                }
            }
            Moment::Ran { tab, page, request: Effect::Persist { writes, .. }, answer, told }
                if facts.page(*tab).is_some_and(|open| open.id.page == *page) =>
            {
                if matches!(told, Input::Persisted { result: Err(_), .. }) {
                    *self.refused.of(*tab) = Some(writes.len());
                }
                let open = self.pages.of(*tab);
                if !open.is_empty() {
                    ran(open, writes, answer, told);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn about(input: &Input) -> Option<(CallId, About)> {
    Some(match input {
        Input::Enqueue { call, .. } => (*call, About::Insert),
        Input::RetryFailure { call, failure, .. } => (*call, About::Retry(failure.clone())),
        Input::Remove { call, id } => (*call, About::Remove(id.clone())),
        Input::DismissFailure { call, id } => (*call, About::Dismiss(id.clone())),
        Input::Pause { call, .. } => (*call, About::Pause),
        Input::Register { call, .. } => (*call, About::Register),
        Input::Resume { call, reason } => (*call, About::Resume(reason.clone())),
        _ => return None,
    })
}

/// What the store did, for the calls that asked for it.
fn ran(open: &mut BTreeMap<CallId, Call>, writes: &[Write], answer: &Input, told: &Input) {
    let results = match answer {
        Input::Persisted { result: Ok(done), .. } => Some(&done.results),
        _ => None,
    };
    let unknown = matches!(told, Input::Persisted { result: Err(StorageError::Unknown), .. });
    for (at, write) in writes.iter().enumerate() {
        let mut about_it = open.values_mut().filter(|call| call.about.is_written_by(write));
        if unknown {
            about_it.for_each(|call| call.unknown = true); // and what was done is not theirs: they go again
            continue;
        }
        // Calls about the same are written in the order they were made.
        let Some(call) = about_it.find(|call| !(call.did || call.missing)) else { continue };
        let result = results.and_then(|results| results.get(at));
        call.did = matches!(result, Some(WriteResult::Done | WriteResult::Inserted(_)));
        call.missing = matches!(result, Some(WriteResult::Missing));
    }
}

/// Whether the store has this failure record.
fn has(world: &World, failure: &ItemId) -> bool {
    world.store.memory().failures().any(|(id, _)| id == failure)
}

impl About {
    fn is_written_by(&self, write: &Write) -> bool {
        match (self, write) {
            (Self::Retry(failure), Write::RetryFailure { failure: written, .. }) => failure == written,
            (Self::Remove(id), Write::Remove { id: written })
            | (Self::Dismiss(id), Write::DismissFailure { id: written }) => id == written,
            (Self::Resume(reason), Write::Resume { reason: written }) => **reason == **written,
            _ => false,
        }
    }
}

impl Call {
    /// What the store refused fails an insert only if it was alone in it (R4); a retry of a failure that is
    /// not known here fails with the read that was to find it (R15).
    fn may_fail(&self, refused: Option<usize>) -> Result<(), String> {
        match (&self.about, refused) {
            (About::Insert | About::Retry(_), Some(1)) | (About::Retry(_), Some(0)) => Ok(()),
            (About::Insert | About::Retry(_), Some(n)) => Err(format!("fails with a request of {n} writes")),
            (About::Insert | About::Retry(_), None) => Err("fails, and nothing was refused".into()),
            _ => Ok(()),
        }
    }

    fn check(&self, world: &World, facts: &Facts, reply: &Reply) -> Result<(), String> {
        match (reply, &self.about) {
            (Reply::Enqueued { .. }, About::Insert | About::Retry(_))
            | (Reply::Done(true), About::Pause | About::Register) => Ok(()),
            (Reply::Done(_), About::Insert | About::Pause | About::Register)
            | (Reply::Done(true), About::Retry(_))
            | (Reply::Enqueued { .. }, _) => Err("that is no reply to it".into()),
            _ if self.unknown => Ok(()),
            (Reply::Done(true), _) if self.did => Ok(()),
            (Reply::Done(true), _) => Err("the store has not done it".into()),
            (Reply::Done(false), _) if self.did => Err("the store did it".into()),
            (Reply::Done(false), _) if self.missing => Ok(()),
            (Reply::Done(false), About::Remove(id)) if facts.stored(id).is_none() => Ok(()),
            (Reply::Done(false), About::Retry(failure)) if !has(world, failure) => Ok(()),
            (Reply::Done(false), _) => Err("the store has it, and was not asked".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        oracle::tamper::{calm, effects, inputs, rang, truth},
        scenario::{Action, Scenario, Step},
    };

    /// An item is removed while it is paused, and another that is not there.
    fn removals() -> Scenario {
        let mut scenario = calm(1);
        let step = |at_ms, action| Step { at_ms, tab: 0, action };
        let pause = step(50, Action::Pause { reason: "user".into() });
        let removals = [step(200, Action::Remove { item: 1 }), step(300, Action::Remove { item: 7 })];
        scenario.steps.insert(1, pause);
        scenario.steps.extend(removals);
        scenario
    }

    #[test]
    fn true_replies_are_in_order() {
        assert_eq!(truth(&mut Calls::default(), &removals()), None);
    }

    #[test]
    fn a_reply_that_is_not_true_rings() {
        for (from, words) in [(true, "the store did it"), (false, "the store has not done it")] {
            let found = effects(&mut Calls::default(), &removals(), |effect| match effect {
                Effect::Reply { call, result: Ok(Reply::Done(done)) } if *done == from && call.0 > 2 => {
                    vec![Effect::Reply { call: *call, result: Ok(Reply::Done(!done)) }]
                }
                effect => vec![effect.clone()],
            });
            rang(found, words);
        }
    }

    #[test]
    fn a_second_reply_and_a_second_call_ring() {
        let found = effects(&mut Calls::default(), &calm(1), |effect| match effect {
            Effect::Reply { .. } => vec![effect.clone(), effect.clone()],
            effect => vec![effect.clone()],
        });
        rang(found, "is not open");
        let twice = |input: &Input| match input {
            Input::Enqueue { .. } => vec![input.clone(), input.clone()],
            input => vec![input.clone()],
        };
        rang(inputs(&mut Calls::default(), &calm(1), twice), "is used twice");
    }
}
