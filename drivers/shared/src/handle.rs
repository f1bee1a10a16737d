//! `Handle`: waits for the end of one item (R29).

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_channel::oneshot;
use outbox::{ItemId, Json, Outcome, SerializedError};
use serde::de::DeserializeOwned;

use crate::error::WaitError;

/// A stored item whose end can be awaited. Dropping it changes nothing for the item: it is sent whether or
/// not anybody waits.
///
/// `R` is what the item's mutator returns; [`Handle::typed`] names it.
pub struct Handle<R = Json> {
    id: ItemId,
    outcome: oneshot::Receiver<Outcome>,
    result: PhantomData<fn() -> R>,
}

/// How an item ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled<R> {
    /// The server has it. `None`: what the mutator returned is not known here; it was over 64 KiB, or
    /// another replica sent it and its answer was not kept (R29).
    Committed(Option<R>),
    /// Refused for good (R15); the executor's `failures` keep it until dismissed.
    Dropped(SerializedError),
    /// Taken out by the executor's `remove` or by the hook.
    Removed,
    /// It is no longer stored and left no failure record: committed or removed, unknown here (R29).
    Gone,
}

impl<R> Settled<R> {
    /// Whether the server has it for certain.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        matches!(self, Self::Committed(_))
    }
}

impl Handle {
    /// The end of this item will come by `outcome`; if that is closed, the executor has stopped.
    #[must_use]
    pub fn new(id: ItemId, outcome: oneshot::Receiver<Outcome>) -> Self {
        Self { id, outcome, result: PhantomData }
    }
}

impl<R> Handle<R> {
    /// The item.
    #[must_use]
    pub fn id(&self) -> &ItemId {
        &self.id
    }

    /// The same, with what the mutator returns read as a `T`.
    #[must_use = "it is this handle that is to be awaited"]
    pub fn typed<T>(self) -> Handle<T> {
        Handle { id: self.id, outcome: self.outcome, result: PhantomData }
    }
}

impl<R: DeserializeOwned> Future for Handle<R> {
    type Output = Result<Settled<R>, WaitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(cx));
        let stopped = || WaitError::Stopped { id: self.id.clone() };
        Poll::Ready(outcome.map_err(|_closed| stopped()).and_then(|outcome| settled(&self.id, outcome)))
    }
}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).finish_non_exhaustive()
    }
}

fn settled<R: DeserializeOwned>(id: &ItemId, outcome: Outcome) -> Result<Settled<R>, WaitError> {
    Ok(match outcome {
        Outcome::Committed { result: None } => Settled::Committed(None),
        Outcome::Committed { result: Some(json) } => match json.parse() {
            Ok(result) => Settled::Committed(Some(result)),
            Err(source) => return Err(WaitError::Result { id: id.clone(), source }),
        },
        Outcome::Dropped { error } => Settled::Dropped(error),
        Outcome::Removed => Settled::Removed,
        Outcome::Squashed { .. } | Outcome::Gone => Settled::Gone,
    })
}
