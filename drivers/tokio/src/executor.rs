//! `Executor`: the app's side of a running outbox.

use std::{fmt, sync::Arc, time::Duration};

use futures_channel::oneshot;
use outbox::{
    Blocked, CallError, CallId, Event, FailureRecord, Input, Item, ItemId, Mutator, Outbox, Trigger, View,
};
use outbox_driver::{Answer, EnqueueOptions, ExecutorError, Handle};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::broadcast, time::Instant};
use uuid::Uuid;

use crate::{
    attempt::{Attempt, erase},
    builder::Builder,
    engine::{Engine, Stopped},
    events::Events,
    live::Live,
    mutator_error::MutatorError,
    mutators::Registered,
};

/// A running outbox: stores mutations, and sends them when it can.
///
/// Cheap to clone; all clones are one executor. When the last one is dropped the executor stops at once:
/// attempts under way are given up, and everything stored is sent by the next one.
/// [`Executor::shutdown`] stops it in order.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
}

struct Shared {
    mutators: Arc<Registered>,
    engine: Arc<Engine>,
    /// Weak, so that streams of events end with the engine.
    events: broadcast::WeakSender<Event>,
}

impl Executor {
    /// Begins to configure an executor for the outbox of this name: 1 to 256 bytes. One user's items are
    /// never sent as another's if each has an outbox of their own name (R20).
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder::new(name.into())
    }

    pub(crate) fn new(
        mutators: Arc<Registered>,
        engine: Arc<Engine>,
        events: broadcast::WeakSender<Event>,
    ) -> Self {
        Self { shared: Arc::new(Shared { mutators, engine, events }) }
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
        let mutators = self.shared.mutators.now();
        let draft = options.draft(&mutators.registry, mutator, args, new_id)?;
        drop(mutators);
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
        A: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(Attempt<A>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, MutatorError>> + Send + 'static,
    {
        let (name, config) = (mutator.name().to_owned(), mutator.config().clone());
        config.validate(&name).map_err(CallError::from)?;
        let mut replaced = None; // dropped out here, without the engine's lock: it is the app's
        let register = |call| {
            replaced = Some(self.shared.mutators.register(mutator, erase(send)));
            Input::Register { call, name, mutator: config }
        };
        self.done(register).await.map(drop)
    }

    /// Waits for an item that was enqueued earlier, in this process, in another or before a restart. If this
    /// process does not know it, storage is read first: an item that is not stored resolves as dropped if its
    /// failure record is there, else as gone (R29).
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`].
    pub async fn handle(&self, id: ItemId) -> Result<Handle, ExecutorError> {
        let outcome = self.shared.engine.outcome_of(id.clone()).ok_or(ExecutorError::Stopped)?;
        Ok(Handle::new(id, outcome))
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
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`].
    pub async fn pending(&self) -> Result<Vec<Item>, ExecutorError> {
        self.look(|outbox| outbox.pending().cloned().collect())
    }

    /// Why an item is not being sent, and when that can next change by itself (R19); `None` if it is not
    /// pending.
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`].
    pub async fn explain(&self, id: ItemId) -> Result<Option<Blocked>, ExecutorError> {
        self.look(|outbox| outbox.explain(&id))
    }

    /// The items that were refused for good and not dismissed yet, oldest first (R15).
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`].
    pub async fn failures(&self) -> Result<Vec<FailureRecord>, ExecutorError> {
        self.look(|outbox| outbox.failures().cloned().collect())
    }

    /// Makes a failure record an item again, with a new id and place, in one transaction (R15); `None`:
    /// there is no such failure record.
    ///
    /// # Errors
    /// [`ExecutorError::Call`] if the store failed; [`ExecutorError::Stopped`].
    pub async fn retry_failure(&self, failure: ItemId) -> Result<Option<Handle>, ExecutorError> {
        let id = new_id()?;
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
    /// Attempts under way go on. Reasons are stored: they hold in every process and after a restart (R20).
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
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`].
    pub async fn paused(&self) -> Result<Vec<String>, ExecutorError> {
        self.look(|outbox| outbox.paused().map(String::from).collect())
    }

    /// Tells the connectivity, as far as the app knows it. Offline, new attempts wait, but for one probe a
    /// minute [such flags lie]; back online, waiting items are tried soon (R8, R13). Online is assumed at
    /// the start.
    pub fn set_online(&self, online: bool) {
        self.shared.engine.tell(Input::Online(online));
    }

    /// Tells that a retry has become promising (R13): the app came to the foreground, say.
    pub fn wake(&self, trigger: Trigger) {
        self.shared.engine.tell(Input::Wake(trigger));
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.shared.events.upgrade().map(|events| events.subscribe()))
    }

    /// Keeps a view up to date from now on: the optimistic state of the app (R22). The view must be new:
    /// it is fed what is pending first.
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`].
    pub async fn view<S: Clone + Send + 'static>(&self, view: View<S>) -> Result<Live<S>, ExecutorError> {
        let (live, watch, keep_up) = Live::new(view);
        self.shared.engine.watch(watch).ok_or(ExecutorError::Stopped)?;
        self.shared.engine.runtime().spawn(keep_up);
        Ok(live)
    }

    /// Whether this executor is the one that sends (R26).
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`].
    pub async fn is_leader(&self) -> Result<bool, ExecutorError> {
        self.look(Outbox::is_leading)
    }

    /// Stops in order: nothing new is sent, attempts under way may end and are recorded, the store is
    /// closed and the leader's lock released. What has not ended within `limit` is given up; its items
    /// stay stored and are sent again. Nothing is lost either way.
    ///
    /// All clones stop; calls that come later get [`ExecutorError::Stopped`], as does a second shutdown.
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`] if it has stopped already.
    pub async fn shutdown(&self, limit: Duration) -> Result<Stopped, ExecutorError> {
        let now = Instant::now();
        let give_up_at = now.checked_add(limit).unwrap_or(now + Duration::from_secs(86_400 * 365));
        let engine = &self.shared.engine;
        engine.begin_stop().ok_or(ExecutorError::Stopped)?;
        // In a task of its own: it goes on if this future is dropped.
        let stopping = engine.runtime().spawn(Arc::clone(engine).stop(give_up_at));
        stopping.await.map_err(|_runtime_gone| ExecutorError::Stopped)
    }

    async fn done(&self, input: impl FnOnce(CallId) -> Input) -> Result<bool, ExecutorError> {
        match self.call(input).await? {
            Answer::Done(done) => Ok(done),
            Answer::Enqueued { .. } => unreachable!("only what makes an item is answered by its place"),
        }
    }

    async fn call(&self, input: impl FnOnce(CallId) -> Input) -> Result<Answer, ExecutorError> {
        let (answer, answered) = oneshot::channel();
        self.shared.engine.call(input, answer).ok_or(ExecutorError::Stopped)?;
        Ok(answered.await.map_err(|_| ExecutorError::Stopped)??)
    }

    fn look<T>(&self, look: impl FnOnce(&Outbox) -> T) -> Result<T, ExecutorError> {
        self.shared.engine.look(look).ok_or(ExecutorError::Stopped)
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
            .field("registry", &self.shared.mutators.now().registry)
            .finish_non_exhaustive()
    }
}

/// A UUID, ordered by time so that stores keep neighbours together.
fn new_id() -> Result<ItemId, outbox::InputError> {
    ItemId::new(Uuid::now_v7().to_string())
}
