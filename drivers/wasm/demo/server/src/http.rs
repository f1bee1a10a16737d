//! The routes, and a write as HTTP: what arrives is made a [`Request`], the answer is given as it is stored.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde_json::Error;

use crate::{
    App, changes,
    office::{Answer, Problem, Request, What, refusal},
    page, trouble,
};

/// The header that names a write (R21).
const KEY: &str = "idempotency-key";
/// The header of an answer that was stored by an earlier attempt.
pub(crate) const REPEATED: &str = "idempotency-repeated";

pub(crate) fn routes(app: App) -> Router {
    let writes = Router::new()
        .route("/visits/{id}", put(write).patch(write).delete(write))
        .layer(middleware::from_fn_with_state(app.clone(), trouble::meet));
    Router::new()
        .merge(writes)
        .route("/changes", get(changes::stream))
        .route("/trouble", get(trouble::show).put(trouble::make))
        .route("/login", post(trouble::log_in))
        .fallback(get(page::file))
        .with_state(app)
}

/// `PUT`, `PATCH` or `DELETE /visits/ID`: creates, edits, deletes.
async fn write(
    State(app): State<App>,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(key) = headers.get(KEY).and_then(|key| key.to_str().ok()).filter(|key| !key.is_empty()) else {
        return no(400, "no-key", "A write needs the header Idempotency-Key.");
    };
    let what = match asked(&method, &id, &body) {
        Ok(what) => what,
        Err(error) => return no(422, "unreadable", &format!("The body cannot be read: {error}.")),
    };
    let text = format!("{method} {id} {}", String::from_utf8_lossy(&body));
    match app.write(key.into(), Request { text, id, what }).await {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// What a method and a body ask for.
fn asked(method: &Method, id: &str, body: &[u8]) -> Result<What, Error> {
    match *method {
        Method::PUT => {
            let mut visit: crate::office::Visit = serde_json::from_slice(body)?;
            id.clone_into(&mut visit.id); // the address says which
            Ok(What::Create(visit))
        }
        Method::PATCH => Ok(What::Edit(serde_json::from_slice(body)?)),
        _ => Ok(What::Delete),
    }
}

/// An answer that says no.
pub(crate) fn no(status: u16, code: &str, message: &str) -> Response {
    refusal(status, code, message).into_response()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("statuses are written in this crate");
        let mut response = (status, [(CONTENT_TYPE, "application/json")], self.body).into_response();
        if self.is_repeat {
            response.headers_mut().insert(REPEATED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Not stored, and no refusal: the client tries again.
    fn into_response(self) -> Response {
        no(500, "broken", &format!("The office has a problem of its own: {self}."))
    }
}
