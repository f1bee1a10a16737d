//! `Events`: what the outbox tells its subscribers.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use outbox::Event;
use thiserror::Error;

/// How many events a subscriber may fall behind before it loses the oldest.
const EVENTS_KEPT: usize = 1024;

/// A stream of [`Event`]s from the moment of subscription. It ends when the executor stops.
///
/// A slow subscriber never holds the outbox up: beyond 1,024 events the oldest are lost, and the stream
/// says how many.
#[derive(Debug)]
pub struct Events(Rc<RefCell<Queue>>);

/// A subscriber was too slow, and missed events. The next ones follow; the state they told of can be
/// asked for: [`Executor::pending`](crate::Executor::pending),
/// [`Executor::failures`](crate::Executor::failures).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{missed} events were missed: the subscriber was more than 1,024 behind; ask for the state anew")]
pub struct Lagged {
    /// How many.
    pub missed: u64,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    missed: u64,
    has_ended: bool,
    waker: Option<Waker>,
}

/// All subscribers.
#[derive(Default)]
pub(crate) struct Subscribers(RefCell<Vec<Weak<RefCell<Queue>>>>);

impl Events {
    /// The next event; `None` when the executor has stopped.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Result<Event, Lagged>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Result<Event, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut queue = self.0.borrow_mut();
        if queue.missed > 0 {
            return Poll::Ready(Some(Err(Lagged { missed: std::mem::take(&mut queue.missed) })));
        }
        match queue.events.pop_front() {
            Some(event) => Poll::Ready(Some(Ok(event))),
            None if queue.has_ended => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Subscribers {
    pub(crate) fn subscribe(&self, has_ended: bool) -> Events {
        let queue = Rc::new(RefCell::new(Queue { has_ended, ..Queue::default() }));
        self.0.borrow_mut().push(Rc::downgrade(&queue));
        Events(queue)
    }

    pub(crate) fn tell(&self, event: &Event) {
        self.each(|queue| {
            if queue.events.len() == EVENTS_KEPT {
                queue.events.pop_front();
                queue.missed += 1;
            }
            queue.events.push_back(event.clone());
        });
    }

    pub(crate) fn end(&self) {
        self.each(|queue| queue.has_ended = true);
    }

    fn each(&self, change: impl Fn(&mut Queue)) {
        self.0.borrow_mut().retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            change(&mut queue.borrow_mut());
            let waker = queue.borrow_mut().waker.take();
            if let Some(waker) = waker {
                waker.wake(); // tasks run later, never in here
            }
            true
        });
    }
}
