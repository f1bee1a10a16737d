//! How an engine ends: in order, at once, or because something in it broke.

use std::{
    sync::{Arc, MutexGuard},
    thread,
};

use outbox::Input;
use tokio::time::Instant;

use super::{Engine, Running, State};

/// How an executor stopped. Whatever it says, nothing is lost: what was enqueued is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Stopped {
    /// Attempts that were given up: their items are sent again by the next executor.
    pub given_up: usize,
    /// Whether everything the outbox knew was written. If not, an item that the server has may be sent
    /// again; an idempotency key makes that harmless (R29).
    pub durable: bool,
}

impl Engine {
    /// Begins to stop: calls are refused and nothing new is sent; attempts under way go on (R8). `None`: it
    /// has stopped, or does already.
    pub(crate) fn begin_stop(self: &Arc<Self>) -> Option<()> {
        self.serving(|running| {
            running.parts.stopping = true;
            running.step(Input::Online(false));
        })
    }

    /// After [`Engine::begin_stop`]: lets attempts end until `give_up_at`, writes what there is to write, and
    /// closes the store.
    pub(crate) async fn stop(self: Arc<Self>, give_up_at: Instant) -> Stopped {
        let _ = tokio::time::timeout_at(give_up_at, self.quiet()).await;
        self.close();
        let stopped = match &*self.state() {
            State::Ended(stopped) => *stopped,
            State::Running(_) => unreachable!("it was just closed"),
        };
        // A request that hangs is finished by the thread when it can; it keeps the store's file until then.
        let _ = tokio::time::timeout_at(give_up_at, self.store_closed.cancelled()).await;
        self.recorded.cancelled().await;
        stopped
    }

    /// Waits until no attempt is under way and everything is written, or the engine has ended.
    async fn quiet(&self) {
        loop {
            let told = self.quiet.notified();
            match &*self.state() {
                State::Running(running) if !running.is_quiet() => {}
                _ => return,
            }
            told.await;
        }
    }

    /// Ends at once: attempts under way are given up, and what is stored is sent by the next executor. One
    /// that has ended stays so.
    pub(crate) fn close(&self) {
        let state = self.state();
        if let State::Running(running) = &*state {
            let stopped = Stopped { given_up: running.given_up(), durable: running.outbox.is_durable() };
            self.end(state, stopped);
        }
    }

    /// For the store's thread, when it ends and the store is closed.
    pub(crate) fn store_ended(&self) {
        if thread::panicking() {
            tracing::error!("the store panicked: the executor stops");
        }
        self.close();
        self.store_closed.cancel();
    }

    pub(super) fn end(&self, mut state: MutexGuard<'_, State>, stopped: Stopped) {
        let ended = std::mem::replace(&mut *state, State::Ended(stopped));
        drop(state);
        drop(ended); // without the lock: mutators are the app's code
        self.asked.notify_all();
        self.timer.notify_one();
        self.quiet.notify_one();
    }
}

impl Running {
    /// While stopping: whether there is nothing left to wait for.
    pub(super) fn is_quiet(&self) -> bool {
        self.given_up() == 0 && self.outbox.is_durable()
    }

    /// The attempts that would be given up now. One that was held back never began.
    fn given_up(&self) -> usize {
        self.outbox.in_flight() - self.parts.held_back
    }
}
