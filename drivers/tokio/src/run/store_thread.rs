//! The plain thread that owns the store: one request at a time, as the core asks (R4).

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use outbox::{
    Input, Poke, Registry,
    storage::{Fence, OpId, Scope, Snapshot, StorageError, Store, Write},
};
use tokio::sync::{mpsc::UnboundedSender, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    error::StartError,
    store::{OpenError, SqliteStore},
};

/// How often a store that others write to is asked whether they did (R28): one read of a counter that
/// SQLite keeps in shared memory.
const CHANGED_ELSEWHERE_EVERY: Duration = Duration::from_millis(50);

/// A store as the thread serves it.
pub(crate) trait Served: Store {
    /// Whether another connection has committed since the last call.
    fn changed_elsewhere(&mut self) -> Result<bool, StorageError>;
}

impl Served for SqliteStore {
    fn changed_elsewhere(&mut self) -> Result<bool, StorageError> {
        SqliteStore::changed_elsewhere(self)
    }
}

/// Opens the store, in the thread that will own it.
pub(crate) type Open = Box<dyn FnOnce() -> Result<Opened, OpenError> + Send>;

/// An open store: one that others may write to as well, or this executor's alone.
pub(crate) enum Opened {
    Shared(Box<dyn Served>),
    Own(Box<dyn Store>),
}

pub(crate) enum Request {
    Acquire { op: OpId },
    Load { op: OpId, fence: Option<Fence>, scope: Scope },
    Persist { op: OpId, fence: Option<Fence>, writes: Vec<Write> },
}

/// The running thread. Dropping it lets the thread finish its request, close the store, and end.
pub(crate) struct StoreThread {
    requests: Sender<Request>,
    ended: CancellationToken,
}

impl StoreThread {
    /// Starts the thread and waits until the store is open.
    pub(crate) async fn start(
        open: Open,
        registry: Arc<Registry>,
        answers: UnboundedSender<Input>,
    ) -> Result<Self, StartError> {
        let (requests, asked) = channel();
        let (opened_tx, opened) = oneshot::channel();
        let ended = CancellationToken::new();
        let ending = ended.clone().drop_guard(); // also if the store panics
        let serve = move || {
            let _ending = ending;
            match open() {
                Ok(store) => {
                    // A start that was given up drops the other end of `asked` too: serving ends at once.
                    let _ = opened_tx.send(Ok(()));
                    Server { store, registry, answers }.serve(&asked);
                }
                Err(error) => drop(opened_tx.send(Err(error))),
            }
        };
        thread::Builder::new().name("outbox-store".into()).spawn(serve).map_err(StartError::Thread)?;
        match opened.await {
            Ok(opened) => opened?,
            Err(_gone) => {
                return Err(StartError::Thread(io::Error::other("it panicked while opening the store")));
            }
        }
        Ok(Self { requests, ended })
    }

    /// Hands over a request. If the thread is gone, [`StoreThread::ended`] tells.
    pub(crate) fn ask(&self, request: Request) {
        let _ = self.requests.send(request);
    }

    /// Resolves when the thread has ended; before it is closed, that is when the store panics.
    ///
    /// Cancel safe.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Lets the thread end, and waits until the store is closed.
    pub(crate) async fn close(self) {
        drop(self.requests);
        self.ended.cancelled().await;
    }
}

struct Server {
    store: Opened,
    registry: Arc<Registry>,
    answers: UnboundedSender<Input>,
}

impl Server {
    /// Serves until nobody can ask any longer.
    fn serve(mut self, asked: &Receiver<Request>) {
        loop {
            let answer = match self.next(asked) {
                Ok(request) => self.answer(request),
                Err(RecvTimeoutError::Timeout) if self.changed_elsewhere() => Input::Poked(Poke::Unknown),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.answers.send(answer).is_err() {
                return;
            }
        }
    }

    fn next(&self, asked: &Receiver<Request>) -> Result<Request, RecvTimeoutError> {
        match &self.store {
            Opened::Shared(_) => asked.recv_timeout(CHANGED_ELSEWHERE_EVERY),
            Opened::Own(_) => asked.recv().map_err(RecvTimeoutError::from),
        }
    }

    /// An error counts as no change: the core compares the counter itself now and then (R28).
    fn changed_elsewhere(&mut self) -> bool {
        match &mut self.store {
            Opened::Shared(store) => store.changed_elsewhere().unwrap_or(false),
            Opened::Own(_) => false,
        }
    }

    fn answer(&mut self, request: Request) -> Input {
        let store: &mut dyn Store = match &mut self.store {
            Opened::Shared(store) => store.as_mut(),
            Opened::Own(store) => store.as_mut(),
        };
        match request {
            Request::Acquire { op } => {
                Input::Loaded { op, result: upgraded(&self.registry, store.acquire()) }
            }
            Request::Load { op, fence, scope } => {
                Input::Loaded { op, result: upgraded(&self.registry, store.load(fence, &scope)) }
            }
            Request::Persist { op, fence, writes } => {
                Input::Persisted { op, result: store.persist(fence, &writes) }
            }
        }
    }
}

/// Brings stored args up to date before anything sees them (R23).
fn upgraded(registry: &Registry, loaded: Result<Snapshot, StorageError>) -> Result<Snapshot, StorageError> {
    let mut snapshot = loaded?;
    for refused in registry.upgrade(&mut snapshot) {
        tracing::warn!(id = %refused.id, mutator = refused.mutator_name, problem = refused.problem,
            "the mutator's upgrade refused stored args; they stay as they are");
    }
    Ok(snapshot)
}
