//! From enqueue to result, across restarts (R1, R21, R29, R32).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::sync::{Arc, Mutex, OnceLock};

use common::{Folder, Todo, accepting, drained, id, in_memory, todo, within};
use outbox_tokio::{
    Attempt, EnqueueOptions, Executor, ExecutorError, MutatorError, Settled, StartError, WaitError,
    outbox::{
        CallError, Input, InputError, Json, Key, Mutator, Trigger,
        storage::{Committed, Fence, MemoryStore, Scope, Snapshot, StorageError, Store, StoreId, Write},
    },
};
use tokio::sync::Semaphore;

#[tokio::test]
async fn an_enqueued_mutation_is_sent_and_its_result_comes_back() {
    let folder = Folder::new();
    let executor = folder
        .builder()
        .mutator(Mutator::<Todo>::new("addTodo"), |attempt: Attempt<Todo>| async move {
            Ok((attempt.number, attempt.args.text))
        })
        .start()
        .await
        .unwrap();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    let settled = within("the outcome", handle.typed::<(u32, String)>()).await.unwrap();
    assert_eq!(settled, Settled::Committed(Some((1, "do 1".into()))));
    drained(&executor).await;
}

#[tokio::test]
async fn everything_the_app_says_reaches_the_mutator() {
    let executor = in_memory()
        .mutator(Mutator::<Todo>::new("addTodo").idempotency_key(), |attempt: Attempt<Todo>| async move {
            let left = attempt.deadline.saturating_duration_since(tokio::time::Instant::now());
            assert!(left.as_secs() <= 15 && left.as_secs() > 5, "{left:?}");
            assert!(!attempt.cancelled.is_cancelled());
            let key = attempt.idempotency_key.as_deref().map(String::from);
            let metadata = attempt.metadata.map(|json| json.to_string());
            Ok((attempt.id.to_string(), key, metadata))
        })
        .start()
        .await
        .unwrap();
    type Seen = (String, Option<String>, Option<String>);
    let options = EnqueueOptions::new()
        .id(id("a"))
        .key(Key::one("lane").unwrap())
        .idempotency_key("once")
        .metadata(Json::from_text(r#"{"screen":"home"}"#).unwrap());
    let handle = executor.enqueue_with("addTodo", &todo("1"), options).await.unwrap().typed::<Seen>();
    let Settled::Committed(Some(seen)) = within("given", handle).await.unwrap() else {
        panic!("not committed")
    };
    assert_eq!(seen, ("a".into(), Some("once".into()), Some(r#"{"screen":"home"}"#.into())));

    let handle = executor.enqueue("addTodo", &todo("2")).await.unwrap().typed::<Seen>();
    let Settled::Committed(Some(seen)) = within("made", handle).await.unwrap() else {
        panic!("not committed")
    };
    assert!(seen.1.is_some_and(|key| !key.is_empty()), "the mutator asked for a key (R21)");
}

#[tokio::test]
async fn what_is_pending_survives_a_restart_and_is_sent_in_order() {
    let folder = Folder::new();
    let first = folder
        .builder()
        .mutator(Mutator::<Todo>::new("addTodo").key(|_| "one lane"), |_| async {
            std::future::pending::<Result<(), MutatorError>>().await
        })
        .start()
        .await
        .unwrap();
    let mut ids = Vec::new();
    for n in 0..5 {
        let handle = first.enqueue("addTodo", &todo(&n.to_string())).await.unwrap();
        ids.push(handle.id().clone());
    }
    let cut = first.enqueue("addTodo", &todo("5")).await.unwrap();
    drop(first); // the attempt under way is given up
    let stopped = within("the end", cut).await.unwrap_err();
    assert!(matches!(stopped, WaitError::Stopped { .. }), "{stopped}");

    let sent = Arc::new(Mutex::new(Vec::new()));
    let asked_for = Arc::new(Semaphore::new(0)); // nothing is sent until every handle is had
    let (log, gate) = (Arc::clone(&sent), Arc::clone(&asked_for));
    let second = folder
        .builder()
        .mutator(Mutator::<Todo>::new("addTodo").key(|_| "one lane"), move |attempt: Attempt<Todo>| {
            let (log, gate) = (Arc::clone(&log), Arc::clone(&gate));
            async move {
                let _open = gate.acquire().await.expect("it is never closed");
                log.lock().unwrap().push(attempt.args.id.clone());
                Ok(attempt.args.id)
            }
        })
        .start()
        .await
        .unwrap();
    let mut handles = Vec::new();
    for id in ids {
        handles.push(second.handle(id).await.unwrap().typed::<String>());
    }
    asked_for.add_permits(1);
    for (n, handle) in handles.into_iter().enumerate() {
        assert_eq!(within("the outcome", handle).await.unwrap(), Settled::Committed(Some(n.to_string())));
    }
    drained(&second).await;
    assert_eq!(*sent.lock().unwrap(), ["0", "1", "2", "3", "4", "5"]);
    let unknown = second.handle(id("never")).await.unwrap();
    assert_eq!(within("nothing", unknown).await.unwrap(), Settled::Gone);
}

#[tokio::test]
async fn a_result_of_another_type_is_an_error_that_says_committed() {
    let executor =
        in_memory().mutator(Mutator::<Todo>::new("addTodo"), |_| async { Ok("text") }).start().await.unwrap();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap().typed::<u32>();
    let error = within("the outcome", handle).await.unwrap_err();
    assert!(matches!(error, WaitError::Result { .. }));
    assert!(error.to_string().contains("is committed"), "{error}");
}

#[tokio::test]
async fn bad_input_is_refused_with_the_field_and_nothing_is_stored_r32() {
    let executor = in_memory()
        .mutator(Mutator::<Todo>::new("addTodo"), |_| async { Ok(()) })
        .max_args_bytes(100)
        .start()
        .await
        .unwrap();
    executor.pause("test").await.unwrap();
    let unknown = executor.enqueue("addTood", &todo("1")).await.unwrap_err();
    let expected = CallError::Input(InputError::UnknownMutator { name: "addTood".into() });
    assert_eq!(unknown, ExecutorError::Call(expected));
    let wrong = executor.enqueue("addTodo", &["not a todo"]).await.unwrap_err();
    assert!(matches!(wrong, ExecutorError::Call(CallError::Input(InputError::WrongType { .. }))), "{wrong}");
    let long = executor.enqueue("addTodo", &todo(&"x".repeat(100))).await.unwrap_err();
    assert!(matches!(long, ExecutorError::Call(CallError::Input(InputError::TooLong { .. }))), "{long}");
    assert!(executor.pause("").await.is_err());
    assert!(executor.pending().await.unwrap().is_empty());

    let named = EnqueueOptions::new().id(id("a"));
    executor.enqueue_with("addTodo", &todo("1"), named.clone()).await.unwrap();
    let twice = executor.enqueue_with("addTodo", &todo("1"), named).await.unwrap_err();
    assert_eq!(twice, ExecutorError::Call(CallError::Duplicate { id: id("a") }));
    assert_eq!(executor.pending().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why() {
    let no_store = Executor::builder("todos").start().await.unwrap_err();
    assert!(matches!(no_store, StartError::NoStore), "{no_store}");
    let config = Executor::builder("todos").max_concurrency(0).memory().start().await.unwrap_err();
    assert!(config.to_string().contains("maxConcurrency"), "{config}");
    let name = Executor::builder("").memory().start().await.unwrap_err();
    assert!(matches!(name, StartError::Name { len: 0 }), "{name}");
    let folder = Folder::new();
    let missing =
        Executor::builder("todos").sqlite(folder.database().join("no/such")).start().await.unwrap_err();
    assert!(matches!(missing, StartError::Open(_)), "{missing}");
}

/// No lock is held while code of the app runs: it may call the executor that it is called by.
#[tokio::test]
async fn code_of_the_app_may_call_the_executor() {
    let calling: Arc<OnceLock<Executor>> = Arc::default();
    let (in_mutator, in_recorder) = (Arc::clone(&calling), Arc::clone(&calling));
    let executor = in_memory()
        .mutator(Mutator::<Todo>::new("addTodo"), move |attempt: Attempt<Todo>| {
            let executor = in_mutator.get().expect("it is set before anything is enqueued").clone();
            async move {
                if attempt.args.id == "1" {
                    executor.enqueue("addTodo", &todo("2")).await.unwrap();
                }
                Ok(executor.pending().await.unwrap().len())
            }
        })
        .recorder(move |_, input| {
            if let (Some(executor), Input::Enqueue { .. }) = (in_recorder.get(), input) {
                executor.wake(Trigger::Visible);
            }
        })
        .start()
        .await
        .unwrap();
    assert!(calling.set(executor.clone()).is_ok());
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    assert!(within("the outcome", handle).await.unwrap().is_committed());
    drained(&executor).await;
    let _ = within("shutdown", executor.shutdown(std::time::Duration::from_secs(10))).await.unwrap();
}

/// A store in memory whose n-th write may go wrong.
struct Faulty {
    store: MemoryStore,
    writes: u32,
    fault: fn(u32) -> Result<(), StorageError>,
}

impl Store for Faulty {
    fn acquire(&mut self) -> Result<Snapshot, StorageError> {
        self.store.acquire()
    }

    fn load(&mut self, fence: Option<Fence>, scope: &Scope) -> Result<Snapshot, StorageError> {
        self.store.load(fence, scope)
    }

    fn persist(&mut self, fence: Option<Fence>, writes: &[Write]) -> Result<Committed, StorageError> {
        self.writes += 1;
        (self.fault)(self.writes)?;
        self.store.persist(fence, writes)
    }
}

async fn faulty(fault: fn(u32) -> Result<(), StorageError>) -> Executor {
    Executor::builder("todos")
        .mutator(Mutator::<Todo>::new("addTodo"), |_: Attempt<Todo>| async { Ok(()) })
        .store(Faulty { store: MemoryStore::new(StoreId(1)), writes: 0, fault })
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_write_that_fails_is_repeated_though_nothing_else_happens_r5() {
    let fails_once = |write| match write {
        2 => Err(StorageError::Unavailable { cause: "locked".into() }),
        _ => Ok(()),
    };
    let executor = faulty(fails_once).await;
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    assert!(within("the outcome", handle).await.unwrap().is_committed());
    drained(&executor).await; // its delete, which failed, was repeated
}

#[tokio::test]
async fn a_store_that_panics_ends_the_executor_and_whoever_waits_is_told() {
    let executor = faulty(|_| panic!("a bug in the store")).await;
    let mut events = executor.events();
    let stopped = within("the end", executor.enqueue("addTodo", &todo("1"))).await.unwrap_err();
    assert_eq!(stopped, ExecutorError::Stopped);
    assert_eq!(executor.pending().await.unwrap_err(), ExecutorError::Stopped);
    while let Some(event) = within("the events' end", events.next()).await {
        event.unwrap();
    }
}

#[tokio::test]
async fn an_executor_that_has_stopped_says_so() {
    let executor = accepting().await;
    let mut events = executor.events();
    let stopped = within("shutdown", executor.shutdown(std::time::Duration::from_secs(5))).await.unwrap();
    assert_eq!((stopped.given_up, stopped.durable), (0, true));
    assert_eq!(executor.enqueue("addTodo", &todo("1")).await.unwrap_err(), ExecutorError::Stopped);
    assert_eq!(executor.pending().await.unwrap_err(), ExecutorError::Stopped);
    while let Some(event) = within("the events' end", events.next()).await {
        event.unwrap();
    }
    assert!(executor.events().next().await.is_none());
}
