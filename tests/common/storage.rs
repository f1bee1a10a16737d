//! The store as scenarios see it: when it answers, what it refuses, and what it has ever committed.

use outbox::{
    Effect, Input,
    storage::{MemoryStore, StorageError, Store, StoreId, Write, WriteResult},
};

use super::World;

/// What the store does with a request instead of carrying it out.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Refuses it.
    Refuse(StorageError),
    /// Commits it and cannot tell.
    CommitThenUnknown,
}

impl World {
    /// From here on storage answers only when told to.
    pub fn hold_storage(&mut self) {
        self.hold_storage = true;
    }

    /// Storage answers at once again.
    pub fn release_storage(&mut self) {
        self.hold_storage = false;
        self.settle();
    }

    /// The next request is refused.
    pub fn store_fails(&mut self, error: StorageError) {
        self.unclaimed_allowed |= error == StorageError::Full;
        self.faults.push_back(Fault::Refuse(error));
    }

    /// The next request is committed, and the store cannot tell.
    pub fn store_commits_then_unknown(&mut self) {
        self.faults.push_back(Fault::CommitThenUnknown);
    }

    /// Storage works from here on.
    pub fn faults_stop(&mut self) {
        self.faults.clear();
        self.broken = None;
    }

    /// Every request is refused with `error`, until `None`.
    pub fn store_broken(&mut self, error: Option<StorageError>) {
        self.broken = error;
    }

    /// Whether no transaction is committed, and the store cannot tell; it can be read.
    pub fn store_never_knows(&mut self, never: bool) {
        self.never_knows = never;
    }

    /// The store is deleted and made again.
    pub fn replace_store(&mut self, id: StoreId) {
        self.store = MemoryStore::new(id);
        self.ever.clear();
    }

    /// Whether transactions that add or change rows are refused as `Full`.
    pub fn disk_full(&mut self, full: bool) {
        self.disk_full = full;
        self.unclaimed_allowed |= full;
    }

    /// The store runs the request in flight; its answer waits.
    pub fn commit(&mut self, r: usize) {
        let (request, answer) = self.replicas[r].request.take().expect("a storage request is in flight");
        assert!(answer.is_none(), "it was run already");
        let answer = self.run(&request);
        self.replicas[r].request = Some((request, Some(answer)));
    }

    /// Held storage runs what a replica asked for, if anything; its answer arrives if `answer`.
    pub fn commit_held(&mut self, r: usize, answer: bool) {
        let asked = self.replicas[r].request.as_ref().map(|(_, answer)| answer.is_none());
        match asked {
            Some(_) if answer => {
                self.answer(r);
                self.settle();
            }
            Some(true) => self.commit(r),
            _ => {}
        }
    }

    /// The store's answer arrives; it runs the request first if it has not.
    pub fn answer(&mut self, r: usize) {
        let run_now = self.replicas[r].request.as_ref().is_some_and(|(_, answer)| answer.is_none());
        if run_now {
            self.commit(r);
        }
        let (_, answer) = self.replicas[r].request.take().expect("a storage request is in flight");
        self.answer_is_old = !run_now;
        self.feed(r, answer.expect("the store has run it"));
        self.answer_is_old = false;
    }

    /// The request in flight is answered by `input`, whatever the store has to say.
    pub fn answer_instead(&mut self, r: usize, input: Input) {
        self.replicas[r].request = None;
        self.answer_is_old = true;
        self.feed(r, input);
        self.answer_is_old = false;
    }

    fn run(&mut self, request: &Effect) -> Input {
        let fault = self.faults.pop_front();
        let broken = self.broken.clone().map(Fault::Refuse);
        let full = match request {
            Effect::Persist { writes, .. } if self.disk_full && writes.iter().any(grows) => {
                Some(Fault::Refuse(StorageError::Full))
            }
            Effect::Persist { .. } if self.never_knows => Some(Fault::Refuse(StorageError::Unknown)),
            _ => None,
        };
        let fault = fault.or(broken).or(full);
        if let Some(Fault::Refuse(error)) = fault {
            return match *request {
                Effect::Persist { op, .. } => Input::Persisted { op, result: Err(error) },
                Effect::Acquire { op } | Effect::Load { op, .. } => Input::Loaded { op, result: Err(error) },
                _ => unreachable!("only storage requests are kept as such"),
            };
        }
        let unknown = matches!(fault, Some(Fault::CommitThenUnknown));
        match request {
            Effect::Acquire { op } => {
                let result = self.store.acquire();
                Input::Loaded { op: *op, result: if unknown { Err(StorageError::Unknown) } else { result } }
            }
            Effect::Load { op, fence, scope } => {
                Input::Loaded { op: *op, result: self.store.load(*fence, scope) }
            }
            Effect::Persist { op, fence, writes } => {
                let result = self.store.persist(*fence, writes);
                if let Ok(committed) = &result {
                    self.remember(writes, &committed.results);
                }
                Input::Persisted {
                    op: *op,
                    result: if unknown { Err(StorageError::Unknown) } else { result },
                }
            }
            _ => unreachable!("only storage requests are kept as such"),
        }
    }

    fn remember(&mut self, writes: &[Write], results: &[WriteResult]) {
        for (write, result) in writes.iter().zip(results) {
            if let (Write::Insert { id, .. } | Write::RetryFailure { id, .. }, WriteResult::Inserted(seq)) =
                (write, result)
            {
                let old = self.ever.insert(*seq, id.clone());
                assert_eq!(old, None, "{seq} was allocated twice (R3)");
            }
        }
    }
}

/// Whether a write needs room.
fn grows(write: &Write) -> bool {
    matches!(
        write,
        Write::Insert { .. }
            | Write::Put { .. }
            | Write::Bury { .. }
            | Write::RetryFailure { .. }
            | Write::Pause { .. }
    )
}
