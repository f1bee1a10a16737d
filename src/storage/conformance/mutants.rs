//! Proof that the suite can fail: stores with one bug each, and the cases that catch them.

use alloc::{rc::Rc, string::ToString, vec::Vec};
use core::cell::RefCell;

use super::{Case, Harness, cases, run, run_case};
use crate::{
    item::{Epoch, ItemId, Seq},
    storage::{
        Committed, Contents, Fence, MemoryStore, Scope, Snapshot, StorageError, Store, StoreId, Write,
        WriteResult,
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    IgnoresFence,
    IgnoresStoreId,
    AcceptsNewerEpochs,
    WritesBeforeItChecksTheFence,
    UsesUpSeqsOfRefusedInserts,
    AcquiresByTwo,
    AcquireCountsAsChange,
    AcquireForgetsPause,
    StartsEpochsAgain,
    PutMakesRows,
    StopsAtTheFirstMissing,
    InsertsFirst,
    EmptyTransactionsDoNotCount,
    RetriesInTwoSteps,
    ThroughIsTheLastRow,
    TrimsRecords,
    FoldsCase,
    EndsIdsAtNul,
    FailuresById,
    SinceForgetsTheGone,
    SinceForgetsFailures,
    SinceForgetsNewRows,
    ItemsForgetsTheGone,
    LosesTheLastTransaction,
    DoesNotShare,
    MixesUpOutcomes,
    TrimsPuts,
    FoldsPauses,
    CutsParts,
    SplitsLongTransactions,
}

/// Each bug with a case that must catch it.
const CAUGHT: [(Bug, &str); 30] = [
    (Bug::IgnoresFence, "fence-is-equality"),
    (Bug::IgnoresStoreId, "fence-is-equality"),
    (Bug::AcceptsNewerEpochs, "fence-is-equality"),
    (Bug::WritesBeforeItChecksTheFence, "refused-leaves-no-trace"),
    (Bug::UsesUpSeqsOfRefusedInserts, "seqs-have-no-holes"),
    (Bug::AcquiresByTwo, "acquire-raises-by-one"),
    (Bug::AcquireCountsAsChange, "acquire-raises-by-one"),
    (Bug::AcquireForgetsPause, "acquire-loads-everything"),
    (Bug::StartsEpochsAgain, "fence-outlives-restart"),
    (Bug::PutMakesRows, "put-never-makes-rows"),
    (Bug::StopsAtTheFirstMissing, "missing-does-not-abort"),
    (Bug::InsertsFirst, "writes-run-in-order"),
    (Bug::EmptyTransactionsDoNotCount, "change-counter"),
    (Bug::RetriesInTwoSteps, "retry-failure-duplicate"),
    (Bug::ThroughIsTheLastRow, "through-outlives-rows"),
    (Bug::TrimsRecords, "records-are-untouched"),
    (Bug::FoldsCase, "ids-are-bytes"),
    (Bug::EndsIdsAtNul, "ids-are-bytes"),
    (Bug::FailuresById, "bury"),
    (Bug::SinceForgetsTheGone, "load-since"),
    (Bug::SinceForgetsFailures, "load-since-failures"),
    (Bug::SinceForgetsNewRows, "load-since"),
    (Bug::ItemsForgetsTheGone, "load-items"),
    (Bug::LosesTheLastTransaction, "restart-keeps-everything"),
    (Bug::DoesNotShare, "replicas-share-one-store"),
    (Bug::MixesUpOutcomes, "load-since"),
    (Bug::TrimsPuts, "records-are-untouched"),
    (Bug::FoldsPauses, "pause-reasons"),
    (Bug::CutsParts, "three-hundred-writes"),
    (Bug::SplitsLongTransactions, "three-hundred-writes"),
];

#[test]
fn the_reference_passes() {
    let report = run(&mut Opener::new(Bug::None)).unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(report.cases.len(), cases().len());
}

#[test]
fn every_wrong_store_is_caught_by_name() {
    for (bug, catcher) in CAUGHT {
        let mut harness = Opener::new(bug);
        let broken: Vec<_> =
            cases().into_iter().filter_map(|mut case| run_case(&mut harness, &mut case).err()).collect();
        let names: Vec<&str> = broken.iter().map(|broken| broken.case).collect();
        assert!(names.contains(&catcher), "{bug:?} must be caught by {catcher}; caught by {names:?}");
    }
}

#[test]
fn every_written_case_can_fail_and_names_are_unique() {
    let mut names: Vec<&str> = cases().iter().map(super::Case::name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "names are unique");
    for mut case in cases() {
        let mut silent = Silent;
        let broken = run_case(&mut silent, &mut case).expect_err("a store that does nothing passes no case");
        assert!(!broken.clause.is_empty() && broken.rules.starts_with('R'));
    }
}

#[test]
fn a_message_says_case_clause_expected_and_came() {
    let mut case = cases().into_iter().find(|case| case.name() == "large-records").expect("it is a case");
    let broken = run_case(&mut Opener::new(Bug::TrimsRecords), &mut case);
    assert_eq!(broken, Ok(()), "nothing to trim in it");
    let raises = |case: &Case| case.name() == "acquire-raises-by-one";
    let mut case = cases().into_iter().find(raises).expect("it is a case");
    let broken = run_case(&mut Opener::new(Bug::AcquiresByTwo), &mut case).expect_err("it raises by two");
    assert_eq!(
        broken.to_string(),
        "acquire-raises-by-one (R27), step 3: acquire adds one to the epoch and leaves the change counter\
         \n   asked: Acquire { replica: 0 }\nexpected: the epoch: Epoch(1)\n    came: Epoch(2)"
    );
}

/// A store that answers everything and does nothing.
struct Silent;

impl Harness for Silent {
    type Store = Self;

    fn fresh(&mut self) {}

    fn open(&mut self, _replica: usize) -> Self {
        Self
    }
}

impl Store for Silent {
    fn acquire(&mut self) -> Result<Snapshot, StorageError> {
        Err(StorageError::Full)
    }

    fn load(&mut self, _fence: Option<Fence>, _scope: &Scope) -> Result<Snapshot, StorageError> {
        Err(StorageError::Full)
    }

    fn persist(&mut self, _fence: Option<Fence>, _writes: &[Write]) -> Result<Committed, StorageError> {
        Err(StorageError::Full)
    }
}

/// What is "on disk": the store, and how it was before its last transaction.
struct Disk {
    store: MemoryStore,
    before: MemoryStore,
}

struct Opener {
    bug: Bug,
    disk: Rc<RefCell<Disk>>,
    opened: bool,
}

impl Opener {
    fn new(bug: Bug) -> Self {
        Self { bug, disk: disk(), opened: false }
    }
}

fn disk() -> Rc<RefCell<Disk>> {
    let store = MemoryStore::new(StoreId(7));
    Rc::new(RefCell::new(Disk { before: store.clone(), store }))
}

impl Harness for Opener {
    type Store = Wrong;

    fn fresh(&mut self) {
        self.disk = disk();
        self.opened = false;
    }

    fn open(&mut self, replica: usize) -> Wrong {
        let reopened = replica == 0 && core::mem::replace(&mut self.opened, true);
        if reopened && self.bug == Bug::LosesTheLastTransaction {
            let before = self.disk.borrow().before.clone();
            self.disk.borrow_mut().store = before;
        }
        let epochs_lost = if self.bug == Bug::StartsEpochsAgain && reopened {
            self.disk.borrow().store.epoch().0
        } else {
            0
        };
        let shared = self.bug != Bug::DoesNotShare || replica == 0;
        Wrong { bug: self.bug, disk: if shared { Rc::clone(&self.disk) } else { disk() }, epochs_lost }
    }
}

struct Wrong {
    bug: Bug,
    disk: Rc<RefCell<Disk>>,
    epochs_lost: u64,
}

impl Wrong {
    /// The fence as this store sees it.
    fn fence(&self, fence: Option<Fence>) -> Option<Fence> {
        let store = &self.disk.borrow().store;
        let (id, current) = (store.store_id(), store.epoch());
        let Fence { store, epoch } = fence?;
        match self.bug {
            Bug::IgnoresFence => None,
            Bug::IgnoresStoreId => Some(Fence { store: id, epoch }),
            Bug::AcceptsNewerEpochs if epoch > current && store == id => None,
            _ => Some(Fence { store, epoch: Epoch(epoch.0 + self.epochs_lost) }),
        }
    }

    fn write(&self, write: &Write) -> Write {
        let mut write = write.clone();
        if let Write::Insert { id, record } | Write::RetryFailure { id, record, .. } = &mut write {
            match self.bug {
                Bug::TrimsRecords => *record = record.trim().into(),
                Bug::FoldsCase => *id = ItemId::new(id.as_str().to_lowercase()).expect("as long as before"),
                Bug::EndsIdsAtNul => {
                    let end = id.as_str().find('\0').unwrap_or(id.as_str().len());
                    *id = ItemId::new(&id.as_str()[..end]).expect("it does not begin with one");
                }
                _ => {}
            }
        }
        match (&mut write, self.bug) {
            (Write::Put { record, .. }, Bug::TrimsPuts) => *record = record.trim().into(),
            (Write::Pause { reason }, Bug::FoldsPauses) => *reason = reason.to_lowercase().into(),
            _ => {}
        }
        write
    }

    fn spoil(&self, mut snapshot: Snapshot) -> Snapshot {
        snapshot.epoch = Epoch(snapshot.epoch.0.saturating_sub(self.epochs_lost));
        match (&mut snapshot.contents, self.bug) {
            (Contents::Full { rows, .. }, Bug::ThroughIsTheLastRow) => {
                snapshot.through = rows.last().map_or(Seq(0), |row| row.seq);
            }
            (Contents::Full { failures, .. }, Bug::FailuresById) => failures.sort_by(|a, b| a.id.cmp(&b.id)),
            (Contents::Part { gone, .. }, Bug::SinceForgetsTheGone | Bug::ItemsForgetsTheGone) => {
                gone.clear();
            }
            (Contents::Part { failures, .. }, Bug::SinceForgetsFailures) => *failures = None,
            (Contents::Part { rows, gone, .. }, Bug::CutsParts) => {
                rows.truncate(255);
                gone.truncate(64);
            }
            (Contents::Part { gone, .. }, Bug::MixesUpOutcomes) => {
                for gone in gone.iter_mut().filter(|gone| gone.outcome.is_some()) {
                    gone.outcome = Some(crate::item::Outcome::Gone);
                }
            }
            _ => {}
        }
        snapshot
    }

    /// Carries out the writes one by one, each wrong in this store's way.
    fn wrong_persist(&mut self, fence: Option<Fence>, writes: &[Write]) -> Result<Committed, StorageError> {
        let disk = &mut *self.disk.borrow_mut();
        match self.bug {
            Bug::StopsAtTheFirstMissing => {
                let mut tried = disk.store.clone();
                let results = tried.persist(fence, writes)?.results;
                let end = results
                    .iter()
                    .position(|result| *result == WriteResult::Missing)
                    .map_or(writes.len(), |n| n + 1);
                let mut committed = disk.store.persist(fence, &writes[..end])?;
                committed.results.resize(writes.len(), WriteResult::Missing);
                Ok(committed)
            }
            Bug::SplitsLongTransactions if writes.len() > 200 => {
                let (first, rest) = writes.split_at(200);
                let mut results = disk.store.persist(fence, first)?.results;
                let committed = disk.store.persist(fence, rest)?;
                results.extend(committed.results);
                Ok(Committed { results, ..committed })
            }
            Bug::InsertsFirst => {
                let mut order: Vec<usize> = (0..writes.len()).collect();
                order.sort_by_key(|n| !matches!(writes[*n], Write::Insert { .. }));
                let sorted: Vec<Write> = order.iter().map(|n| writes[*n].clone()).collect();
                let Committed { results: shuffled, change } = disk.store.persist(fence, &sorted)?;
                let mut results = shuffled.clone();
                order.iter().zip(shuffled).for_each(|(n, result)| results[*n] = result);
                Ok(Committed { results, change })
            }
            Bug::RetriesInTwoSteps => {
                let mut split = Vec::new();
                for write in writes {
                    if let Write::RetryFailure { failure, id, record } = write {
                        split.push(Write::DismissFailure { id: failure.clone() });
                        split.push(Write::Insert { id: id.clone(), record: record.clone() });
                    } else {
                        split.push(write.clone());
                    }
                }
                let Committed { mut results, change } = disk.store.persist(fence, &split)?;
                let mut kept = Vec::new();
                for write in writes {
                    let first = results.remove(0);
                    let retried = matches!(write, Write::RetryFailure { .. }).then(|| results.remove(0));
                    kept.push(if first == WriteResult::Missing { first } else { retried.unwrap_or(first) });
                }
                Ok(Committed { results: kept, change })
            }
            _ => disk.store.persist(fence, writes),
        }
    }
}

impl Store for Wrong {
    fn acquire(&mut self) -> Result<Snapshot, StorageError> {
        let mut snapshot = self.disk.borrow_mut().store.acquire()?;
        match self.bug {
            Bug::AcquiresByTwo => snapshot = self.disk.borrow_mut().store.acquire()?,
            Bug::AcquireCountsAsChange => snapshot.change += 1,
            Bug::AcquireForgetsPause => snapshot.paused.clear(),
            _ => {}
        }
        Ok(self.spoil(snapshot))
    }

    fn load(&mut self, fence: Option<Fence>, scope: &Scope) -> Result<Snapshot, StorageError> {
        let mut scope = scope.clone();
        if let (Bug::SinceForgetsNewRows, Scope::Since { through, .. }) = (self.bug, &mut scope) {
            *through = Seq(u64::MAX - 1);
        }
        let fence = self.fence(fence);
        let snapshot = self.disk.borrow_mut().store.load(fence, &scope)?;
        Ok(self.spoil(snapshot))
    }

    fn persist(&mut self, fence: Option<Fence>, writes: &[Write]) -> Result<Committed, StorageError> {
        let fence = self.fence(fence);
        let writes: Vec<Write> = writes.iter().map(|write| self.write(write)).collect();
        let before = self.disk.borrow().store.clone();
        self.disk.borrow_mut().before.clone_from(&before);
        let committed = self.wrong_persist(fence, &writes);
        let store = &mut self.disk.borrow_mut().store;
        match (self.bug, &committed) {
            (Bug::WritesBeforeItChecksTheFence, Err(_)) => drop(store.persist(None, &writes[..1])),
            (Bug::UsesUpSeqsOfRefusedInserts, Err(_)) => {
                let seq = store.insert_raw(*b"burnt");
                store.persist(None, &[Write::Delete { seq, outcome: crate::item::Outcome::Gone }])?;
            }
            (Bug::PutMakesRows, Ok(committed)) => {
                for (write, result) in writes.iter().zip(&committed.results) {
                    if let (Write::Put { record, .. }, WriteResult::Missing) = (write, result) {
                        store.insert_raw(record.as_bytes());
                    }
                }
            }
            (Bug::EmptyTransactionsDoNotCount, Ok(committed))
                if committed.results.iter().all(|result| *result == WriteResult::Missing) =>
            {
                *store = before;
                return Ok(Committed { results: committed.results.clone(), change: store.change() });
            }
            _ => {}
        }
        committed
    }
}
