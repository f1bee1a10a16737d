//! Mutators that are registered while the executor runs, or registered again (R23).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use common::{Folder, Todo, drained, id, in_memory, leading, todo, within};
use outbox_tokio::{
    Attempt, EnqueueOptions, Executor, ExecutorError, MutatorError, Settled,
    outbox::{Json, Mutator, ParkReason, Reason},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// What `addTodo` takes in this build: what older ones called `text` is its title.
#[derive(Debug, Deserialize, Serialize)]
struct Titled {
    id: String,
    title: String,
}

fn to_titled(args: Json) -> Result<Json, String> {
    let Ok(Todo { id, text }) = args.parse() else { return Ok(args) }; // it is up to date
    Json::from_value(&Titled { id, title: text }).map_err(|problem| problem.to_string())
}

/// Sends nothing but what it was given: the title.
async fn send_title(attempt: Attempt<Titled>) -> Result<String, MutatorError> {
    Ok(attempt.args.title)
}

/// A database with one item of each of these mutators, its id the mutator's name, stored by an older build.
async fn stored(mutators: &[&'static str]) -> Folder {
    let folder = Folder::new();
    let builder = mutators.iter().fold(folder.builder(), |builder, name| {
        builder.mutator(Mutator::<Todo>::new(*name), |_| async { Ok(()) })
    });
    let executor = builder.start().await.unwrap();
    executor.set_online(false);
    for name in mutators {
        let options = EnqueueOptions::new().id(id(name));
        executor.enqueue_with(name, &todo(name), options).await.unwrap();
    }
    let _ = within("shutdown", executor.shutdown(Duration::from_secs(10))).await.unwrap();
    folder
}

async fn why_waiting(executor: &Executor, item: &str) -> Reason {
    executor.explain(id(item)).await.unwrap().expect("it is pending").reason
}

#[tokio::test]
async fn what_waits_for_a_mutator_is_sent_when_it_is_registered_r23() {
    let folder = stored(&["addTodo"]).await;
    let executor = folder.builder().start().await.unwrap();
    leading(&executor).await;
    assert_eq!(why_waiting(&executor, "addTodo").await, Reason::Parked(ParkReason::Unregistered));
    assert!(executor.enqueue("addTodo", &todo("2")).await.is_err(), "nobody knows what it takes");
    let waiting = executor.handle(id("addTodo")).await.unwrap();

    let send = |attempt: Attempt<Todo>| async move { Ok(attempt.args.text) };
    within("the registration", executor.register(Mutator::<Todo>::new("addTodo"), send)).await.unwrap();
    let sent = within("what waited", waiting.typed::<String>()).await.unwrap();
    assert_eq!(sent, Settled::Committed(Some("do addTodo".into())));
    let another = executor.enqueue("addTodo", &todo("2")).await.unwrap();
    assert!(within("a new one", another).await.unwrap().is_committed());
}

#[tokio::test]
async fn stored_args_are_brought_up_to_date_by_a_late_mutator_r23() {
    let folder = stored(&["addTodo"]).await;
    let executor = folder.builder().start().await.unwrap();
    let waiting = executor.handle(id("addTodo")).await.unwrap();
    let late = Mutator::<Titled>::new("addTodo").upgrade(to_titled);
    executor.register(late, send_title).await.unwrap();
    let sent = within("what waited", waiting.typed::<String>()).await.unwrap();
    assert_eq!(sent, Settled::Committed(Some("do addTodo".into())));
}

#[tokio::test]
async fn an_upgrade_that_panics_refuses_the_args_and_stops_nobody_r23() {
    let folder = stored(&["addTodo", "other"]).await;
    let executor = folder.builder().start().await.unwrap();
    let (as_stored, other) = (executor.handle(id("addTodo")).await, executor.handle(id("other")).await);
    let late = Mutator::<Todo>::new("addTodo").upgrade(|_| panic!("a mistake of the app's"));
    let send = |attempt: Attempt<Todo>| async move { Ok(attempt.args.text) };
    executor.register(late, send).await.unwrap();
    executor.register(Mutator::<Titled>::new("other").upgrade(to_titled), send_title).await.unwrap();
    for (waiting, text) in [(as_stored, "do addTodo"), (other, "do other")] {
        let sent = within("what waited", waiting.unwrap().typed::<String>()).await.unwrap();
        assert_eq!(sent, Settled::Committed(Some(text.into())));
    }
}

#[tokio::test]
async fn a_failure_record_is_brought_up_to_date_by_a_late_mutator_r15_r23() {
    let folder = Folder::new();
    let refuse = |_: Attempt<Todo>| async { Err::<(), _>(MutatorError::non_retriable("no such list")) };
    let older = folder.builder().mutator(Mutator::<Todo>::new("addTodo"), refuse).start().await.unwrap();
    let options = EnqueueOptions::new().id(id("addTodo"));
    let refused = older.enqueue_with("addTodo", &todo("addTodo"), options).await.unwrap();
    assert!(matches!(within("the refusal", refused).await.unwrap(), Settled::Dropped(_)));
    drained(&older).await;
    let _ = within("shutdown", older.shutdown(Duration::from_secs(10))).await.unwrap();

    let executor = folder.builder().start().await.unwrap();
    leading(&executor).await;
    let late = Mutator::<Titled>::new("addTodo").upgrade(to_titled);
    executor.register(late, send_title).await.unwrap();
    let again = executor.retry_failure(id("addTodo")).await.unwrap().expect("the record is there");
    let sent = within("the retry", again.typed::<String>()).await.unwrap();
    assert_eq!(sent, Settled::Committed(Some("do addTodo".into())));
}

/// The second is registered while what the first had waited for is brought up to date: in the thread of the
/// store, so it can be held up there.
#[tokio::test]
async fn a_mutator_that_is_registered_during_a_load_upgrades_what_it_brings_r23() {
    let folder = stored(&["first", "second"]).await;
    let executor = folder.builder().start().await.unwrap();
    leading(&executor).await;
    let waiting = executor.handle(id("second")).await.unwrap();
    let (upgrading, go_on) = (Arc::new(Notify::new()), Mutex::new(None));
    let (registered, until_registered) = mpsc::channel();
    *go_on.lock().unwrap() = Some(until_registered);
    let begun = Arc::clone(&upgrading);
    let first = Mutator::<Titled>::new("first").upgrade(move |args| {
        if let Some(until_registered) = go_on.lock().unwrap().take() {
            begun.notify_one();
            let _ = until_registered.recv(); // an error: the test has failed
        }
        to_titled(args)
    });
    executor.register(first, send_title).await.unwrap();
    within("the load", upgrading.notified()).await;

    let send = |attempt: Attempt<Titled>| async move { Ok((attempt.args.title, attempt.number)) };
    executor.register(Mutator::<Titled>::new("second").upgrade(to_titled), send).await.unwrap();
    registered.send(()).unwrap();
    let sent = within("what waited", waiting.typed::<(String, u32)>()).await.unwrap();
    assert_eq!(sent, Settled::Committed(Some(("do second".into(), 1))), "with args that it takes, at once");
}

#[tokio::test]
async fn attempts_under_way_go_on_with_the_mutator_that_was_replaced() {
    let (started, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (start, end) = (Arc::clone(&started), Arc::clone(&finish));
    let before = move |_: Attempt<Todo>| {
        let (start, end) = (Arc::clone(&start), Arc::clone(&end));
        async move {
            start.notify_one();
            end.notified().await;
            Ok("before")
        }
    };
    let executor = in_memory().mutator(Mutator::<Todo>::new("addTodo"), before).start().await.unwrap();
    let under_way = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    let behind = executor.enqueue("addTodo", &todo("1")).await.unwrap(); // of the same lane
    within("the attempt", started.notified()).await;
    executor.register(Mutator::<Todo>::new("addTodo"), |_| async { Ok("after") }).await.unwrap();
    finish.notify_one();
    let committed = |by: &str| Settled::Committed(Some(by.to_owned()));
    assert_eq!(within("the first", under_way.typed::<String>()).await.unwrap(), committed("before"));
    assert_eq!(within("the second", behind.typed::<String>()).await.unwrap(), committed("after"));
}

#[tokio::test]
async fn settings_that_are_refused_change_nothing_r32() {
    let replaced = Arc::new(AtomicBool::new(false));
    let executor =
        in_memory().mutator(Mutator::<Todo>::new("addTodo"), |_| async { Ok(()) }).start().await.unwrap();
    let never = Arc::clone(&replaced);
    let send = move |_: Attempt<Todo>| {
        never.store(true, Ordering::SeqCst);
        async { Ok(()) }
    };
    let refused = executor.register(Mutator::new("addTodo").timeout_ms(0), send).await.unwrap_err();
    assert_eq!(refused.to_string(), "config: `mutators.addTodo.timeoutMs` is 0; it must be 1 to 86400000");
    let sent = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    assert!(within("the outcome", sent).await.unwrap().is_committed());
    assert!(!replaced.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_executor_that_has_stopped_registers_nothing() {
    let executor = in_memory().start().await.unwrap();
    let _ = within("shutdown", executor.shutdown(Duration::ZERO)).await.unwrap();
    let refused = executor.register(Mutator::<Todo>::new("addTodo"), |_| async { Ok(()) }).await;
    assert_eq!(refused, Err(ExecutorError::Stopped));
}
