//! What comes together shares a transaction (R4), and is lost by no end of the executor.

use std::{cell::Cell, rc::Rc};

use outbox_wasm::{Executor, MutatorError, outbox::Mutator};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::common::{Todo, count_writes, load_faults, now, shutdown, todo, until};

/// An executor that leads and is paused, whose server answers at once.
async fn paused(name: &str) -> Executor {
    load_faults();
    let answer = |_| async { Ok::<(), MutatorError>(()) };
    let builder = Executor::builder(name).mutator(Mutator::<Todo>::new("addTodo"), answer);
    let executor = builder.start().await.unwrap();
    until("it leads", || executor.is_leader()).await;
    executor.pause("wait").await.unwrap();
    executor
}

/// Enqueues so many in one turn; returns when they are stored.
async fn enqueue(executor: &Executor, count: usize) {
    let stored = Rc::new(Cell::new(0));
    for number in 0..count {
        let (executor, stored) = (executor.clone(), Rc::clone(&stored));
        spawn_local(async move {
            drop(executor.enqueue("addTodo", &todo(&number.to_string(), "milk")).await.unwrap());
            stored.set(stored.get() + 1);
        });
    }
    until("all are stored", || stored.get() == count).await;
}

/// How many transactions wrote while `work` went on.
async fn writes_of(work: impl Future) -> u32 {
    let counted = count_writes();
    work.await;
    counted.call0(&JsValue::UNDEFINED).unwrap().as_f64().unwrap() as u32
}

#[wasm_bindgen_test]
async fn what_is_enqueued_in_one_turn_is_one_transaction_r4() {
    let executor = paused("gather enqueues").await;
    assert_eq!(writes_of(enqueue(&executor, 100)).await, 1);
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn attempts_that_end_together_are_settled_and_followed_in_one_transaction_r2_r4() {
    let executor = paused("gather attempts").await;
    enqueue(&executor, 80).await;
    let drain = async {
        executor.resume("wait").await.unwrap();
        until("all are sent", || executor.pending().is_empty()).await;
    };
    // The resumption with the first four claims; then the deletes of all that have ended, with as many
    // claims, and as many again ahead of their slots. By four at a time it were 21.
    let writes = writes_of(drain).await;
    assert!((5..=12).contains(&writes), "{writes} transactions");
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn what_has_gathered_is_stored_if_the_executor_ends_in_that_turn_r1() {
    let name = "gather and end";
    let executor = paused(name).await;
    let milk = todo("1", "milk");
    let mut enqueue = Box::pin(executor.enqueue("addTodo", &milk));
    assert!(now(&mut enqueue).is_none(), "it waits for the end of the turn");
    drop(enqueue);
    drop(executor);

    let executor = paused(name).await;
    assert_eq!(executor.pending().len(), 1);
    shutdown(&executor).await;
}
