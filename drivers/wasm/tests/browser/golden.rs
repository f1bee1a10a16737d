//! Golden stories: over IndexedDB, with Web Locks and a browser's clock, the effects are those of the
//! simulator, one for one. `sim/tests/golden.rs` tells what they are about, and pins them in
//! `snapshots/golden_*.snap`.

use outbox_wasm::{
    Attempt, EnqueueOptions, Executor, MutatorError,
    outbox::{ItemId, Mutator, Recording},
};
use serde::{Deserialize, Serialize};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::common::{load_faults, shutdown, until};

/// What to write, and what the server makes of each attempt to: the last counts for all that follow.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Todo {
    id: String,
    server: Vec<String>,
}

/// A server that does as it is told.
async fn serve(attempt: Attempt<Todo>) -> Result<(), MutatorError> {
    let server = &attempt.args.server;
    let answer = &server[(attempt.number as usize).min(server.len()) - 1];
    match answer.as_str() {
        "ok" => Ok(()),
        "unavailable" => Err(MutatorError::server(answer).with_name("Answer")),
        _ => Err(MutatorError::non_retriable(answer).with_name("Answer")),
    }
}

fn id(text: &str) -> ItemId {
    ItemId::new(text).unwrap()
}

/// An executor that leads, recorded.
async fn begin(name: &str) -> Executor {
    load_faults();
    let builder = Executor::builder(format!("golden {name}")).jitter(false).record();
    let executor = builder.mutator(Mutator::<Todo>::new("addTodo"), serve).start().await.unwrap();
    until("it leads", || executor.is_leader()).await;
    executor
}

/// Adds an item; returns when it is durable.
async fn add_todo(executor: &Executor, item: &str, server: &[&str]) {
    let server = server.iter().map(|answer| String::from(*answer)).collect();
    let options = EnqueueOptions::new().id(id(item));
    drop(executor.enqueue_with("addTodo", &Todo { id: "a".into(), server }, options).await.unwrap());
}

/// Waits until everything is durably gone.
async fn settled(executor: &Executor) {
    until("everything has settled", || executor.pending().is_empty()).await;
}

/// Compares what was done with what is pinned.
async fn end(executor: Executor, pinned: &str) {
    let recording = executor.recording().unwrap();
    shutdown(&executor).await;
    let recording: Recording = serde_json::from_str(&recording).unwrap();
    let story = recording.story().unwrap();
    // Whether it is elected before its first load is asked for is a matter of luck, and how often it
    // compares the counter, one of time (R28).
    let (_, story) = story.split_once("leading\n").unwrap();
    let story: String = story.split_inclusive('\n').filter(|line| !line.starts_with("load ")).collect();
    let pinned = pinned.splitn(3, "---\n").nth(2).unwrap();
    assert_eq!(story.trim_end(), pinned.trim_end());
}

#[wasm_bindgen_test]
async fn online() {
    let executor = begin("online").await;
    for item in ["i1", "i2"] {
        add_todo(&executor, item, &["ok"]).await;
        settled(&executor).await;
    }
    end(executor, include_str!("../../../../snapshots/golden_online.snap")).await;
}

#[wasm_bindgen_test]
async fn offline() {
    let executor = begin("offline").await;
    executor.set_online(false);
    add_todo(&executor, "i1", &["ok"]).await;
    add_todo(&executor, "i2", &["ok"]).await;
    executor.set_online(true);
    settled(&executor).await;
    end(executor, include_str!("../../../../snapshots/golden_offline.snap")).await;
}

#[wasm_bindgen_test]
async fn refused() {
    let executor = begin("refused").await;
    add_todo(&executor, "i1", &["unavailable", "refused"]).await;
    settled(&executor).await;
    add_todo(&executor, "i2", &["ok"]).await;
    settled(&executor).await;
    assert!(executor.dismiss_failure(id("i1")).await.unwrap());
    end(executor, include_str!("../../../../snapshots/golden_refused.snap")).await;
}
