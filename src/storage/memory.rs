//! `MemoryStore`: the reference implementation of the storage contract, as plain data.
//!
//! Nothing here outlives the value: an app that chooses it has chosen that (R1). Tests, the simulator
//! and the README's loop use it. Replicas that share a store share one value, behind a lock of the caller.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::ops::Bound;

use serde::Deserialize;

use super::{
    Committed, Contents, FailureRow, Fence, Gone, Row, Scope, Snapshot, StorageError, Store, StoreId, Write,
    WriteResult,
};
use crate::{
    item::{Epoch, ItemId, Outcome, Seq},
    mutants::mutant,
};

/// How many changes the log keeps; an older [`Scope::Since`] is answered with everything.
const LOG_ENTRIES_MAX: usize = 1024;

/// A store in memory. Plain data: a clone is a snapshot, equal values behave equally.
///
/// ```
/// use outbox::storage::{MemoryStore, Store, StoreId, Write, WriteResult};
/// use outbox::{ItemId, Seq};
///
/// let mut store = MemoryStore::new(StoreId(7));
/// let insert = Write::Insert { id: ItemId::new("a")?, record: "{}".into() };
/// let committed = store.persist(None, &[insert.clone(), insert])?;
/// assert_eq!(committed.results, [WriteResult::Inserted(Seq(1)), WriteResult::Duplicate]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemoryStore {
    store: StoreId,
    epoch: Epoch,
    change: u64,
    through: Seq,
    rows: BTreeMap<Seq, Stored>,
    /// Where each item is. An id is in here exactly if its row is.
    places: BTreeMap<ItemId, Seq>,
    /// Failure records by age.
    failures: BTreeMap<u64, FailureRow>,
    /// Where each failure record is.
    failure_places: BTreeMap<ItemId, u64>,
    failure_last: u64,
    paused: BTreeSet<String>,
    log: VecDeque<Logged>,
    /// The log is complete for what changed after this change counter.
    log_since: u64,
    bytes: usize,
    capacity_bytes: Option<usize>,
}

/// One row. Only rows that were inserted raw can be without an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stored {
    id: Option<ItemId>,
    record: Arc<[u8]>,
}

/// One entry of the change log. Inserts are not in it: their seq tells (see [`Scope::Since`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Logged {
    change: u64,
    what: Change,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Change {
    Put(Seq),
    /// A buried row has no outcome here: its failure record tells it.
    Gone(Seq, Option<Outcome>),
    Failures,
}

/// What a slot held before a write, to be put back if the transaction fails.
enum Undo {
    Row(Seq, Option<Stored>),
    Failure(u64, Option<FailureRow>),
    Paused(String, bool),
}

/// A transaction under way.
#[derive(Default)]
struct Transaction {
    undo: Vec<Undo>,
    changes: Vec<Change>,
}

impl MemoryStore {
    /// An empty store. `store` should be random: it is half of the fence (R27), and seeds jitter (R10).
    #[must_use]
    pub fn new(store: StoreId) -> Self {
        Self {
            store,
            epoch: Epoch(0),
            change: 0,
            through: Seq(0),
            rows: BTreeMap::new(),
            places: BTreeMap::new(),
            failures: BTreeMap::new(),
            failure_places: BTreeMap::new(),
            failure_last: 0,
            paused: BTreeSet::new(),
            log: VecDeque::new(),
            log_since: 0,
            bytes: 0,
            capacity_bytes: None,
        }
    }

    /// The same with room for so many bytes of ids, records and pause reasons. A transaction that leaves
    /// more than that, and more than it found, is refused as [`StorageError::Full`].
    #[must_use]
    pub fn with_capacity_bytes(mut self, capacity_bytes: usize) -> Self {
        self.set_capacity_bytes(Some(capacity_bytes));
        self
    }

    /// Changes the capacity, as if a disk filled up or was freed; `None`: without limit. What is stored
    /// stays.
    pub fn set_capacity_bytes(&mut self, capacity_bytes: Option<usize>) {
        self.capacity_bytes = capacity_bytes;
    }

    /// The store's id.
    #[must_use]
    pub fn store_id(&self) -> StoreId {
        self.store
    }

    /// The epoch of the last acquire; 0 before the first.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The change counter.
    #[must_use]
    pub fn change(&self) -> u64 {
        self.change
    }

    /// The highest seq ever allocated (R3); 0 if none was.
    #[must_use]
    pub fn through(&self) -> Seq {
        self.through
    }

    /// Bytes of ids, records and pause reasons stored: what the capacity limits.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All items in seq order, each with its record's bytes.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (Seq, &[u8])> {
        self.rows.iter().map(|(seq, row)| (*seq, &*row.record))
    }

    /// All failure records, oldest first, each with its bytes.
    pub fn failures(&self) -> impl ExactSizeIterator<Item = (&ItemId, &[u8])> {
        self.failures.values().map(|row| (&row.id, &*row.record))
    }

    /// All pause reasons, in order.
    pub fn paused(&self) -> impl ExactSizeIterator<Item = &str> {
        self.paused.iter().map(String::as_str)
    }

    /// Adds a row with any bytes, in a transaction of its own and whatever the capacity: what another
    /// build, or a fault, has left in the store (R23, R24).
    ///
    /// If the record has a readable `id` that is free, the row is found by it, as in a store that keeps
    /// ids in a column.
    pub fn insert_raw(&mut self, record: impl Into<Vec<u8>>) -> Seq {
        #[derive(Deserialize)]
        struct Head {
            id: ItemId,
        }
        let record = record.into();
        let id = serde_json::from_slice(&record).ok().map(|head: Head| head.id);
        let seq = self.next_seq();
        self.set_row(
            seq,
            Some(Stored { id: id.filter(|id| !self.places.contains_key(id)), record: record.into() }),
        );
        self.commit(Vec::new());
        seq
    }

    /// Replaces the bytes of a row, in a transaction of its own and whatever the capacity; `false` if
    /// there is no such row. The row is found by the same id as before.
    pub fn put_raw(&mut self, seq: Seq, record: impl Into<Vec<u8>>) -> bool {
        let Some(row) = self.rows.get(&seq) else { return false };
        let row = Stored { id: row.id.clone(), record: record.into().into() };
        self.set_row(seq, Some(row));
        self.commit(alloc::vec![Change::Put(seq)]);
        true
    }

    fn check(&self, fence: Option<Fence>) -> Result<(), StorageError> {
        let current = Fence { store: self.store, epoch: self.epoch };
        let fits = |fence: Fence| fence == current || mutant!(FenceByOrder) && fence.epoch >= current.epoch;
        if fence.is_none_or(fits) { Ok(()) } else { Err(StorageError::Fenced) }
    }

    fn next_seq(&mut self) -> Seq {
        self.through = Seq(self.through.0 + 1);
        self.through
    }

    fn commit(&mut self, changes: Vec<Change>) {
        self.change += 1;
        self.log.extend(changes.into_iter().map(|what| Logged { change: self.change, what }));
        while self.log.len() > LOG_ENTRIES_MAX {
            let oldest = self.log.pop_front().expect("the log is longer than its limit");
            self.log_since = oldest.change;
        }
    }

    fn write(&mut self, write: &Write, tx: &mut Transaction) -> WriteResult {
        match write {
            Write::Delete { seq, outcome } => self.delete(*seq, Some(outcome.clone()), tx),
            Write::Bury { seq, id, failure } => {
                let result = self.delete(*seq, None, tx);
                if result == WriteResult::Done {
                    self.add_failure(id, failure, tx);
                }
                result
            }
            Write::Remove { id } => match self.places.get(id) {
                Some(seq) => self.delete(*seq, Some(Outcome::Removed), tx),
                None => WriteResult::Missing,
            },
            Write::Put { seq, record } => self.put(*seq, record, tx),
            Write::Insert { id, record } => self.insert(id, record, tx),
            Write::RetryFailure { failure, id, record } => {
                let Some(place) = self.failure_places.get(failure).copied() else {
                    return WriteResult::Missing;
                };
                let result = self.insert(id, record, tx);
                if result != WriteResult::Duplicate {
                    self.delete_failure(place, tx);
                }
                result
            }
            Write::DismissFailure { id } => match self.failure_places.get(id) {
                Some(place) => self.delete_failure(*place, tx),
                None => WriteResult::Missing,
            },
            Write::Pause { reason } => {
                self.set_paused(reason, true, tx);
                WriteResult::Done
            }
            Write::Resume { reason } => {
                if self.set_paused(reason, false, tx) {
                    WriteResult::Done
                } else {
                    WriteResult::Missing
                }
            }
        }
    }

    fn insert(&mut self, id: &ItemId, record: &Arc<str>, tx: &mut Transaction) -> WriteResult {
        if self.places.contains_key(id) {
            return WriteResult::Duplicate;
        }
        let seq = self.next_seq();
        let row = Stored { id: Some(id.clone()), record: Arc::from(Arc::clone(record)) };
        tx.undo.push(Undo::Row(seq, self.set_row(seq, Some(row))));
        WriteResult::Inserted(seq)
    }

    fn put(&mut self, seq: Seq, record: &Arc<str>, tx: &mut Transaction) -> WriteResult {
        let id = match self.rows.get(&seq) {
            Some(row) => row.id.clone(),
            None if mutant!(PutRecreates) => None,
            None => return WriteResult::Missing,
        };
        let row = Stored { id, record: Arc::from(Arc::clone(record)) };
        tx.undo.push(Undo::Row(seq, self.set_row(seq, Some(row))));
        tx.changes.push(Change::Put(seq));
        WriteResult::Done
    }

    fn delete(&mut self, seq: Seq, outcome: Option<Outcome>, tx: &mut Transaction) -> WriteResult {
        let Some(row) = self.set_row(seq, None) else { return WriteResult::Missing };
        tx.undo.push(Undo::Row(seq, Some(row)));
        tx.changes.push(Change::Gone(seq, outcome));
        WriteResult::Done
    }

    fn add_failure(&mut self, id: &ItemId, record: &str, tx: &mut Transaction) {
        if let Some(replaced) = self.failure_places.get(id) {
            self.delete_failure(*replaced, tx);
        }
        self.failure_last += 1;
        let place = self.failure_last;
        let row = FailureRow { id: id.clone(), record: record.into() };
        tx.undo.push(Undo::Failure(place, self.set_failure(place, Some(row))));
        tx.changes.push(Change::Failures);
    }

    fn delete_failure(&mut self, place: u64, tx: &mut Transaction) -> WriteResult {
        let Some(row) = self.set_failure(place, None) else { return WriteResult::Missing };
        tx.undo.push(Undo::Failure(place, Some(row)));
        tx.changes.push(Change::Failures);
        WriteResult::Done
    }

    /// Whether the reason was there before.
    fn set_paused(&mut self, reason: &str, paused: bool, tx: &mut Transaction) -> bool {
        let was = self.replace_paused(reason, paused);
        tx.undo.push(Undo::Paused(reason.into(), was));
        was
    }

    /// Takes back everything the transaction did to rows, failure records and pause reasons.
    fn roll_back(&mut self, undo: Vec<Undo>) {
        for slot in undo.into_iter().rev() {
            match slot {
                Undo::Row(seq, row) => drop(self.set_row(seq, row)),
                Undo::Failure(place, row) => drop(self.set_failure(place, row)),
                Undo::Paused(reason, paused) => drop(self.replace_paused(&reason, paused)),
            }
        }
    }

    /// Makes a slot hold `row`, keeps index and size with it, and returns what it held.
    fn set_row(&mut self, seq: Seq, row: Option<Stored>) -> Option<Stored> {
        let old = self.rows.remove(&seq);
        if let Some(old) = &old {
            self.bytes -= old.bytes();
            if let Some(id) = &old.id {
                self.places.remove(id);
            }
        }
        if let Some(row) = row {
            self.bytes += row.bytes();
            if let Some(id) = &row.id {
                self.places.insert(id.clone(), seq);
            }
            self.rows.insert(seq, row);
        }
        old
    }

    fn set_failure(&mut self, place: u64, row: Option<FailureRow>) -> Option<FailureRow> {
        let bytes = |row: &FailureRow| row.id.as_str().len() + row.record.len();
        let old = self.failures.remove(&place);
        if let Some(old) = &old {
            self.bytes -= bytes(old);
            self.failure_places.remove(&old.id);
        }
        if let Some(row) = row {
            self.bytes += bytes(&row);
            self.failure_places.insert(row.id.clone(), place);
            self.failures.insert(place, row);
        }
        old
    }

    fn replace_paused(&mut self, reason: &str, paused: bool) -> bool {
        let was = self.paused.remove(reason);
        if was {
            self.bytes -= reason.len();
        }
        if paused {
            self.bytes += reason.len();
            self.paused.insert(reason.into());
        }
        was
    }

    fn snapshot(&self, contents: Contents) -> Snapshot {
        Snapshot {
            store: self.store,
            epoch: self.epoch,
            change: self.change,
            through: self.through,
            contents,
            paused: self.paused.iter().cloned().collect(),
        }
    }

    fn full(&self) -> Contents {
        let rows = self.rows.iter().map(|(seq, row)| row.to_row(*seq)).collect();
        Contents::Full { rows, failures: self.all_failures() }
    }

    fn all_failures(&self) -> Vec<FailureRow> {
        self.failures.values().cloned().collect()
    }

    /// What changed after `change`; everything if the log does not reach back to it.
    fn since(&self, change: u64, through: Seq) -> Contents {
        if !(self.log_since..=self.change).contains(&change) {
            return self.full();
        }
        let mut put = BTreeSet::new();
        let mut gone = BTreeMap::new();
        let mut failures = false;
        let start = self.log.partition_point(|logged| logged.change <= change);
        for logged in self.log.range(start..) {
            match &logged.what {
                Change::Put(seq) => drop(put.insert(*seq)),
                Change::Gone(seq, outcome) => drop(gone.insert(*seq, outcome.clone())),
                Change::Failures => failures = true,
            }
        }
        let later = self.rows.range((Bound::Excluded(through), Bound::Unbounded));
        put.extend(later.map(|(seq, _)| *seq));
        Contents::Part {
            rows: put.iter().filter_map(|seq| Some(self.rows.get(seq)?.to_row(*seq))).collect(),
            gone: gone.into_iter().map(|(seq, outcome)| Gone { seq, outcome }).collect(),
            failures: failures.then(|| self.all_failures()),
        }
    }

    fn items(&self, seqs: &[Seq]) -> Contents {
        let seqs: BTreeSet<Seq> = seqs.iter().copied().collect();
        let outcomes: BTreeMap<Seq, &Outcome> = self.log.iter().filter_map(Logged::outcome).collect();
        let gone =
            |seq: &Seq| Gone { seq: *seq, outcome: outcomes.get(seq).map(|outcome| (*outcome).clone()) };
        Contents::Part {
            rows: seqs.iter().filter_map(|seq| Some(self.rows.get(seq)?.to_row(*seq))).collect(),
            gone: seqs.iter().filter(|seq| !self.rows.contains_key(seq)).map(gone).collect(),
            failures: None,
        }
    }
}

impl Store for MemoryStore {
    fn acquire(&mut self) -> Result<Snapshot, StorageError> {
        if !mutant!(EpochNotRaised) || self.epoch == Epoch(0) {
            self.epoch = Epoch(self.epoch.0 + 1);
        }
        Ok(self.snapshot(self.full()))
    }

    fn load(&mut self, fence: Option<Fence>, scope: &Scope) -> Result<Snapshot, StorageError> {
        self.check(fence)?;
        Ok(self.snapshot(match scope {
            Scope::Full => self.full(),
            Scope::Since { change, through } => self.since(*change, *through),
            Scope::Items(seqs) => self.items(seqs),
        }))
    }

    fn persist(&mut self, fence: Option<Fence>, writes: &[Write]) -> Result<Committed, StorageError> {
        self.check(fence)?;
        let (bytes, through, failure_last) = (self.bytes, self.through, self.failure_last);
        let mut tx = Transaction::default();
        let results = writes.iter().map(|write| self.write(write, &mut tx)).collect();
        let full = self.capacity_bytes.is_some_and(|capacity_bytes| self.bytes > capacity_bytes);
        if full && self.bytes > bytes {
            self.roll_back(tx.undo);
            (self.through, self.failure_last) = (through, failure_last);
            assert_eq!(self.bytes, bytes, "a transaction that failed leaves no trace");
            return Err(StorageError::Full);
        }
        self.commit(tx.changes);
        Ok(Committed { results, change: self.change })
    }
}

impl Stored {
    fn bytes(&self) -> usize {
        self.id.as_ref().map_or(0, |id| id.as_str().len()) + self.record.len()
    }

    fn to_row(&self, seq: Seq) -> Row {
        Row { seq, record: self.record.to_vec().into() }
    }
}

impl Logged {
    fn outcome(&self) -> Option<(Seq, &Outcome)> {
        match &self.what {
            Change::Gone(seq, Some(outcome)) => Some((*seq, outcome)),
            Change::Put(_) | Change::Gone(_, None) | Change::Failures => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::*;

    fn id(text: &str) -> ItemId {
        ItemId::new(text).unwrap()
    }

    fn insert(text: &str) -> Write {
        Write::Insert { id: id(text), record: "{}".into() }
    }

    #[test]
    fn a_refused_transaction_leaves_an_equal_store() {
        let mut store = MemoryStore::new(StoreId(1)).with_capacity_bytes(40);
        store.persist(None, &[insert("a"), insert("b")]).unwrap();
        store.persist(None, &[Write::Bury { seq: Seq(1), id: id("a"), failure: "f".into() }]).unwrap();
        let before = store.clone();
        let writes = [
            Write::Pause { reason: "auth".into() },
            Write::Bury { seq: Seq(2), id: id("a"), failure: "replaced".into() },
            Write::RetryFailure { failure: id("a"), id: id("c"), record: "x".repeat(100).into() },
            Write::Put { seq: Seq(3), record: "{}".into() },
            Write::Insert { id: id("d"), record: "x".repeat(100).into() },
        ];
        assert_eq!(store.persist(None, &writes), Err(StorageError::Full));
        assert_eq!(store, before);
        assert_eq!(store.persist(None, &[insert("e")]).unwrap().results, [WriteResult::Inserted(Seq(3))]);
    }

    #[test]
    fn a_full_store_accepts_what_frees_space() {
        let mut store = MemoryStore::new(StoreId(1));
        store.persist(None, &[insert("a"), insert("b")]).unwrap();
        store.set_capacity_bytes(Some(1));
        let delete = Write::Delete { seq: Seq(1), outcome: Outcome::Removed };
        assert_eq!(store.persist(None, &[delete]).unwrap().results, [WriteResult::Done]);
        assert_eq!(store.bytes(), 3);
        assert_eq!(store.persist(None, &[insert("c")]), Err(StorageError::Full));
    }

    #[test]
    fn a_log_that_was_cut_answers_with_everything() {
        let mut store = MemoryStore::new(StoreId(1));
        store.persist(None, &[insert("a")]).unwrap();
        for n in 0..=LOG_ENTRIES_MAX {
            store.persist(None, &[Write::Put { seq: Seq(1), record: format!("{n}").into() }]).unwrap();
        }
        let since = |change| Scope::Since { change, through: Seq(1) };
        let rows = vec![Row { seq: Seq(1), record: format!("{LOG_ENTRIES_MAX}").into_bytes().into() }];
        let full = Contents::Full { rows: rows.clone(), failures: vec![] };
        let part = Contents::Part { rows, gone: vec![], failures: None };
        assert_eq!(store.load(None, &since(1)).unwrap().contents, full);
        assert_eq!(store.load(None, &since(2)).unwrap().contents, part);
        assert_eq!(store.load(None, &since(store.change() + 1)).unwrap().contents, full);
    }

    #[test]
    fn raw_rows_are_kept_as_they_are() {
        let mut store = MemoryStore::new(StoreId(1));
        assert_eq!(store.insert_raw(*b"\xff\xfe"), Seq(1));
        assert_eq!(store.insert_raw(*br#"{"id":"a","version":9}"#), Seq(2));
        assert_eq!(store.persist(None, &[insert("a")]).unwrap().results, [WriteResult::Duplicate]);
        assert!(store.put_raw(Seq(2), *b"\0"));
        assert!(!store.put_raw(Seq(3), *b""));
        assert!(store.rows().eq([(Seq(1), &b"\xff\xfe"[..]), (Seq(2), b"\0")]));
        assert_eq!(
            store.persist(None, &[Write::Remove { id: id("a") }]).unwrap().results,
            [WriteResult::Done]
        );
    }
}
