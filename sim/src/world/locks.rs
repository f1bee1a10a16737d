//! The leader's lock as a browser keeps it: one holder, a queue, and `steal` (R26).

use std::collections::VecDeque;

use super::queue::PageId;

/// One lock.
#[derive(Clone, Debug, Default)]
pub struct Locks {
    /// Who holds it; a page that has died no longer does.
    pub holder: Option<PageId>,
    queue: VecDeque<PageId>,
}

impl Locks {
    /// A page queues for it, once.
    pub(super) fn request(&mut self, page: PageId) {
        if self.holder != Some(page) && !self.queue.contains(&page) {
            self.queue.push_back(page);
        }
    }

    /// A page lets go of it, and of its place in the queue.
    pub(super) fn release(&mut self, page: PageId) {
        self.queue.retain(|waiting| *waiting != page);
        if self.holder == Some(page) {
            self.holder = None;
        }
    }

    /// If nobody holds it, the next does: who?
    pub(super) fn grant(&mut self) -> Option<PageId> {
        if self.holder.is_some() {
            return None;
        }
        self.holder = self.queue.pop_front();
        self.holder
    }

    /// A page takes it from whoever holds it.
    pub(super) fn steal(&mut self, page: PageId) -> Option<PageId> {
        self.queue.retain(|waiting| *waiting != page);
        self.holder.replace(page).filter(|old| *old != page)
    }

    /// It is taken from its holder, by nobody in this world.
    pub(super) fn revoke(&mut self) -> Option<PageId> {
        self.holder.take()
    }
}
