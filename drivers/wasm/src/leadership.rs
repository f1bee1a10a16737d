//! `Leadership`: who leads (R26): by a port, by leases over the channel, or nobody else is there.

use alloc::{boxed::Box, rc::Weak, string::String, vec::Vec};
use core::cell::{OnceCell, RefCell};

use js_sys::Object;
use outbox::{
    Input,
    lease::{Election, ElectionConfig, ElectionEffect, ElectionInput},
};
use wasm_bindgen::prelude::*;

use crate::{
    channel::Message,
    clock::{Alarm, Clock},
    engine::{Engine, with},
};

#[wasm_bindgen]
extern "C" {
    /// An election: see `LeaderElection` in `js/types.d.ts`.
    #[derive(Debug)]
    pub type ElectionPort;
    #[wasm_bindgen(method, structural, catch)]
    fn start(this: &ElectionPort, name: &str, replica: &str, on: &Callbacks) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch)]
    fn resign(this: &ElectionPort) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch)]
    fn steal(this: &ElectionPort, holder: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch)]
    fn stop(this: &ElectionPort) -> Result<(), JsValue>;

    #[wasm_bindgen(extends = Object)]
    type Callbacks;
    #[wasm_bindgen(method, setter, structural)]
    fn set_elected(this: &Callbacks, elected: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_deposed(this: &Callbacks, deposed: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_holder(this: &Callbacks, holder: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_refused(this: &Callbacks, refused: &JsValue);
}

/// How it is decided who leads.
pub(crate) enum Claim {
    /// By an election of the host's, or by Web Locks.
    Port(ElectionPort),
    /// By leases over the channel.
    Leases,
    /// Nobody else is there.
    Alone,
}

/// A replica that should be alone and lost its lead is not alone, or its store does not work: it leads again
/// after so long. Two that did so at once would fence each other off at every step.
const AGAIN_MS: u64 = 5_000;

/// This replica's claim to lead.
pub(crate) enum Leadership {
    Port(Queue),
    Leases(Box<Leases>),
    /// Rings when it is to lead again.
    Alone(Alarm),
}

/// A place in the queue of a port.
pub(crate) struct Queue {
    port: ElectionPort,
    name: String,
    replica: String,
    callbacks: Callbacks,
    /// What decides since the host has refused.
    instead: OnceCell<Box<Leadership>>,
    _elected: Closure<dyn Fn()>,
    _deposed: Closure<dyn Fn()>,
    _holder: Closure<dyn Fn(JsValue)>,
    _refused: Closure<dyn Fn()>,
}

/// The core's election, over the channel.
pub(crate) struct Leases {
    election: RefCell<Election>,
    alarm: Alarm,
    holder: RefCell<Option<String>>,
}

impl Leadership {
    pub(crate) fn new(claim: Claim, name: &str, replica: &str, clock: &Clock, engine: &Weak<Engine>) -> Self {
        match claim {
            Claim::Port(port) => Self::Port(Queue::new(port, name, replica, engine)),
            Claim::Leases => Self::Leases(Box::new(Leases::new(replica, clock, engine))),
            Claim::Alone => Self::alone(clock, engine),
        }
    }

    fn alone(clock: &Clock, engine: &Weak<Engine>) -> Self {
        let engine = Weak::clone(engine);
        Self::Alone(Alarm::new(clock.clone(), move || feed(&engine, Input::Elected)))
    }

    /// What decides: this, unless the host has refused it.
    fn in_force(&self) -> &Self {
        match self {
            Self::Port(queue) => queue.instead.get().map_or(self, |instead| instead),
            Self::Leases(_) | Self::Alone(_) => self,
        }
    }

    /// The host refuses its election: it is decided as where there is none.
    fn refused(&self, engine: &Engine) {
        let Self::Port(queue) = self else { return };
        let leases = || Leases::new(&queue.replica, engine.clock(), &engine.weak());
        let instead = if engine.has_channel() {
            Self::Leases(Box::new(leases()))
        } else {
            Self::alone(engine.clock(), &engine.weak())
        };
        if queue.instead.set(Box::new(instead)).is_ok() {
            self.start(engine);
        }
    }

    pub(crate) fn start(&self, engine: &Engine) {
        match self.in_force() {
            Self::Port(queue) => told(queue.port.start(&queue.name, &queue.replica, &queue.callbacks)),
            Self::Leases(leases) => leases.step(engine, ElectionInput::Started),
            Self::Alone(_) => engine.feed(Input::Elected),
        }
    }

    /// Releases it, and queues again (R27).
    pub(crate) fn resign(&self, engine: &Engine) {
        match self.in_force() {
            Self::Port(queue) => told(queue.port.resign()),
            Self::Leases(leases) => leases.step(engine, ElectionInput::Resign),
            Self::Alone(again) => again.set(Some(engine.clock().now().plus_ms(AGAIN_MS))),
        }
    }

    /// A lease needs no stealing: it runs out.
    pub(crate) fn steal(&self, holder: &str) {
        if let Self::Port(queue) = self.in_force() {
            told(queue.port.steal(holder));
        }
    }

    /// Gives it up before the page is frozen, so that another can lead; who is alone keeps it.
    pub(crate) fn leave(&self, engine: &Engine) {
        match self.in_force() {
            Self::Port(queue) => {
                told(queue.port.stop());
                engine.feed(Input::Deposed);
            }
            Self::Leases(leases) => leases.step(engine, ElectionInput::Stop),
            Self::Alone(_) => {}
        }
    }

    /// After [`Leadership::leave`].
    pub(crate) fn back(&self, engine: &Engine) {
        match self.in_force() {
            Self::Port(_) | Self::Leases(_) => self.start(engine),
            Self::Alone(_) => {}
        }
    }

    pub(crate) fn stop(&self, engine: &Engine) {
        match self.in_force() {
            Self::Port(queue) => told(queue.port.stop()),
            Self::Leases(leases) => leases.step(engine, ElectionInput::Stop),
            Self::Alone(again) => again.set(None),
        }
    }

    pub(crate) fn leases(&self) -> Option<&Leases> {
        match self.in_force() {
            Self::Leases(leases) => Some(leases),
            Self::Port(_) | Self::Alone(_) => None,
        }
    }
}

impl Queue {
    fn new(port: ElectionPort, name: &str, replica: &str, engine: &Weak<Engine>) -> Self {
        let to = |input: fn() -> Input| {
            let engine = Weak::clone(engine);
            Closure::new(move || feed(&engine, input()))
        };
        let elected = to(|| Input::Elected);
        let deposed = to(|| Input::Deposed);
        let to_holder = Weak::clone(engine);
        let holder = Closure::new(move |holder: JsValue| feed(&to_holder, Input::Holder(holder.as_string())));
        let to_refused = Weak::clone(engine);
        let refused = Closure::new(move || with(&to_refused, |engine| engine.leadership().refused(engine)));
        let callbacks: Callbacks = Object::new().unchecked_into();
        callbacks.set_elected(elected.as_ref());
        callbacks.set_deposed(deposed.as_ref());
        callbacks.set_holder(holder.as_ref());
        callbacks.set_refused(refused.as_ref());
        Self {
            port,
            name: name.into(),
            replica: replica.into(),
            callbacks,
            instead: OnceCell::new(),
            _elected: elected,
            _deposed: deposed,
            _holder: holder,
            _refused: refused,
        }
    }
}

impl Leases {
    fn new(replica: &str, clock: &Clock, engine: &Weak<Engine>) -> Self {
        let config = ElectionConfig::new(replica, seed(replica));
        let election = Election::new(config, clock.now()).expect("the outbox took the same replica name");
        let engine = Weak::clone(engine);
        let ring = move || {
            let Some(engine) = engine.upgrade() else { return };
            if let Some(leases) = engine.leadership().leases() {
                leases.step(&engine, ElectionInput::Tick);
            }
        };
        Self {
            election: RefCell::new(election),
            alarm: Alarm::new(clock.clone(), ring),
            holder: RefCell::new(None),
        }
    }

    /// A frozen replica that wakes looks at the clock before anything else: its lease may have run out.
    pub(crate) fn look_at_the_clock(&self, engine: &Engine) {
        let now = engine.clock().now();
        let wake_at = self.election.borrow().wake_at();
        if wake_at.is_some_and(|at| at <= now) {
            self.step(engine, ElectionInput::Tick);
        }
    }

    pub(crate) fn step(&self, engine: &Engine, input: ElectionInput) {
        let mut effects = Vec::new();
        self.election.borrow_mut().handle(engine.clock().now(), input, &mut effects);
        let mut inputs = Vec::new();
        for effect in effects {
            match effect {
                ElectionEffect::Broadcast(message) => engine.post(&Message::Election(message)),
                ElectionEffect::Elected => inputs.push(Input::Elected),
                ElectionEffect::Deposed => inputs.push(Input::Deposed),
                ElectionEffect::Sleep { until } => self.alarm.set(until),
            }
        }
        let holder = self.election.borrow().leader().map(String::from);
        if self.holder.replace(holder.clone()) != holder {
            inputs.push(Input::Holder(holder));
        }
        for input in inputs {
            engine.feed(input);
        }
    }
}

/// FNV-1a of the replica's name, which is random.
fn seed(replica: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    replica.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

fn feed(engine: &Weak<Engine>, input: Input) {
    if let Some(engine) = engine.upgrade() {
        engine.feed(input);
    }
}

/// An election that throws does not elect: the console is told.
fn told(result: Result<(), JsValue>) {
    if let Err(thrown) = result {
        crate::clock::report(&thrown);
    }
}
