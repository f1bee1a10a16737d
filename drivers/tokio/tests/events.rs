//! What subscribers are told, live views, and the flight recorder (R19, R22).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::sync::{Arc, Mutex};

use common::{Folder, Todo, accepting, drained, id, in_memory, todo, until, within};
use outbox_tokio::{
    Attempt, EnqueueOptions, Lagged, MutatorError,
    outbox::{Event, Input, Mutator, Outcome, Projection, Recording, Timestamp, Trigger, View, replay},
};

#[tokio::test]
async fn events_tell_an_items_way_in_order() {
    let executor = in_memory()
        .mutator(Mutator::<Todo>::new("addTodo"), |attempt: Attempt<Todo>| async move {
            if attempt.number == 1 { Err(MutatorError::transport("no route")) } else { Ok("done") }
        })
        .start()
        .await
        .unwrap();
    let mut events = executor.events();
    executor.enqueue_with("addTodo", &todo("1"), EnqueueOptions::new().id(id("a"))).await.unwrap();
    let mut way = Vec::new();
    loop {
        match within("an event", events.next()).await.unwrap().unwrap() {
            Event::AttemptFailed { id, attempt, error, .. } => {
                way.push(format!("{id} failed {attempt}: {error}"));
            }
            Event::Resolved { id, outcome: Outcome::Committed { result } } => {
                way.push(format!("{id} is {}", result.unwrap()));
            }
            Event::Settled { id, seq, .. } => {
                way.push(format!("{id} left {seq}"));
                break;
            }
            _ => {}
        }
    }
    assert_eq!(way, ["a failed 1: TransportError: no route", r#"a is "done""#, "a left #1"]);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_how_much_it_missed_and_holds_nothing_up() {
    let executor = accepting().await;
    let mut slow = executor.events();
    for n in 0..700 {
        executor.enqueue("addTodo", &todo(&n.to_string())).await.unwrap(); // two events each
    }
    drained(&executor).await;
    let Lagged { missed } = within("the lag", slow.next()).await.unwrap().unwrap_err();
    assert!(missed >= 1_400 - 1_024, "{missed}");
    assert!(within("what follows", slow.next()).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_live_view_is_complete_after_a_restart_and_follows_every_change_r22() {
    let folder = Folder::new();
    let offline = folder
        .builder()
        .mutator(Mutator::<Todo>::new("addTodo"), |_| async { Ok(()) })
        .start()
        .await
        .unwrap();
    offline.pause("test").await.unwrap();
    for name in ["1", "2", "3"] {
        let options = EnqueueOptions::new().id(id(name));
        offline.enqueue_with("addTodo", &todo(name), options).await.unwrap();
    }
    drop(offline);

    let executor = folder
        .builder()
        .mutator(Mutator::<Todo>::new("addTodo"), |attempt: Attempt<Todo>| async move {
            if attempt.args.id == "2" { Err(MutatorError::non_retriable("no")) } else { Ok(()) }
        })
        .start()
        .await
        .unwrap();
    let projection =
        Projection::new().on("addTodo", |todos: &mut Vec<String>, todo: &Todo| todos.push(todo.id.clone()));
    let mut live = executor.view(View::new(projection, vec!["0".into()])).await.unwrap();
    assert_eq!(live.state(), ["0", "1", "2", "3"]);
    executor.enqueue("addTodo", &todo("4")).await.unwrap();
    within("a change", live.changed()).await.unwrap();
    assert_eq!(live.read(Vec::len), 5);
    assert!(executor.remove(id("3")).await.unwrap());
    assert_eq!(live.state(), ["0", "1", "2", "4"]);
    let mut events = executor.events();
    assert!(executor.resume("test").await.unwrap());
    until(&mut events, "the refusal", |event| {
        matches!(event, Event::Settled { outcome: Outcome::Dropped { .. }, .. }).then_some(())
    })
    .await;
    drained(&executor).await;
    assert_eq!(live.state(), ["0", "1", "4"], "committed ones stay, the refused one is taken back");
    drop(executor);
    within("the end", async { while live.changed().await.is_ok() {} }).await;
}

#[tokio::test]
async fn a_projection_that_panics_ends_its_view_and_nothing_else() {
    let executor = accepting().await;
    let projection =
        Projection::new().on("addTodo", |_: &mut u32, _: &Todo| panic!("a bug in the projection"));
    let mut live = executor.view(View::new(projection, 0)).await.unwrap();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    assert!(within("the outcome", handle).await.unwrap().is_committed());
    drained(&executor).await;
    within("the view's end", async { while live.changed().await.is_ok() {} }).await;
    let handle = executor.enqueue("addTodo", &todo("2")).await.unwrap();
    assert!(within("the outcome", handle).await.unwrap().is_committed());
}

#[tokio::test]
async fn a_recording_of_a_real_run_replays() {
    let inputs: Arc<Mutex<Vec<(Timestamp, Input)>>> = Arc::default();
    let log = Arc::clone(&inputs);
    let builder = in_memory()
        .mutator(Mutator::<Todo>::new("addTodo"), |attempt: Attempt<Todo>| async move { Ok(attempt.args.id) })
        .recorder(move |now, input| log.lock().unwrap().push((now, input.clone())));
    let config = builder.config();
    let executor = builder.start().await.unwrap();
    for n in 0..10 {
        executor.enqueue("addTodo", &todo(&n.to_string())).await.unwrap();
    }
    drained(&executor).await;
    let _ = within("shutdown", executor.shutdown(std::time::Duration::from_secs(10))).await.unwrap();
    let inputs = std::mem::take(&mut *inputs.lock().unwrap());
    assert_eq!(inputs[0].1, Input::Wake(Trigger::Init));
    let recording = Recording { config, start: inputs[0].0, inputs };
    let (trace, outbox) = replay(&recording).unwrap();
    assert!(outbox.is_empty());
    let settled = trace
        .iter()
        .flatten()
        .filter(|effect| matches!(effect, outbox_tokio::outbox::Effect::Notify(Event::Settled { .. })));
    assert_eq!(settled.count(), 10);
}
