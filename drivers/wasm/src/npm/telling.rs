//! `Telling`: when the host is told which change of the list of pending items.
//!
//! A call for each would cost more than all else, and one for ten thousand would block the page. So the
//! changes of an input are told together, and what a large load brings is held back: it is told in parts,
//! each in a task of its own. No other change waits for that: one of an item that is held back brings that
//! item forward.

use alloc::vec::Vec;

use outbox::{Place, ViewChange};

/// So many changes are told in one task, but for those that cannot wait.
const PART: usize = 1_000;

#[derive(Default)]
pub(super) struct Telling {
    due: Vec<ViewChange>,
    /// Items that storage had.
    held: Vec<ViewChange>,
}

impl Telling {
    /// One more change, to be told with the others of its input.
    pub(super) fn add(&mut self, change: ViewChange) {
        let (ViewChange::Set { place, .. }
        | ViewChange::Moved { from: place, .. }
        | ViewChange::Left { place, .. }) = &change;
        self.bring_forward(*place);
        self.due.push(change);
    }

    /// Something is to be told of the item at this place: the host must know it.
    pub(super) fn bring_forward(&mut self, place: Place) {
        if matches!(place, Place::Writing(_)) {
            return; // only what is stored is held back
        }
        let is_it = |held: &ViewChange| matches!(held, ViewChange::Set { place: at, .. } if *at == place);
        while let Some(at) = self.held.iter().position(is_it) {
            self.due.push(self.held.remove(at));
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
                ViewChange::Set { place: Place::Stored(_), .. } => self.held.push(change),
                change => self.add(change),
            }
        }
        core::mem::take(&mut self.due)
    }

    /// The next part of what is held back.
    pub(super) fn take_part(&mut self) -> Vec<ViewChange> {
        let rest = self.held.split_off(self.held.len().min(PART));
        core::mem::replace(&mut self.held, rest)
    }

    /// Whether something is held back.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Nothing is told any more.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}
