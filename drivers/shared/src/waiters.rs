//! `Waiters`: who waits for which answer: calls for their reply, handles for their item's outcome.

use std::collections::HashMap;

use futures_channel::oneshot;
use outbox::{CallError, CallId, Event, ItemId, Outcome, Reply};

/// What a call of the app came to.
#[derive(Debug)]
pub enum Answer {
    /// Stored; its outcome will come here.
    Enqueued {
        /// The item.
        id: ItemId,
        /// Where its outcome will come.
        outcome: oneshot::Receiver<Outcome>,
    },
    /// Whether storage had it to do.
    Done(bool),
}

/// Answers a call.
pub type AnswerSender = oneshot::Sender<Result<Answer, CallError>>;

/// Tells an item's outcome.
pub type OutcomeSender = oneshot::Sender<Outcome>;

/// Callers and handles of one executor.
///
/// Nothing is sent in here: what is to be told is given back, for a driver that must release a lock first.
/// Callers that went away are no error: what they asked for is done all the same.
#[derive(Debug, Default)]
pub struct Waiters {
    calls: HashMap<CallId, AnswerSender>,
    items: HashMap<ItemId, Vec<OutcomeSender>>,
}

impl Waiters {
    /// The reply to `call` goes to `answer`.
    pub fn call(&mut self, call: CallId, answer: AnswerSender) {
        self.calls.insert(call, answer);
    }

    /// `tell` waits for a pending item.
    pub fn item(&mut self, id: ItemId, tell: OutcomeSender) {
        let waiting = self.items.entry(id).or_default();
        waiting.retain(|waiter| !waiter.is_canceled());
        waiting.push(tell);
    }

    /// Answers a call. From here on its item is waited for: its outcome comes later.
    pub fn reply(
        &mut self,
        call: CallId,
        result: Result<Reply, CallError>,
    ) -> Option<(AnswerSender, Result<Answer, CallError>)> {
        let answer = result.map(|reply| match reply {
            Reply::Enqueued { id, seq: _ } => {
                let (tell, outcome) = oneshot::channel();
                self.item(id.clone(), tell);
                Answer::Enqueued { id, outcome }
            }
            Reply::Done(done) => Answer::Done(done),
        });
        Some((self.calls.remove(&call)?, answer))
    }

    /// Tells an outcome to those who wait for it.
    pub fn hear(&mut self, event: &Event) -> impl Iterator<Item = (OutcomeSender, Outcome)> + use<> {
        let told = match event {
            // A squashed item's waiters get the survivor's outcome, which comes as `Resolved` (R17).
            Event::Settled { outcome: Outcome::Squashed { .. }, .. } => None,
            // A handle made while its item was settling has missed `Resolved`.
            Event::Resolved { id, outcome } | Event::Settled { id, outcome, .. } => Some((id, outcome)),
            _ => None,
        };
        let waiting = told.and_then(|(id, outcome)| Some((self.items.remove(id)?, outcome.clone())));
        waiting
            .into_iter()
            .flat_map(|(waiting, outcome)| waiting.into_iter().map(move |waiter| (waiter, outcome.clone())))
    }
}
