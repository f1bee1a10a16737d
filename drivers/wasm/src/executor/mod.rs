//! `Executor`: the Rust app's side of a running outbox.

use std::{fmt, rc::Rc, time::Duration};

use futures_channel::oneshot;
use outbox::{
    Blocked, CallError, CallId, FailureRecord, Input, Item, ItemId, Mutator, Outbox, Trigger, View,
};
use outbox_driver::{Answer, EnqueueOptions, ExecutorError, Handle};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    engine::{Engine, Stopped},
    ids,
};

mod app;
mod attempt;
mod builder;
mod error;
mod events;
mod live;
mod mutator_error;
mod mutators;
mod storage;

use app::Local;
use attempt::erase;
pub use attempt::{AbortSignal, Attempt};
pub use builder::{Builder, LeaderElection};
pub use error::StartError;
pub use events::{Events, Lagged};
pub use live::Live;
pub use mutator_error::MutatorError;

/// A running outbox: stores mutations, and sends them when it can.
///
/// Cheap to clone; all clones are one executor. When the last one is dropped the executor stops at once:
/// attempts under way are given up, and everything stored is sent by the next one, or by another tab.
/// [`Executor::shutdown`] stops it in order.
#[derive(Clone)]
pub struct Executor {
    shared: Rc<Shared>,
}

struct Shared {
    engine: Rc<Engine>,
    app: Rc<Local>,
    last_call: std::cell::Cell<u64>,
}

impl Executor {
    /// Begins to configure an executor for the outbox of this name: 1 to 256 bytes. All tabs and workers of
    /// the site that use one name share one outbox. One user's items are never sent as another's if each has
    /// an outbox of their own name (R20).
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder::new(name.into())
    }

    fn new(engine: Rc<Engine>, app: Rc<Local>) -> Self {
        Self { shared: Rc::new(Shared { engine, app, last_call: std::cell::Cell::new(0) }) }
    }

    /// Stores a mutation. Resolves when it is durable, not when it is sent (R1); the handle waits for
    /// the latter. If this future is dropped the mutation may still be stored.
    ///
    /// # Errors
    /// [`ExecutorError::Call`] if the mutator is not registered, the args are not what it takes or over
    /// their limit (R32), or the store failed; [`ExecutorError::Stopped`].
    pub async fn enqueue<A: Serialize + ?Sized>(
        &self,
        mutator: &str,
        args: &A,
    ) -> Result<Handle, ExecutorError> {
        self.enqueue_with(mutator, args, EnqueueOptions::new()).await
    }

    /// As [`Executor::enqueue`], with more to say.
    ///
    /// # Errors
    /// As [`Executor::enqueue`]; [`outbox::CallError::Duplicate`] if the given id is stored already.
    pub async fn enqueue_with<A: Serialize + ?Sized>(
        &self,
        mutator: &str,
        args: &A,
        options: EnqueueOptions,
    ) -> Result<Handle, ExecutorError> {
        let draft =
            options.draft(&self.shared.app.mutators.now().registry, mutator, args, || self.new_id())?;
        match self.call(|call| Input::Enqueue { call, draft }).await? {
            Answer::Enqueued { id, outcome } => Ok(Handle::new(id, outcome)),
            Answer::Done(_) => unreachable!("an enqueue is answered by its place or an error"),
        }
    }

    /// Registers a mutator as [`Builder::mutator`] does, but while the executor runs: for a part of the app
    /// that is loaded late, or is loaded again. Items that are parked for want of it are read again, with
    /// its [`upgrade`](Mutator::upgrade), and sent when it is their turn (R23).
    ///
    /// One that is registered under the same name already is replaced: attempts under way go on with the
    /// old one, every later attempt is the new one's. Items that it had keep their args as they were read,
    /// and what was decided when they were enqueued (their key, whether they are a barrier, their
    /// idempotency key).
    ///
    /// # Errors
    /// [`ExecutorError::Call`] if its name or its settings are out of their limits (R32): then nothing has
    /// changed; [`ExecutorError::Stopped`].
    pub async fn register<A, R, F, Fut>(&self, mutator: Mutator<A>, send: F) -> Result<(), ExecutorError>
    where
        A: DeserializeOwned + 'static,
        R: Serialize,
        F: Fn(Attempt<A>) -> Fut + 'static,
        Fut: Future<Output = Result<R, MutatorError>> + 'static,
    {
        let (name, config) = (mutator.name().to_owned(), mutator.config().clone());
        config.validate(&name).map_err(CallError::from)?;
        let register = |call| {
            self.shared.app.mutators.register(mutator, erase(send));
            Input::Register { call, name, mutator: config }
        };
        self.done(register).await.map(drop)
    }

    /// Waits for an item that was enqueued earlier, in this tab, in another or before a restart. If this tab
    /// does not know it, storage is read first: an item that is not stored resolves as dropped if its failure
    /// record is there, else as gone (R29).
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`].
    pub async fn handle(&self, id: ItemId) -> Result<Handle, ExecutorError> {
        let Shared { engine, app, .. } = &*self.shared;
        if !engine.is_serving() {
            return Err(ExecutorError::Stopped);
        }
        Ok(Handle::new(id.clone(), app.outcome_of(engine, id)))
    }

    /// Takes an item out, whatever its stage; if it is in flight its attempt is cancelled. Resolves when
    /// that is durable; `false`: storage had no such item (R18).
    ///
    /// # Errors
    /// [`ExecutorError::Call`] if the store failed; [`ExecutorError::Stopped`].
    pub async fn remove(&self, id: ItemId) -> Result<bool, ExecutorError> {
        self.done(|call| Input::Remove { call, id }).await
    }

    /// The pending items in the order of their places; those still being written come last (R19, R22).
    #[must_use]
    pub fn pending(&self) -> Vec<Item> {
        self.look(|outbox| outbox.pending().cloned().collect())
    }

    /// Why an item is not being sent, and when that can next change by itself (R19); `None` if it is not
    /// pending.
    #[must_use]
    pub fn explain(&self, id: &ItemId) -> Option<Blocked> {
        self.look(|outbox| outbox.explain(id))
    }

    /// The items that were refused for good and not dismissed yet, oldest first (R15).
    #[must_use]
    pub fn failures(&self) -> Vec<FailureRecord> {
        self.look(|outbox| outbox.failures().cloned().collect())
    }

    /// Makes a failure record an item again, with a new id and place, in one transaction (R15); `None`:
    /// there is no such failure record.
    ///
    /// # Errors
    /// [`ExecutorError::Call`] if the store failed; [`ExecutorError::Stopped`].
    pub async fn retry_failure(&self, failure: ItemId) -> Result<Option<Handle>, ExecutorError> {
        let id = self.new_id()?;
        Ok(match self.call(|call| Input::RetryFailure { call, failure, id }).await? {
            Answer::Enqueued { id, outcome } => Some(Handle::new(id, outcome)),
            Answer::Done(_) => None,
        })
    }

    /// Forgets a failure record; `false`: there is no such one (R15).
    ///
    /// # Errors
    /// [`ExecutorError::Call`] if the store failed; [`ExecutorError::Stopped`].
    pub async fn dismiss_failure(&self, id: ItemId) -> Result<bool, ExecutorError> {
        self.done(|call| Input::DismissFailure { call, id }).await
    }

    /// Sends nothing more until this reason, and every other, is resumed; for an expired login, say.
    /// Attempts under way go on. Reasons are stored: they hold in every tab and after a restart (R20).
    ///
    /// # Errors
    /// [`ExecutorError::Call`] if the reason is empty or over 256 bytes, or the store failed;
    /// [`ExecutorError::Stopped`].
    pub async fn pause(&self, reason: &str) -> Result<(), ExecutorError> {
        self.done(|call| Input::Pause { call, reason: reason.into() }).await.map(drop)
    }

    /// Takes a pause reason back; `false`: it was not there (R20).
    ///
    /// # Errors
    /// As [`Executor::pause`].
    pub async fn resume(&self, reason: &str) -> Result<bool, ExecutorError> {
        self.done(|call| Input::Resume { call, reason: reason.into() }).await
    }

    /// The pause reasons (R20).
    #[must_use]
    pub fn paused(&self) -> Vec<String> {
        self.look(|outbox| outbox.paused().map(String::from).collect())
    }

    /// Tells the connectivity, if the app knows it better than the browser's `online` and `offline` events.
    /// Offline, new attempts wait, but for one probe a minute [such flags lie]; back online, waiting items
    /// are tried soon (R8, R13).
    pub fn set_online(&self, online: bool) {
        self.tell(Input::Online(online));
    }

    /// Tells that a retry has become promising (R13). Visibility and focus of the page are watched anyway.
    pub fn wake(&self, trigger: Trigger) {
        self.tell(Input::Wake(trigger));
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.app.events.subscribe(self.shared.app.has_stopped())
    }

    /// Keeps a view up to date from now on: the optimistic state of the app (R22). The view must be new:
    /// it is fed what is pending first.
    #[must_use]
    pub fn view<S: Clone + 'static>(&self, view: View<S>) -> Live<S> {
        let changes = self.look(|outbox| outbox.view_changes().collect());
        Live::new(view, self.shared.app.feeds.begin(changes))
    }

    /// Whether this executor is the one that sends (R26).
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.look(Outbox::is_leading)
    }

    /// Every input since the start as the JSON of an [`outbox::Recording`]; `None` without
    /// [`Builder::record`]. It holds args, metadata and results: treat it as the app's own data.
    #[must_use]
    pub fn recording(&self) -> Option<String> {
        self.shared.engine.recording()
    }

    /// Stops in order: nothing new is sent, attempts under way may end and are recorded, the store is
    /// closed and leadership released. What has not ended within `limit` is given up; its items stay stored
    /// and are sent again. Nothing is lost either way.
    ///
    /// All clones stop; calls that come later get [`ExecutorError::Stopped`], as does a second shutdown.
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`] if it has stopped already.
    pub async fn shutdown(&self, limit: Duration) -> Result<Stopped, ExecutorError> {
        if !self.shared.engine.is_serving() {
            return Err(ExecutorError::Stopped);
        }
        let stopped = self.shared.app.when_stopped();
        self.shared.engine.stop(millis(limit));
        stopped.await.map_err(|_| ExecutorError::Stopped)
    }

    async fn done(&self, input: impl FnOnce(CallId) -> Input) -> Result<bool, ExecutorError> {
        match self.call(input).await? {
            Answer::Done(done) => Ok(done),
            Answer::Enqueued { .. } => unreachable!("only what makes an item is answered by its place"),
        }
    }

    async fn call(&self, input: impl FnOnce(CallId) -> Input) -> Result<Answer, ExecutorError> {
        let Shared { engine, app, last_call } = &*self.shared;
        if !engine.is_serving() {
            return Err(ExecutorError::Stopped);
        }
        last_call.set(last_call.get() + 1);
        let call = CallId(last_call.get());
        let (answer, answered) = oneshot::channel();
        app.waiters.borrow_mut().call(call, answer);
        engine.feed(input(call));
        Ok(answered.await.map_err(|_| ExecutorError::Stopped)??)
    }

    fn tell(&self, input: Input) {
        if self.shared.engine.is_serving() {
            self.shared.engine.feed(input);
        }
    }

    fn look<T>(&self, look: impl FnOnce(&Outbox) -> T) -> T {
        self.shared.engine.look(look)
    }

    fn new_id(&self) -> Result<ItemId, outbox::InputError> {
        ItemId::new(ids::uuid(self.shared.engine.clock()))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("registry", &self.shared.app.mutators.now().registry)
            .finish_non_exhaustive()
    }
}

/// Whole milliseconds, saturating.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
