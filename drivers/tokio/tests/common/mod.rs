//! What the tests of the executor share: bounds on every wait, and waits for events instead of sleeps.

use std::{path::PathBuf, time::Duration};

use outbox_tokio::{
    Attempt, Builder, Events, Executor,
    outbox::{Event, ItemId, Mutator},
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// Far beyond what any wait here takes: a test that reaches it hangs.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Todo {
    pub(crate) id: String,
    pub(crate) text: String,
}

pub(crate) fn todo(id: &str) -> Todo {
    Todo { id: id.into(), text: format!("do {id}") }
}

pub(crate) fn id(text: &str) -> ItemId {
    ItemId::new(text).unwrap()
}

/// A folder that goes away with the test, and the database in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.path().join("todos.db")
    }

    /// An executor to be on this folder's database, without jitter.
    pub(crate) fn builder(&self) -> Builder {
        Executor::builder("todos").jitter(false).sqlite(self.database())
    }
}

/// An executor to be in memory, without jitter.
pub(crate) fn in_memory() -> Builder {
    Executor::builder("todos").jitter(false).memory()
}

/// One in memory whose server accepts everything at once.
pub(crate) async fn accepting() -> Executor {
    let send = |_: Attempt<Todo>| async { Ok(()) };
    in_memory().mutator(Mutator::<Todo>::new("addTodo"), send).start().await.unwrap()
}

/// The future's value; fails the test if that takes for ever.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

/// The next event that `wanted` accepts.
pub(crate) async fn until<T>(events: &mut Events, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let search = async {
        loop {
            let event = events.next().await.expect("the executor runs").expect("no lag");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    within(what, search).await
}

/// Waits until the executor leads.
pub(crate) async fn leading(executor: &Executor) {
    let mut events = executor.events();
    if !executor.is_leader().await.unwrap() {
        until(&mut events, "leading", |event| matches!(event, Event::Leading(true)).then_some(())).await;
    }
}

/// Waits until nothing is pending.
pub(crate) async fn drained(executor: &Executor) {
    let mut events = executor.events();
    let draining = async {
        while !executor.pending().await.unwrap().is_empty() {
            let _ = events.next().await.expect("the executor runs"); // or that some were missed
        }
    };
    within("everything to settle", draining).await;
}
