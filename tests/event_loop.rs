//! The core under a second, different event loop than the README's: smol, with async attempts and timers.
//! What is decided is the core's; the loop only carries it out (R10, R14).

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use outbox::{
    AttemptOutcome, CallId, Class, Config, Draft, Effect, Event, Failure, Input, Item, ItemId, Json, Outbox,
    Outcome, SerializedError, Timestamp, Trigger,
    storage::{MemoryStore, Store, StoreId},
};

const START: u64 = 1_800_000_000_000;

/// A server that fails every first attempt.
async fn send(item: Arc<Item>) -> AttemptOutcome {
    smol::Timer::after(Duration::from_millis(5)).await;
    if item.retry_count == 1 {
        let error = SerializedError::new("Busy", "come again");
        return AttemptOutcome::Failure(Failure { class: Class::Server, error, retry_after_ms: None });
    }
    AttemptOutcome::Success { result: Some(item.args.clone()) }
}

fn draft(n: u64) -> Draft {
    let args = Json::from_text(&format!(r#"{{"id":{}}}"#, n % 3)).expect("it is JSON");
    Draft::new(ItemId::new(format!("item-{n}")).expect("it is short"), "addTodo", args)
}

/// Carries out what needs no waiting; returns the inputs that follow at once.
fn carry_out(
    effect: Effect,
    store: &mut MemoryStore,
    results: &smol::channel::Sender<Input>,
    executor: &smol::LocalExecutor<'_>,
    settled: &mut Vec<(ItemId, Outcome)>,
) -> Option<Input> {
    match effect {
        Effect::Acquire { op } => Some(Input::Loaded { op, result: store.acquire() }),
        Effect::Load { op, fence, scope } => Some(Input::Loaded { op, result: store.load(fence, &scope) }),
        Effect::Persist { op, fence, writes } => {
            Some(Input::Persisted { op, result: store.persist(fence, &writes) })
        }
        Effect::Dispatch { attempt, item, .. } => {
            let results = results.clone();
            let answer = async move {
                let outcome = send(item).await;
                // The loop may be over: then nobody is there to be told.
                let _ = results.send(Input::Resolved { attempt, outcome }).await;
            };
            executor.spawn(answer).detach();
            None
        }
        Effect::Notify(Event::Settled { id, outcome, .. }) => {
            settled.push((id, outcome));
            None
        }
        _ => None,
    }
}

/// The next input: what follows at once, else a result, else the timer.
async fn next(
    inputs: &mut VecDeque<Input>,
    results: &smol::channel::Receiver<Input>,
    wake: Option<Timestamp>,
    now: Timestamp,
) -> Input {
    if let Some(input) = inputs.pop_front() {
        return input;
    }
    let timer = async {
        match wake {
            Some(at) => drop(smol::Timer::after(Duration::from_millis(at.since_ms(now))).await),
            None => smol::future::pending().await,
        }
        Input::Tick
    };
    let result = async { results.recv().await.expect("the loop holds a sender") };
    smol::future::or(result, timer).await
}

#[test]
fn smol_drives_the_same_core() {
    let executor = smol::LocalExecutor::new();
    let settled = smol::block_on(executor.run(async {
        let start = Instant::now();
        let now = || Timestamp::from_millis(START).plus_ms(start.elapsed().as_millis() as u64);
        let config = Config { shared: false, ..Config::with_mutators(["addTodo"]) };
        let mut outbox = Outbox::new(config, now()).expect("the configuration is valid");
        let mut store = MemoryStore::new(StoreId(7));
        let (results, inbox) = smol::channel::unbounded();
        let mut inputs = VecDeque::from([Input::Wake(Trigger::Init), Input::Elected]);
        inputs.extend((0..9).map(|n| Input::Enqueue { call: CallId(n), draft: draft(n) }));
        let (mut effects, mut wake, mut settled) = (Vec::new(), None, Vec::new());
        while settled.len() < 9 {
            let input = next(&mut inputs, &inbox, wake, now()).await;
            outbox.handle(now(), input, &mut effects);
            for effect in effects.drain(..) {
                if let Effect::Sleep { until } = effect {
                    wake = until;
                } else {
                    inputs.extend(carry_out(effect, &mut store, &results, &executor, &mut settled));
                }
            }
        }
        assert!(outbox.is_empty() && store.rows().next().is_none(), "everything is gone from storage");
        settled
    }));
    assert!(settled.iter().all(|(_, outcome)| matches!(outcome, Outcome::Committed { result: Some(_) })));
    for lane in 0..3 {
        let order: Vec<u64> = settled
            .iter()
            .filter_map(|(id, _)| id.as_str().strip_prefix("item-")?.parse().ok())
            .filter(|n: &u64| n % 3 == lane)
            .collect();
        assert_eq!(order, [lane, lane + 3, lane + 6], "a lane is in order, through retries (R6)");
    }
}
