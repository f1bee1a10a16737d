//! The flat surface that the npm package is built on: numbers, and payloads as opaque JSON text.
//!
//! Its TypeScript types are written by hand in the package. What is told to the host is told while no call
//! of the host is held up: the host may call back at once.

use alloc::{
    boxed::Box,
    format,
    rc::{Rc, Weak},
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::{
    cell::{Cell, RefCell},
    fmt,
};

use js_sys::{Error, Function, Promise};
use outbox::{
    AskId, AskedItem, AttemptId, AttemptOutcome, CallError, CallId, Class, Config, Draft, Event, Failure,
    HookError, Input, InputError, Item, ItemId, Json, Key, MutatorConfig, Outbox, Place, Reply,
    SerializedError, Timestamp, Verdict, ViewChange, record, retry_after_ms,
    storage::{Contents, OpId, Snapshot, StorageError},
    wire::{self, ToJson},
};
use wasm_bindgen::prelude::*;

use crate::{
    channel::ChannelPort,
    clock::{Clock, ClockPort},
    engine::{App, Engine, Parts, Stopped},
    leadership::{Claim, ElectionPort},
    store::{Backend, StoragePort},
};

mod telling;

use telling::Telling;

#[wasm_bindgen]
extern "C" {
    /// What the package brings: its ports, and where it is told things.
    pub type Host;
    #[wasm_bindgen(method, getter, structural)]
    fn store(this: &Host) -> StoragePort;
    #[wasm_bindgen(method, getter, structural)]
    fn election(this: &Host) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn channel(this: &Host) -> Option<ChannelPort>;
    #[wasm_bindgen(method, getter, structural)]
    fn clock(this: &Host) -> Option<ClockPort>;
    #[wasm_bindgen(method, getter, structural, js_name = watchPage)]
    fn watch_page(this: &Host) -> Option<Function>;
    #[wasm_bindgen(method, getter, structural)]
    fn record(this: &Host) -> JsValue;

    #[wasm_bindgen(method, structural)]
    fn opened(this: &Host, error: Option<String>);
    #[wasm_bindgen(method, getter, structural, js_name = upgrade)]
    fn has_upgrade(this: &Host) -> JsValue;
    #[wasm_bindgen(method, structural)]
    fn upgrade(this: &Host, id: &str, mutator_name: &str, args: &str) -> Option<String>;
    #[wasm_bindgen(method, structural)]
    fn dispatch(this: &Host, attempt: u32, item: &str, deadline_ms: f64);
    #[wasm_bindgen(method, structural)]
    fn cancel(this: &Host, attempt: u32);
    #[wasm_bindgen(method, structural)]
    fn ask(this: &Host, ask: u32, items: &str);
    #[wasm_bindgen(method, structural)]
    fn reply(this: &Host, call: u32, ok: bool, body: &str);
    #[wasm_bindgen(method, structural)]
    fn view(this: &Host, changes: &str);
    #[wasm_bindgen(method, structural, js_name = failuresRead)]
    fn failures_read(this: &Host);
    #[wasm_bindgen(method, structural)]
    fn event(this: &Host, event: &str);
}

/// One outbox in this page or worker.
#[wasm_bindgen]
pub struct Core {
    engine: Rc<Engine>,
    app: Rc<HostApp>,
}

/// The host, as the engine knows it.
struct HostApp {
    me: Weak<Self>,
    host: Host,
    clock: Clock,
    /// Attempts by the number that the host knows them by.
    attempts: RefCell<Vec<(u32, AttemptId)>>,
    last_attempt: Cell<u32>,
    /// Resolves the promise of `stop`.
    stopped: RefCell<Option<Function>>,
    /// Changes of the list of pending items that the host is still to be told.
    telling: RefCell<Telling>,
    /// A task is to come that tells the next part.
    is_telling: Cell<bool>,
    /// The first load is done; the host hears of it when it knows all that was loaded.
    opened_is_due: Cell<bool>,
    /// What is being loaded brings failure records.
    has_failures: Cell<bool>,
}

#[wasm_bindgen]
impl Core {
    /// `config` is the core's `Config` as camelCase JSON. Nothing happens before `start`.
    ///
    /// # Errors
    /// An `Error` that names the field and the limit (R32).
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, name: String, host: Host) -> Result<Core, JsValue> {
        let config: Config = wire::from_json(config).map_err(error)?;
        let election = host.election();
        let claim = match election.as_string().as_deref() {
            Some("none") => Claim::Alone,
            Some(_) => Claim::Leases,
            None => Claim::Port(election.unchecked_into::<ElectionPort>()),
        };
        let (storage, channel) = (Backend::Port(host.store()), host.channel());
        let clock = host.clock().map_or_else(Clock::start, Clock::Host);
        let record = host.record().is_truthy();
        let app = Rc::new_cyclic(|me| HostApp {
            me: Weak::clone(me),
            host,
            clock: clock.clone(),
            attempts: RefCell::default(),
            last_attempt: Cell::new(0),
            stopped: RefCell::default(),
            telling: RefCell::default(),
            is_telling: Cell::new(false),
            opened_is_due: Cell::new(false),
            has_failures: Cell::new(false),
        });
        let to_app = Rc::clone(&app) as Rc<dyn App>;
        let parts = Parts { name, config, app: to_app, storage, claim, channel, clock, record };
        Ok(Self { engine: Engine::new(parts).map_err(error)?, app })
    }

    /// Opens the storage, loads, queues for leadership and watches the page.
    pub fn start(&self) {
        self.engine.start(self.app.host.watch_page().as_ref());
    }

    /// Stores a mutation (R1). `key` is the JSON of a string or of a list of strings.
    #[expect(clippy::too_many_arguments, reason = "flat on purpose: an object costs more than its fields")]
    pub fn enqueue(
        &self,
        call: u32,
        id: String,
        mutator_name: String,
        args: &str,
        key: Option<String>,
        idempotency_key: Option<String>,
        metadata: Option<String>,
    ) {
        let draft = || {
            let mut draft = Draft::new(ItemId::new(id)?, mutator_name, Json::from_text(args)?);
            draft.key = key.map(|key| read_key(&key)).transpose()?;
            draft.idempotency_key = idempotency_key;
            draft.metadata = metadata.map(|metadata| Json::from_text(&metadata)).transpose()?;
            Ok(draft)
        };
        self.call(call, |call| Ok(Input::Enqueue { call, draft: draft()? }));
    }

    /// Takes an item out, whatever its stage (R18).
    pub fn remove(&self, call: u32, id: String) {
        self.call(call, |call| Ok(Input::Remove { call, id: ItemId::new(id)? }));
    }

    /// Makes a failure record an item again (R15).
    #[wasm_bindgen(js_name = retryFailure)]
    pub fn retry_failure(&self, call: u32, failure: String, new_id: String) {
        self.call(call, |call| {
            Ok(Input::RetryFailure { call, failure: ItemId::new(failure)?, id: ItemId::new(new_id)? })
        });
    }

    /// Forgets a failure record (R15).
    #[wasm_bindgen(js_name = dismissFailure)]
    pub fn dismiss_failure(&self, call: u32, id: String) {
        self.call(call, |call| Ok(Input::DismissFailure { call, id: ItemId::new(id)? }));
    }

    /// Stops new dispatches for a reason (R20).
    pub fn pause(&self, call: u32, reason: String) {
        self.call(call, |call| Ok(Input::Pause { call, reason }));
    }

    /// Takes a pause reason back (R20).
    pub fn resume(&self, call: u32, reason: String) {
        self.call(call, |call| Ok(Input::Resume { call, reason }));
    }

    /// Registers a mutator while the outbox runs, or again (R23). `config` is a `MutatorConfig` as JSON.
    ///
    /// # Errors
    /// An `Error` if `config` is no such JSON; what it says is checked by the call.
    pub fn register(&self, call: u32, name: String, config: &str) -> Result<(), JsValue> {
        let mutator: MutatorConfig = wire::from_json(config).map_err(error)?;
        self.call(call, |call| Ok(Input::Register { call, name, mutator }));
        Ok(())
    }

    /// The attempt ended well; `result` is JSON. What is not JSON is not told to the waiters (R29).
    pub fn succeeded(&self, attempt: u32, result: Option<String>) {
        let result = result.and_then(|result| Json::from_text(&result).ok());
        self.resolved(attempt, AttemptOutcome::Success { result });
    }

    /// The attempt failed. `class`: 0 transport, 1 server, 2 non-retriable (R12).
    pub fn failed(
        &self,
        attempt: u32,
        class: u32,
        name: String,
        message: String,
        retry_after_ms: Option<f64>,
    ) {
        let class = match class {
            0 => Class::Transport,
            2 => Class::NonRetriable,
            _ => Class::Server,
        };
        let error = SerializedError::new(name, message);
        let retry_after_ms = retry_after_ms.map(|delay_ms| delay_ms as u64);
        self.resolved(attempt, AttemptOutcome::Failure(Failure { class, error, retry_after_ms }));
    }

    /// The hook's answer: the JSON of a list of pairs, id and verdict (R17).
    pub fn answered(&self, ask: u32, verdicts: &str) {
        let verdicts = wire::from_json::<Vec<(ItemId, Verdict)>>(verdicts);
        let verdicts = verdicts.map_err(|error| HookError::Threw { message: error.to_string() });
        self.engine.feed(Input::Answered { ask: AskId(u64::from(ask)), verdicts });
    }

    /// The hook threw (R17).
    #[wasm_bindgen(js_name = hookThrew)]
    pub fn hook_threw(&self, ask: u32, message: String) {
        let verdicts = Err(HookError::Threw { message });
        self.engine.feed(Input::Answered { ask: AskId(u64::from(ask)), verdicts });
    }

    /// The pending items: each as in `dispatch`, with its `place`, its `state` (R19) and, for people, what
    /// that means (`says`).
    pub fn pending(&self) -> String {
        self.engine.look(|outbox| {
            let items = outbox.view_changes().filter_map(|change| match change {
                ViewChange::Set { place, item } => Some(pending_json(outbox, place, &item)),
                ViewChange::Moved { .. } | ViewChange::Left { .. } => None,
            });
            array(items)
        })
    }

    /// The failure records, oldest first (R15).
    pub fn failures(&self) -> String {
        self.engine.look(|outbox| array(outbox.failures().map(wire::to_json)))
    }

    /// Why an item is not being sent (R19); `undefined`: it is not pending.
    pub fn explain(&self, id: String) -> Option<String> {
        let id = ItemId::new(id).ok()?;
        self.engine.look(|outbox| explain_json(outbox, &id))
    }

    /// The pause reasons, as a list (R20).
    pub fn paused(&self) -> String {
        self.engine.look(|outbox| array(outbox.paused().map(wire::to_json)))
    }

    /// What a `Retry-After` header asks for, in milliseconds from now (R11). With the answer's `Date`, a
    /// date is taken from that: the server's clock may differ.
    #[wasm_bindgen(js_name = retryAfterMs)]
    pub fn retry_after_ms(&self, header: &str, date_header: Option<String>) -> Option<f64> {
        let date = date_header.and_then(|date| retry_after_ms(&date, Timestamp::ZERO));
        let now = date.map_or_else(|| self.engine.clock().now(), Timestamp::from_millis);
        retry_after_ms(header, now).map(|delay_ms| delay_ms as f64)
    }

    /// The flight recorder's JSON; `undefined` if it was not on (`host.record`).
    pub fn recording(&self) -> Option<String> {
        self.engine.recording()
    }

    /// Stops in order: sends nothing new, gives attempts under way `patience_ms`, writes what is known, and
    /// then closes the ports. Resolves with `{givenUp, durable}` as JSON.
    pub fn stop(&self, patience_ms: f64) -> Promise {
        Promise::new(&mut |resolve, _reject| {
            self.app.stopped.replace(Some(resolve));
            self.engine.stop(patience_ms as u64);
        })
    }

    fn call(&self, call: u32, input: impl FnOnce(CallId) -> Result<Input, InputError>) {
        if !self.engine.is_serving() {
            let body = r#"{"error":"stopped","message":"the outbox has stopped; create it anew"}"#;
            return self.app.host.reply(call, false, body);
        }
        let call = CallId(u64::from(call));
        match input(call) {
            Ok(input) => self.engine.feed(input),
            Err(error) => self.app.reply(call, Err(error.into())),
        }
    }

    fn resolved(&self, attempt: u32, outcome: AttemptOutcome) {
        let mut attempts = self.app.attempts.borrow_mut();
        let known = attempts.iter().position(|(number, _)| *number == attempt);
        let known = known.map(|place| attempts.swap_remove(place));
        drop(attempts);
        if let Some((_, attempt)) = known {
            self.engine.feed(Input::Resolved { attempt, outcome });
        }
    }
}

impl App for HostApp {
    fn opened(&self, result: Result<(), &StorageError>) {
        if result.is_ok() && self.telling.borrow().holds() {
            return self.opened_is_due.set(true);
        }
        self.host.opened(result.err().map(|error| told(error, &error)));
    }

    fn upgrade(&self, snapshot: &mut Snapshot) {
        self.has_failures.set(!matches!(snapshot.contents, Contents::Part { failures: None, .. }));
        if !self.host.has_upgrade().is_function() {
            return;
        }
        let (rows, failures) = match &mut snapshot.contents {
            Contents::Full { rows, failures } => (rows, failures.as_mut_slice()),
            Contents::Part { rows, failures, gone: _ } => (rows, failures.as_deref_mut().unwrap_or_default()),
        };
        for row in rows {
            if let Some(item) = row.read_ahead(|name| Arc::from(name))
                && let Some(args) = self.upgraded(item)
            {
                row.record = record::with_args(item.clone(), args).as_bytes().to_vec().into();
            }
        }
        for row in failures {
            if let Ok(mut failure) = record::decode_failure(&row.record, |name| Arc::from(name))
                && let Some(args) = self.upgraded(&failure.item)
            {
                failure.item.args = args;
                row.record = record::encode_failure(&failure).as_bytes().to_vec();
            }
        }
    }

    /// The core has no event for failure records that another tab retried or dismissed.
    fn loaded(&self, _op: OpId, _is_read: bool) {
        if self.has_failures.take() {
            self.host.failures_read();
        }
    }

    fn dispatch(&self, attempt: AttemptId, item: Arc<Item>, deadline: Timestamp) {
        self.telling.borrow_mut().bring_forward(Place::Stored(attempt.seq));
        self.view_is_told(); // before what follows from it
        let number = self.last_attempt.get() + 1;
        self.last_attempt.set(number);
        self.attempts.borrow_mut().push((number, attempt));
        self.host.dispatch(number, &wire::to_json(&*item), deadline.as_millis() as f64);
    }

    fn cancel(&self, attempt: AttemptId) {
        self.view_is_told();
        let attempts = self.attempts.borrow();
        let number = attempts.iter().find_map(|(number, known)| (*known == attempt).then_some(*number));
        drop(attempts);
        if let Some(number) = number {
            self.host.cancel(number);
        }
    }

    fn ask(&self, ask: AskId, items: Vec<AskedItem>) {
        self.view_is_told();
        let ask = u32::try_from(ask.0).expect("it is asked at most once a second");
        self.host.ask(ask, &wire::to_json(&items));
    }

    fn reply(&self, call: CallId, result: Result<Reply, CallError>) {
        self.view_is_told();
        let call = u32::try_from(call.0).expect("the host numbered it");
        match result {
            Ok(reply) => self.host.reply(call, true, &wire::to_json(&reply)),
            Err(error) => self.host.reply(call, false, &told(&error, &error)),
        }
    }

    fn view(&self, change: ViewChange) {
        self.telling.borrow_mut().add(change);
    }

    fn view_is_told(&self) {
        let due = self.telling.borrow_mut().take_due();
        self.tell(&due);
        self.go_on_later();
    }

    fn event(&self, event: Event) {
        self.view_is_told();
        self.host.event(&wire::to_json(&event));
    }

    fn stopped(&self, stopped: Stopped) {
        self.telling.borrow_mut().end();
        self.opened_is_due.set(false);
        let Stopped { given_up, durable } = stopped;
        let body = format!("{{\"givenUp\":{given_up},\"durable\":{durable}}}");
        if let Some(resolve) = self.stopped.take() {
            crate::clock::call(&resolve, &JsValue::from_str(&body));
        }
    }
}

impl HostApp {
    fn tell(&self, changes: &[ViewChange]) {
        if !changes.is_empty() {
            self.host.view(&wire::to_json(changes));
        }
    }

    /// Tells what is held back, a part in each task to come.
    fn go_on_later(&self) {
        if self.telling.borrow().holds() && !self.is_telling.replace(true) {
            let me = Weak::clone(&self.me);
            self.clock.yield_to_browser(Box::new(move || {
                if let Some(app) = me.upgrade() {
                    app.tell_part();
                }
            }));
        }
    }

    fn tell_part(&self) {
        self.is_telling.set(false);
        let part = self.telling.borrow_mut().take_part();
        self.tell(&part);
        self.go_on_later();
        if !self.telling.borrow().holds() && self.opened_is_due.take() {
            self.host.opened(None);
        }
    }

    /// New args, if the host has some. What is not JSON is none.
    fn upgraded(&self, item: &Item) -> Option<Json> {
        let args = self.host.upgrade(item.id.as_str(), &item.mutator_name, item.args.as_str())?;
        Json::from_text(&args).ok().filter(|args| *args != item.args)
    }
}

/// A string, or a list of strings; an empty list is no key of its own.
fn read_key(key: &str) -> Result<Key, InputError> {
    if let Ok(one) = wire::from_json::<String>(key) {
        return Key::one(one);
    }
    let many = wire::from_json::<Vec<String>>(key).map_err(|_| InputError::WrongType {
        field: "key".into(),
        expected: "a string, or a list of strings".into(),
    })?;
    Key::new(many)
}

fn pending_json(outbox: &Outbox, place: Place, item: &Item) -> String {
    let mut text = wire::to_json(item);
    text.truncate(text.len() - 1); // `}`
    text.push_str(",\"place\":");
    text.push_str(&wire::to_json(&place));
    if let Some(state) = explain_json(outbox, &item.id) {
        text.push_str(",\"state\":");
        text.push_str(&state);
    }
    text.push('}');
    text
}

fn explain_json(outbox: &Outbox, id: &ItemId) -> Option<String> {
    let blocked = outbox.explain(id)?;
    let mut text = wire::to_json(&blocked);
    text.truncate(text.len() - 1); // `}`
    text.push_str(",\"says\":");
    text.push_str(&wire::to_json(&blocked.reason.to_string()));
    text.push('}');
    Some(text)
}

/// An error as data, and its words.
fn told(error: &impl ToJson, words: &impl fmt::Display) -> String {
    format!("{{\"error\":{},\"message\":{}}}", wire::to_json(error), wire::to_json(&words.to_string()))
}

fn array(texts: impl Iterator<Item = String>) -> String {
    let mut all = String::from("[");
    for text in texts {
        if all.len() > 1 {
            all.push(',');
        }
        all.push_str(&text);
    }
    all.push(']');
    all
}

fn error(error: impl fmt::Display) -> JsValue {
    Error::new(&error.to_string()).into()
}
