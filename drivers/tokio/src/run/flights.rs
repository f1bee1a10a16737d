//! `Flights`: the attempts under way, each in a task of its own.

use std::{any::Any, collections::HashMap, sync::Arc, time::Duration};

use outbox::{AttemptId, AttemptOutcome, Class, Failure, Input, Item, SerializedError};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field, info_span};

use crate::attempt::{MutatorFn, RawAttempt};

/// How long a cancelled mutator may go on, to clean up or to tell of a late success (R14).
const CANCELLED_GRACE: Duration = Duration::from_secs(5);

/// The attempts under way. Dropping it aborts them all.
#[derive(Default)]
pub(crate) struct Flights {
    tasks: JoinSet<Option<AttemptOutcome>>,
    attempts: HashMap<Id, AttemptId>,
    cancels: HashMap<AttemptId, CancellationToken>,
}

impl Flights {
    pub(crate) fn dispatch(
        &mut self,
        attempt: AttemptId,
        item: Arc<Item>,
        deadline: Instant,
        mutator: &MutatorFn,
    ) {
        let cancelled = CancellationToken::new();
        self.cancels.insert(attempt, cancelled.clone());
        let span = info_span!("attempt", item = %item.id, mutator = &*item.mutator_name,
            attempt = attempt.attempt, outcome = field::Empty);
        let mutator = MutatorFn::clone(mutator);
        let flight = async move {
            let raw = RawAttempt { item, number: attempt.attempt, cancelled: cancelled.clone(), deadline };
            // The mutator is called in its task: a panic before its first await is caught as well.
            let sending = async move { mutator(raw).await };
            let outcome = tokio::select! {
                outcome = sending => Some(outcome),
                () = grace_over(&cancelled) => None,
            };
            Span::current().record("outcome", told(outcome.as_ref()));
            outcome
        };
        let task = self.tasks.spawn(flight.instrument(span));
        self.attempts.insert(task.id(), attempt);
    }

    /// Asks an attempt to stop; one that has ended is none of it.
    pub(crate) fn cancel(&self, attempt: AttemptId) {
        if let Some(cancelled) = self.cancels.get(&attempt) {
            cancelled.cancel();
        }
    }

    /// The next attempt that ends by itself; `None` if none is under way.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Input> {
        loop {
            let (task, outcome) = match self.tasks.join_next_with_id().await? {
                Ok((task, outcome)) => (task, outcome),
                Err(error) => (error.id(), died(error)),
            };
            let attempt = self.attempts.remove(&task).expect("every task is entered when it is spawned");
            self.cancels.remove(&attempt);
            if let Some(outcome) = outcome {
                return Some(Input::Resolved { attempt, outcome });
            }
        }
    }

    /// Aborts all attempts.
    pub(crate) fn abort(&mut self) {
        for cancelled in self.cancels.values() {
            cancelled.cancel();
        }
        self.tasks.abort_all();
    }
}

async fn grace_over(cancelled: &CancellationToken) {
    cancelled.cancelled().await;
    tokio::time::sleep(CANCELLED_GRACE).await;
}

/// A mutator that panics has failed like any other [its lane must not hang] (R12).
fn died(error: JoinError) -> Option<AttemptOutcome> {
    let payload = error.try_into_panic().ok()?; // else aborted: nothing to tell
    let error = SerializedError::new("PanicError", panic_message(payload.as_ref()));
    Some(AttemptOutcome::Failure(Failure { class: Class::Server, error, retry_after_ms: None }))
}

/// What a panic said, if it said it in text.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked")
}

/// The span's word for an outcome.
fn told(outcome: Option<&AttemptOutcome>) -> &'static str {
    match outcome {
        Some(AttemptOutcome::Success { .. }) => "committed",
        Some(AttemptOutcome::Failure(Failure { class: Class::NonRetriable, .. })) => "refused",
        Some(AttemptOutcome::Failure(Failure { class: Class::Transport, .. })) => "no answer",
        Some(AttemptOutcome::Failure(_)) => "failed",
        None => "cancelled",
    }
}
