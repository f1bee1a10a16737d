//! Several executors on one file: one leads, the others store, and take over (R26, R27, R28, R29).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use common::{Folder, Todo, drained, id, leading, todo, until, within};
use outbox_tokio::{
    Attempt, Executor, MutatorError, Settled,
    outbox::{Event, Mutator, Outcome, Projection, Reason, View},
};

/// Its mutator says who sent.
async fn start(folder: &Folder, name: &'static str) -> Executor {
    let send = move |attempt: Attempt<Todo>| async move {
        if attempt.args.id == "refused" { Err(MutatorError::non_retriable("no")) } else { Ok(name) }
    };
    folder.builder().mutator(Mutator::<Todo>::new("addTodo"), send).start().await.unwrap()
}

#[tokio::test]
async fn what_a_follower_enqueues_the_leader_sends_and_the_follower_hears_the_result_r28_r29() {
    let folder = Folder::new();
    let leader = start(&folder, "leader").await;
    leading(&leader).await;
    let follower = start(&folder, "follower").await;
    assert!(!follower.is_leader().await.unwrap());
    let handle = follower.enqueue("addTodo", &todo("1")).await.unwrap().typed::<String>();
    assert_eq!(within("the result", handle).await.unwrap(), Settled::Committed(Some("leader".into())));
    let refused = follower.enqueue("addTodo", &todo("refused")).await.unwrap();
    assert!(matches!(within("the refusal", refused).await.unwrap(), Settled::Dropped(_)));
    assert_eq!(follower.failures().await.unwrap().len(), 1);
}

/// What a process has not heard of yet it reads before it says that it is gone.
#[tokio::test]
async fn an_item_that_was_stored_elsewhere_a_moment_ago_is_waited_for_r29() {
    let folder = Folder::new();
    let leader = start(&folder, "leader").await;
    leading(&leader).await;
    let follower = start(&folder, "follower").await;
    leader.pause("test").await.unwrap();
    let mut waiting = Vec::new();
    for (at, from, to) in [("1", &leader, &follower), ("2", &follower, &leader)] {
        let item = from.enqueue("addTodo", &todo(at)).await.unwrap().id().clone();
        waiting.push(to.handle(item).await.unwrap().typed::<String>());
    }
    let never = follower.handle(id("never")).await.unwrap();
    assert_eq!(within("nothing", never).await.unwrap(), Settled::Gone);
    assert!(leader.resume("test").await.unwrap());
    for handle in waiting {
        assert_eq!(within("the result", handle).await.unwrap(), Settled::Committed(Some("leader".into())));
    }
}

#[tokio::test]
async fn a_follower_pauses_explains_and_removes_r18_r19_r20() {
    let folder = Folder::new();
    let leader = start(&folder, "leader").await;
    leading(&leader).await;
    let follower = start(&folder, "follower").await;
    let mut seen = leader.events();
    follower.pause("auth").await.unwrap();
    until(&mut seen, "the pause", |event| {
        matches!(event, Event::Paused { reasons } if reasons == &["auth"]).then_some(())
    })
    .await;
    let handle = leader.enqueue("addTodo", &todo("1")).await.unwrap();
    let item = handle.id().clone();
    assert_eq!(
        leader.explain(item.clone()).await.unwrap().map(|blocked| blocked.reason),
        Some(Reason::Paused { reasons: vec!["auth".into()] })
    );
    assert!(follower.remove(item).await.unwrap(), "storage decides, also what a follower has not heard of");
    assert_eq!(within("the removal", handle).await.unwrap(), Settled::Removed);
    let behind = follower.enqueue("addTodo", &todo("2")).await.unwrap();
    let reason = follower.explain(behind.id().clone()).await.unwrap().map(|blocked| blocked.reason);
    assert!(matches!(reason, Some(Reason::Follower | Reason::Paused { .. })), "{reason:?}");
    assert!(follower.resume("auth").await.unwrap());
    assert!(within("the outcome", behind).await.unwrap().is_committed());
}

#[tokio::test]
async fn the_next_leads_when_the_leader_stops() {
    let folder = Folder::new();
    let first = start(&folder, "first").await;
    leading(&first).await;
    let second = start(&folder, "second").await;
    let _ = within("shutdown", first.shutdown(Duration::from_secs(10))).await.unwrap();
    within("the takeover", leading(&second)).await;
    let handle = second.enqueue("addTodo", &todo("1")).await.unwrap().typed::<String>();
    assert_eq!(within("the result", handle).await.unwrap(), Settled::Committed(Some("second".into())));
    let third = start(&folder, "third").await;
    drop(second); // without a word
    within("the takeover", leading(&third)).await;
}

/// A process that does not outlive its test, however that ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const FOLDER: &str = "OUTBOX_TEST_CHILD_DATABASE";

/// Not a test of its own: the process that the next one kills.
#[tokio::test]
async fn child() {
    let Some(database) = std::env::var_os(FOLDER) else { return };
    let executor = Executor::builder("todos")
        .sqlite(database)
        .mutator(Mutator::<Todo>::new("addTodo"), |_| async {
            eprintln!("child: sending");
            std::future::pending::<Result<(), MutatorError>>().await
        })
        .start()
        .await
        .unwrap();
    leading(&executor).await;
    eprintln!("child: leading");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_followed_within_a_second_and_its_item_is_sent_again_r26() {
    let folder = Folder::new();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder.database())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let mut said = |wanted: &str| {
        let found = tokio::task::block_in_place(|| {
            lines.by_ref().find(|line| line.as_ref().is_ok_and(|line| line == wanted))
        });
        assert!(found.is_some(), "the child ended before it said `{wanted}`");
    };
    said("child: leading");
    let follower = start(&folder, "follower").await;
    let handle = follower.enqueue("addTodo", &todo("1")).await.unwrap().typed::<String>();
    said("child: sending");
    assert!(!follower.is_leader().await.unwrap());
    let mut events = follower.events();
    child.0.kill().unwrap(); // SIGKILL
    let killed = Instant::now();
    until(&mut events, "the takeover", |event| matches!(event, Event::Leading(true)).then_some(())).await;
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(within("the result", handle).await.unwrap(), Settled::Committed(Some("follower".into())));
    drained(&follower).await;
}

#[tokio::test]
async fn the_end_of_an_item_is_told_in_each_executor() {
    let folder = Folder::new();
    let leader = start(&folder, "leader").await;
    leading(&leader).await;
    let follower = start(&folder, "follower").await;
    let (mut at_leader, mut at_follower) = (leader.events(), follower.events());
    leader.pause("test").await.unwrap();
    let mut live = follower.view(View::new(Projection::<u32>::new(), 0)).await.unwrap();
    let item = leader.enqueue("addTodo", &todo("1")).await.unwrap().id().clone();
    within("the follower to hear of it", live.changed()).await.unwrap();
    assert!(leader.resume("test").await.unwrap());
    for events in [&mut at_leader, &mut at_follower] {
        let outcome = until(events, "the end", |event| match event {
            Event::Settled { id, outcome, .. } if *id == item => Some(outcome.clone()),
            _ => None,
        });
        assert!(matches!(outcome.await, Outcome::Committed { .. }));
    }
}
