//! HTTP answers and reqwest errors as outcomes of an attempt (R11, R12).
//!
//! ```no_run
//! use outbox_tokio::{Attempt, MutatorError, http::{RequestBuilderExt, ResponseExt}};
//! # #[derive(serde::Serialize, serde::Deserialize)] struct AddTodo { id: String }
//!
//! async fn add_todo(client: reqwest::Client, attempt: Attempt<AddTodo>) -> Result<String, MutatorError> {
//!     let body = serde_json::to_vec(&attempt.args)?;
//!     let request = client.post("http://localhost:3000/todos").idempotency_key(&attempt).body(body);
//!     Ok(request.send().await?.accepted()?.text().await?)
//! }
//! ```
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx | success |
//! | 408, 425, 429, 5xx | tried again, not before `Retry-After` |
//! | 401, 407 | tried again, under the name [`UNAUTHORIZED`]: nothing is dropped because a login expired |
//! | any other 4xx | refused for good |
//! | anything else | tried again |
//! | none: connect error, timeout, broken connection | tried again, as [`Class::Transport`] |
//!
//! An app that sees an [`UNAUTHORIZED`] failure in its events does best to
//! [`pause`](crate::Executor::pause) with a reason such as `auth`, and to resume after the login.

use std::time::Duration;

use outbox::{Class, Timestamp, retry_after_ms};
use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{DATE, HeaderMap, HeaderName, RETRY_AFTER},
};

use crate::{attempt::Attempt, clock::wall_now, mutator_error::MutatorError};

/// The name of the error that 401 and 407 become.
pub const UNAUTHORIZED: &str = "Unauthorized";

/// The header that carries an item's idempotency key, as it is.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What an answer means for the attempt, by its status and headers alone.
///
/// A `Retry-After` that is a date is taken relative to the answer's own `Date`, so that a wrong clock on
/// either side does not matter; without one, relative to the local clock.
///
/// # Errors
/// The failure that the answer is, as the table above says.
pub fn accepted(status: StatusCode, headers: &HeaderMap) -> Result<(), MutatorError> {
    if status.is_success() {
        return Ok(());
    }
    let message = format!("the server answered {status}");
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            MutatorError::server(message).with_name(UNAUTHORIZED)
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            retry(message, headers)
        }
        _ if status.is_server_error() => retry(message, headers),
        _ if status.is_client_error() => MutatorError::non_retriable(message).with_name("Refused"),
        _ => MutatorError::server(message).with_name("UnexpectedStatus"),
    })
}

fn retry(message: String, headers: &HeaderMap) -> MutatorError {
    let error = MutatorError::server(message);
    match retry_after(headers) {
        Some(delay) => error.with_retry_after(delay),
        None => error,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    // A date is as far from the epoch as its time says.
    let date = text(DATE).and_then(|date| retry_after_ms(date, Timestamp::ZERO)).map(Timestamp::from_millis);
    retry_after_ms(text(RETRY_AFTER)?, date.unwrap_or_else(wall_now)).map(Duration::from_millis)
}

/// Turns a response into the attempt's outcome.
pub trait ResponseExt: Sized {
    /// The response, if its status is 2xx.
    ///
    /// # Errors
    /// As [`accepted`].
    fn accepted(self) -> Result<Self, MutatorError>;
}

impl ResponseExt for Response {
    fn accepted(self) -> Result<Self, MutatorError> {
        accepted(self.status(), self.headers()).map(|()| self)
    }
}

/// Puts an attempt's marks on a request.
pub trait RequestBuilderExt {
    /// Sends the attempt's idempotency key, if it has one, as the header `Idempotency-Key` (R21).
    #[must_use]
    fn idempotency_key<A>(self, attempt: &Attempt<A>) -> Self;
}

impl RequestBuilderExt for RequestBuilder {
    fn idempotency_key<A>(self, attempt: &Attempt<A>) -> Self {
        match attempt.idempotency_key.as_deref() {
            Some(key) => self.header(IDEMPOTENCY_KEY, key),
            None => self,
        }
    }
}

/// What reqwest says, by type: `Transport` where no answer came, or it broke off (R12).
pub(crate) fn classify(error: &reqwest::Error) -> (Class, &'static str) {
    if error.is_timeout() {
        (Class::Transport, "TimeoutError")
    } else if error.is_connect() {
        (Class::Transport, "ConnectError")
    } else if error.is_request() || error.is_body() {
        (Class::Transport, "ConnectionError")
    } else {
        (Class::Server, "HttpError")
    }
}

/// What reqwest says, without the address: it may carry tokens (R25).
pub(crate) fn words(error: &reqwest::Error) -> String {
    let words = error.to_string();
    match error.url() {
        Some(url) => words.replace(&format!(" for url ({url})"), ""),
        None => words,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use outbox::Failure;

    use super::*;

    fn answer(status: u16, headers: &[(HeaderName, &str)]) -> Failure {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        accepted(StatusCode::from_u16(status).unwrap(), &headers).unwrap_err().into()
    }

    #[test]
    fn statuses_have_their_classes_r12() {
        for status in [200, 201, 204] {
            assert!(accepted(StatusCode::from_u16(status).unwrap(), &HeaderMap::new()).is_ok());
        }
        for status in [408, 425, 429, 500, 501, 502, 503, 504, 599, 401, 407, 302, 304] {
            assert_eq!(answer(status, &[]).class, Class::Server, "{status}");
        }
        for status in [400, 402, 403, 404, 405, 409, 410, 413, 415, 422, 451] {
            assert_eq!(answer(status, &[]).class, Class::NonRetriable, "{status}");
        }
        assert_eq!(answer(401, &[]).error.name, UNAUTHORIZED);
        assert_eq!(answer(407, &[]).error.name, UNAUTHORIZED);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_servers_clock_r11() {
        assert_eq!(answer(503, &[(RETRY_AFTER, "120")]).retry_after_ms, Some(120_000));
        assert_eq!(answer(503, &[]).retry_after_ms, None);
        assert_eq!(answer(503, &[(RETRY_AFTER, "soon")]).retry_after_ms, None);
        assert_eq!(answer(422, &[(RETRY_AFTER, "120")]).retry_after_ms, None);
        let dated = [(DATE, "Sun, 06 Nov 1994 08:49:37 GMT"), (RETRY_AFTER, "Sun, 06 Nov 1994 08:50:37 GMT")];
        assert_eq!(answer(429, &dated).retry_after_ms, Some(60_000), "no clock of ours is asked");
        assert_eq!(answer(429, &[dated[1].clone()]).retry_after_ms, Some(0), "long past by our clock");
    }
}
