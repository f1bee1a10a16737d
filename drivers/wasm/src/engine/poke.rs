//! Pokes leave when the app has gone on: to post one takes as long as a tenth of the write that it tells of,
//! and who waited for that write need not wait for this.

use alloc::{boxed::Box, rc::Weak, vec::Vec};
use core::cell::RefCell;

use outbox::Poke;

use super::{Engine, with};
use crate::{channel::Message, task::after_awaits};

/// What is still to be posted, in order.
#[derive(Default)]
pub(super) struct Pokes(RefCell<Vec<Poke>>);

impl Engine {
    /// Posts it at the end of this task.
    pub(super) fn poke_later(&self, poke: Poke) {
        let mut pokes = self.pokes.0.borrow_mut();
        pokes.push(poke);
        if pokes.len() == 1 {
            let engine = Weak::clone(&self.me);
            after_awaits(Box::new(move || with(&engine, Self::post_pokes)));
        }
    }

    /// Posts what is still to be posted.
    pub(super) fn post_pokes(&self) {
        for poke in self.pokes.0.take() {
            self.post(&Message::Poke(poke));
        }
    }
}
