//! `Local`: the Rust app, as the engine knows it.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::Arc,
};

use futures_channel::oneshot;
use outbox::{
    AskId, AskedItem, AttemptId, CallError, CallId, Event, HookError, Input, Item, Registry, Reply,
    RetryBatch, Timestamp, ViewChange,
    storage::{Snapshot, StorageError},
};
use outbox_driver::Waiters;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::{
    attempt::{AbortController, LocalFuture, MutatorFn, RawAttempt},
    events::Subscribers,
    live::Feeds,
};
use crate::{
    clock::report,
    engine::{App, Engine, Stopped},
};

/// What a hook comes to.
pub(crate) type HookResult = Result<RetryBatch, HookError>;

/// The app's hook, its type erased.
pub(crate) type HookFn = Rc<dyn Fn(RetryBatch) -> LocalFuture<HookResult>>;

pub(crate) struct Local {
    me: Weak<Self>,
    engine: OnceCell<Weak<Engine>>,
    pub(crate) registry: Registry,
    mutators: BTreeMap<String, MutatorFn>,
    hook: Option<HookFn>,
    pub(crate) waiters: RefCell<Waiters>,
    pub(crate) events: Subscribers,
    pub(crate) feeds: Feeds,
    flights: RefCell<BTreeMap<AttemptId, AbortController>>,
    /// Hears how the first load went.
    opened: Cell<Option<oneshot::Sender<Result<(), StorageError>>>>,
    stopped: Cell<Option<Stopped>>,
    /// Hear how it stopped.
    stopping: RefCell<Vec<oneshot::Sender<Stopped>>>,
}

impl Local {
    pub(crate) fn new(
        registry: Registry,
        mutators: BTreeMap<String, MutatorFn>,
        hook: Option<HookFn>,
        opened: oneshot::Sender<Result<(), StorageError>>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            engine: OnceCell::new(),
            registry,
            mutators,
            hook,
            waiters: RefCell::default(),
            events: Subscribers::default(),
            feeds: Feeds::default(),
            flights: RefCell::default(),
            opened: Cell::new(Some(opened)),
            stopped: Cell::new(None),
            stopping: RefCell::default(),
        })
    }

    /// Results go there.
    pub(crate) fn drive(&self, engine: &Rc<Engine>) {
        let first = self.engine.set(Rc::downgrade(engine));
        assert!(first.is_ok(), "an app has one engine");
    }

    fn engine(&self) -> Weak<Engine> {
        self.engine.get().cloned().unwrap_or_default()
    }

    /// How it will have stopped.
    pub(crate) fn when_stopped(&self) -> oneshot::Receiver<Stopped> {
        let (tell, told) = oneshot::channel();
        self.stopping.borrow_mut().push(tell);
        told
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }
}

impl App for Local {
    fn opened(&self, result: Result<(), &StorageError>) {
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(result.map_err(StorageError::clone)); // a start that was given up
        }
    }

    fn upgrade(&self, snapshot: &mut Snapshot) {
        for refused in self.registry.upgrade(snapshot) {
            let words = format!(
                "the upgrade of `{}` refused the stored args of `{}`; they stay as they are: {}",
                refused.mutator_name, refused.id, refused.problem
            );
            report(&JsValue::from_str(&words));
        }
    }

    fn dispatch(&self, attempt: AttemptId, item: Arc<Item>, deadline: Timestamp) {
        let mutator = self.mutators.get(&*item.mutator_name);
        let mutator = mutator.expect("the outbox parks items of mutators that are not registered (R23)");
        let controller = AbortController::new();
        self.flights.borrow_mut().insert(attempt, controller.clone());
        let (mutator, app, engine) = (Rc::clone(mutator), Weak::clone(&self.me), self.engine());
        let raw = RawAttempt { item, number: attempt.attempt, controller, deadline };
        spawn_local(async move {
            let outcome = mutator(raw).await;
            if let Some(app) = app.upgrade() {
                app.flights.borrow_mut().remove(&attempt);
            }
            if let Some(engine) = engine.upgrade() {
                engine.feed(Input::Resolved { attempt, outcome });
            }
        });
    }

    fn cancel(&self, attempt: AttemptId) {
        let cancelled = self.flights.borrow_mut().remove(&attempt);
        if let Some(controller) = cancelled {
            controller.abort();
        }
    }

    fn ask(&self, ask: AskId, items: Vec<AskedItem>) {
        let hook = self.hook.as_ref().expect("the outbox asks only if the config says there is a hook");
        let (hook, engine) = (Rc::clone(hook), self.engine());
        spawn_local(async move {
            let verdicts = hook(RetryBatch::new(items)).await.map(RetryBatch::into_verdicts);
            if let Some(engine) = engine.upgrade() {
                engine.feed(Input::Answered { ask, verdicts });
            }
        });
    }

    fn reply(&self, call: CallId, result: Result<Reply, CallError>) {
        let answer = self.waiters.borrow_mut().reply(call, result);
        if let Some((caller, answer)) = answer {
            let _ = caller.send(answer); // whoever asked may be gone
        }
    }

    fn view(&self, change: ViewChange) {
        self.feeds.tell(&change);
    }

    fn event(&self, event: Event) {
        let told = self.waiters.borrow_mut().hear(&event);
        for (waiter, outcome) in told {
            let _ = waiter.send(outcome);
        }
        self.events.tell(&event);
    }

    fn stopped(&self, stopped: Stopped) {
        self.stopped.set(Some(stopped));
        for controller in self.flights.take().into_values() {
            controller.abort();
        }
        self.waiters.take(); // who waits is told that it has stopped
        self.events.end();
        self.feeds.end();
        for waiting in self.stopping.take() {
            let _ = waiting.send(stopped);
        }
    }
}
