//! What the browser tests share: an app of one mutator, a server that is a list, and the browser's faults.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use outbox_wasm::{Attempt, Builder, Executor, MutatorError, outbox::Mutator};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = faults)]
    fn sleep(ms: u32) -> js_sys::Promise;
    /// Hides a property of the global object or of `navigator`; returns what brings it back.
    #[wasm_bindgen(js_namespace = faults)]
    pub(crate) fn hide(holder: &str, name: &str) -> js_sys::Function;
    #[wasm_bindgen(js_namespace = faults, js_name = refuseToOpen)]
    pub(crate) fn refuse_to_open() -> js_sys::Function;
    #[wasm_bindgen(js_namespace = faults, js_name = loseConnection)]
    pub(crate) fn lose_connection();
    #[wasm_bindgen(js_namespace = faults, js_name = useUpQuota)]
    pub(crate) fn use_up_quota() -> js_sys::Function;
    #[wasm_bindgen(js_namespace = faults, js_name = loseCommit)]
    pub(crate) fn lose_commit();
    /// Counts the transactions that write; returns what ends that, and says how many there were.
    #[wasm_bindgen(js_namespace = faults, js_name = countWrites)]
    pub(crate) fn count_writes() -> js_sys::Function;
}

/// Makes the browser's faults available. It is a text and no module [the test server has few connections].
pub(crate) fn load_faults() {
    js_sys::eval(include_str!("faults.js")).unwrap();
}

/// Ends a fault.
pub(crate) fn mend(fault: &js_sys::Function) {
    fault.call0(&JsValue::UNDEFINED).unwrap();
}

/// Waits in real time.
pub(crate) async fn pass(ms: u32) {
    JsFuture::from(sleep(ms)).await.unwrap();
}

/// Waits until it is so, for ten seconds at most.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if is() {
            return;
        }
        pass(10).await;
    }
    panic!("ten seconds have passed, and still not: {what}");
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Todo {
    pub id: String,
    pub text: String,
}

pub(crate) fn todo(id: &str, text: &str) -> Todo {
    Todo { id: id.into(), text: text.into() }
}

/// What the server has, and how it answers.
#[derive(Clone, Default)]
pub(crate) struct Server(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    texts: Vec<String>,
    keys: Vec<String>,
    failures: Vec<MutatorError>,
}

impl Server {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.borrow().texts.clone()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.borrow().keys.clone()
    }

    /// The next attempt fails like this.
    pub(crate) fn fail(&self, error: MutatorError) {
        self.0.borrow_mut().failures.push(error);
    }

    fn take(&self, attempt: &Attempt<Todo>) -> Result<String, MutatorError> {
        let mut state = self.0.borrow_mut();
        state.keys.push(attempt.idempotency_key.as_deref().unwrap_or("none").into());
        if let Some(error) = state.failures.pop() {
            return Err(error);
        }
        state.texts.push(attempt.args.text.clone());
        Ok(format!("the server has {}", attempt.args.text))
    }
}

/// An app with the mutator `addTodo`. Comes first in every test: the faults are there from then on.
pub(crate) fn app(name: &str, server: &Server) -> Builder {
    load_faults();
    let server = server.clone();
    let mutator = Mutator::<Todo>::new("addTodo").idempotency_key();
    Executor::builder(name).mutator(mutator, move |attempt| {
        let server = server.clone();
        async move {
            pass(1).await;
            server.take(&attempt)
        }
    })
}

pub(crate) async fn shutdown(executor: &Executor) {
    let _ = executor.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// What a future has by now.
pub(crate) fn now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
