//! `Attempt`: what a mutator gets to send one mutation; and how typed mutators are kept under one type.

use std::{pin::Pin, sync::Arc};

use outbox::{AttemptOutcome, Class, Failure, Item, ItemId, Json, SerializedError, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::mutator_error::MutatorError;

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
    /// Cancelled when the attempt is not waited for any longer: timeout (R14), removal (R18), the loss
    /// of leadership, or the end of [`Executor::shutdown`](crate::Executor::shutdown)'s patience. The
    /// future is dropped 5 s later, and at once if the executor stops; a success told before that still
    /// counts.
    pub cancelled: CancellationToken,
    /// When the attempt times out (R14).
    pub deadline: Instant,
    /// When the mutation was enqueued.
    pub created_at: Timestamp,
    /// What the app keeps with it.
    pub metadata: Option<Json>,
}

/// An attempt before its args are read.
pub(crate) struct RawAttempt {
    pub(crate) item: Arc<Item>,
    pub(crate) number: u32,
    pub(crate) cancelled: CancellationToken,
    pub(crate) deadline: Instant,
}

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A mutator whose types are erased.
pub(crate) type MutatorFn = Arc<dyn Fn(RawAttempt) -> BoxFuture<AttemptOutcome> + Send + Sync>;

/// Erases a mutator's types.
pub(crate) fn erase<A, R, F, Fut>(mutator: F) -> MutatorFn
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize,
    F: Fn(Attempt<A>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, MutatorError>> + Send + 'static,
{
    let mutator = Arc::new(mutator);
    Arc::new(move |raw| {
        let mutator = Arc::clone(&mutator);
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
        let Self { item, number, cancelled, deadline } = self;
        let mut text = serde_json::Deserializer::from_str(item.args.as_str());
        let args = serde_path_to_error::deserialize(&mut text).map_err(|cause| Failure {
            class: Class::Server,
            error: SerializedError::new("ArgsError", args_problem(&item.mutator_name, &cause)),
            retry_after_ms: None,
        })?;
        Ok(Attempt {
            args,
            id: item.id.clone(),
            idempotency_key: item.idempotency_key.clone(),
            number,
            cancelled,
            deadline,
            created_at: item.created_at,
            metadata: item.metadata.clone(),
        })
    }
}

fn args_problem(mutator: &str, cause: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = cause.path().to_string();
    let field = if path == "." { String::from("args") } else { format!("args.{path}") };
    format!(
        "`{field}` is not what `{mutator}` takes: {}; the item is kept for a build that can read it",
        cause.inner()
    )
}

/// What the mutator returned. A value that JSON cannot carry is not told [the server has the mutation
/// all the same].
fn result_json<R: Serialize>(result: &R) -> Option<Json> {
    let told = Json::from_value(result);
    told.inspect_err(|problem| tracing::warn!(%problem, "a result cannot be told; its mutation is committed"))
        .ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use outbox::Key;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Args {
        #[expect(dead_code, reason = "only its reading is tested")]
        visit: Visit,
    }

    #[derive(Debug, Deserialize)]
    struct Visit {
        #[expect(dead_code, reason = "only its reading is tested")]
        minutes: u32,
    }

    fn raw(args: &str) -> RawAttempt {
        let item = Item {
            id: ItemId::new("a").unwrap(),
            seq: None,
            mutator_name: "visit".into(),
            args: Json::from_text(args).unwrap(),
            key: Key::UNKNOWN,
            idempotency_key: None,
            created_at: Timestamp::ZERO,
            retry_count: 1,
            next_attempt_at: Timestamp::ZERO,
            retry_after: None,
            last_class: None,
            last_error: None,
            metadata: None,
            claimed: true,
            barrier: false,
            rewrites: 0,
            version: 1,
        };
        let item = Arc::new(item);
        RawAttempt { item, number: 1, cancelled: CancellationToken::new(), deadline: Instant::now() }
    }

    #[test]
    fn args_that_cannot_be_read_keep_the_item_and_name_the_field_r12() {
        let failure = raw(r#"{"visit":{"minutes":"many"}}"#).typed::<Args>().unwrap_err();
        assert_eq!(failure.class, Class::Server);
        assert_eq!(failure.error.name, "ArgsError");
        assert!(failure.error.message.contains("`args.visit.minutes`"), "{}", failure.error);
        let failure = raw("[]").typed::<u32>().unwrap_err();
        assert!(failure.error.message.contains("`args` is not what `visit` takes"), "{}", failure.error);
    }
}
