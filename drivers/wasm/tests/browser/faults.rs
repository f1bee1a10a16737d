//! What IndexedDB can do to a page: refuse, fill up, lose the connection.

use outbox_wasm::{
    Durability, ExecutorError, Request, StartError, indexed_db,
    outbox::{
        CallError, Input, ItemId,
        storage::{OpId, StorageError, Write},
    },
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::common::{
    Server, app, load_faults, lose_commit, lose_connection, mend, refuse_to_open, shutdown, todo, until,
    use_up_quota,
};

#[wasm_bindgen_test]
async fn a_store_that_is_refused_is_told_and_never_silent_r1() {
    load_faults();
    let refused = refuse_to_open();
    let error = app("refused store", &Server::default()).start().await.unwrap_err();
    mend(&refused);
    let StartError::Load(StorageError::Unavailable { cause }) = &error else { panic!("{error}") };
    assert!(cause.contains("private mode") && cause.contains("SecurityError"), "{cause}");
}

#[wasm_bindgen_test]
async fn a_full_store_fails_the_enqueue_and_leaves_no_trace_r1_r4() {
    let server = Server::default();
    let executor = app("full", &server).start().await.unwrap();
    until("it leads", || executor.is_leader()).await;
    let full = use_up_quota();
    let error = executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap_err();
    mend(&full);
    assert_eq!(error, ExecutorError::Call(CallError::Storage(StorageError::Full)));
    assert!(executor.pending().is_empty());
    assert!(executor.enqueue("addTodo", &todo("2", "eggs")).await.unwrap().await.unwrap().is_committed());
    assert_eq!(server.texts(), ["eggs"]);
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn a_lost_connection_is_opened_again_and_nothing_is_seen_of_it() {
    let server = Server::default();
    let executor = app("lost connection", &server).start().await.unwrap();
    lose_connection();
    assert!(executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap().await.unwrap().is_committed());
    assert_eq!(server.texts(), ["milk"]);
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn a_connection_that_is_lost_in_a_commit_leaves_doubt_r4() {
    load_faults();
    let storage = indexed_db(Durability::Strict);
    storage.open("lost commit").await.unwrap();
    let write = Write::Insert { id: ItemId::new("a").unwrap(), record: "{}".into() };
    let request = Request::Persist { op: OpId(1), fence: None, writes: vec![write] };
    lose_commit();
    let answer = storage.answer(&request).await;
    assert_eq!(answer, Input::Persisted { op: OpId(1), result: Err(StorageError::Unknown) });
    storage.close();

    // An executor reads, finds the item, and tells that it is stored.
    let executor = app("lost commit of an executor", &Server::default()).start().await.unwrap();
    until("it leads", || executor.is_leader()).await;
    lose_commit();
    assert!(executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap().await.unwrap().is_committed());
    shutdown(&executor).await;
}

#[wasm_bindgen_test]
async fn a_store_that_is_deleted_by_another_is_made_anew_r27() {
    let storage = indexed_db(Durability::Strict);
    storage.open("deleted").await.unwrap();
    let acquire = Request::Acquire { op: OpId(1) };
    let Input::Loaded { result: Ok(before), .. } = storage.answer(&acquire).await else {
        panic!("it is open")
    };
    let other = indexed_db(Durability::Strict);
    other.destroy("deleted").await.unwrap();
    let Input::Loaded { result: Ok(after), .. } = storage.answer(&acquire).await else { panic!("it opens") };
    assert_ne!(before.store, after.store);
    assert_eq!(after.epoch, before.epoch);
    storage.close();
}
