//! `Telling`: when the host is told which change of the list of pending items.
//!
//! A call for each would cost more than all else, and one for ten thousand would block the page. So the changes
//! of an input are told together, and what a large load brings is held back: it is told in parts, each in a
//! task of its own. Nothing waits for that but what is new to nobody: a change of an item that is held back
//! brings that item forward.

use alloc::{sync::Arc, vec::Vec};

use outbox::{Item, Place, Seq, ViewChange};

/// So many changes are told in one task, but for those that cannot wait.
const PART: usize = 1_000;

#[derive(Default)]
pub(super) struct Telling {
    due: Vec<ViewChange>,
    /// What is held back by place, told from the front: `None` has been told.
    held: Vec<(Seq, Option<Arc<Item>>)>,
    /// Before this one all have been told.
    next: usize,
}

impl Telling {
    /// One more change, to be told with the others of its input.
    pub(super) fn add(&mut self, change: ViewChange) {
        match &change {
            // It is newer than what was held back.
            ViewChange::Set { place: Place::Stored(seq), .. } => drop(self.take(*seq)),
            ViewChange::Set { place: Place::Writing(_), .. } => {}
            ViewChange::Moved { from: place, .. } | ViewChange::Left { place, .. } => {
                if let Place::Stored(seq) = place {
                    self.bring_forward(*seq);
                }
            }
        }
        self.due.push(change);
    }

    /// Something is to be told of this item: the host must know it.
    pub(super) fn bring_forward(&mut self, seq: Seq) {
        if let Some(item) = self.take(seq) {
            self.due.push(ViewChange::Set { place: Place::Stored(seq), item });
        }
    }

    /// What is to be told in this task, in order; of many changes those that cannot wait.
    pub(super) fn take_due(&mut self) -> Vec<ViewChange> {
        let due = core::mem::take(&mut self.due);
        if due.len() <= PART {
            return due;
        }
        for change in due {
            match change {
                ViewChange::Set { place: Place::Stored(seq), item } => self.hold(seq, item),
                change => self.add(change),
            }
        }
        core::mem::take(&mut self.due)
    }

    /// The next part of what is held back.
    pub(super) fn take_part(&mut self) -> Vec<ViewChange> {
        let mut part = self.take_due();
        while part.len() < PART
            && let Some((seq, item)) = self.held.get_mut(self.next)
        {
            self.next += 1;
            if let Some(item) = item.take() {
                part.push(ViewChange::Set { place: Place::Stored(*seq), item });
            }
        }
        if !self.holds() {
            self.end();
        }
        part
    }

    /// Whether something is held back.
    pub(super) fn holds(&self) -> bool {
        self.next < self.held.len()
    }

    /// Nothing is told any more.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    fn hold(&mut self, seq: Seq, item: Arc<Item>) {
        let place = if self.held.last().is_none_or(|(last, _)| *last < seq) {
            Err(self.held.len()) // what is loaded comes in order
        } else {
            self.find(seq)
        };
        match place {
            Ok(place) => self.held[place].1 = Some(item),
            Err(place) => self.held.insert(place, (seq, Some(item))),
        }
        self.next = self.next.min(place.unwrap_or_else(|place| place));
    }

    fn take(&mut self, seq: Seq) -> Option<Arc<Item>> {
        let place = self.find(seq).ok()?;
        self.held[place].1.take()
    }

    fn find(&self, seq: Seq) -> Result<usize, usize> {
        self.held.binary_search_by_key(&seq, |(seq, _)| *seq)
    }
}
