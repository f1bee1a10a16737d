//! `Waiters`: who waits for which answer: calls for their reply, handles for their item's outcome.

use std::collections::BTreeMap;

use futures_channel::oneshot;
use outbox::{CallError, CallId, Event, ItemId, Outcome, Reply};

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
    calls: BTreeMap<CallId, AnswerSender>,
    items: BTreeMap<ItemId, Vec<oneshot::Sender<Outcome>>>,
}

impl Waiters {
    pub(crate) fn call(&mut self, call: CallId, answer: AnswerSender) {
        self.calls.insert(call, answer);
    }

    /// Answers a call. From here on its item is waited for: its outcome comes later.
    pub(crate) fn reply(&mut self, call: CallId, result: Result<Reply, CallError>) {
        let answer = result.map(|reply| match reply {
            Reply::Enqueued { id, seq: _ } => {
                let (tell, outcome) = oneshot::channel();
                self.items.entry(id.clone()).or_default().push(tell);
                Answer::Enqueued { id, outcome }
            }
            Reply::Done(done) => Answer::Done(done),
        });
        if let Some(caller) = self.calls.remove(&call) {
            let _ = caller.send(answer);
        }
    }

    /// Tells an outcome to those who wait for it.
    pub(crate) fn hear(&mut self, event: &Event) {
        let told = match event {
            // A squashed item's waiters get the survivor's outcome, which comes as `Resolved` (R17).
            Event::Settled { outcome: Outcome::Squashed { .. }, .. } => None,
            // A handle made while its item was settling has missed `Resolved`.
            Event::Resolved { id, outcome } | Event::Settled { id, outcome, .. } => Some((id, outcome)),
            _ => None,
        };
        let Some((id, outcome)) = told else { return };
        for waiter in self.items.remove(id).unwrap_or_default() {
            let _ = waiter.send(outcome.clone());
        }
    }
}
