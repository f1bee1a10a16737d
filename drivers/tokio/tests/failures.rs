//! How attempts fail, and what is kept of it (R12, R14, R15).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use common::{Folder, Todo, drained, id, in_memory, todo, until, within};
use outbox_tokio::{
    Attempt, EnqueueOptions, MutatorError, Settled,
    outbox::{Class, Event, Mutator},
};
use tokio::sync::{Notify, Semaphore};

#[tokio::test]
async fn a_refusal_leaves_a_failure_record_that_can_be_retried_after_a_restart_r15() {
    let folder = Folder::new();
    let accepting = Arc::new(AtomicBool::new(false));
    let start = || {
        let accepting = Arc::clone(&accepting);
        folder
            .builder()
            .mutator(Mutator::<Todo>::new("addTodo"), move |attempt: Attempt<Todo>| {
                let accepts = accepting.load(Ordering::SeqCst);
                async move {
                    if accepts {
                        Ok(attempt.args.id)
                    } else {
                        Err(MutatorError::non_retriable("no such list").with_name("NoList"))
                    }
                }
            })
            .start()
    };
    let first = start().await.unwrap();
    let options = || EnqueueOptions::new().id(id("poison"));
    let refused = first.enqueue_with("addTodo", &todo("1"), options()).await.unwrap();
    let Settled::Dropped(error) = within("the refusal", refused).await.unwrap() else {
        panic!("not dropped")
    };
    assert_eq!((error.name.as_str(), error.message.as_str()), ("NoList", "no such list"));
    drained(&first).await;
    let _ = within("shutdown", first.shutdown(Duration::from_secs(10))).await.unwrap();

    let second = start().await.unwrap();
    let failures = second.failures().await.unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!((&failures[0].item.id, failures[0].error.name.as_str()), (&id("poison"), "NoList"));
    let known = second.handle(id("poison")).await.unwrap();
    assert!(matches!(within("what is known", known).await.unwrap(), Settled::Dropped(_)));

    accepting.store(true, Ordering::SeqCst);
    let again = second.retry_failure(id("poison")).await.unwrap().expect("the record is there");
    assert_ne!(again.id(), &id("poison"));
    assert_eq!(
        within("the retry", again.typed::<String>()).await.unwrap(),
        Settled::Committed(Some("1".into()))
    );
    assert!(second.failures().await.unwrap().is_empty());
    assert!(second.retry_failure(id("poison")).await.unwrap().is_none(), "only if the record is still there");

    accepting.store(false, Ordering::SeqCst);
    let refused = second.enqueue_with("addTodo", &todo("1"), options()).await.unwrap();
    assert!(matches!(within("the refusal", refused).await.unwrap(), Settled::Dropped(_)));
    drained(&second).await;
    assert!(second.dismiss_failure(id("poison")).await.unwrap());
    assert!(!second.dismiss_failure(id("poison")).await.unwrap());
    assert!(second.failures().await.unwrap().is_empty());
}

#[tokio::test]
async fn any_other_error_and_a_panic_are_tried_again_r12() {
    let folder = Folder::new();
    let looked = Arc::new(Semaphore::new(1)); // each attempt waits until the one before was looked at
    let gate = Arc::clone(&looked);
    let executor = folder
        .builder()
        .mutator(Mutator::<Todo>::new("addTodo"), move |attempt: Attempt<Todo>| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("it is never closed").forget();
                match attempt.number {
                    1 => Err(std::io::Error::other("HTTP 400"))?,
                    2 => panic!("a bug in the mutator"),
                    n => Ok(n),
                }
            }
        })
        .start()
        .await
        .unwrap();
    let mut events = executor.events();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap().typed::<u32>();
    let failed = |event: &Event| match event {
        Event::AttemptFailed { error, .. } => Some(error.to_string()),
        _ => None,
    };
    assert_eq!(until(&mut events, "the first failure", failed).await, "IoError: HTTP 400");
    assert_eq!(executor.pending().await.unwrap()[0].last_class, Some(Class::Transport));
    looked.add_permits(1);
    assert_eq!(until(&mut events, "the second failure", failed).await, "PanicError: a bug in the mutator");
    assert_eq!(executor.pending().await.unwrap()[0].last_class, Some(Class::Server));
    looked.add_permits(1);
    assert_eq!(within("the outcome", handle).await.unwrap(), Settled::Committed(Some(3)));
}

#[tokio::test]
async fn an_attempt_that_times_out_is_cancelled_and_tried_again_r14() {
    let (cancelled, looked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (cancel, look) = (Arc::clone(&cancelled), Arc::clone(&looked));
    let executor = in_memory()
        .mutator(Mutator::<Todo>::new("addTodo").timeout_ms(100), move |attempt: Attempt<Todo>| {
            let (cancel, look) = (Arc::clone(&cancel), Arc::clone(&look));
            async move {
                if attempt.number == 1 {
                    attempt.cancelled.cancelled().await;
                    cancel.notify_one();
                    std::future::pending::<()>().await; // ignores it, and is dropped after the grace
                }
                if attempt.number == 2 {
                    look.notified().await;
                }
                Ok(attempt.number)
            }
        })
        .start()
        .await
        .unwrap();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap().typed::<u32>();
    within("the cancellation", cancelled.notified()).await;
    assert_eq!(executor.pending().await.unwrap()[0].last_class, Some(Class::Transport));
    looked.notify_one();
    assert_eq!(within("the outcome", handle).await.unwrap(), Settled::Committed(Some(2)));
}

#[tokio::test]
async fn args_of_another_build_are_kept_and_the_field_is_named_r12() {
    #[derive(serde::Deserialize)]
    struct Newer {
        #[expect(dead_code, reason = "only its reading is tested")]
        due: u64,
    }
    let folder = Folder::new();
    let older = folder
        .builder()
        .mutator(Mutator::<Todo>::new("addTodo"), |_| async { Ok(()) })
        .start()
        .await
        .unwrap();
    older.pause("test").await.unwrap();
    let pending = older.enqueue("addTodo", &todo("1")).await.unwrap().id().clone();
    let _ = within("shutdown", older.shutdown(Duration::from_secs(10))).await.unwrap();

    let calls = Arc::new(AtomicU32::new(0));
    let called = Arc::clone(&calls);
    let newer = folder
        .builder()
        .mutator(Mutator::<Newer>::new("addTodo"), move |_| {
            called.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        })
        .start()
        .await
        .unwrap();
    let mut events = newer.events();
    assert!(newer.resume("test").await.unwrap());
    let error = until(&mut events, "the failure", |event| match event {
        Event::AttemptFailed { error, .. } => Some(error.clone()),
        _ => None,
    });
    let error = error.await;
    assert_eq!(error.name, "ArgsError");
    assert!(error.message.contains("due"), "{error}");
    assert_eq!(newer.pending().await.unwrap()[0].id, pending);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
