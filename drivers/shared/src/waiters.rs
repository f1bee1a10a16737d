//! `Waiters`: who waits for which answer: calls for their reply, handles for their item's outcome.

use std::collections::{HashMap, hash_map::Entry};

use foldhash::fast::FixedState;
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
    calls: HashMap<CallId, AnswerSender, FixedState>,
    items: HashMap<ItemId, Waiting, FixedState>,
}

/// Those who wait for one item: mostly one, who costs no allocation.
#[derive(Debug)]
struct Waiting {
    first: OutcomeSender,
    others: Vec<OutcomeSender>,
}

impl Waiters {
    /// The reply to `call` goes to `answer`.
    pub fn call(&mut self, call: CallId, answer: AnswerSender) {
        self.calls.insert(call, answer);
    }

    /// `tell` waits for a pending item.
    pub fn item(&mut self, id: ItemId, tell: OutcomeSender) {
        match self.items.entry(id) {
            Entry::Vacant(nobody) => {
                nobody.insert(Waiting { first: tell, others: Vec::new() });
            }
            Entry::Occupied(mut waiting) => waiting.get_mut().join(tell),
        }
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
        waiting.into_iter().flat_map(|(Waiting { first, others }, outcome)| {
            std::iter::once(first).chain(others).map(move |waiter| (waiter, outcome.clone()))
        })
    }
}

impl Waiting {
    /// One more, in the place of one that went away if there is such a one.
    fn join(&mut self, tell: OutcomeSender) {
        self.others.retain(|waiter| !waiter.is_canceled());
        if self.first.is_canceled() {
            self.first = tell;
        } else {
            self.others.push(tell);
        }
    }
}
