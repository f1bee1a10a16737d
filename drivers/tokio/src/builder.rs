//! `Builder`: what an [`Executor`] is told before it starts.

use std::{error::Error, fmt, path::PathBuf, sync::Arc, time::Duration};

use outbox::{
    Config, Input, IntoKey, Json, MAX_NAME_BYTES, Mutator, Outbox, RetryBatch, Timestamp, Trigger,
    storage::{MemoryStore, StorageError, Store, StoreId},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    attempt::{Attempt, erase},
    clock::{Clock, millis},
    engine::{
        Engine, Running,
        hook::{Hook, HookFn},
        leadership::Leadership,
        store_thread::{self, Open, Opened},
        timer::keep_time,
    },
    error::StartError,
    events::EVENTS_KEPT,
    executor::Executor,
    mutator_error::MutatorError,
    mutators::{Mutators, Registered, guarded},
    store::SqliteStore,
};

/// Is shown every input with its time, for the flight recorder.
type Recorder = Box<dyn FnMut(Timestamp, &Input) + Send>;

/// Where inputs for the recorder go.
type ToRecorder = mpsc::UnboundedSender<(Timestamp, Input)>;

/// Configures an [`Executor`]. Nothing happens, and nothing is checked, before [`Builder::start`].
#[must_use = "call `.start().await`"]
pub struct Builder {
    name: String,
    mutators: Mutators,
    config: Config,
    store: Option<Choice>,
    hook: Option<HookFn>,
    recorder: Option<Recorder>,
}

/// The chosen store.
enum Choice {
    Sqlite(PathBuf),
    Own(Box<dyn FnOnce() -> Box<dyn Store> + Send>),
}

impl Builder {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            mutators: Mutators::default(),
            config: Config { replica: Uuid::new_v4().to_string(), gather: true, ..Config::default() },
            store: None,
            hook: None,
            recorder: None,
        }
    }

    /// Registers a mutator: `send` is called for each attempt to send one of its mutations, in a task of
    /// its own. What it returns is the result that [`Handle`](crate::Handle)s get.
    ///
    /// Every mutator whose items may be stored belongs here; items of others are parked (R23) until
    /// [`Executor::register`] brings it. One that is registered again is replaced.
    pub fn mutator<A, R, F, Fut>(mut self, mutator: Mutator<A>, send: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(Attempt<A>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, MutatorError>> + Send + 'static,
    {
        self.mutators.register(guarded(mutator), erase(send));
        self
    }

    /// Derives keys for mutators that give none themselves (R7), from the mutator's name and the args.
    pub fn key_extractor<K: IntoKey>(
        mut self,
        extract: impl Fn(&str, &Json) -> K + Send + Sync + 'static,
    ) -> Self {
        self.mutators.registry.key_extractor(extract);
        self
    }

    /// The hook that is asked before items are tried again (R17): it may remove, rewrite and squash them.
    ///
    /// It has 10 s. While it fails nothing that it was asked about is sent.
    pub fn before_retry<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: Fn(RetryBatch) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<RetryBatch, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let hook = Arc::new(hook);
        self.hook = Some(Arc::new(move |batch| {
            let hook = Arc::clone(&hook);
            Box::pin(async move { hook(batch).await.map_err(Into::into) })
        }));
        self.config.before_retry = true;
        self
    }

    /// At most this many attempts at once (R8): 1 to 1,024, default 4.
    pub fn max_concurrency(mut self, max: u32) -> Self {
        self.config.max_concurrency = max;
        self
    }

    /// Whether backoff is jittered (R10); default true.
    pub fn jitter(mut self, jitter: bool) -> Self {
        self.config.jitter = jitter;
        self
    }

    /// How long an attempt may take (R14), unless its mutator has a timeout of its own: 1 ms to a day,
    /// default 15 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout_ms = millis(timeout);
        self
    }

    /// The largest args, and the largest metadata, in bytes of JSON (R32); default 1 MiB.
    pub fn max_args_bytes(mut self, max: usize) -> Self {
        self.config.max_args_bytes = max;
        self
    }

    /// Stores in a SQLite file, made if it is missing; its folder must exist. Several processes, and
    /// several executors in one, may use one file: one of them sends at a time, and the next takes over
    /// when it goes (R26). The lock is a file beside it, of the same name with `.lock` appended.
    pub fn sqlite(mut self, path: impl Into<PathBuf>) -> Self {
        self.store = Some(Choice::Sqlite(path.into()));
        self
    }

    /// Stores in memory: nothing outlives the executor (R1).
    pub fn memory(self) -> Self {
        self.store(MemoryStore::new(StoreId(Uuid::new_v4().as_u128())))
    }

    /// Stores in a store of your own, which nobody else writes to. It runs in a thread of its own; check
    /// it with the conformance suite of [`outbox::storage`].
    pub fn store(mut self, store: impl Store + Send + 'static) -> Self {
        self.store = Some(Choice::Own(Box::new(move || Box::new(store))));
        self
    }

    /// Is shown every input of the outbox with its time, in order. With the configuration that
    /// [`Builder::config`] shows, and the time of the first input as the start, these are a
    /// [`Recording`](outbox::Recording). It is called in a task of its own, which is behind the outbox by as
    /// much as it is slow; [`Executor::shutdown`] waits until it has seen everything.
    pub fn recorder(mut self, record: impl FnMut(Timestamp, &Input) + Send + 'static) -> Self {
        self.recorder = Some(Box::new(record));
        self
    }

    /// The configuration as the outbox will get it.
    #[must_use]
    pub fn config(&self) -> Config {
        let shared = matches!(self.store, Some(Choice::Sqlite(_)));
        Config { mutators: self.mutators.registry.configs(), shared, ..self.config.clone() }
    }

    /// Opens the store, loads what is stored, and starts to send. Needs a tokio runtime with its timer, which
    /// must go on being driven: the executor's calls are answered in it, wherever they come from.
    ///
    /// # Errors
    /// [`StartError`]: what is wrong with the configuration or with the store, and what to do about it.
    pub async fn start(self) -> Result<Executor, StartError> {
        let config = self.config();
        let clock = Clock::start();
        let outbox = Outbox::new(config, clock.now())?;
        check_name(&self.name)?;
        let mutators = Arc::new(Registered::new(self.mutators));
        let (open, lock) = self.store.ok_or(StartError::NoStore)?.open(self.name);
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let subscribe = events.downgrade();
        let runtime = Handle::current();
        let (recorder, recorded) = record_in_task(&runtime, self.recorder);
        let hook = Hook::new(self.hook);
        let mut running = Running::new(outbox, clock, Arc::clone(&mutators), hook, events, recorder);
        let (tell_loaded, loaded) = oneshot::channel();
        running.first_load = Some(tell_loaded);
        let engine = Engine::new(running, runtime, recorded);
        // From here on an early end of this function ends the engine.
        let executor = Executor::new(Arc::clone(&mutators), Arc::clone(&engine), subscribe);
        store_thread::start(open, mutators, Arc::clone(&engine)).await?;
        engine.feed(Input::Wake(Trigger::Init));
        engine.lead(Leadership::start(lock.as_deref(), &engine)?);
        engine.runtime().spawn(keep_time(Arc::clone(&engine)));
        let panicked = || StorageError::Unavailable { cause: "it panicked in its first load".into() };
        loaded.await.map_err(|_gone| panicked()).flatten().map_err(StartError::Load)?;
        Ok(executor)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("config", &self.config())
            .finish_non_exhaustive()
    }
}

impl Choice {
    /// How to open it, and where its lock is if others may open it too.
    fn open(self, name: String) -> (Open, Option<PathBuf>) {
        match self {
            Self::Sqlite(path) => {
                let mut lock = path.clone().into_os_string();
                lock.push(".lock");
                let open = move || Ok(Opened::Shared(Box::new(SqliteStore::open(&path, &name)?)));
                (Box::new(open), Some(lock.into()))
            }
            Self::Own(store) => (Box::new(move || Ok(Opened::Own(store()))), None),
        }
    }
}

/// A task that shows inputs to the recorder, and a token that is cancelled when it has shown them all.
fn record_in_task(runtime: &Handle, recorder: Option<Recorder>) -> (Option<ToRecorder>, CancellationToken) {
    let recorded = CancellationToken::new();
    let ended = recorded.clone().drop_guard();
    let Some(mut record) = recorder else { return (None, recorded) };
    let (to_recorder, mut inputs) = mpsc::unbounded_channel();
    runtime.spawn(async move {
        let _ended = ended; // also if the recorder panics
        while let Some((now, input)) = inputs.recv().await {
            record(now, &input);
        }
    });
    (Some(to_recorder), recorded)
}

fn check_name(name: &str) -> Result<(), StartError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(StartError::Name { len: name.len() });
    }
    Ok(())
}
