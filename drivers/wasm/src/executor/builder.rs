//! `Builder`: what an [`Executor`] is told before it starts.

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use futures_channel::oneshot;
use outbox::{
    Config, HookError, IntoKey, Json, MAX_NAME_BYTES, Mutator, RetryBatch,
    storage::{MemoryStore, StorageError, StoreId},
};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::prelude::*;

use super::{
    Executor,
    app::{HookFn, Local},
    attempt::{Attempt, erase},
    error::StartError,
    millis,
    mutator_error::MutatorError,
    mutators::Mutators,
};
use crate::{
    clock::Clock,
    engine::{App, Engine, Parts},
    ids,
    leadership::{Claim, ElectionPort},
    store::{Backend, StoragePort},
    web::{self, Durability},
};

/// How it is decided which tab or worker sends (R26).
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum LeaderElection {
    /// Web Locks; leases over BroadcastChannel where they are missing; nobody else where that is missing too.
    #[default]
    Auto,
    /// Leases over BroadcastChannel.
    Leases,
    /// Nobody else sends: this one does.
    None,
    /// An election of your own: see `LeaderElection` in `js/types.d.ts`.
    Own(ElectionPort),
}

/// Configures an [`Executor`]. Nothing happens, and nothing is checked, before [`Builder::start`].
#[must_use = "call `.start().await`"]
pub struct Builder {
    name: String,
    mutators: Mutators,
    config: Config,
    store: Choice,
    election: LeaderElection,
    hook: Option<HookFn>,
    record: bool,
}

/// The chosen store.
enum Choice {
    IndexedDb(Durability),
    Memory,
    Own(StoragePort),
}

impl Builder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            mutators: Mutators::default(),
            config: Config::default(),
            store: Choice::IndexedDb(Durability::Strict),
            election: LeaderElection::Auto,
            hook: None,
            record: false,
        }
    }

    /// Registers a mutator: `send` is called for each attempt to send one of its mutations. What it returns
    /// is the result that [`Handle`](crate::Handle)s get.
    ///
    /// Every mutator whose items may be stored belongs here; items of others are parked (R23) until
    /// [`Executor::register`] brings it. One that is registered again is replaced.
    pub fn mutator<A, R, F, Fut>(mut self, mutator: Mutator<A>, send: F) -> Self
    where
        A: DeserializeOwned + 'static,
        R: Serialize,
        F: Fn(Attempt<A>) -> Fut + 'static,
        Fut: Future<Output = Result<R, MutatorError>> + 'static,
    {
        self.mutators.register(mutator, erase(send));
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
    pub fn before_retry<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(RetryBatch) -> Fut + 'static,
        Fut: Future<Output = Result<RetryBatch, HookError>> + 'static,
    {
        self.hook = Some(Rc::new(move |batch| Box::pin(hook(batch))));
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

    /// Stores in IndexedDB, in the database `outbox:NAME`. This is the default, with
    /// [`Durability::Strict`].
    pub fn indexed_db(mut self, durability: Durability) -> Self {
        self.store = Choice::IndexedDb(durability);
        self
    }

    /// Stores in memory: nothing outlives the executor, and no other tab sees it (R1).
    pub fn memory(mut self) -> Self {
        self.store = Choice::Memory;
        self
    }

    /// Stores in a storage of your own; check it with the conformance suite of [`outbox::storage`] and
    /// [`StoragePort::answer`].
    pub fn storage(mut self, storage: StoragePort) -> Self {
        self.store = Choice::Own(storage);
        self
    }

    /// How it is decided which tab or worker sends (R26).
    pub fn leader_election(mut self, election: LeaderElection) -> Self {
        self.election = election;
        self
    }

    /// Keeps every input for [`Executor::recording`].
    pub fn record(mut self) -> Self {
        self.record = true;
        self
    }

    /// Opens the store, loads what is stored, and starts to send.
    ///
    /// # Errors
    /// [`StartError`]: what is wrong with the configuration or with the store, and what to do about it.
    pub async fn start(self) -> Result<Executor, StartError> {
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES {
            return Err(StartError::Name { len: self.name.len() });
        }
        let clock = Clock::start();
        let is_memory = matches!(self.store, Choice::Memory);
        let election = if is_memory { LeaderElection::None } else { self.election };
        let mut config =
            Config { mutators: self.mutators.registry.configs(), shared: !is_memory, ..self.config };
        config.replica = ids::uuid(&clock);
        let (tell_opened, opened) = oneshot::channel();
        let app = Local::new(self.mutators, self.hook, tell_opened);
        let channel = if is_memory { None } else { web::open_channel(&self.name) };
        let parts = Parts {
            config,
            app: Rc::clone(&app) as Rc<dyn App>,
            storage: self.store.open(),
            claim: claim(election, channel.is_some()),
            channel,
            clock,
            record: self.record,
            name: self.name,
        };
        let engine = Engine::new(parts)?;
        app.drive(&engine);
        // From here on an early end of this function ends the engine.
        let executor = Executor::new(Rc::clone(&engine), app);
        let watch = Closure::<dyn Fn(JsValue) -> JsValue>::new(|on: JsValue| web::watch_page(&on).into());
        engine.start(Some(watch.as_ref().unchecked_ref()));
        let ended = || StorageError::Unavailable { cause: "the executor ended in its first load".into() };
        opened.await.map_err(|_| ended()).flatten().map_err(StartError::Load)?;
        Ok(executor)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Choice {
    fn open(self) -> Backend {
        match self {
            Self::IndexedDb(durability) => Backend::Port(web::indexed_db(durability)),
            Self::Memory => {
                let store = MemoryStore::new(StoreId(u128::from_be_bytes(ids::random())));
                Backend::Own(RefCell::new(Box::new(store)))
            }
            Self::Own(port) => Backend::Port(port),
        }
    }
}

/// What this context has for it.
fn claim(election: LeaderElection, has_channel: bool) -> Claim {
    match election {
        LeaderElection::Auto if web::has_web_locks() => Claim::Port(web::web_locks()),
        LeaderElection::Auto | LeaderElection::Leases if has_channel => Claim::Leases,
        LeaderElection::Auto | LeaderElection::Leases | LeaderElection::None => Claim::Alone,
        LeaderElection::Own(port) => Claim::Port(port),
    }
}
