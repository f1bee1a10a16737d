//! The write path: one POST per to-do.

use std::time::Duration;

use outbox_wasm::{Attempt, MutatorError, outbox};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, Request, RequestInit, Response};

use crate::Todo;

/// Sends one to-do. The server answers 200, 4xx (never take it), or asks for a retry.
pub(crate) async fn add_todo(attempt: Attempt<Todo>) -> Result<(), MutatorError> {
    let request = request(&attempt).map_err(|thrown| MutatorError::thrown(&thrown))?;
    let window = web_sys::window().ok_or_else(|| MutatorError::server("there is no window"))?;
    let answer = JsFuture::from(window.fetch_with_request(&request)).await;
    // `fetch` rejects when no answer came: only here that is known.
    let response: Response = answer.map_err(|_| MutatorError::transport("no answer"))?.unchecked_into();
    match response.status() {
        200..=299 => Ok(()),
        status @ (408 | 425 | 429 | 500..=599) => Err(retry(status, &response)),
        status => Err(MutatorError::non_retriable(format!("the server answered {status}"))),
    }
}

fn request(attempt: &Attempt<Todo>) -> Result<Request, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    headers.set("idempotency-key", attempt.idempotency_key.as_deref().unwrap_or_default())?;
    let options = RequestInit::new();
    options.set_method("POST");
    options.set_headers(&headers);
    options.set_signal(Some(attempt.signal.unchecked_ref::<AbortSignal>()));
    let body = serde_json::to_string(&attempt.args).map_err(|error| JsValue::from_str(&error.to_string()))?;
    options.set_body(&JsValue::from_str(&body));
    Request::new_with_str_and_init("/todos", &options)
}

/// With what `Retry-After` says, if it says something.
fn retry(status: u16, response: &Response) -> MutatorError {
    let error = MutatorError::server(format!("the server answered {status}"));
    let header = response.headers().get("retry-after").ok().flatten();
    let now = outbox::Timestamp::from_millis(js_sys::Date::now() as u64);
    match header.and_then(|header| outbox::retry_after_ms(&header, now)) {
        Some(delay_ms) => error.with_retry_after(Duration::from_millis(delay_ms)),
        None => error,
    }
}
