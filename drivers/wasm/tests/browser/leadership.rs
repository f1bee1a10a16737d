//! Who leads, in a real browser: several executors of one outbox, each as if in a tab of its own.

use outbox_wasm::{Executor, LeaderElection};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::common::{Server, app, hide, load_faults, mend, shutdown, todo, until};

#[wasm_bindgen_test]
async fn one_leads_by_web_locks_and_the_next_takes_over_r26_r28() {
    one_leads_and_the_next_takes_over("web locks", LeaderElection::default).await;
}

#[wasm_bindgen_test]
async fn one_leads_by_leases_and_the_next_takes_over_r26_r28() {
    one_leads_and_the_next_takes_over("leases", || LeaderElection::Leases).await;
}

#[wasm_bindgen_test]
async fn without_web_locks_leases_decide_r26() {
    load_faults();
    let hidden = hide("navigator", "locks");
    one_leads_and_the_next_takes_over("no web locks", LeaderElection::default).await;
    mend(&hidden);
}

#[wasm_bindgen_test]
async fn with_neither_one_leads_alone_r26() {
    load_faults();
    let hidden = [hide("navigator", "locks"), hide("global", "BroadcastChannel")];
    let server = Server::default();
    let executor = app("neither", &server).start().await.unwrap();
    assert!(executor.enqueue("addTodo", &todo("1", "milk")).await.unwrap().await.unwrap().is_committed());
    shutdown(&executor).await;
    hidden.iter().for_each(mend);
}

async fn one_leads_and_the_next_takes_over(name: &str, election: impl Fn() -> LeaderElection) {
    let servers = [Server::default(), Server::default()];
    let mut tabs = Vec::new();
    for server in &servers {
        tabs.push(app(name, server).leader_election(election()).start().await.unwrap());
    }
    until("one leads", || tabs.iter().any(Executor::is_leader)).await;
    assert!(!tabs.iter().all(Executor::is_leader), "only one leads");
    let first = tabs.iter().position(Executor::is_leader).unwrap();
    let next = 1 - first;

    // What the follower enqueues the leader sends, and the follower learns its outcome.
    let handle = tabs[next].enqueue("addTodo", &todo("1", "milk")).await.unwrap();
    assert!(handle.await.unwrap().is_committed());
    assert_eq!(servers[first].texts(), ["milk"]);
    until("the follower shows it no more", || tabs[next].pending().is_empty()).await;

    shutdown(&tabs[first]).await;
    let handle = tabs[next].enqueue("addTodo", &todo("2", "eggs")).await.unwrap();
    assert!(handle.await.unwrap().is_committed());
    assert!(tabs[next].is_leader());
    assert_eq!(servers[next].texts(), ["eggs"]);
    shutdown(&tabs[next]).await;
}
