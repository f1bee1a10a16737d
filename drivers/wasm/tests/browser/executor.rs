//! The executor end to end, in a real browser: one page.

use std::{cell::RefCell, rc::Rc, time::Duration};

use outbox_wasm::{
    AbortSignal, EnqueueOptions, Executor, ExecutorError, MutatorError, Settled, StartError,
    outbox::{CallError, Event, InputError, ItemId, Mutator, Projection, Reason, View},
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::common::{Server, Todo, app, now, pass, shutdown, todo, until};

#[wasm_bindgen_test]
async fn what_is_enqueued_is_stored_sent_and_told_r1_r21_r29() {
    let server = Server::default();
    let executor = app("end to end", &server).start().await.unwrap();
    let handle = executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap();
    let id = handle.id().clone();
    let settled = handle.typed::<String>().await.unwrap();
    assert_eq!(settled, Settled::Committed(Some("the server has milk".into())));
    assert_eq!(server.keys(), [id.as_str()]);
    until("it has left", || executor.pending().is_empty()).await;
    assert!(executor.is_leader());
    shutdown(&executor).await;
    let late = executor.enqueue("addTodo", &todo("2", "eggs")).await;
    assert_eq!(late.unwrap_err(), ExecutorError::Stopped);
}

#[wasm_bindgen_test]
async fn what_is_stored_outlives_the_executor_r1_r20_r22() {
    let server = Server::default();
    let name = "outlives";
    let executor = app(name, &server).start().await.unwrap();
    executor.pause("auth").await.unwrap();
    let handle = executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap();
    let id = handle.id().clone();
    drop((handle, executor)); // at once: as a closed tab

    let executor = app(name, &server).start().await.unwrap();
    assert_eq!(executor.paused(), ["auth"]);
    assert_eq!(executor.pending().len(), 1);
    until("it leads", || executor.is_leader()).await;
    let reason = executor.explain(&id).unwrap().reason;
    assert_eq!(reason, Reason::Paused { reasons: vec!["auth".into()] });
    assert!(executor.resume("auth").await.unwrap());
    until("the server has it", || server.texts() == ["milk"]).await;
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn an_item_is_tried_again_with_the_same_key_and_in_order_r6_r10_r21() {
    let server = Server::default();
    server.fail(MutatorError::server("busy"));
    let executor = app("again", &server).jitter(false).start().await.unwrap();
    let mut events = executor.events();
    let first = executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap();
    let second = executor.enqueue("addTodo", &todo("1", "oat milk")).await.unwrap();
    let failed = loop {
        if let Event::AttemptFailed { id, attempt, error, .. } = events.next().await.unwrap().unwrap() {
            break (id, attempt, error.to_string());
        }
    };
    assert_eq!(failed, (first.id().clone(), 1, "ServerError: busy".into()));
    let keys = [first.id().to_string(), first.id().to_string(), second.id().to_string()];
    second.await.unwrap();
    assert_eq!(server.texts(), ["milk", "oat milk"]);
    assert_eq!(server.keys(), keys);
    shutdown(&executor).await;
    while let Some(event) = events.next().await {
        event.unwrap();
    }
}

#[wasm_bindgen_test]
async fn what_is_refused_leaves_a_failure_record_r15() {
    let server = Server::default();
    let name = "refused";
    server.fail(MutatorError::non_retriable("no more milk"));
    let executor = app(name, &server).start().await.unwrap();
    let handle = executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap();
    let id = handle.id().clone();
    assert!(matches!(handle.await.unwrap(), Settled::Dropped(error) if error.message == "no more milk"));
    until("it is kept", || executor.failures().len() == 1).await;
    shutdown(&executor).await;

    let executor = app(name, &server).start().await.unwrap();
    assert_eq!(executor.failures()[0].item.id, id);
    let again = executor.retry_failure(id.clone()).await.unwrap().unwrap();
    assert!(again.await.unwrap().is_committed());
    assert!(executor.failures().is_empty());
    assert!(executor.retry_failure(id.clone()).await.unwrap().is_none());
    assert!(!executor.dismiss_failure(id).await.unwrap());
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn an_attempt_that_is_removed_or_takes_too_long_is_aborted_r14_r18() {
    let signals = Rc::new(RefCell::new(Vec::<AbortSignal>::new()));
    let seen = Rc::clone(&signals);
    let executor = Executor::builder("aborted")
        .mutator(Mutator::<Todo>::new("hang"), move |attempt| {
            seen.borrow_mut().push(attempt.signal);
            std::future::pending::<Result<(), MutatorError>>()
        })
        .timeout(Duration::from_millis(50))
        .start()
        .await
        .unwrap();
    let handle = executor.enqueue("hang", &todo("1", "milk")).await.unwrap();
    until("the first attempt is aborted", || signals.borrow().first().is_some_and(AbortSignal::aborted))
        .await;
    let error = executor.pending()[0].last_error.clone().unwrap();
    assert_eq!(error.name, "TimeoutError");
    assert!(executor.remove(handle.id().clone()).await.unwrap());
    assert_eq!(handle.await.unwrap(), Settled::Removed);
    assert!(executor.pending().is_empty());
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn the_view_shows_an_item_before_it_is_stored_r22() {
    let server = Server::default();
    let executor = app("view", &server).start().await.unwrap();
    executor.pause("wait").await.unwrap();
    let projection =
        Projection::new().on("addTodo", |texts: &mut Vec<String>, todo: &Todo| texts.push(todo.text.clone()));
    let live = executor.view(View::new(projection, Vec::new()));
    let milk = todo("1", "milk");
    let mut enqueue = Box::pin(executor.enqueue("addTodo", &milk));
    assert!(now(&mut enqueue).is_none(), "it is being stored");
    assert_eq!(live.state(), ["milk"]);
    live.changed().await.unwrap();
    enqueue.await.unwrap();
    executor.resume("wait").await.unwrap();
    until("the server has it", || executor.pending().is_empty()).await;
    assert_eq!(live.state(), ["milk"]);
    shutdown(&executor).await;
    while live.changed().await.is_ok() {}
}

#[wasm_bindgen_test]
async fn the_hook_is_asked_before_items_are_tried_again_r17() {
    let server = Server::default();
    server.fail(MutatorError::server("busy"));
    let asked = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&asked);
    let executor = app("hook", &server)
        .jitter(false)
        .before_retry(move |mut batch| {
            let ids: Vec<ItemId> = batch.items().map(|asked| asked.item.id.clone()).collect();
            let removed = ids.iter().try_for_each(|id| batch.remove(id));
            seen.borrow_mut().extend(ids);
            async move { removed.map(|()| batch) }
        })
        .start()
        .await
        .unwrap();
    let handle = executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap();
    let id = handle.id().clone();
    assert_eq!(handle.await.unwrap(), Settled::Removed);
    assert_eq!(*asked.borrow(), [id]);
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn bad_input_is_refused_r32() {
    let server = Server::default();
    let named = app("", &server).start().await;
    assert!(matches!(named.unwrap_err(), StartError::Name { len: 0 }));
    let configured = app("config", &server).max_concurrency(0).start().await;
    assert!(matches!(configured.unwrap_err(), StartError::Config(error) if error.field == "maxConcurrency"));
    let executor = app("bad input", &server).memory().start().await.unwrap();
    let unknown = executor.enqueue("addTodos", &todo("1", "milk")).await.unwrap_err();
    assert!(matches!(unknown, ExecutorError::Call(CallError::Input(InputError::UnknownMutator { .. }))));
    executor.pause("wait").await.unwrap();
    let id = || EnqueueOptions::new().id(ItemId::new("same").unwrap());
    executor.enqueue_with("addTodo", &todo("1", "milk"), id()).await.unwrap();
    let twice = executor.enqueue_with("addTodo", &todo("1", "milk"), id()).await.unwrap_err();
    assert!(matches!(twice, ExecutorError::Call(CallError::Duplicate { .. })));
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn memory_is_the_apps_own_choice_and_outlives_nothing_r1() {
    let server = Server::default();
    let executor = app("memory", &server).memory().start().await.unwrap();
    assert!(executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap().await.unwrap().is_committed());
    executor.set_online(false);
    executor.enqueue("addTodo", &todo("2", "eggs")).await.unwrap();
    pass(50).await;
    assert_eq!(server.texts(), ["milk"]);
    drop(executor);
    let executor = app("memory", &server).memory().start().await.unwrap();
    assert!(executor.pending().is_empty());
    shutdown(&executor).await;
}
