//! The hook, asked before items are tried again (R17).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use common::{Folder, Todo, drained, id, in_memory, leading, todo, until, within};
use outbox_tokio::{
    Attempt, EnqueueOptions, MutatorError, Settled,
    outbox::{Event, HookError, ItemId, Json, Mutator, RetryBatch, Rewrite, Sent},
};
use tokio::sync::Notify;

#[tokio::test]
async fn the_hook_rewrites_squashes_and_removes_in_one_answer_r17() {
    let folder = Folder::new();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&sent);
    let enqueued = Arc::new(Notify::new());
    let all_there = Arc::clone(&enqueued);
    let send = move |attempt: Attempt<Todo>| {
        let (log, all_there) = (Arc::clone(&log), Arc::clone(&all_there));
        async move {
            if attempt.id == id("first") && attempt.number == 1 {
                all_there.notified().await; // fails once everything else is behind it
                return Err(MutatorError::server("busy"));
            }
            log.lock().unwrap().push((attempt.id.to_string(), attempt.args.text.clone()));
            Ok(attempt.args.text)
        }
    };
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let hook = move |mut batch: RetryBatch| {
        let heard = Arc::clone(&heard);
        async move {
            heard
                .lock()
                .unwrap()
                .push(batch.items().map(|asked| (asked.item.id.clone(), asked.sent)).collect::<Vec<_>>());
            if batch.items().count() == 4 {
                batch.remove(&id("unwanted"))?;
                batch.squash(&id("merged"), &id("older"))?;
                let args = Json::from_value(&Todo { id: "1".into(), text: "rewritten".into() })?;
                batch.rewrite(&id("first"), Rewrite { args: Some(args), ..Rewrite::default() })?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(batch)
        }
    };
    let executor = folder
        .builder()
        .mutator(Mutator::<Todo>::new("addTodo").key(|_| "one lane"), send)
        .before_retry(hook)
        .start()
        .await
        .unwrap();
    leading(&executor).await; // what `acquire` reads is asked about at once
    let mut handles = BTreeMap::new();
    for name in ["first", "unwanted", "older", "merged"] {
        let options = EnqueueOptions::new().id(id(name));
        let handle = executor.enqueue_with("addTodo", &todo(name), options).await.unwrap();
        handles.insert(name, handle.typed::<String>());
    }
    enqueued.notify_one();
    let mut outcomes = BTreeMap::new();
    for (name, handle) in handles {
        outcomes.insert(name, within(name, handle).await.unwrap());
    }
    assert_eq!(outcomes["first"], Settled::Committed(Some("rewritten".into())));
    assert_eq!(outcomes["unwanted"], Settled::Removed);
    assert_eq!(outcomes["merged"], Settled::Committed(Some("do merged".into())));
    assert_eq!(outcomes["older"], outcomes["merged"], "the survivor's outcome");
    drained(&executor).await;
    let expected = [("first".into(), "rewritten".into()), ("merged".into(), "do merged".into())];
    assert_eq!(*sent.lock().unwrap(), expected);
    let first_ask: &[(ItemId, Sent)] = &asked.lock().unwrap()[0];
    let names = first_ask.iter().map(|(id, sent)| (id.as_str(), *sent)).collect::<Vec<_>>();
    let never = |name| (name, Sent::Never);
    assert_eq!(names, [("first", Sent::Maybe), never("unwanted"), never("older"), never("merged")]);
}

#[tokio::test]
async fn a_hook_that_fails_or_panics_is_reported_and_asked_again_r17() {
    let asks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asks);
    let hook = move |batch: RetryBatch| {
        let ask = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match ask {
                0 => Err("not now"),
                1 => panic!("a bug in the hook"),
                _ => Ok(batch),
            }
        }
    };
    let executor = in_memory()
        .mutator(Mutator::<Todo>::new("addTodo"), |attempt: Attempt<Todo>| async move {
            if attempt.number == 1 { Err(MutatorError::server("busy")) } else { Ok(attempt.number) }
        })
        .before_retry(hook)
        .start()
        .await
        .unwrap();
    let mut events = executor.events();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap().typed::<u32>();
    for message in ["not now", "a bug in the hook"] {
        let failed = until(&mut events, message, |event| match event {
            Event::HookFailed(error) => Some(error.clone()),
            _ => None,
        });
        assert_eq!(failed.await, HookError::Threw { message: message.into() });
    }
    assert_eq!(within("the outcome", handle).await.unwrap(), Settled::Committed(Some(2)));
    assert_eq!(asks.load(Ordering::SeqCst), 3);
}
