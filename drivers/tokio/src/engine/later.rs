//! `Later`: what an effect comes to that may run code of the app, done once the lock is released.

use std::sync::Arc;

use outbox::{CallError, Event, Outcome};
use outbox_driver::{Answer, AnswerSender, OutcomeSender};

use super::{Engine, flights::Flight, hook::Question};

/// One thing to do without the lock. What waits for it can tell no order between it and what another
/// thread does: each goes to one receiver, or bears a token that says whether it is still wanted.
pub(crate) enum Later {
    /// Answers a call.
    Answer(AnswerSender, Result<Answer, CallError>),
    /// Tells an outcome.
    Outcome(OutcomeSender, Outcome),
    /// Starts an attempt.
    Dispatch(Flight),
    /// Asks the hook.
    Ask(Question),
    /// Tells the log.
    Log(Event),
}

impl Later {
    /// Whether it lets someone go on who may then have something to store.
    pub(crate) fn wakes_someone(&self) -> bool {
        matches!(self, Self::Answer(..) | Self::Dispatch(_))
    }

    /// Whoever asked may be gone: what was asked for is done all the same.
    pub(crate) fn carry_out(self, engine: &Arc<Engine>) {
        match self {
            Self::Answer(caller, answer) => drop(caller.send(answer)),
            Self::Outcome(waiter, outcome) => drop(waiter.send(outcome)),
            Self::Dispatch(flight) => drop(engine.runtime().spawn(flight.fly(Arc::clone(engine)))),
            Self::Ask(question) => drop(engine.runtime().spawn(question.put(Arc::clone(engine)))),
            Self::Log(event) => log(&event),
        }
    }
}

fn log(event: &Event) {
    match event {
        Event::StorageFailed(_)
        | Event::HookFailed(_)
        | Event::Stuck { .. }
        | Event::Parked { .. }
        | Event::Quarantined { .. } => tracing::warn!(?event),
        _ => tracing::debug!(?event),
    }
}
