//! The engine: the [`Outbox`], and what carries its effects out. One thread: an input that comes while one is
//! handled waits its turn, and nothing of the app is called while the outbox is borrowed.

use alloc::{
    collections::VecDeque,
    rc::{Rc, Weak},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use js_sys::Function;
use outbox::{
    AskId, AskedItem, AttemptId, CallError, CallId, Config, ConfigError, Effect, Event, Input, Item, Outbox,
    Recording, Reply, Timestamp, Trigger, ViewChange,
    lease::ElectionInput,
    storage::{OpId, Scope, Snapshot, StorageError},
    wire,
};

use crate::{
    channel::{Channel, ChannelPort, Message},
    clock::{Alarm, Clock, report},
    leadership::{Claim, Leadership},
    page::Page,
    store::{Backend, Request, Storage},
};

mod gather;
mod poke;
mod stop;

use gather::Gathering;
use poke::Pokes;
use stop::Stage;
pub use stop::Stopped;

/// What the engine carries effects out for: the npm package's host, or the Rust API.
pub(crate) trait App {
    /// The first load has ended; after an error it is repeated, and this is told once more when it succeeds.
    fn opened(&self, result: Result<(), &StorageError>);
    /// Brings stored args up to date before anything sees them (R23).
    fn upgrade(&self, snapshot: &mut Snapshot);
    /// An acquire begins.
    fn acquiring(&self, _op: OpId) {}
    /// A load begins.
    fn loading(&self, _op: OpId, _scope: &Scope) {}
    /// What began has ended, and the outbox has what was read, if it was.
    fn loaded(&self, _op: OpId, _is_read: bool) {}
    /// Calls the mutator.
    fn dispatch(&self, attempt: AttemptId, item: Arc<Item>, deadline: Timestamp);
    fn cancel(&self, attempt: AttemptId);
    fn ask(&self, ask: AskId, items: Vec<AskedItem>);
    fn reply(&self, call: CallId, result: Result<Reply, CallError>);
    fn view(&self, change: ViewChange);
    /// No more changes of the view come of this input.
    fn view_is_told(&self) {}
    fn event(&self, event: Event);
    /// It has stopped; nothing else is told after that.
    fn stopped(&self, stopped: Stopped);
}

/// What an engine is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) app: Rc<dyn App>,
    pub(crate) storage: Backend,
    pub(crate) claim: Claim,
    pub(crate) channel: Option<ChannelPort>,
    pub(crate) clock: Clock,
    /// Whether every input is kept for [`Engine::recording`].
    pub(crate) record: bool,
}

/// One replica of an outbox in this page or worker.
pub(crate) struct Engine {
    me: Weak<Self>,
    outbox: RefCell<Outbox>,
    inbox: RefCell<VecDeque<Input>>,
    is_handling: Cell<bool>,
    gathering: Gathering,
    app: Rc<dyn App>,
    clock: Clock,
    alarm: Alarm,
    storage: Storage,
    leadership: Leadership,
    channel: RefCell<Option<Channel>>,
    pokes: Pokes,
    page: RefCell<Option<Page>>,
    recording: RefCell<Option<Recording>>,
    is_loaded: Cell<bool>,
    is_load_refused: Cell<bool>,
    is_away: Cell<bool>,
    stage: Cell<Stage>,
    /// Attempts that were to begin while stopping, and did not; none that the outbox has given up since.
    held_back: RefCell<Vec<AttemptId>>,
    /// Rings when the stop's patience is over.
    patience: Alarm,
}

impl Engine {
    /// An engine that nothing drives yet: see [`Engine::start`].
    ///
    /// # Errors
    /// The first field of the configuration that is out of its limits (R32).
    pub(crate) fn new(parts: Parts) -> Result<Rc<Self>, ConfigError> {
        let Parts { name, mut config, app, storage, claim, channel, clock, record } = parts;
        config.gather = true;
        config.ping = channel.is_some() && !matches!(claim, Claim::Alone);
        let now = clock.now();
        let recording = record.then(|| Recording::new(config.clone(), now));
        let replica = config.replica.clone();
        let outbox = Outbox::new(config, now)?;
        Ok(Rc::new_cyclic(|me| {
            let (to_tick, to_give_up) = (Weak::clone(me), Weak::clone(me));
            Self {
                me: Weak::clone(me),
                outbox: RefCell::new(outbox),
                inbox: RefCell::default(),
                is_handling: Cell::new(false),
                gathering: Gathering::default(),
                app,
                alarm: Alarm::new(clock.clone(), move || with(&to_tick, |engine| engine.feed(Input::Tick))),
                patience: Alarm::new(clock.clone(), move || with(&to_give_up, Self::close)),
                storage: Storage::new(storage, name.clone(), me),
                leadership: Leadership::new(claim, &name, &replica, &clock, me),
                clock,
                channel: RefCell::new(channel.map(|port| Channel::open(port, me))),
                pokes: Pokes::default(),
                page: RefCell::new(None),
                recording: RefCell::new(recording),
                is_loaded: Cell::new(false),
                is_load_refused: Cell::new(false),
                is_away: Cell::new(false),
                stage: Cell::new(Stage::Running),
                held_back: RefCell::default(),
            }
        }))
    }

    /// Opens the storage, loads, queues for leadership and watches the page with `watch`.
    pub(crate) fn start(&self, watch: Option<&Function>) {
        self.feed(Input::Wake(Trigger::Init));
        self.leadership.start(self);
        match watch.map(|watch| Page::watch(watch, &self.me)) {
            Some(Ok(page)) => drop(self.page.replace(Some(page))),
            Some(Err(thrown)) => report(&thrown),
            None => {}
        }
    }

    /// For what is done later: the engine may have ended by then.
    pub(crate) fn weak(&self) -> Weak<Self> {
        Weak::clone(&self.me)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) fn leadership(&self) -> &Leadership {
        &self.leadership
    }

    /// A look at the outbox. `look` must not feed anything.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Outbox) -> T) -> T {
        look(&self.outbox.borrow())
    }

    /// Every input since the start, if they were to be kept.
    pub(crate) fn recording(&self) -> Option<String> {
        let recording = self.recording.borrow();
        recording.as_ref().map(wire::to_json)
    }

    /// One input, and everything that follows from it: at once, or after the one that is handled now.
    pub(crate) fn feed(&self, input: Input) {
        self.inbox.borrow_mut().push_back(input);
        if self.is_handling.replace(true) {
            return;
        }
        if let Some(leases) = self.leadership.leases() {
            leases.look_at_the_clock(self);
        }
        let mut effects = Vec::new();
        loop {
            let Some(input) = self.inbox.borrow_mut().pop_front() else { break };
            if self.stage.get() != Stage::Stopped {
                self.handle(input, &mut effects);
            }
        }
        self.is_handling.set(false);
        self.gather();
        self.stop_if_quiet();
    }

    fn handle(&self, mut input: Input, effects: &mut Vec<Effect>) {
        let refused = self.look_at_load(&mut input);
        let load = if let Input::Loaded { op, result } = &input { Some((*op, result.is_ok())) } else { None };
        let now = self.clock.now();
        if let Some(recording) = &mut *self.recording.borrow_mut() {
            recording.push(now, &input);
        }
        self.outbox.borrow_mut().handle(now, input, effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.app.view_is_told();
        if let Some((op, is_read)) = load {
            self.app.loaded(op, is_read);
        }
        if let Some(error) = refused {
            self.app.opened(Err(&error));
        }
        if !self.is_loaded.get() && self.look(Outbox::is_loaded) {
            self.is_loaded.set(true);
            self.app.opened(Ok(()));
        }
    }

    /// Upgrades what was loaded; tells the error if it is the first load that failed.
    fn look_at_load(&self, input: &mut Input) -> Option<StorageError> {
        let Input::Loaded { result, .. } = input else { return None };
        match result {
            Ok(snapshot) => {
                self.app.upgrade(snapshot);
                None
            }
            Err(error) => {
                let is_first = !self.is_loaded.get() && !self.is_load_refused.replace(true);
                is_first.then(|| error.clone())
            }
        }
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Acquire { op } => {
                self.app.acquiring(op);
                self.storage.ask(self, Request::Acquire { op });
            }
            Effect::Load { op, fence, scope } => {
                self.app.loading(op, &scope);
                self.storage.ask(self, Request::Load { op, fence, scope });
            }
            Effect::Persist { op, fence, writes } => {
                self.storage.ask(self, Request::Persist { op, fence, writes });
            }
            Effect::Dispatch { attempt, item, deadline } => self.dispatch(attempt, &item, deadline),
            Effect::Cancel(attempt) => self.cancel(attempt),
            Effect::AskBeforeRetry { ask, items } => self.app.ask(ask, items),
            Effect::Resign => self.leadership.resign(self),
            Effect::Steal(holder) => self.leadership.steal(&holder),
            Effect::Ping { to, parked } => {
                let from = self.replica();
                self.post(&Message::Ping { to, from, parked });
            }
            Effect::Pong { to, registered } => {
                let from = self.replica();
                self.post(&Message::Pong { to, from, registered });
            }
            Effect::Poke(poke) => self.poke_later(poke),
            Effect::Sleep { until } => self.alarm.set(until),
            Effect::Reply { call, result } => self.app.reply(call, result),
            Effect::View(change) => self.app.view(change),
            Effect::Notify(event) => self.app.event(event),
        }
    }

    fn replica(&self) -> String {
        self.look(|outbox| outbox.config().replica.clone())
    }

    /// Says something to the other replicas, if there is a channel.
    pub(crate) fn post(&self, message: &Message) {
        if let Some(channel) = &*self.channel.borrow() {
            channel.post(message);
        }
    }

    /// Whether others can be heard of.
    pub(crate) fn has_channel(&self) -> bool {
        self.channel.borrow().is_some()
    }

    /// Another replica says something.
    pub(crate) fn hear(&self, message: Message) {
        match (message, self.leadership.leases()) {
            (Message::Election(message), Some(leases)) => {
                leases.step(self, ElectionInput::Message(message));
            }
            (message, _) => {
                if let Some(input) = message.into_input(&self.replica()) {
                    self.feed(input);
                }
            }
        }
    }

    /// The page is about to be frozen or to end: another is to lead.
    pub(crate) fn leave(&self) {
        if !self.is_away.replace(true) {
            self.leadership.leave(self);
        }
    }

    /// The page goes on: much may have changed meanwhile (R28).
    pub(crate) fn back(&self) {
        if self.is_away.replace(false) {
            self.leadership.back(self);
            self.feed(Input::Wake(Trigger::Focus));
        }
    }
}

/// Does it, unless the engine has ended.
pub(crate) fn with(engine: &Weak<Engine>, act: impl FnOnce(&Engine)) {
    if let Some(engine) = engine.upgrade() {
        act(&engine);
    }
}
