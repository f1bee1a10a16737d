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
        self.outbox.in_flight() - self.parts.held_back.len()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::{future, time::Duration};

    use outbox::{
        CallId, Draft, ItemId, Json, Key, Mutator, Outbox,
        storage::{MemoryStore, Store, StoreId},
    };
    use tokio::{runtime::Handle, sync::broadcast};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        clock::Clock,
        engine::{hook::Hook, leadership::Leadership, store_thread::Request},
        mutators::{Mutators, Registered},
    };

    /// An engine whose attempts never end, without threads: its store is served by hand.
    struct ByHand {
        engine: Arc<Engine>,
        store: MemoryStore,
    }

    impl ByHand {
        fn leading() -> Self {
            let mut mutators = Mutators::default();
            for (name, timeout_ms) in [("patient", 1_000_000), ("hasty", 1_000)] {
                let mutator = Mutator::<()>::new(name).timeout_ms(timeout_ms);
                mutators.register(mutator, Arc::new(|_| Box::pin(future::pending())));
            }
            let clock = Clock::start();
            let config = outbox::Config {
                mutators: mutators.registry.configs(),
                shared: false,
                ..outbox::Config::default()
            };
            let outbox = Outbox::new(config, clock.now()).unwrap();
            let (events, _) = broadcast::channel(16);
            let mutators = Arc::new(Registered::new(mutators));
            let running = Running::new(outbox, clock, mutators, Hook::new(None), events, None);
            let engine = Engine::new(running, Handle::current(), CancellationToken::new());
            engine.lead(Leadership::Alone);
            let mut by_hand = Self { engine, store: MemoryStore::new(StoreId(1)) };
            by_hand.serve();
            by_hand
        }

        fn serve(&mut self) {
            while let Ok(Some(request)) = self.engine.next_request(Some(Duration::ZERO)) {
                self.engine.feed(match request {
                    Request::Acquire { op } => Input::Loaded { op, result: self.store.acquire() },
                    Request::Load { op, fence, scope } => {
                        Input::Loaded { op, result: self.store.load(fence, &scope) }
                    }
                    Request::Persist { op, fence, writes } => {
                        Input::Persisted { op, result: self.store.persist(fence, &writes) }
                    }
                });
            }
        }

        fn enqueue(&mut self, mutator: &str) {
            let draft = Draft::new(ItemId::new(mutator).unwrap(), mutator, Json::null());
            let draft = draft.with_key(Key::one(mutator).unwrap());
            self.engine.feed(Input::Enqueue { call: CallId(1), draft });
            self.serve();
        }

        async fn wait_secs(&mut self, secs: u64) {
            tokio::time::advance(Duration::from_secs(secs)).await;
            self.engine.feed(Input::Tick);
            self.serve();
        }

        fn held_back(&self) -> usize {
            self.engine.with(|running| running.parts.held_back.len()).unwrap()
        }

        fn given_up(&self) -> usize {
            self.engine.with(|running| running.given_up()).unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_was_held_back_hides_no_attempt_under_way() {
        let mut by_hand = ByHand::leading();
        by_hand.enqueue("patient");
        by_hand.engine.feed(Input::Online(false));
        by_hand.enqueue("hasty");
        by_hand.engine.begin_stop().unwrap();
        by_hand.wait_secs(60).await;
        assert_eq!((by_hand.held_back(), by_hand.given_up()), (1, 1), "a probe, which is not sent (R8)");
        by_hand.wait_secs(1).await;
        assert_eq!((by_hand.held_back(), by_hand.given_up()), (0, 1), "its time is over");
        by_hand.engine.feed(Input::Deposed);
        assert_eq!(by_hand.given_up(), 0);
    }
}
