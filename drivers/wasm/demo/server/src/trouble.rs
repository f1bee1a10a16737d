//! The trouble that the demo's panel asks for, for one client alone. A server of one's own has no such file.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    App,
    http::{REPEATED, no},
};

/// Which client asks: the panel of one browser makes no trouble for another.
pub const CLIENT: &str = "demo-client";

/// What happens to a client's writes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Trouble {
    /// Writes take so much longer.
    pub delay_ms: u64,
    /// Writes take effect, and their replies are lost.
    pub drop_replies: bool,
    /// Writes are answered 503 with this `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// Writes about this visit are refused for good.
    pub refuse: Option<String>,
    /// Writes are answered 401 until the client logs in.
    pub logged_out: bool,
}

/// What arrived from a client.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tally {
    /// Writes that arrived.
    pub arrived: u32,
    /// Those that took effect.
    pub effects: u32,
    /// Those whose key was known, and that were answered as before.
    pub repeats: u32,
}

/// The clients, by name.
#[derive(Clone, Default)]
pub(crate) struct Troubles(Arc<Mutex<HashMap<String, (Trouble, Tally)>>>);

impl Troubles {
    fn with<R>(&self, headers: &HeaderMap, run: impl FnOnce(&mut (Trouble, Tally)) -> R) -> R {
        let client = headers.get(CLIENT).and_then(|name| name.to_str().ok()).unwrap_or_default();
        run(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(client.into()).or_default())
    }
}

/// `GET /trouble`: what is asked for, and what arrived so far.
pub(crate) async fn show(State(app): State<App>, headers: HeaderMap) -> Json<Value> {
    Json(app.troubles.with(&headers, |(trouble, tally)| json!({ "trouble": trouble, "tally": tally })))
}

/// `PUT /trouble`: makes this trouble from now on.
pub(crate) async fn make(
    State(app): State<App>,
    headers: HeaderMap,
    Json(asked): Json<Trouble>,
) -> StatusCode {
    app.troubles.with(&headers, |(trouble, _)| *trouble = asked);
    StatusCode::NO_CONTENT
}

/// `POST /login`: the client may write again.
pub(crate) async fn log_in(State(app): State<App>, headers: HeaderMap) -> StatusCode {
    app.troubles.with(&headers, |(trouble, _)| trouble.logged_out = false);
    StatusCode::NO_CONTENT
}

/// Stands between a client and the writes.
pub(crate) async fn meet(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let trouble = app.troubles.with(&headers, |(trouble, tally)| {
        tally.arrived += 1;
        trouble.clone()
    });
    sleep(Duration::from_millis(trouble.delay_ms)).await;
    if let Some(answer) = says_no(&trouble, request.uri().path()) {
        return answer;
    }
    let response = next.run(request).await;
    app.troubles.with(&headers, |(_, tally)| {
        tally.repeats += u32::from(response.headers().contains_key(REPEATED));
        tally.effects += u32::from(response.status() == 200 && !response.headers().contains_key(REPEATED));
    });
    if trouble.drop_replies { broken_off() } else { response }
}

/// The answers that come before anything is done, and that are stored nowhere.
fn says_no(trouble: &Trouble, path: &str) -> Option<Response> {
    if trouble.logged_out {
        return Some(no(401, "login", "Your login has expired: log in again."));
    }
    if let Some(seconds) = trouble.retry_after {
        let mut answer = no(503, "busy", "The office is busy: come back later.");
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
        return Some(answer);
    }
    let visit = path.rsplit('/').next();
    let is_refused = visit.is_some() && visit == trouble.refuse.as_deref();
    is_refused.then(|| no(422, "refused", "The office refuses this visit, as the panel asked it to."))
}

/// A reply that breaks off on its way: the connection is closed before the end of its body.
fn broken_off() -> Response {
    let breaks = stream::iter([Err::<&str, _>(std::io::Error::other("dropped as asked"))]);
    Body::from_stream(breaks).into_response()
}
