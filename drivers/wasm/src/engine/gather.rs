//! What comes together shares a transaction (R4): storage is asked at the end of the turn, when all that the
//! platform had ready has been heard.
//!
//! The attempts that one answer starts end in as many microtasks, as do the calls of those who waited for it.
//! Each would find storage idle: the first would be written alone, and the others behind it, and so for ever.
//! One microtask is enough to hear them all: they are queued before it.

use alloc::{boxed::Box, rc::Weak};
use core::cell::Cell;

use outbox::{Input, Outbox};

use super::{Engine, Stage, with};
use crate::task::at_end_of_task;

/// Whether the end of the turn is waited for.
#[derive(Default)]
pub(super) struct Gathering(Cell<bool>);

impl Engine {
    /// Sees to it that what waits for storage is asked for at the end of this turn.
    pub(super) fn gather(&self) {
        if self.has_gathered() && !self.gathering.0.replace(true) {
            let engine = Weak::clone(&self.me);
            at_end_of_task(Box::new(move || with(&engine, Self::ask_for_gathered)));
        }
    }

    /// Asks storage for what has gathered.
    pub(super) fn ask_for_gathered(&self) {
        self.gathering.0.set(false);
        if self.has_gathered() {
            self.feed(Input::Tick);
        }
    }

    fn has_gathered(&self) -> bool {
        self.stage.get() != Stage::Stopped && self.look(Outbox::wants_storage)
    }
}
