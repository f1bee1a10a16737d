//! `Local`: the Rust app, as the engine knows it.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::Arc,
};

use futures_channel::oneshot;
use outbox::{
    AskId, AskedItem, AttemptId, CallError, CallId, Event, HookError, Input, Item, ItemId, Outcome, Poke,
    Reply, RetryBatch, Timestamp, ViewChange,
    storage::{OpId, Scope, Snapshot, StorageError},
};
use outbox_driver::{Known, Lookup, Lookups, OutcomeSender, Waiters};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::{
    attempt::{AbortController, LocalFuture, RawAttempt},
    events::Subscribers,
    live::Feeds,
    mutators::{Mutators, Registered},
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
    pub(crate) mutators: Registered,
    hook: Option<HookFn>,
    pub(crate) waiters: RefCell<Waiters>,
    lookups: RefCell<Lookups>,
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
        mutators: Mutators,
        hook: Option<HookFn>,
        opened: oneshot::Sender<Result<(), StorageError>>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            engine: OnceCell::new(),
            mutators: Registered::new(mutators),
            hook,
            waiters: RefCell::default(),
            lookups: RefCell::default(),
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

    /// The outcome to come of a pending item; for any other, what is known of it when storage was read (R29).
    pub(crate) fn outcome_of(&self, engine: &Engine, id: ItemId) -> oneshot::Receiver<Outcome> {
        let (tell, told) = oneshot::channel();
        let known = engine.look(|outbox| Known::of(outbox, &id));
        if known == Known::Nothing && engine.look(|outbox| outbox.config().shared) {
            self.lookups.borrow_mut().add(id, tell);
            engine.feed(Input::Poked(Poke::Unknown));
        } else {
            self.tell_outcome(id, tell, known);
        }
        told
    }

    fn tell_outcome(&self, id: ItemId, tell: OutcomeSender, known: Known) {
        let outcome = match known {
            Known::Pending => return self.waiters.borrow_mut().item(id, tell),
            Known::Ended(outcome) => outcome,
            Known::Nothing => Outcome::Gone,
        };
        let _ = tell.send(outcome); // whoever asked may be gone
    }
}

impl App for Local {
    fn opened(&self, result: Result<(), &StorageError>) {
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(result.map_err(StorageError::clone)); // a start that was given up
        }
    }

    fn upgrade(&self, snapshot: &mut Snapshot) {
        for refused in self.mutators.now().registry.upgrade(snapshot) {
            let words = format!(
                "the upgrade of `{}` refused the stored args of `{}`; they stay as they are: {}",
                refused.mutator_name, refused.id, refused.problem
            );
            report(&JsValue::from_str(&words));
        }
    }

    fn acquiring(&self, op: OpId) {
        self.lookups.borrow_mut().acquiring(op);
    }

    fn loading(&self, op: OpId, scope: &Scope) {
        self.lookups.borrow_mut().loading(op, scope);
    }

    fn loaded(&self, op: OpId, is_read: bool) {
        if !is_read {
            return self.lookups.borrow_mut().failed(op);
        }
        let waiting = self.lookups.borrow_mut().take(op);
        for Lookup { id, tell, .. } in waiting {
            if let Some(engine) = self.engine().upgrade() {
                let known = engine.look(|outbox| Known::of(outbox, &id));
                self.tell_outcome(id, tell, known);
            }
        }
    }

    fn dispatch(&self, attempt: AttemptId, item: Arc<Item>, deadline: Timestamp) {
        let mutators = self.mutators.now();
        let mutator = mutators.send(&item.mutator_name);
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
        self.lookups.take();
        self.events.end();
        self.feeds.end();
        for waiting in self.stopping.take() {
            let _ = waiting.send(stopped);
        }
    }
}
