//! What the app can do to a running executor: remove, pause, go offline, shut down (R8, R18, R19, R20).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Folder, Todo, accepting, in_memory, leading, todo, within};
use outbox_tokio::{
    Attempt, MutatorError, Settled,
    outbox::{Mutator, Reason},
};
use tokio::sync::{Notify, Semaphore};

#[tokio::test]
async fn removing_an_item_in_flight_cancels_its_attempt_r18() {
    let (started, cancelled) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (start, cancel) = (Arc::clone(&started), Arc::clone(&cancelled));
    let executor = in_memory()
        .mutator(Mutator::<Todo>::new("addTodo"), move |attempt: Attempt<Todo>| {
            let (start, cancel) = (Arc::clone(&start), Arc::clone(&cancel));
            async move {
                start.notify_one();
                attempt.cancelled.cancelled().await;
                cancel.notify_one();
                Err::<(), _>(MutatorError::server("cancelled"))
            }
        })
        .start()
        .await
        .unwrap();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    within("the attempt", started.notified()).await;
    let id = handle.id().clone();
    let blocked = executor.explain(id.clone()).await.unwrap().expect("it is pending");
    assert!(matches!(blocked.reason, Reason::InFlight { attempt: 1, .. }), "{}", blocked.reason);
    assert!(within("the removal", executor.remove(id.clone())).await.unwrap());
    within("the cancellation", cancelled.notified()).await;
    assert_eq!(within("the outcome", handle).await.unwrap(), Settled::Removed);
    assert!(executor.pending().await.unwrap().is_empty());
    assert!(!within("a second removal", executor.remove(id.clone())).await.unwrap());
    assert!(executor.explain(id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_pause_holds_across_a_restart_until_it_is_resumed_r20() {
    let folder = Folder::new();
    let start = || folder.builder().mutator(Mutator::<Todo>::new("addTodo"), |_| async { Ok(()) }).start();
    let first = start().await.unwrap();
    first.pause("auth").await.unwrap();
    let item = first.enqueue("addTodo", &todo("1")).await.unwrap().id().clone();
    let _ = within("shutdown", first.shutdown(Duration::from_secs(10))).await.unwrap();

    let second = start().await.unwrap();
    leading(&second).await;
    assert_eq!(second.paused().await.unwrap(), ["auth"]);
    let blocked = second.explain(item.clone()).await.unwrap().expect("it is pending");
    assert_eq!(blocked.reason, Reason::Paused { reasons: vec!["auth".into()] });
    let handle = second.handle(item).await.unwrap();
    assert!(second.resume("auth").await.unwrap());
    assert!(!second.resume("auth").await.unwrap());
    assert!(within("the outcome", handle).await.unwrap().is_committed());
}

#[tokio::test]
async fn offline_items_wait_and_go_out_when_online_r8() {
    let executor = accepting().await;
    executor.set_online(false);
    let mut handles = Vec::new();
    for n in 0..3 {
        handles.push(executor.enqueue("addTodo", &todo(&n.to_string())).await.unwrap());
    }
    let last = handles[2].id().clone();
    let blocked = executor.explain(last).await.unwrap();
    assert_eq!(blocked.map(|blocked| blocked.reason), Some(Reason::Offline));
    executor.set_online(true);
    for handle in handles {
        assert!(within("the outcome", handle).await.unwrap().is_committed());
    }
}

#[tokio::test]
async fn shutdown_respects_its_limit_and_loses_nothing() {
    let folder = Folder::new();
    let answering = Arc::new(Semaphore::new(0));
    let started = Arc::new(Notify::new());
    let start = || {
        let (answering, started) = (Arc::clone(&answering), Arc::clone(&started));
        let send = move |attempt: Attempt<Todo>| {
            let (answering, started) = (Arc::clone(&answering), Arc::clone(&started));
            async move {
                started.notify_one();
                let _answer = answering.acquire().await.expect("it is never closed");
                Ok(attempt.number)
            }
        };
        folder.builder().mutator(Mutator::<Todo>::new("addTodo"), send).start()
    };
    let first = start().await.unwrap();
    let item = first.enqueue("addTodo", &todo("1")).await.unwrap().id().clone();
    within("the attempt", started.notified()).await;
    let asked = Instant::now();
    let stopped = within("shutdown", first.shutdown(Duration::from_millis(300))).await.unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(300), "it waits for the attempt");
    assert!(asked.elapsed() < Duration::from_secs(5), "but not for long: {:?}", asked.elapsed());
    assert_eq!(stopped.given_up, 1);

    let second = start().await.unwrap();
    let handle = second.handle(item).await.unwrap().typed::<u32>();
    answering.add_permits(1);
    assert_eq!(within("the outcome", handle).await.unwrap(), Settled::Committed(Some(2)));
}

#[tokio::test]
async fn shutdown_waits_for_attempts_and_records_their_results() {
    let folder = Folder::new();
    let (started, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (start, end) = (Arc::clone(&started), Arc::clone(&finish));
    let send = move |_: Attempt<Todo>| {
        let (start, end) = (Arc::clone(&start), Arc::clone(&end));
        async move {
            start.notify_one();
            end.notified().await;
            Ok(())
        }
    };
    let executor =
        folder.builder().mutator(Mutator::<Todo>::new("addTodo"), send.clone()).start().await.unwrap();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    within("the attempt", started.notified()).await;
    let waiting = executor.enqueue("addTodo", &todo("1")).await.unwrap(); // of the same lane
    let stopping = tokio::spawn({
        let executor = executor.clone();
        async move { executor.shutdown(Duration::from_secs(20)).await }
    });
    // Once calls are refused the shutdown has begun.
    within("the shutdown to begin", async {
        while executor.pending().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    finish.notify_one();
    assert!(within("the outcome", handle).await.unwrap().is_committed());
    let stopped = within("shutdown", stopping).await.unwrap().unwrap();
    assert_eq!((stopped.given_up, stopped.durable), (0, true));
    let waiting_id = waiting.id().clone();
    assert!(within("the end", waiting).await.is_err(), "nothing new was sent");

    let again = folder.builder().mutator(Mutator::<Todo>::new("addTodo"), send).start().await.unwrap();
    let pending = again.pending().await.unwrap();
    assert_eq!(pending.iter().map(|item| &item.id).collect::<Vec<_>>(), [&waiting_id]);
}
