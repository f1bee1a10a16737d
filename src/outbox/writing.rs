//! `Writing`: an enqueue whose insert is not durable yet, and all of them in the order they were made.

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

use crate::{
    input::CallId,
    item::{Item, ItemId},
    storage::Write,
    time::Timestamp,
};

/// An enqueue whose insert is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Writing {
    pub(super) call: CallId,
    pub(super) item: Arc<Item>,
    /// Inserted with its first claim, holding a slot since then (R2).
    pub(super) born_claimed: Option<Timestamp>,
    /// Comes from this failure record (R15).
    pub(super) failure: Option<ItemId>,
    /// Removals asked for meanwhile: carried out when it is stored (R18).
    pub(super) removals: Vec<CallId>,
    /// The store could not tell whether it was committed (R4).
    pub(super) in_doubt: bool,
    /// It is part of the transaction in flight.
    pub(super) in_flight: bool,
}

impl Writing {
    /// The write that stores it.
    pub(super) fn insert(&self, record: Arc<str>) -> Write {
        let id = self.item.id.clone();
        match self.failure.clone() {
            None => Write::Insert { id, record },
            Some(failure) => Write::RetryFailure { failure, id, record },
        }
    }
}

/// All of them, by a number that rises with each: they come at the end, and mostly go from the front.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct WritingQueue {
    queue: VecDeque<(u64, Writing)>,
    next: u64,
}

impl WritingQueue {
    /// The number that the next one gets.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn push(&mut self, writing: Writing) {
        self.queue.push_back((self.next, writing));
        self.next += 1;
    }

    fn find(&self, local: u64) -> Option<usize> {
        if self.queue.front().is_some_and(|&(at, _)| at == local) {
            return Some(0);
        }
        self.queue.binary_search_by_key(&local, |&(at, _)| at).ok()
    }

    pub(super) fn get(&self, local: u64) -> Option<&Writing> {
        self.find(local).map(|at| &self.queue[at].1)
    }

    pub(super) fn get_mut(&mut self, local: u64) -> Option<&mut Writing> {
        self.find(local).map(|at| &mut self.queue[at].1)
    }

    pub(super) fn remove(&mut self, local: u64) -> Option<Writing> {
        let at = self.find(local)?;
        self.queue.remove(at).map(|(_, writing)| writing)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Writing)> {
        self.queue.iter().map(|(local, writing)| (*local, writing))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Writing> {
        self.queue.iter().map(|(_, writing)| writing)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
