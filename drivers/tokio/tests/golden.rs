//! Golden stories: with a real store, a real lock and real clocks, the effects are those of the simulator,
//! one for one. `sim/tests/golden.rs` tells what they are about and pins them in `snapshots/golden_*.snap`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Folder, id, leading, until, within};
use outbox_tokio::{
    Attempt, EnqueueOptions, Events, Executor, MutatorError,
    outbox::{Config, Event, Input, ItemId, Mutator, Recording, Timestamp},
};
use serde::{Deserialize, Serialize};

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

/// An executor that leads, and what it is told.
struct Story {
    executor: Executor,
    events: Events,
    config: Config,
    inputs: Arc<Mutex<Vec<(Timestamp, Input)>>>,
    _folder: Folder,
}

impl Story {
    async fn begin() -> Self {
        let folder = Folder::new();
        let inputs = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&inputs);
        let builder = folder
            .builder()
            .mutator(Mutator::<Todo>::new("addTodo"), serve)
            .recorder(move |now, input| record.lock().unwrap().push((now, input.clone())));
        let config = builder.config();
        let executor = builder.start().await.unwrap();
        leading(&executor).await;
        Self { events: executor.events(), executor, config, inputs, _folder: folder }
    }

    /// Adds the item `i`N; returns when it is durable.
    async fn add_todo(&self, item: &str, server: &[&str]) {
        let server = server.iter().map(|answer| String::from(*answer)).collect();
        let options = EnqueueOptions::new().id(id(item));
        let todo = Todo { id: "a".into(), server };
        drop(within("enqueue", self.executor.enqueue_with("addTodo", &todo, options)).await.unwrap());
    }

    /// Waits until the item is durably gone.
    async fn settled(&mut self, item: &str) {
        let wanted: ItemId = id(item);
        let is_it = |event: &Event| matches!(event, Event::Settled { id, .. } if *id == wanted).then_some(());
        until(&mut self.events, "settling", is_it).await;
    }

    /// Compares it with `snapshots/golden_NAME.snap`.
    async fn end(self, name: &str) {
        let _ = within("shutdown", self.executor.shutdown(Duration::from_secs(10))).await.unwrap();
        let inputs = std::mem::take(&mut *self.inputs.lock().unwrap());
        let recording = Recording { config: self.config, start: inputs[0].0, inputs };
        let story = recording.story().unwrap();
        // Whether it is elected before its first load is asked for is a matter of luck, and how often it
        // compares the counter, one of time (R28).
        let (_, story) = story.split_once("leading\n").unwrap();
        let story: String = story.split_inclusive('\n').filter(|line| !line.starts_with("load ")).collect();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("golden_{name}"), story));
    }
}

#[tokio::test]
async fn online() {
    let mut story = Story::begin().await;
    for item in ["i1", "i2"] {
        story.add_todo(item, &["ok"]).await;
        story.settled(item).await;
    }
    story.end("online").await;
}

#[tokio::test]
async fn offline() {
    let mut story = Story::begin().await;
    story.executor.set_online(false);
    story.add_todo("i1", &["ok"]).await;
    story.add_todo("i2", &["ok"]).await;
    story.executor.set_online(true);
    story.settled("i1").await;
    story.settled("i2").await;
    story.end("offline").await;
}

#[tokio::test]
async fn refused() {
    let mut story = Story::begin().await;
    story.add_todo("i1", &["unavailable", "refused"]).await;
    story.settled("i1").await;
    story.add_todo("i2", &["ok"]).await;
    story.settled("i2").await;
    assert!(story.executor.dismiss_failure(id("i1")).await.unwrap());
    story.end("refused").await;
}
