//! `MutatorError`: how a mutator says that an attempt failed, and of which class (R12).

use std::{error::Error, fmt, io, time::Duration};

use outbox::{Class, Failure, SerializedError};

use crate::clock::millis;

/// Why an attempt failed. Its class decides what becomes of the item; the text never does (R12).
///
/// Every error converts into it by `?`: an [`io::Error`], and with the feature `http` what reqwest
/// says of a connection, is [`Class::Transport`]; anything else is [`Class::Server`] and is tried again.
/// Only [`MutatorError::non_retriable`] drops an item, so nothing is dropped by accident. Like
/// `anyhow::Error` it is no [`std::error::Error`] itself, which is what allows the conversion.
///
/// Name and message are stored with the item (at most 1 KiB): keep tokens out of them (R25).
///
/// ```
/// use outbox_tokio::MutatorError;
///
/// fn parse(text: &str) -> Result<u32, MutatorError> {
///     if text == "refuse me" {
///         return Err(MutatorError::non_retriable("the server will never take this"));
///     }
///     Ok(text.parse::<u32>()?) // any error: retried
/// }
/// # assert!(parse("refuse me").unwrap_err().is_non_retriable());
/// # assert!(!parse("x").unwrap_err().is_non_retriable());
/// ```
pub struct MutatorError {
    class: Class,
    error: SerializedError,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
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

    /// From a boxed error, or one that turns into a boxed one as `anyhow::Error` does:
    /// `.map_err(MutatorError::boxed)`. Classed by the type in the box, as far as it shows.
    #[must_use]
    pub fn boxed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = error.into();
        let (class, name) = classify(source.as_ref());
        Self { source: Some(source), ..Self::new(class, name, "") }.with_source_message()
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

    /// Whether it drops the item.
    #[must_use]
    pub fn is_non_retriable(&self) -> bool {
        self.class == Class::NonRetriable
    }

    /// What will be stored of it.
    #[must_use]
    pub fn serialized(&self) -> &SerializedError {
        &self.error
    }

    /// What it was made from.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.source.as_deref()
    }

    fn new(class: Class, name: &str, message: impl Into<String>) -> Self {
        Self { class, error: SerializedError::new(name, message), retry_after: None, source: None }
    }

    fn with_source_message(mut self) -> Self {
        if let Some(source) = &self.source {
            self.error = SerializedError::new(self.error.name, chain(source.as_ref()));
        }
        self
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for MutatorError {
    fn from(error: E) -> Self {
        Self::boxed(error)
    }
}

impl From<MutatorError> for Failure {
    fn from(error: MutatorError) -> Self {
        Self { class: error.class, error: error.error, retry_after_ms: error.retry_after.map(millis) }
    }
}

impl fmt::Debug for MutatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutatorError")
            .field("class", &self.class)
            .field("error", &self.error)
            .field("retry_after", &self.retry_after)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for MutatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Class and name by type, never by text (R12).
fn classify(error: &(dyn Error + Send + Sync + 'static)) -> (Class, &'static str) {
    if error.is::<io::Error>() {
        return (Class::Transport, "IoError");
    }
    #[cfg(feature = "http")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return crate::http::classify(error);
    }
    (Class::Server, "Error")
}

/// The error's words and those of its causes, outermost first. Addresses of requests are left out: they
/// may carry tokens (R25).
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = words(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = words(error);
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn words(error: &(dyn Error + 'static)) -> String {
    #[cfg(feature = "http")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return crate::http::words(error);
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn classes_are_told_by_type_and_never_by_text_r12() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "HTTP 400 forbidden");
        assert_eq!(MutatorError::from(refused).class(), Class::Transport);
        let outer = MutatorError::from(Outer(io::Error::other("inner 404")));
        assert_eq!(outer.class(), Class::Server);
        assert_eq!(outer.serialized().message, "outer: inner 404");
        assert!(outer.source().is_some());
        assert_eq!(MutatorError::boxed("plain words, 422").class(), Class::Server);
        let boxed: Box<dyn Error + Send + Sync> = Box::new(io::Error::other("x"));
        assert_eq!(MutatorError::boxed(boxed).class(), Class::Transport);
    }

    #[test]
    fn a_failure_carries_class_words_and_floor() {
        let failure: Failure =
            MutatorError::retry_after(Duration::from_secs(7), "busy").with_name("Busy").into();
        assert_eq!(failure.class, Class::Server);
        assert_eq!(failure.retry_after_ms, Some(7_000));
        assert_eq!(failure.error.to_string(), "Busy: busy");
        assert!(MutatorError::non_retriable("no").is_non_retriable());
        assert_eq!(MutatorError::transport("gone").class(), Class::Transport);
    }
}
