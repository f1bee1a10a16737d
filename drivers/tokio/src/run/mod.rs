//! The run loop: one task owns the [`Outbox`] and its timer, turns what happens into inputs, and carries
//! out the effects of each.

use std::{collections::HashMap, future::pending};

use outbox::{
    CallId, Effect, Event, Input, ItemId, Outbox, Outcome, Timestamp, Trigger, ViewChange,
    storage::StorageError,
};
use tokio::{
    sync::{
        broadcast,
        mpsc::{UnboundedReceiver, UnboundedSender},
        oneshot,
    },
    time::Instant,
};

use crate::{attempt::MutatorFn, clock::Clock};

pub(crate) mod flights;
pub(crate) mod hook;
pub(crate) mod leadership;
pub(crate) mod store_thread;
pub(crate) mod waiters;

use flights::Flights;
use hook::Hook;
use leadership::Leadership;
use store_thread::{Request, StoreThread};
use waiters::{AnswerSender, Waiters};

/// What the app asks of the run loop.
pub(crate) enum Command {
    /// An input that is answered.
    Call { call: CallId, input: Input, answer: AnswerSender },
    /// An input that is not.
    Tell(Input),
    /// A look at the state.
    Query(Box<dyn FnOnce(&Outbox) + Send>),
    /// The outcome of an item that may have been enqueued long ago.
    Handle { id: ItemId, outcome: oneshot::Sender<oneshot::Receiver<Outcome>> },
    /// From now on, every change of the list of pending items.
    Watch { watch: Box<dyn FnOnce(&Outbox) -> Watcher + Send>, begun: oneshot::Sender<()> },
    /// The end.
    Stop { give_up_at: Instant, stopped: oneshot::Sender<Stopped> },
}

/// Is told every change of the list of pending items; `false`: nobody looks at it any longer.
pub(crate) type Watcher = Box<dyn FnMut(&ViewChange) -> bool + Send>;

/// Is shown every input with its time, for the flight recorder.
pub(crate) type Recorder = Box<dyn FnMut(Timestamp, &Input) + Send>;

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

/// Everything a running executor owns.
pub(crate) struct Run {
    pub(crate) outbox: Outbox,
    pub(crate) clock: Clock,
    pub(crate) mutators: HashMap<String, MutatorFn>,
    pub(crate) hook: Hook,
    pub(crate) store: StoreThread,
    pub(crate) leadership: Leadership,
    pub(crate) flights: Flights,
    pub(crate) waiters: Waiters,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) wake_at: Option<Instant>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) stopping: bool,
    /// From the app. It closes when the last [`Executor`](crate::Executor) is dropped.
    pub(crate) commands: UnboundedReceiver<Command>,
    /// From the store's thread, the lock's thread and the hook's task.
    pub(crate) inbox: UnboundedReceiver<Input>,
    pub(crate) to_inbox: UnboundedSender<Input>,
}

/// What the run loop woke up for.
enum Woken {
    Command(Option<Command>),
    Input(Input),
    StoreDied,
}

impl Run {
    /// The first load. From its end on, the list of pending items is complete (R22).
    pub(crate) async fn load(&mut self, start: Timestamp) -> Result<(), StorageError> {
        self.step_at(start, Input::Wake(Trigger::Init));
        while !self.outbox.is_loaded() {
            let woken = self.woken().await;
            if let Woken::Input(Input::Loaded { result: Err(error), .. }) = woken {
                return Err(error);
            }
            match woken {
                Woken::Input(input) => self.step(input),
                Woken::Command(_) => unreachable!("no executor is out yet"),
                Woken::StoreDied => {
                    return Err(StorageError::Unavailable { cause: "it panicked in its first load".into() });
                }
            }
        }
        Ok(())
    }

    /// Runs until it is told to stop, or nobody is left to tell it.
    pub(crate) async fn run(mut self) {
        loop {
            match self.woken().await {
                Woken::Command(Some(Command::Stop { give_up_at, stopped })) => {
                    let _ = stopped.send(self.stop(give_up_at).await);
                    return;
                }
                Woken::Command(Some(command)) => self.command(command),
                Woken::Command(None) => return, // dropped: flights are aborted, their items stay stored
                Woken::Input(input) => self.step(input),
                Woken::StoreDied => return tracing::error!("the store panicked: the executor stops"),
            }
        }
    }

    async fn woken(&mut self) -> Woken {
        tokio::select! {
            command = self.commands.recv(), if !self.stopping => Woken::Command(command),
            Some(input) = self.inbox.recv() => Woken::Input(input),
            Some(resolved) = self.flights.next() => Woken::Input(resolved),
            () = sleep(self.wake_at) => Woken::Input(Input::Tick),
            () = self.store.ended() => Woken::StoreDied,
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Call { call, input, answer } => {
                self.waiters.call(call, answer);
                self.step(input);
            }
            Command::Tell(input) => self.step(input),
            Command::Query(query) => query(&self.outbox),
            Command::Handle { id, outcome } => drop(outcome.send(self.outcome_of(id))),
            Command::Watch { watch, begun } => {
                self.watchers.push(watch(&self.outbox));
                let _ = begun.send(()); // whoever asked may be gone: the first change tells
            }
            Command::Stop { .. } => unreachable!("the loop takes it before"),
        }
    }

    /// One input, and everything that follows from it.
    fn step(&mut self, input: Input) {
        self.step_at(self.clock.now(), input);
    }

    fn step_at(&mut self, now: Timestamp, input: Input) {
        if let Some(record) = &mut self.recorder {
            record(now, &input);
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.outbox.handle(now, input, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Acquire { op } => self.store.ask(Request::Acquire { op }),
            Effect::Load { op, fence, scope } => self.store.ask(Request::Load { op, fence, scope }),
            Effect::Persist { op, fence, writes } => self.store.ask(Request::Persist { op, fence, writes }),
            Effect::Dispatch { attempt, item, deadline } => {
                let mutator = self.mutators.get(&*item.mutator_name);
                let mutator =
                    mutator.expect("the outbox parks items of mutators that are not registered (R23)");
                self.flights.dispatch(attempt, item, self.clock.instant(deadline), mutator);
            }
            Effect::Cancel(attempt) => self.flights.cancel(attempt),
            Effect::AskBeforeRetry { ask, items } => self.hook.ask(ask, items, self.to_inbox.clone()),
            Effect::Resign => self.leadership.resign(),
            Effect::Sleep { until } => self.wake_at = until.map(|until| self.clock.instant(until)),
            Effect::Reply { call, result } => self.waiters.reply(call, result),
            Effect::View(change) => self.watchers.retain_mut(|watcher| watcher(&change)),
            Effect::Notify(event) => self.notify(event),
            // Processes share a file and no channel: its change counter is the poke (R28), and the
            // operating system frees the lock of a holder that is gone (R26), so nobody pings or steals.
            Effect::Poke(_) | Effect::Ping { .. } | Effect::Pong { .. } | Effect::Steal(_) => {}
        }
    }

    fn notify(&mut self, event: Event) {
        match &event {
            Event::StorageFailed(_)
            | Event::HookFailed(_)
            | Event::Stuck { .. }
            | Event::Parked { .. }
            | Event::Quarantined { .. } => tracing::warn!(?event),
            _ => tracing::debug!(?event),
        }
        self.waiters.hear(&event);
        let _ = self.events.send(event); // an error: nobody has subscribed
    }

    /// The outcome to come of a pending item; for any other, what is known of it at once (R29).
    fn outcome_of(&mut self, id: ItemId) -> oneshot::Receiver<Outcome> {
        if self.outbox.item(&id).is_some() {
            return self.waiters.item(id);
        }
        let failure = self.outbox.failures().find(|failure| failure.item.id == id);
        let outcome =
            failure.map_or(Outcome::Gone, |failure| Outcome::Dropped { error: failure.error.clone() });
        let (tell, told) = oneshot::channel();
        let _ = tell.send(outcome); // `told` is right here
        told
    }

    /// Lets attempts end until `give_up_at`, writes what there is to write, and closes the store.
    async fn stop(mut self, give_up_at: Instant) -> Stopped {
        self.stopping = true;
        self.commands.close();
        while self.commands.try_recv().is_ok() {} // whoever asked too late is told so
        self.step(Input::Online(false)); // no new dispatches; those under way go on (R8)
        let _ = tokio::time::timeout_at(give_up_at, self.settle()).await;
        let given_up = self.outbox.in_flight();
        self.flights.abort();
        let durable = self.outbox.is_durable();
        drop(self.leadership);
        // A request that hangs is finished by the thread when it can; it keeps the store's file until then.
        let _ = tokio::time::timeout_at(give_up_at, self.store.close()).await;
        Stopped { given_up, durable }
    }

    async fn settle(&mut self) {
        while self.outbox.in_flight() > 0 || !self.outbox.is_durable() {
            match self.woken().await {
                Woken::Input(input) => self.step(input),
                Woken::Command(_) => {}
                Woken::StoreDied => return,
            }
        }
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => pending().await,
    }
}
