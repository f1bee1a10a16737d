//! Mutators that are registered while the executor runs, or again (R23); handles had again by id (R29).

use std::{cell::Cell, rc::Rc};

use outbox_wasm::{
    Attempt, EnqueueOptions, Executor, ExecutorError, MutatorError, Settled,
    outbox::{CallError, ItemId, Json, Mutator, ParkReason, Reason},
};
use serde::{Deserialize, Serialize};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::common::{Server, Todo, app, load_faults, pass, shutdown, todo, until};

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

fn id(text: &str) -> ItemId {
    ItemId::new(text).unwrap()
}

fn committed(result: &str) -> Settled<String> {
    Settled::Committed(Some(result.into()))
}

/// Stores an item of `addTodo`, its id "milk", as an older build did that has ended.
async fn stored(name: &str) {
    let executor = app(name, &Server::default()).start().await.unwrap();
    executor.set_online(false);
    executor.pause("wait").await.unwrap();
    let options = EnqueueOptions::new().id(id("milk"));
    drop(executor.enqueue_with("addTodo", &todo("1", "milk"), options).await.unwrap());
    assert!(executor.resume("wait").await.unwrap());
    shutdown(&executor).await;
}

/// An executor that knows no mutator.
async fn bare(name: &str) -> Executor {
    load_faults();
    let executor = Executor::builder(name).start().await.unwrap();
    until("it leads", || executor.is_leader()).await;
    executor
}

#[wasm_bindgen_test]
async fn what_waits_for_a_mutator_is_upgraded_and_sent_when_it_is_registered_r23() {
    let name = "late registration";
    stored(name).await;
    let executor = bare(name).await;
    let reason = executor.explain(&id("milk")).unwrap().reason;
    assert_eq!(reason, Reason::Parked(ParkReason::Unregistered));
    assert!(executor.enqueue("addTodo", &todo("2", "eggs")).await.is_err(), "nobody knows what it takes");
    let waiting = executor.handle(id("milk")).await.unwrap();

    let late = Mutator::<Titled>::new("addTodo").upgrade(to_titled);
    let send = |attempt: Attempt<Titled>| async move { Ok(attempt.args.title) };
    executor.register(late, send).await.unwrap();
    assert_eq!(waiting.typed::<String>().await.unwrap(), committed("milk"));
    let eggs = Titled { id: "2".into(), title: "eggs".into() };
    let another = executor.enqueue("addTodo", &eggs).await.unwrap();
    assert_eq!(another.typed::<String>().await.unwrap(), committed("eggs"));
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn attempts_under_way_go_on_with_the_mutator_that_was_replaced() {
    load_faults();
    let (is_started, may_end) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let (started, end) = (Rc::clone(&is_started), Rc::clone(&may_end));
    let before = move |_: Attempt<Todo>| {
        let (started, end) = (Rc::clone(&started), Rc::clone(&end));
        async move {
            started.set(true);
            while !end.get() {
                pass(5).await;
            }
            Ok::<_, MutatorError>("before")
        }
    };
    let mutator = Mutator::<Todo>::new("addTodo");
    let executor = Executor::builder("replaced").memory().mutator(mutator, before).start().await.unwrap();
    let under_way = executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap();
    let behind = executor.enqueue("addTodo", &todo("1", "oat milk")).await.unwrap(); // of the same lane
    until("it is being sent", || is_started.get()).await;
    executor.register(Mutator::<Todo>::new("addTodo"), |_| async { Ok("after") }).await.unwrap();
    may_end.set(true);
    assert_eq!(under_way.typed::<String>().await.unwrap(), committed("before"));
    assert_eq!(behind.typed::<String>().await.unwrap(), committed("after"));
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn settings_that_are_refused_change_nothing_r32() {
    let server = Server::default();
    let executor = app("refused registration", &server).memory().start().await.unwrap();
    let refused = Mutator::<Todo>::new("addTodo").timeout_ms(0);
    let error = executor.register(refused, |_| async { Ok("never") }).await.unwrap_err();
    assert!(matches!(error, ExecutorError::Call(CallError::Config(_))), "{error}");
    let sent = executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap();
    assert_eq!(sent.typed::<String>().await.unwrap(), committed("the server has milk"));
    shutdown(&executor).await;
    let late = executor.register(Mutator::<Todo>::new("addTodo"), |_| async { Ok("never") }).await;
    assert_eq!(late, Err(ExecutorError::Stopped));
}

#[wasm_bindgen_test]
async fn a_handle_is_had_again_by_id_after_a_restart_and_in_another_tab_r28_r29() {
    let (name, server) = ("handles again", Server::default());
    stored(name).await;
    let executor = app(name, &server).start().await.unwrap();
    executor.pause("wait").await.unwrap();
    let restarted = executor.handle(id("milk")).await.unwrap();
    let other = app(name, &server).start().await.unwrap();
    let elsewhere = other.handle(id("milk")).await.unwrap();
    executor.resume("wait").await.unwrap();
    assert_eq!(restarted.typed::<String>().await.unwrap(), committed("the server has milk"));
    assert_eq!(elsewhere.typed::<String>().await.unwrap(), committed("the server has milk"));

    // One that was never stored, and one that was refused.
    assert_eq!(other.handle(id("never")).await.unwrap().await.unwrap(), Settled::Gone);
    server.fail(MutatorError::non_retriable("no more milk"));
    let refused = executor.enqueue("addTodo", &todo("1", "oat milk")).await.unwrap();
    let refused_id = refused.id().clone();
    assert!(matches!(refused.await.unwrap(), Settled::Dropped(_)));
    until("it is kept", || executor.failures().len() == 1).await;
    let known = other.handle(refused_id).await.unwrap().await.unwrap();
    assert!(matches!(known, Settled::Dropped(error) if error.message == "no more milk"));
    shutdown(&other).await;
    shutdown(&executor).await;
    assert!(matches!(executor.handle(id("milk")).await, Err(ExecutorError::Stopped)));
}
