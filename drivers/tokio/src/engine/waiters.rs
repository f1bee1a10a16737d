//! `Waiters`: who waits for which answer: calls for their reply, handles for their item's outcome.

use std::collections::HashMap;

use outbox::{CallError, CallId, Event, ItemId, Outcome, Reply};
use tokio::sync::oneshot;

use super::later::Later;

/// What a call of the app came to.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Stored; its outcome will come here.
    Enqueued { id: ItemId, outcome: oneshot::Receiver<Outcome> },
    /// Whether storage had it to do.
    Done(bool),
}

pub(crate) type AnswerSender = oneshot::Sender<Result<Answer, CallError>>;

/// Callers that went away are no error anywhere here: what they asked for is done all the same.
#[derive(Default)]
pub(crate) struct Waiters {
    calls: HashMap<CallId, AnswerSender>,
    items: HashMap<ItemId, Vec<oneshot::Sender<Outcome>>>,
}

impl Waiters {
    pub(crate) fn call(&mut self, call: CallId, answer: AnswerSender) {
        self.calls.insert(call, answer);
    }

    /// `tell` waits for a pending item.
    pub(crate) fn item(&mut self, id: ItemId, tell: oneshot::Sender<Outcome>) {
        let waiting = self.items.entry(id).or_default();
        waiting.retain(|waiter| !waiter.is_closed());
        waiting.push(tell);
    }

    /// Answers a call. From here on its item is waited for: its outcome comes later.
    pub(crate) fn reply(&mut self, call: CallId, result: Result<Reply, CallError>) -> Option<Later> {
        let answer = result.map(|reply| match reply {
            Reply::Enqueued { id, seq: _ } => {
                let (tell, outcome) = oneshot::channel();
                self.item(id.clone(), tell);
                Answer::Enqueued { id, outcome }
            }
            Reply::Done(done) => Answer::Done(done),
        });
        self.calls.remove(&call).map(|caller| Later::Answer(caller, answer))
    }

    /// Tells an outcome to those who wait for it.
    pub(crate) fn hear(&mut self, event: &Event) -> impl Iterator<Item = Later> + use<> {
        let told = match event {
            // A squashed item's waiters get the survivor's outcome, which comes as `Resolved` (R17).
            Event::Settled { outcome: Outcome::Squashed { .. }, .. } => None,
            // A handle made while its item was settling has missed `Resolved`.
            Event::Resolved { id, outcome } | Event::Settled { id, outcome, .. } => Some((id, outcome)),
            _ => None,
        };
        let waiting = told.and_then(|(id, outcome)| Some((self.items.remove(id)?, outcome.clone())));
        waiting.into_iter().flat_map(|(waiting, outcome)| {
            waiting.into_iter().map(move |waiter| Later::Outcome(waiter, outcome.clone()))
        })
    }
}
