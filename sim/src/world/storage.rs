//! The store that all tabs share: the core's own memory store, with a disk that can be full, gone, or lose
//! its last commits. It keeps the storage contract (DESIGN §5) and passes its conformance suite.

use std::collections::VecDeque;

use outbox::{
    Effect, Input, Seq,
    storage::{Committed, Fence, MemoryStore, Scope, Snapshot, StorageError, Store, StoreId, Write},
};

use super::queue::StoragePlan;
use crate::rng::{Draw, Streams};

/// How many commits a loss of power can undo.
const HISTORY: usize = 8;

/// The simulated store.
pub struct SimStore {
    memory: MemoryStore,
    streams: Streams,
    /// How often it was made.
    made: u64,
    /// Every request fails until then.
    pub(super) unavailable_until_ms: u64,
    /// No row grows until then.
    pub(super) full_until_ms: u64,
    now_ms: u64,
    /// The states before the last commits, if a loss of power may bring them back.
    history: Option<VecDeque<MemoryStore>>,
}

impl SimStore {
    /// An empty store. With `relaxed`, acknowledged commits can be undone.
    #[must_use]
    pub fn new(streams: Streams, relaxed: bool) -> Self {
        let id = StoreId(u128::from(streams.draw(0, Draw::Store, 0)));
        Self {
            memory: MemoryStore::new(id),
            streams,
            made: 0,
            unavailable_until_ms: 0,
            full_until_ms: 0,
            now_ms: 0,
            history: relaxed.then(VecDeque::new),
        }
    }

    /// What is stored.
    #[must_use]
    pub fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    /// Runs a request: what it did, and what its page is told.
    pub(super) fn serve(&mut self, now_ms: u64, request: &Effect, plan: StoragePlan) -> (Input, Input) {
        self.now_ms = now_ms;
        let refusal = match plan {
            StoragePlan { unknown: Some(false), .. } | StoragePlan { unavailable: true, .. } => {
                Some(unavailable("a drawn fault"))
            }
            StoragePlan { full: true, .. } if grows(request) => Some(StorageError::Full),
            _ => None,
        };
        let did = self.answer(request, refusal.as_ref());
        let told = match plan.unknown {
            Some(_) => unknown(request),
            None => did.clone(),
        };
        (did, told)
    }

    fn answer(&mut self, request: &Effect, refusal: Option<&StorageError>) -> Input {
        let refused = refusal.cloned();
        match request {
            Effect::Acquire { op } => {
                Input::Loaded { op: *op, result: refused.map_or_else(|| self.acquire(), Err) }
            }
            Effect::Load { op, fence, scope } => {
                Input::Loaded { op: *op, result: refused.map_or_else(|| self.load(*fence, scope), Err) }
            }
            Effect::Persist { op, fence, writes } => Input::Persisted {
                op: *op,
                result: refused.map_or_else(|| self.persist(*fence, writes), Err),
            },
            _ => unreachable!("only storage requests reach the store"),
        }
    }

    /// Puts a row with any bytes at the end.
    pub(super) fn plant(&mut self, record: &[u8]) -> Seq {
        self.memory.insert_raw(record)
    }

    /// The power fails: at most so many commits are undone; how many were?
    pub(super) fn lose_power(&mut self, commits: u32) -> u32 {
        let Some(history) = &mut self.history else { return 0 };
        let mut undone = 0;
        while undone < commits
            && let Some(before) = history.pop_back()
        {
            self.memory = before;
            undone += 1;
        }
        undone
    }

    /// The store is deleted and made anew, with another id.
    pub(super) fn make_anew(&mut self) {
        self.made += 1;
        self.memory = MemoryStore::new(StoreId(u128::from(self.streams.draw(0, Draw::Store, self.made))));
        if let Some(history) = &mut self.history {
            history.clear();
        }
    }

    fn available(&self) -> Result<(), StorageError> {
        if self.now_ms < self.unavailable_until_ms { Err(unavailable("for a while")) } else { Ok(()) }
    }
}

impl Store for SimStore {
    fn acquire(&mut self) -> Result<Snapshot, StorageError> {
        self.available()?;
        self.memory.acquire()
    }

    fn load(&mut self, fence: Option<Fence>, scope: &Scope) -> Result<Snapshot, StorageError> {
        self.available()?;
        self.memory.load(fence, scope)
    }

    fn persist(&mut self, fence: Option<Fence>, writes: &[Write]) -> Result<Committed, StorageError> {
        self.available()?;
        if self.now_ms < self.full_until_ms && writes.iter().any(grows_by) {
            return Err(StorageError::Full);
        }
        let before = self.history.is_some().then(|| self.memory.clone());
        let committed = self.memory.persist(fence, writes)?;
        if let (Some(history), Some(before)) = (&mut self.history, before) {
            history.push_back(before);
            if history.len() > HISTORY {
                history.pop_front();
            }
        }
        Ok(committed)
    }
}

fn unavailable(cause: &str) -> StorageError {
    StorageError::Unavailable { cause: cause.into() }
}

fn unknown(request: &Effect) -> Input {
    match request {
        Effect::Acquire { op } | Effect::Load { op, .. } => {
            Input::Loaded { op: *op, result: Err(StorageError::Unknown) }
        }
        Effect::Persist { op, .. } => Input::Persisted { op: *op, result: Err(StorageError::Unknown) },
        _ => unreachable!("only storage requests reach the store"),
    }
}

fn grows(request: &Effect) -> bool {
    matches!(request, Effect::Persist { writes, .. } if writes.iter().any(grows_by))
}

/// Whether a write needs room.
fn grows_by(write: &Write) -> bool {
    match write {
        Write::Insert { .. }
        | Write::Put { .. }
        | Write::Bury { .. }
        | Write::RetryFailure { .. }
        | Write::Pause { .. } => true,
        Write::Delete { .. } | Write::Remove { .. } | Write::DismissFailure { .. } | Write::Resume { .. } => {
            false
        }
    }
}
