//! Failure records as a replica knows them, and how many are kept (R15).

use alloc::{collections::VecDeque, vec::Vec};

use crate::{
    input::CallId,
    item::{FailureRecord, ItemId},
    storage::FailureRow,
};

/// At most so many records are kept …
const MAX_RECORDS: usize = 1000;
/// … and so many bytes of them.
const MAX_BYTES: usize = 16 << 20;

/// A call to send again what was dropped (R15).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FailureRetry {
    pub(super) call: CallId,
    pub(super) failure: ItemId,
    /// Of the new item.
    pub(super) id: ItemId,
}

/// All failure records, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Failures {
    kept: VecDeque<Failure>,
    bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Failure {
    id: ItemId,
    bytes: usize,
    /// `None` if it cannot be read: it stays stored and counts.
    record: Option<FailureRecord>,
    /// Its deletion to make room is under way.
    evicting: bool,
    /// Its mutator was registered after it was read, and may upgrade its args (R23).
    outdated: bool,
}

impl Failures {
    pub(super) fn replace(&mut self, rows: Vec<FailureRow>, decode: impl Fn(&[u8]) -> Option<FailureRecord>) {
        *self = Self::default();
        for row in rows {
            let record = decode(&row.record);
            self.add(row.id, row.record.len(), record);
        }
    }

    pub(super) fn add(&mut self, id: ItemId, bytes: usize, record: Option<FailureRecord>) {
        self.remove(&id);
        self.bytes += bytes;
        self.kept.push_back(Failure { id, bytes, record, evicting: false, outdated: false });
    }

    pub(super) fn remove(&mut self, id: &ItemId) {
        if let Some(at) = self.kept.iter().position(|failure| failure.id == *id)
            && let Some(failure) = self.kept.remove(at)
        {
            self.bytes -= failure.bytes;
        }
    }

    pub(super) fn find(&self, id: &ItemId) -> Option<&FailureRecord> {
        self.kept.iter().find(|failure| failure.id == *id)?.record.as_ref()
    }

    pub(super) fn holds(&self, id: &ItemId) -> bool {
        self.kept.iter().any(|failure| failure.id == *id)
    }

    /// Whether it is known, and as its mutator wants it.
    pub(super) fn is_current(&self, id: &ItemId) -> bool {
        self.kept.iter().any(|failure| failure.id == *id && !failure.outdated)
    }

    /// This mutator has just been registered: its records are to be read again. Whether there are any.
    pub(super) fn outdate(&mut self, mutator_name: &str) -> bool {
        let of_it = |failure: &&mut Failure| {
            failure.record.as_ref().is_some_and(|record| &*record.item.mutator_name == mutator_name)
        };
        let mut any = false;
        for failure in self.kept.iter_mut().filter(of_it) {
            (failure.outdated, any) = (true, true);
        }
        any
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &FailureRecord> {
        self.kept.iter().filter_map(|failure| failure.record.as_ref())
    }

    /// The oldest records above the limits, marked as being evicted.
    pub(super) fn excess(&mut self) -> Vec<ItemId> {
        let (mut count, mut bytes) = (self.kept.len(), self.bytes);
        let mut evicted = Vec::new();
        for failure in &mut self.kept {
            if count <= MAX_RECORDS && bytes <= MAX_BYTES {
                break;
            }
            count -= 1;
            bytes -= failure.bytes;
            if !failure.evicting {
                failure.evicting = true;
                evicted.push(failure.id.clone());
            }
        }
        evicted
    }

    /// The oldest quarter, at least one, to make room on a full disk (R5); marked as being evicted.
    pub(super) fn oldest_quarter(&mut self) -> Vec<ItemId> {
        let fresh = self.kept.iter().filter(|failure| !failure.evicting).count();
        let oldest = self.kept.iter_mut().filter(|failure| !failure.evicting).take(fresh.div_ceil(4));
        oldest
            .map(|failure| {
                failure.evicting = true;
                failure.id.clone()
            })
            .collect()
    }

    /// An eviction failed: it may be tried again.
    pub(super) fn keep(&mut self, id: &ItemId) {
        if let Some(failure) = self.kept.iter_mut().find(|failure| failure.id == *id) {
            failure.evicting = false;
        }
    }
}
