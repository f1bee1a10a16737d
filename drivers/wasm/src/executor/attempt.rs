//! `Attempt`: what a mutator gets to send one mutation; and how typed mutators are kept under one type.

use std::{pin::Pin, rc::Rc, sync::Arc};

use outbox::{AttemptOutcome, Class, Failure, Item, ItemId, Json, SerializedError, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsValue, prelude::*};

use super::mutator_error::MutatorError;

#[wasm_bindgen]
extern "C" {
    /// JavaScript's `AbortController`.
    #[derive(Clone)]
    pub(crate) type AbortController;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> AbortController;
    #[wasm_bindgen(method)]
    pub(crate) fn abort(this: &AbortController);
    #[wasm_bindgen(method, getter)]
    fn signal(this: &AbortController) -> AbortSignal;

    /// JavaScript's `AbortSignal`: hand it to `fetch`. With web-sys:
    /// `attempt.signal.unchecked_into::<web_sys::AbortSignal>()`.
    #[derive(Clone, Debug)]
    pub type AbortSignal;
    /// Whether it was aborted.
    #[wasm_bindgen(method, getter)]
    pub fn aborted(this: &AbortSignal) -> bool;
}

/// One attempt to send one mutation: what the app enqueued, and what a careful mutator needs beside it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt<A> {
    /// The mutation's args.
    pub args: A,
    /// The item.
    pub id: ItemId,
    /// The same on every attempt with these args, after restarts too (R21): a server that remembers it
    /// applies the mutation once. `None` unless the mutator asks for one or the call gave one.
    pub idempotency_key: Option<Arc<str>>,
    /// The attempt's number, from 1.
    pub number: u32,
    /// Aborted when the attempt is not waited for any longer: timeout (R14), removal (R18), the loss of
    /// leadership, or the executor's end. A success told after that still counts.
    pub signal: AbortSignal,
    /// When the attempt times out (R14).
    pub deadline: Timestamp,
    /// When the mutation was enqueued.
    pub created_at: Timestamp,
    /// What the app keeps with it.
    pub metadata: Option<Json>,
}

/// An attempt before its args are read.
pub(crate) struct RawAttempt {
    pub(crate) item: Arc<Item>,
    pub(crate) number: u32,
    pub(crate) controller: AbortController,
    pub(crate) deadline: Timestamp,
}

pub(crate) type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A mutator whose types are erased.
pub(crate) type MutatorFn = Rc<dyn Fn(RawAttempt) -> LocalFuture<AttemptOutcome>>;

/// Erases a mutator's types.
pub(crate) fn erase<A, R, F, Fut>(mutator: F) -> MutatorFn
where
    A: DeserializeOwned + 'static,
    R: Serialize,
    F: Fn(Attempt<A>) -> Fut + 'static,
    Fut: Future<Output = Result<R, MutatorError>> + 'static,
{
    let mutator = Rc::new(mutator);
    Rc::new(move |raw| {
        let mutator = Rc::clone(&mutator);
        Box::pin(async move {
            let attempt = match raw.typed::<A>() {
                Ok(attempt) => attempt,
                Err(failure) => return AttemptOutcome::Failure(failure),
            };
            match mutator(attempt).await {
                Ok(result) => AttemptOutcome::Success { result: result_json(&result) },
                Err(error) => AttemptOutcome::Failure(error.into()),
            }
        })
    })
}

impl RawAttempt {
    /// Reads the args. What this build cannot read another may: so the item is kept and tried again (R12).
    fn typed<A: DeserializeOwned>(self) -> Result<Attempt<A>, Failure> {
        let Self { item, number, controller, deadline } = self;
        let args = item.args.parse().map_err(|cause| Failure {
            class: Class::Server,
            error: SerializedError::new("ArgsError", args_problem(&item.mutator_name, &cause)),
            retry_after_ms: None,
        })?;
        Ok(Attempt {
            args,
            id: item.id.clone(),
            idempotency_key: item.idempotency_key.clone(),
            number,
            signal: controller.signal(),
            deadline,
            created_at: item.created_at,
            metadata: item.metadata.clone(),
        })
    }
}

fn args_problem(mutator: &str, cause: &serde_json::Error) -> String {
    format!("the args are not what `{mutator}` takes: {cause}; the item is kept for a build that can read it")
}

/// What the mutator returned. A value that JSON cannot carry is not told [the server has the mutation
/// all the same].
fn result_json<R: Serialize>(result: &R) -> Option<Json> {
    let told = Json::from_value(result);
    let unheard = |problem: &_| {
        let words = format!("a result cannot be told; its mutation is committed: {problem}");
        crate::clock::report(&JsValue::from_str(&words));
    };
    told.inspect_err(unheard).ok()
}
