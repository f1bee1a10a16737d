//! `Storage`: the storage port: the core's requests as plain JavaScript objects, and its answers back.

use alloc::{boxed::Box, rc::Weak, string::String, vec::Vec};
use core::cell::{Cell, RefCell};

use js_sys::{Array, Object, Promise};
#[cfg(feature = "executor")]
use outbox::storage::Store;
use outbox::{
    Input,
    storage::{Fence, OpId, Scope, Snapshot, StorageError, Write},
    wire,
};
use wasm_bindgen::prelude::*;

use crate::engine::{Engine, with};

mod answer;

pub(crate) use answer::message;
use answer::{Reading, read_committed, read_failure};

#[wasm_bindgen]
extern "C" {
    /// A storage: see `OutboxStorage` in `js/types.d.ts`.
    pub type StoragePort;
    #[wasm_bindgen(method, structural, catch, js_name = open)]
    pub(crate) fn js_open(this: &StoragePort, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, structural, catch)]
    fn acquire(this: &StoragePort) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, structural, catch)]
    fn load(this: &StoragePort, fence: &JsValue, scope: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, structural, catch)]
    fn persist(this: &StoragePort, fence: &JsValue, writes: &Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, structural, catch, js_name = close)]
    pub(crate) fn js_close(this: &StoragePort) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch, js_name = destroy)]
    #[cfg(feature = "executor")]
    pub(crate) fn js_destroy(this: &StoragePort, name: &str) -> Result<JsValue, JsValue>;

    /// Any of the port's objects; a field that is not there is `undefined`.
    #[wasm_bindgen(extends = Object)]
    type Fields;
    #[wasm_bindgen(method, getter, structural)]
    fn store(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn epoch(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn change(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn through(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn paused(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn full(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn rows(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn failures(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn gone(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn results(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn seq(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn id(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn record(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn outcome(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn code(this: &Fields) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    fn message(this: &Fields) -> JsValue;

    #[wasm_bindgen(method, setter, structural)]
    fn set_op(this: &Fields, op: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_kind(this: &Fields, kind: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_store(this: &Fields, store: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_epoch(this: &Fields, epoch: f64);
    #[wasm_bindgen(method, setter, structural)]
    fn set_change(this: &Fields, change: f64);
    #[wasm_bindgen(method, setter, structural)]
    fn set_through(this: &Fields, through: f64);
    #[wasm_bindgen(method, setter, structural)]
    fn set_seqs(this: &Fields, seqs: &Array);
    #[wasm_bindgen(method, setter, structural)]
    fn set_seq(this: &Fields, seq: f64);
    #[wasm_bindgen(method, setter, structural)]
    fn set_id(this: &Fields, id: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_record(this: &Fields, record: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_failure(this: &Fields, failure: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_outcome(this: &Fields, outcome: &str);
    #[wasm_bindgen(method, setter, structural)]
    fn set_reason(this: &Fields, reason: &str);
}

/// One request of the core to a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Raise the epoch and read everything.
    Acquire {
        /// The operation.
        op: OpId,
    },
    /// Read.
    Load {
        /// The operation.
        op: OpId,
        /// What must match.
        fence: Option<Fence>,
        /// What to read.
        scope: Scope,
    },
    /// Write.
    Persist {
        /// The operation.
        op: OpId,
        /// What must match.
        fence: Option<Fence>,
        /// The writes.
        writes: Vec<Write>,
    },
}

impl Request {
    /// Asks the port; the answer is a promise.
    pub(crate) fn send(&self, port: &StoragePort) -> Result<JsValue, JsValue> {
        match self {
            Self::Acquire { op: _ } => port.acquire(),
            Self::Load { op: _, fence, scope } => port.load(&to_js_fence(*fence), &to_js_scope(scope)),
            Self::Persist { op: _, fence, writes } => {
                port.persist(&to_js_fence(*fence), &writes.iter().map(to_js_write).collect())
            }
        }
    }

    fn is_read(&self) -> bool {
        !matches!(self, Self::Persist { .. })
    }

    /// The input that a resolved promise comes to, all of it in one task.
    #[cfg(feature = "executor")]
    pub(crate) fn answered(&self, value: JsValue) -> Input {
        if !self.is_read() {
            return self.persisted(value);
        }
        let mut reading = Reading::begin(value);
        while let Some(some) = &mut reading {
            match some.go_on() {
                Some(true) => {}
                Some(false) => break,
                None => reading = None,
            }
        }
        self.loaded(reading.and_then(Reading::end))
    }

    fn persisted(&self, value: JsValue) -> Input {
        let result = read_committed(&value.unchecked_into()).ok_or(StorageError::Unknown);
        Input::Persisted { op: self.op(), result }
    }

    /// The input that a read comes to; `None`: the answer was no snapshot.
    fn loaded(&self, snapshot: Option<Snapshot>) -> Input {
        let malformed = || StorageError::Unavailable {
            cause: String::from("the storage answered with something that is no snapshot"),
        };
        Input::Loaded { op: self.op(), result: snapshot.ok_or_else(malformed) }
    }

    fn op(&self) -> OpId {
        match self {
            Self::Acquire { op } | Self::Load { op, .. } | Self::Persist { op, .. } => *op,
        }
    }

    /// The input that a rejected promise comes to.
    pub(crate) fn failed(&self, thrown: JsValue) -> Input {
        let error = match self {
            Self::Acquire { .. } | Self::Load { .. } => failure(thrown),
            // Anything that was not meant may have come after the commit.
            Self::Persist { .. } => read_failure(&thrown).unwrap_or(StorageError::Unknown),
        };
        let bears_a_fence =
            matches!(self, Self::Load { fence: Some(_), .. } | Self::Persist { fence: Some(_), .. });
        // The core would ask again at once, and be told the same.
        let is_nonsense = error == StorageError::Fenced && !bears_a_fence;
        let cause = String::from("the storage fences off what bears no fence");
        let error = if is_nonsense { StorageError::Unavailable { cause } } else { error };
        match self {
            Self::Acquire { op } | Self::Load { op, .. } => Input::Loaded { op: *op, result: Err(error) },
            Self::Persist { op, .. } => Input::Persisted { op: *op, result: Err(error) },
        }
    }

    #[cfg(feature = "executor")]
    fn answered_by(&self, store: &mut dyn Store) -> Input {
        match self {
            Self::Acquire { op } => Input::Loaded { op: *op, result: store.acquire() },
            Self::Load { op, fence, scope } => Input::Loaded { op: *op, result: store.load(*fence, scope) },
            Self::Persist { op, fence, writes } => {
                Input::Persisted { op: *op, result: store.persist(*fence, writes) }
            }
        }
    }

    /// The input that a storage comes to that could not be opened.
    fn not_opened(&self, thrown: JsValue) -> Input {
        let error = match read_failure(&thrown) {
            Ok(StorageError::Unknown | StorageError::Fenced) => {
                StorageError::Unavailable { cause: message(&thrown) }
            }
            Ok(error) => error,
            Err(cause) => StorageError::Unavailable { cause },
        };
        match self {
            Self::Acquire { op } | Self::Load { op, .. } => Input::Loaded { op: *op, result: Err(error) },
            Self::Persist { op, .. } => Input::Persisted { op: *op, result: Err(error) },
        }
    }
}

pub(crate) fn failure(thrown: JsValue) -> StorageError {
    read_failure(&thrown).unwrap_or_else(|cause| StorageError::Unavailable { cause })
}

/// Where a running outbox stores.
pub(crate) enum Backend {
    Port(StoragePort),
    /// One that answers at once.
    #[cfg(feature = "executor")]
    Own(RefCell<Box<dyn Store>>),
}

/// The storage of a running outbox: one request is under way at a time (R4).
pub(crate) struct Storage {
    backend: Backend,
    name: String,
    is_open: Cell<bool>,
    is_closing: Cell<bool>,
    request: RefCell<Option<Request>>,
    /// Its answer, while that is read.
    reading: RefCell<Option<Reading>>,
    resolved: Closure<dyn FnMut(JsValue)>,
    rejected: Closure<dyn FnMut(JsValue)>,
}

impl Storage {
    pub(crate) fn new(backend: Backend, name: String, engine: &Weak<Engine>) -> Self {
        let to = |hear: fn(&Engine, JsValue)| {
            let engine = Weak::clone(engine);
            Closure::new(move |value| {
                if let Some(engine) = engine.upgrade() {
                    hear(&engine, value);
                }
            })
        };
        Self {
            backend,
            name,
            is_open: Cell::new(false),
            is_closing: Cell::new(false),
            request: RefCell::new(None),
            reading: RefCell::new(None),
            resolved: to(|engine, value| engine.storage().resolve(engine, value)),
            rejected: to(|engine, thrown| engine.storage().reject(engine, thrown)),
        }
    }

    /// Carries a request out; a storage that is not open is opened first. The answer is fed to the engine.
    pub(crate) fn ask(&self, engine: &Engine, request: Request) {
        let port = match &self.backend {
            Backend::Port(port) => port,
            #[cfg(feature = "executor")]
            Backend::Own(store) => return engine.feed(request.answered_by(&mut **store.borrow_mut())),
        };
        let before = self.request.replace(Some(request));
        assert!(before.is_none(), "one storage request is in flight at a time (R4)");
        self.go_on(engine, port);
    }

    fn go_on(&self, engine: &Engine, port: &StoragePort) {
        let asked = if self.is_open.get() {
            let request = self.request.borrow();
            request.as_ref().expect("it was put there to be asked").send(port)
        } else {
            port.js_open(&self.name)
        };
        match asked {
            Ok(promise) => {
                let _ = Promise::resolve(&promise).then2(&self.resolved, &self.rejected);
            }
            Err(thrown) => self.reject(engine, thrown),
        }
    }

    fn resolve(&self, engine: &Engine, value: JsValue) {
        if let Backend::Port(port) = &self.backend
            && !self.is_open.replace(true)
        {
            return self.go_on(engine, port);
        }
        if self.request.borrow().as_ref().is_some_and(Request::is_read) {
            return self.read(engine, Reading::begin(value));
        }
        if let Some(request) = self.request.take() {
            self.answer(engine, request.persisted(value));
        }
    }

    /// Reads a part of an answer, and the next one in a task of its own; the outbox hears of the whole.
    fn read(&self, engine: &Engine, mut reading: Option<Reading>) {
        if let Some(more) = reading.as_mut().map(Reading::go_on) {
            match more {
                Some(true) => {
                    self.reading.replace(reading);
                    let me = engine.weak();
                    return engine.clock().yield_to_browser(Box::new(move || {
                        with(&me, |engine| engine.storage().read_on(engine));
                    }));
                }
                Some(false) => {}
                None => reading = None,
            }
        }
        if let Some(request) = self.request.take() {
            self.answer(engine, request.loaded(reading.and_then(Reading::end)));
        }
    }

    fn read_on(&self, engine: &Engine) {
        let reading = self.reading.take();
        if reading.is_some() {
            self.read(engine, reading);
        }
    }

    fn reject(&self, engine: &Engine, thrown: JsValue) {
        let Some(request) = self.request.take() else { return };
        let input = if self.is_open.get() { request.failed(thrown) } else { request.not_opened(thrown) };
        self.answer(engine, input);
    }

    fn answer(&self, engine: &Engine, input: Input) {
        engine.feed(input);
        if self.is_closing.get() {
            self.close();
        }
    }

    /// Closes it, after the request that is under way. An answer that is being read is of no use any more.
    pub(crate) fn close(&self) {
        self.is_closing.set(true);
        if self.reading.take().is_some() {
            self.request.take();
        }
        if self.request.borrow().is_none()
            && self.is_open.replace(false)
            && let Backend::Port(port) = &self.backend
            && let Err(thrown) = port.js_close()
        {
            crate::clock::report(&thrown);
        }
    }
}

fn object() -> Fields {
    Object::new().unchecked_into()
}

fn to_js_fence(fence: Option<Fence>) -> JsValue {
    let Some(Fence { store, epoch }) = fence else { return JsValue::UNDEFINED };
    let fields = object();
    fields.set_store(&String::from(store));
    fields.set_epoch(epoch.0 as f64);
    fields.into()
}

fn to_js_scope(scope: &Scope) -> JsValue {
    let fields = object();
    match scope {
        Scope::Full => fields.set_kind("full"),
        Scope::Since { change, through } => {
            fields.set_kind("since");
            fields.set_change(*change as f64);
            fields.set_through(through.0 as f64);
        }
        Scope::Items(seqs) => {
            fields.set_kind("items");
            fields.set_seqs(&seqs.iter().map(|seq| JsValue::from_f64(seq.0 as f64)).collect());
        }
    }
    fields.into()
}

fn to_js_write(write: &Write) -> JsValue {
    let fields = object();
    let op = match write {
        Write::Delete { seq, outcome } => {
            fields.set_seq(seq.0 as f64);
            fields.set_outcome(&wire::to_json(outcome));
            "delete"
        }
        Write::Bury { seq, id, failure } => {
            fields.set_seq(seq.0 as f64);
            fields.set_id(id.as_str());
            fields.set_failure(failure);
            "bury"
        }
        Write::Remove { id } => {
            fields.set_id(id.as_str());
            "remove"
        }
        Write::Put { seq, record } => {
            fields.set_seq(seq.0 as f64);
            fields.set_record(record);
            "put"
        }
        Write::Insert { id, record } => {
            fields.set_id(id.as_str());
            fields.set_record(record);
            "insert"
        }
        Write::RetryFailure { failure, id, record } => {
            fields.set_failure(failure.as_str());
            fields.set_id(id.as_str());
            fields.set_record(record);
            "retryFailure"
        }
        Write::DismissFailure { id } => {
            fields.set_id(id.as_str());
            "dismissFailure"
        }
        Write::Pause { reason } => {
            fields.set_reason(reason);
            "pause"
        }
        Write::Resume { reason } => {
            fields.set_reason(reason);
            "resume"
        }
    };
    fields.set_op(op);
    fields.into()
}
