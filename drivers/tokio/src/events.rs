//! `Events`: what the outbox tells its subscribers.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use outbox::Event;
use thiserror::Error;
use tokio::sync::broadcast;
use tokio_stream::{
    Stream, StreamExt, wrappers::BroadcastStream, wrappers::errors::BroadcastStreamRecvError,
};

/// How many events a subscriber may fall behind before it loses the oldest.
pub(crate) const EVENTS_KEPT: usize = 1024;

/// A stream of [`Event`]s from the moment of subscription. It ends when the executor stops.
///
/// A slow subscriber never holds the outbox up: beyond 1,024 events the oldest are lost, and the stream
/// says how many.
#[derive(Debug)]
pub struct Events(Option<BroadcastStream<Event>>);

/// A subscriber was too slow, and missed events. The next ones follow; the state they told of can be
/// asked for: [`Executor::pending`](crate::Executor::pending),
/// [`Executor::failures`](crate::Executor::failures).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{missed} events were missed: the subscriber was more than 1,024 behind; ask for the state anew")]
pub struct Lagged {
    /// How many.
    pub missed: u64,
}

impl Events {
    /// `None`: the executor has stopped already.
    pub(crate) fn new(events: Option<broadcast::Receiver<Event>>) -> Self {
        Self(events.map(BroadcastStream::new))
    }

    /// The next event; `None` when the executor has stopped.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Result<Event, Lagged>> {
        StreamExt::next(self).await
    }
}

impl Stream for Events {
    type Item = Result<Event, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(events) = &mut self.0 else { return Poll::Ready(None) };
        let next = ready!(Pin::new(events).poll_next(cx));
        Poll::Ready(
            next.map(|event| event.map_err(|BroadcastStreamRecvError::Lagged(missed)| Lagged { missed })),
        )
    }
}
