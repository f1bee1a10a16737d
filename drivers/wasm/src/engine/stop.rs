//! How an engine ends: in order.

use alloc::sync::Arc;

use outbox::{AttemptId, Input, Item, Outbox, Timestamp};

use super::Engine;

/// How an executor stopped. Whatever it says, nothing is lost: what was enqueued is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Stopped {
    /// Attempts that were given up: their items are sent again.
    pub given_up: usize,
    /// Whether everything the outbox knew was written. If not, an item that the server has may be sent
    /// again; an idempotency key makes that harmless (R29).
    pub durable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Running,
    /// Nothing new is sent.
    Stopping,
    Stopped,
}

impl Engine {
    /// Whether the app is still served.
    pub(crate) fn is_serving(&self) -> bool {
        self.stage.get() == Stage::Running
    }

    /// Begins to stop: nothing new is sent, attempts under way have `patience_ms` to end, and what is known
    /// is written. Then the storage is closed and leadership released.
    pub(crate) fn stop(&self, patience_ms: u64) {
        if !self.is_serving() {
            return;
        }
        self.page.replace(None); // it may not say `online` any longer
        self.stage.set(Stage::Stopping);
        self.patience.set(Some(self.clock.now().plus_ms(patience_ms)));
        self.feed(Input::Online(false));
    }

    pub(super) fn dispatch(&self, attempt: AttemptId, item: &Arc<Item>, deadline: Timestamp) {
        match self.stage.get() {
            Stage::Running => self.app.dispatch(attempt, Arc::clone(item), deadline),
            // A probe: its claim is stored, and it is sent again.
            Stage::Stopping => self.held_back.borrow_mut().push(attempt),
            Stage::Stopped => {}
        }
    }

    pub(super) fn cancel(&self, attempt: AttemptId) {
        self.held_back.borrow_mut().retain(|held_back| *held_back != attempt);
        self.app.cancel(attempt);
    }

    pub(super) fn stop_if_quiet(&self) {
        if self.stage.get() == Stage::Stopping && self.given_up() == 0 && self.look(Outbox::is_durable) {
            self.close();
        }
    }

    /// Ends at once, but for what is known and not yet asked of storage: that is written.
    pub(crate) fn close(&self) {
        self.ask_for_gathered();
        if self.stage.get() == Stage::Stopped {
            return;
        }
        let stopped = Stopped { given_up: self.given_up(), durable: self.look(Outbox::is_durable) };
        self.stage.set(Stage::Stopped);
        self.page.replace(None);
        self.patience.set(None);
        self.alarm.set(None);
        self.post_pokes();
        self.leadership.stop(self); // it may say goodbye on the channel
        self.channel.replace(None);
        self.storage.close();
        self.app.stopped(stopped);
    }

    fn given_up(&self) -> usize {
        self.look(Outbox::in_flight) - self.held_back.borrow().len()
    }
}
