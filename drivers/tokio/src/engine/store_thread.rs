//! The plain thread that owns the store: one request at a time, as the core asks (R4).

use std::{io, sync::Arc, thread, time::Duration};

use outbox::{
    Input, Poke, Registry,
    storage::{Fence, OpId, Scope, StorageError, Store, Write},
};
use tokio::sync::oneshot;

use super::Engine;
use crate::{
    error::StartError,
    mutators::Registered,
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

/// Starts the thread and waits until the store is open. The thread serves until the engine ends, and then
/// closes the store.
pub(crate) async fn start(
    open: Open,
    mutators: Arc<Registered>,
    engine: Arc<Engine>,
) -> Result<(), StartError> {
    let (opened_tx, opened) = oneshot::channel();
    let ending = EndedOnDrop(engine); // also if the store panics
    let serve = move || match open() {
        Ok(store) => {
            // A start that was given up has ended the engine: serving ends at once.
            let _ = opened_tx.send(Ok(()));
            Server { store, mutators, engine: &ending.0 }.serve();
        }
        Err(error) => drop(opened_tx.send(Err(error))),
    };
    thread::Builder::new().name("outbox-store".into()).spawn(serve).map_err(StartError::Thread)?;
    match opened.await {
        Ok(opened) => Ok(opened?),
        Err(_gone) => Err(StartError::Thread(io::Error::other("it panicked while opening the store"))),
    }
}

struct EndedOnDrop(Arc<Engine>);

impl Drop for EndedOnDrop {
    fn drop(&mut self) {
        self.0.store_ended();
    }
}

struct Server<'a> {
    store: Opened,
    mutators: Arc<Registered>,
    engine: &'a Arc<Engine>,
}

impl Server<'_> {
    /// Serves until nobody can ask any longer. It hands its answers in itself.
    fn serve(mut self) {
        let limit = match &self.store {
            Opened::Shared(_) => Some(CHANGED_ELSEWHERE_EVERY),
            Opened::Own(_) => None,
        };
        while let Ok(request) = self.engine.next_request(limit) {
            match request {
                Some(request) => {
                    let answer = self.answer(request);
                    self.hand_in(answer);
                }
                None if self.changed_elsewhere() => self.engine.feed(Input::Poked(Poke::Unknown)),
                None => {}
            }
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
            Request::Acquire { op } => Input::Loaded { op, result: store.acquire() },
            Request::Load { op, fence, scope } => Input::Loaded { op, result: store.load(fence, &scope) },
            Request::Persist { op, fence, writes } => {
                Input::Persisted { op, result: store.persist(fence, &writes) }
            }
        }
    }

    /// Hands an answer in, its stored args brought up to date: once more if a mutator was registered
    /// meanwhile, whose args were not.
    fn hand_in(&self, answer: Input) {
        let mut to_hand_in = Some(answer);
        while let Some(mut answer) = to_hand_in {
            let mutators = self.mutators.now();
            upgrade(&mutators.registry, &mut answer);
            to_hand_in = self.engine.answered(answer, &mutators);
        }
    }
}

/// Brings stored args up to date before anything sees them (R23).
fn upgrade(registry: &Registry, answer: &mut Input) {
    let Input::Loaded { result: Ok(snapshot), .. } = answer else { return };
    for refused in registry.upgrade(snapshot) {
        tracing::warn!(id = %refused.id, mutator = refused.mutator_name, problem = refused.problem,
            "the mutator's upgrade refused stored args; they stay as they are");
    }
}
