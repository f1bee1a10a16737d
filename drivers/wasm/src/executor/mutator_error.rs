//! `MutatorError`: how a mutator says that an attempt failed, and of which class (R12).

use std::{error::Error, fmt, time::Duration};

use outbox::{Class, Failure, SerializedError};
use wasm_bindgen::JsValue;

use crate::store::message;

/// Why an attempt failed. Its class decides what becomes of the item; the text never does (R12).
///
/// Every error converts into it by `?`, as [`Class::Server`]: it is tried again. What no answer came for
/// is to be said: [`MutatorError::transport`]. Only [`MutatorError::non_retriable`] drops an item, so
/// nothing is dropped by accident.
///
/// Name and message are stored with the item (at most 1 KiB): keep tokens out of them (R25).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutatorError {
    class: Class,
    error: SerializedError,
    retry_after: Option<Duration>,
}

impl MutatorError {
    /// No answer came: retried, and other attempts slow down until one is answered (R9, R12).
    #[must_use]
    pub fn transport(message: impl Into<String>) -> Self {
        Self::new(Class::Transport, "TransportError", message)
    }

    /// An answer, or the mutator itself, asks for a retry (R12).
    #[must_use]
    pub fn server(message: impl Into<String>) -> Self {
        Self::new(Class::Server, "ServerError", message)
    }

    /// As [`MutatorError::server`], and not before `delay` has passed: a floor under the backoff, clamped
    /// to a day by the core (R11).
    #[must_use]
    pub fn retry_after(delay: Duration, message: impl Into<String>) -> Self {
        Self::server(message).with_retry_after(delay)
    }

    /// Refused for good: the item is dropped, and leaves a failure record (R15).
    #[must_use]
    pub fn non_retriable(message: impl Into<String>) -> Self {
        Self::new(Class::NonRetriable, "NonRetriableError", message)
    }

    /// What JavaScript threw, as [`MutatorError::server`]. For what `fetch` rejects with, use
    /// [`MutatorError::transport`] [only the caller knows that it was `fetch`] (R12).
    #[must_use]
    pub fn thrown(thrown: &JsValue) -> Self {
        Self::server(message(thrown))
    }

    /// The same under another name, for people and for code that looks at `lastError.name`.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.error = SerializedError::new(name, self.error.message);
        self
    }

    /// The same with a floor under the next attempt (R11).
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// What will be stored of it.
    #[must_use]
    pub fn serialized(&self) -> &SerializedError {
        &self.error
    }

    fn new(class: Class, name: &str, message: impl Into<String>) -> Self {
        Self { class, error: SerializedError::new(name, message), retry_after: None }
    }
}

impl<E: Error> From<E> for MutatorError {
    fn from(error: E) -> Self {
        Self::new(Class::Server, "Error", error.to_string())
    }
}

impl From<MutatorError> for Failure {
    fn from(error: MutatorError) -> Self {
        let retry_after_ms = error.retry_after.map(super::millis);
        Self { class: error.class, error: error.error, retry_after_ms }
    }
}

impl fmt::Display for MutatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}
