//! `Flights`: the attempts under way, each in a task of its own.

use std::{
    any::Any,
    collections::HashMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use outbox::{AttemptId, AttemptOutcome, Class, Failure, Input, Item, SerializedError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field, info_span};

use super::Engine;
use crate::attempt::{MutatorFn, RawAttempt};

/// How long a cancelled mutator may go on, to clean up or to tell of a late success (R14).
const CANCELLED_GRACE: Duration = Duration::from_secs(5);

/// The attempts under way. Dropping it ends them all.
#[derive(Default)]
pub(crate) struct Flights {
    cancels: HashMap<AttemptId, CancellationToken>,
    aborted: CancellationToken,
}

/// An attempt that is to begin.
pub(crate) struct Flight {
    attempt: AttemptId,
    item: Arc<Item>,
    deadline: Instant,
    mutator: MutatorFn,
    cancelled: CancellationToken,
    aborted: CancellationToken,
}

impl Flights {
    pub(crate) fn begin(
        &mut self,
        attempt: AttemptId,
        item: Arc<Item>,
        deadline: Instant,
        mutator: &MutatorFn,
    ) -> Flight {
        let cancelled = CancellationToken::new();
        self.cancels.insert(attempt, cancelled.clone());
        let (mutator, aborted) = (MutatorFn::clone(mutator), self.aborted.clone());
        Flight { attempt, item, deadline, mutator, cancelled, aborted }
    }

    /// Asks an attempt to stop; one that has ended is none of it.
    pub(crate) fn cancel(&self, attempt: AttemptId) {
        if let Some(cancelled) = self.cancels.get(&attempt) {
            cancelled.cancel();
        }
    }

    fn ended(&mut self, attempt: AttemptId) {
        self.cancels.remove(&attempt);
    }

    /// How many have not ended.
    pub(crate) fn under_way(&self) -> usize {
        self.cancels.len()
    }
}

impl Drop for Flights {
    fn drop(&mut self) {
        for cancelled in self.cancels.values() {
            cancelled.cancel();
        }
        self.aborted.cancel();
    }
}

impl Flight {
    /// The attempt's task: sends, and hands the outcome in.
    pub(crate) async fn fly(self, engine: Arc<Engine>) {
        let Self { attempt, item, deadline, mutator, cancelled, aborted } = self;
        let mut landing = Landing { engine, attempt, outcome: None };
        // Nobody's child: whose thread happens to start it says nothing about it.
        let span = info_span!(parent: None, "attempt", item = %item.id, mutator = &*item.mutator_name,
            attempt = attempt.attempt, outcome = field::Empty);
        let flight = async move {
            let raw = RawAttempt { item, number: attempt.attempt, cancelled: cancelled.clone(), deadline };
            // The mutator is called in there: a panic before its first await is caught as well.
            let sending = caught(async move { mutator(raw).await });
            let outcome = tokio::select! {
                biased;
                outcome = sending => Some(outcome.unwrap_or_else(|panic| died(panic.as_ref()))),
                () = grace_over(&cancelled) => None,
                () = aborted.cancelled() => None,
            };
            Span::current().record("outcome", told(outcome.as_ref()));
            outcome
        };
        landing.outcome = flight.instrument(span).await;
    }
}

/// Tells the engine of an attempt's end, however it ends.
struct Landing {
    engine: Arc<Engine>,
    attempt: AttemptId,
    /// `None`: nothing to tell.
    outcome: Option<AttemptOutcome>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let (attempt, outcome) = (self.attempt, self.outcome.take());
        let _ = self.engine.with(|running| {
            running.parts.flights.ended(attempt);
            if let Some(outcome) = outcome {
                running.step(Input::Resolved { attempt, outcome });
            }
            self.engine.arrived();
        });
    }
}

async fn grace_over(cancelled: &CancellationToken) {
    cancelled.cancelled().await;
    tokio::time::sleep(CANCELLED_GRACE).await;
}

/// The future's value, or what it panicked with.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // A future that has panicked is not polled again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// A mutator that panics has failed like any other [its lane must not hang] (R12).
fn died(panic: &(dyn Any + Send)) -> AttemptOutcome {
    let error = SerializedError::new("PanicError", panic_message(panic));
    AttemptOutcome::Failure(Failure { class: Class::Server, error, retry_after_ms: None })
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
