//! The engine: the [`Outbox`] and what carries its effects out, behind one lock. Whoever brings an input
//! takes the lock, hands it in and carries out what follows: a caller its call, the store's thread the
//! answer of the store, a task the end of its attempt. So an enqueue goes through two threads, the caller's
//! and the store's, and what is enqueued while a transaction runs is the next one (R4).
//!
//! The lock is held for microseconds: never across an await or I/O, and never while code of the app runs.
//! What may call such code (waking a caller, starting an attempt, logging) is kept in [`Later`] and done
//! once the lock is released. What may be observed by several threads in an order (events, changes of
//! views) is handed to queues under the lock, so all see it in the outbox's order.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use outbox::{
    AttemptId, CallId, Effect, Event, Input, ItemId, Outbox, Outcome, Timestamp, ViewChange,
    storage::StorageError,
};
use outbox_driver::{AnswerSender, Lookups, Waiters};
use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast, mpsc::UnboundedSender, oneshot},
};
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, mutators::Registered};

pub(crate) mod flights;
pub(crate) mod gather;
pub(crate) mod hook;
pub(crate) mod later;
pub(crate) mod leadership;
mod lookups;
pub(crate) mod stop;
pub(crate) mod store_thread;
pub(crate) mod timer;

use flights::Flights;
use gather::Waits;
use hook::Hook;
use later::Later;
use leadership::Leadership;
pub use stop::Stopped;
use store_thread::Request;
use timer::Alarm;

/// Is told every change of the list of pending items, under the lock: it must only pass it on. `false`:
/// nobody looks at it any longer.
pub(crate) type Watcher = Box<dyn FnMut(&ViewChange) -> bool + Send>;

/// What all sides of an executor share. It outlives its [`Running`] as an empty shell.
pub(crate) struct Engine {
    state: Mutex<State>,
    /// Told when a storage request waits, or the engine has ended.
    asked: Condvar,
    /// Counts calls and results, so that the store's thread sees who comes back.
    arrivals: AtomicU64,
    /// Told when the timer is to look again.
    timer: Notify,
    /// Told, while it stops, when there is nothing left to wait for.
    quiet: Notify,
    /// Cancelled when the store is closed.
    store_closed: CancellationToken,
    /// Cancelled when the recorder has been shown everything.
    recorded: CancellationToken,
    /// Where attempts run.
    runtime: Handle,
}

enum State {
    Running(Box<Running>),
    Ended(Stopped),
}

/// Everything that ends with the executor.
pub(crate) struct Running {
    pub(crate) outbox: Outbox,
    pub(crate) clock: Clock,
    pub(crate) mutators: Arc<Registered>,
    pub(crate) hook: Hook,
    pub(crate) leadership: Leadership,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) recorder: Option<UnboundedSender<(Timestamp, Input)>>,
    /// Hears how the first load went.
    pub(crate) first_load: Option<oneshot::Sender<Result<(), StorageError>>>,
    parts: Parts,
}

/// What every engine begins with.
#[derive(Default)]
struct Parts {
    last_call: u64,
    /// Inputs that carrying out an effect has brought.
    inbox: VecDeque<Input>,
    effects: Vec<Effect>,
    later: Vec<Later>,
    /// The request that the store's thread is about to take.
    request: Option<Request>,
    store_waits: Waits,
    /// How many had arrived when the store's thread last took a request.
    arrivals_taken: u64,
    alarm: Alarm,
    flights: Flights,
    waiters: Waiters,
    lookups: Lookups,
    watchers: Vec<Watcher>,
    stopping: bool,
    /// Attempts that were to begin while stopping, and did not; none that the outbox has given up since.
    held_back: Vec<AttemptId>,
}

impl Engine {
    /// An engine that nothing drives yet. `recorded` is for whoever shows inputs to the recorder.
    pub(crate) fn new(running: Running, runtime: Handle, recorded: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::Running(Box::new(running))),
            asked: Condvar::new(),
            arrivals: AtomicU64::new(0),
            timer: Notify::new(),
            quiet: Notify::new(),
            store_closed: CancellationToken::new(),
            recorded,
            runtime,
        })
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// One input, and everything that follows from it. Once the engine has ended nothing does.
    pub(crate) fn feed(self: &Arc<Self>, input: Input) {
        let _ = self.with(|running| running.step(input));
    }

    /// As [`Engine::feed`], for what the app tells; not while stopping.
    pub(crate) fn tell(self: &Arc<Self>, input: Input) {
        let _ = self.serving(|running| running.step(input));
    }

    /// An input that is answered. `None`: the engine has stopped.
    pub(crate) fn call(
        self: &Arc<Self>,
        input: impl FnOnce(CallId) -> Input,
        answer: AnswerSender,
    ) -> Option<()> {
        self.serving(|running| {
            running.parts.last_call += 1;
            let call = CallId(running.parts.last_call);
            running.parts.waiters.call(call, answer);
            running.step(input(call));
            self.arrived();
        })
    }

    /// Counts one who may be whom the store's thread has just woken. Call it under the lock.
    fn arrived(&self) {
        self.arrivals.fetch_add(1, Ordering::Relaxed);
    }

    /// A look at the state. `None`: the engine has stopped.
    pub(crate) fn look<T>(self: &Arc<Self>, look: impl FnOnce(&Outbox) -> T) -> Option<T> {
        self.serving(|running| look(&running.outbox))
    }

    /// The outcome of an item that may have been enqueued long ago. `None`: the engine has stopped.
    pub(crate) fn outcome_of(
        self: &Arc<Self>,
        id: ItemId,
    ) -> Option<futures_channel::oneshot::Receiver<Outcome>> {
        self.serving(|running| running.outcome_of(id))
    }

    /// From now on, every change of the list of pending items. `None`: the engine has stopped.
    pub(crate) fn watch(self: &Arc<Self>, watch: impl FnOnce(&Outbox) -> Watcher) -> Option<()> {
        self.serving(|running| running.parts.watchers.push(watch(&running.outbox)))
    }

    /// Takes over the claim to lead.
    pub(crate) fn lead(self: &Arc<Self>, leadership: Leadership) {
        let _ = self.with(|running| {
            running.leadership = leadership;
            if let Leadership::Alone = running.leadership {
                running.step(Input::Elected);
            }
        });
    }

    /// As [`Engine::with`], for the app; not while stopping.
    fn serving<T>(self: &Arc<Self>, work: impl FnOnce(&mut Running) -> T) -> Option<T> {
        let mut work = Some(work); // dropped without the lock if it is not done: it may hold the app's code
        self.with(|running| if running.parts.stopping { None } else { Some(work.take()?(running)) }).flatten()
    }

    /// Works on the state, and then does what is left for after the lock. `None`: the engine has ended.
    ///
    /// A panic in there is a bug in this library, and leaves a state that nothing may be built on: the
    /// engine ends. Whoever waits is told so, and everything that was acknowledged is stored.
    fn with<T>(self: &Arc<Self>, work: impl FnOnce(&mut Running) -> T) -> Option<T> {
        let (done, later) = self.with_later(work)?;
        for later in later {
            later.carry_out(self);
        }
        Some(done)
    }

    /// As [`Engine::with`], but what is left to do without the lock is the caller's to see to.
    fn with_later<T>(self: &Arc<Self>, work: impl FnOnce(&mut Running) -> T) -> Option<(T, Vec<Later>)> {
        let mut state = self.state();
        let State::Running(running) = &mut *state else { return None };
        let Ok(done) = catch_unwind(AssertUnwindSafe(|| work(running))) else {
            let given_up = running.parts.flights.under_way();
            self.end(state, Stopped { given_up, durable: false });
            tracing::error!("the outbox panicked: the executor stops; what was acknowledged is stored");
            return None;
        };
        let later = std::mem::take(&mut running.parts.later);
        let asked = running.wakes_store(self.arrivals.load(Ordering::Relaxed));
        let rings = running.parts.alarm.is_moved_forward();
        let quiet = running.parts.stopping && running.is_quiet();
        drop(state);
        if asked {
            self.asked.notify_one();
        }
        if rings {
            self.timer.notify_one();
        }
        if quiet {
            self.quiet.notify_one();
        }
        Some((done, later))
    }

    /// Nothing of ours panics while it holds this lock but within [`Engine::with`], which ends the engine.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    pub(crate) fn new(
        outbox: Outbox,
        clock: Clock,
        mutators: Arc<Registered>,
        hook: Hook,
        events: broadcast::Sender<Event>,
        recorder: Option<UnboundedSender<(Timestamp, Input)>>,
    ) -> Self {
        let leadership = Leadership::None;
        let parts = Parts::default();
        Self { outbox, clock, mutators, hook, leadership, events, recorder, first_load: None, parts }
    }

    /// One input, and everything that follows from it.
    fn step(&mut self, input: Input) {
        self.parts.inbox.push_back(input);
        while let Some(input) = self.parts.inbox.pop_front() {
            self.step_at(self.clock.now(), input);
        }
    }

    fn step_at(&mut self, now: Timestamp, input: Input) {
        if let Some(recorder) = &self.recorder {
            let _ = recorder.send((now, input.clone())); // a recorder that panicked is shown nothing more
        }
        let loaded = self.note_load(&input);
        let mut effects = std::mem::take(&mut self.parts.effects);
        self.outbox.handle(now, input, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.parts.effects = effects;
        if let Some(op) = loaded {
            self.answer_lookups(op);
        }
        if self.outbox.is_loaded()
            && let Some(first_load) = self.first_load.take()
        {
            let _ = first_load.send(Ok(())); // a start that was given up
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Acquire { op } => self.ask(Request::Acquire { op }),
            Effect::Load { op, fence, scope } => self.ask(Request::Load { op, fence, scope }),
            Effect::Persist { op, fence, writes } => self.ask(Request::Persist { op, fence, writes }),
            Effect::Dispatch { attempt, item, deadline } => {
                if self.parts.stopping {
                    return self.parts.held_back.push(attempt); // a probe: its claim is stored
                }
                let mutators = self.mutators.now();
                let mutator = mutators.send(&item.mutator_name);
                let mutator =
                    mutator.expect("the outbox parks items of mutators that are not registered (R23)");
                let deadline = self.clock.instant(deadline);
                let flight = self.parts.flights.begin(attempt, item, deadline, mutator);
                self.parts.later.push(Later::Dispatch(flight));
            }
            Effect::Cancel(attempt) => {
                self.parts.held_back.retain(|held_back| *held_back != attempt);
                self.parts.flights.cancel(attempt);
            }
            Effect::AskBeforeRetry { ask, items } => {
                let question = self.hook.ask(ask, items);
                self.parts.later.push(Later::Ask(question));
            }
            Effect::Resign => {
                if let Some(input) = self.leadership.resign() {
                    self.parts.inbox.push_back(input);
                }
            }
            Effect::Sleep { until } => {
                self.parts.alarm.set(until.map(|until| self.clock.instant(until)));
            }
            Effect::Reply { call, result } => {
                let answer = self.parts.waiters.reply(call, result);
                self.parts.later.extend(answer.map(|(caller, answer)| Later::Answer(caller, answer)));
            }
            Effect::View(change) => self.parts.watchers.retain_mut(|watcher| watcher(&change)),
            Effect::Notify(event) => self.notify(event),
            // Processes share a file and no channel: its change counter is the poke (R28), and the
            // operating system frees the lock of a holder that is gone (R26), so nobody pings or steals.
            Effect::Poke(_) | Effect::Ping { .. } | Effect::Pong { .. } | Effect::Steal(_) => {}
        }
    }

    fn ask(&mut self, request: Request) {
        self.note_request(&request);
        let before = self.parts.request.replace(request);
        assert!(before.is_none(), "one storage request is in flight at a time (R4)");
    }

    fn notify(&mut self, event: Event) {
        let told = self.parts.waiters.hear(&event);
        self.parts.later.extend(told.map(|(waiter, outcome)| Later::Outcome(waiter, outcome)));
        if self.events.receiver_count() > 0 {
            let _ = self.events.send(event.clone()); // an error: the last subscriber has just left
        }
        self.parts.later.push(Later::Log(event));
    }
}
