//! The process that is killed: enqueues as fast as it is acknowledged, writes down what it was promised, and
//! sends, if it leads.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    panic,
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use outbox_tokio::{
    Attempt, EnqueueOptions, Executor, MutatorError,
    http::{RequestBuilderExt, ResponseExt},
    outbox::{Event, ItemId, Mutator},
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, time::sleep};

use crate::server::{Order, Receipt, below};

/// The variable that makes a process of this program a child: its orders as JSON.
pub(crate) const ORDERS: &str = "OUTBOX_TORTURE_CHILD";
/// The database's file name.
pub(crate) const DATABASE: &str = "torture.db";
/// The outbox's name.
pub(crate) const OUTBOX: &str = "torture";
/// The one mutator.
pub(crate) const MUTATOR: &str = "move";

/// Said once the process has its store.
pub(crate) const READY: &str = "torture child: ready";
/// Said whenever the process begins to lead.
pub(crate) const LEADING: &str = "torture child: leading";

/// Concurrent callers of `enqueue`.
const ENQUEUERS: u32 = 4;
/// Shorter than a hung request, longer than any other.
const TIMEOUT: Duration = Duration::from_millis(500);
/// How often the last process looks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often it says what it waits for.
const LOOKS_PER_WORD: u32 = 500;

/// What a child is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) folder: PathBuf,
    /// Where the mutator sends to.
    pub(crate) url: String,
    pub(crate) seed: u64,
    /// The process's number, from 0.
    pub(crate) process: u32,
    /// How many items each enqueuer enqueues.
    pub(crate) burst: u32,
    /// Sends all there is, and ends; the others go on until they are killed.
    pub(crate) last: bool,
}

/// Lives until it is killed, or its parent is.
pub(crate) fn run(orders: &Orders) {
    end_with_parent();
    end_with_panic();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the system has threads");
    runtime.block_on(async {
        let executor = start(orders).await;
        say(READY);
        tokio::spawn(tell_leadership(executor.clone()));
        if orders.last {
            return drain(&executor).await;
        }
        for enqueuer in 0..ENQUEUERS {
            let (executor, runtime, orders) = (executor.clone(), Handle::current(), orders.clone());
            thread::spawn(move || enqueue(&executor, &runtime, &orders, enqueuer));
        }
        std::future::pending::<()>().await;
    });
}

/// Standard input is a pipe from the parent, who never writes: it ends when the parent does.
fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        process::exit(1);
    });
}

/// A panic in a task or a thread of the driver would otherwise only stop that.
fn end_with_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        tell(info);
        process::exit(1);
    }));
}

async fn start(orders: &Orders) -> Executor {
    let (client, url) = (reqwest::Client::new(), orders.url.clone());
    // Once it has sent, the mutator does not look at its cancellation: what comes after the timeout is a late
    // result (R14).
    let send = move |attempt: Attempt<Order>| {
        let (client, url) = (client.clone(), url.clone());
        async move {
            if attempt.cancelled.is_cancelled() {
                return Err(MutatorError::transport("cancelled before it was sent"));
            }
            let body = serde_json::to_vec(&attempt.args)?;
            let answer = client.post(url).idempotency_key(&attempt).body(body).send().await?.accepted()?;
            Ok(serde_json::from_str::<Receipt>(&answer.text().await?)?)
        }
    };
    let mutator = Mutator::<Order>::new(MUTATOR).idempotency_key().key(|order: &Order| order.keys.clone());
    Executor::builder(OUTBOX)
        .sqlite(orders.folder.join(DATABASE))
        .timeout(TIMEOUT)
        .mutator(mutator, send)
        .start()
        .await
        .expect("a file that a killed process left behind opens")
}

async fn tell_leadership(executor: Executor) {
    let mut events = executor.events();
    if executor.is_leader().await.is_ok_and(|leading| leading) {
        say(LEADING);
    }
    while let Some(event) = events.next().await {
        if matches!(event, Ok(Event::Leading(true))) {
            say(LEADING);
        }
    }
}

/// One line, in one write, on standard error: standard output is the test harness's.
fn say(words: &str) {
    let _ = io::stderr().write_all(format!("{words}\n").as_bytes());
}

/// Enqueues one item after the other, and writes each down once it is promised.
fn enqueue(executor: &Executor, runtime: &Handle, orders: &Orders, enqueuer: u32) {
    let name = format!("p{}-e{enqueuer}", orders.process);
    let path = orders.folder.join(format!("{name}.acknowledged"));
    let mut log = OpenOptions::new().append(true).create_new(true).open(path).expect("the name is its own");
    let mut draws = ChaCha8Rng::seed_from_u64(orders.seed);
    draws.set_stream(u64::from(orders.process * ENQUEUERS + enqueuer) + 1);
    for n in 0..orders.burst {
        let order = order(&mut draws, format!("{name}-n{n}"));
        let options = EnqueueOptions::new().id(ItemId::new(&*order.item).expect("short and not empty"));
        let stored = runtime.block_on(executor.enqueue_with(MUTATOR, &order, options));
        if let Err(problem) = stored {
            say(&format!("torture child: {} was not stored: {problem}", order.item));
            process::exit(1);
        }
        log.write_all(format!("{}\n", order.item).as_bytes()).expect("the disk has room");
        log.sync_data().expect("the disk has room");
    }
}

/// An order over hot keys, cold keys, several of them, or none; some are poison.
fn order(draws: &mut ChaCha8Rng, item: String) -> Order {
    let hot = |draws: &mut ChaCha8Rng| format!("hot-{}", below(draws, 4));
    let warm = |draws: &mut ChaCha8Rng| format!("warm-{}", below(draws, 40));
    let cold = |draws: &mut ChaCha8Rng| format!("cold-{}", below(draws, 1000));
    let keys = match below(draws, 20) {
        0..=3 => vec![hot(draws)],
        4..=9 => vec![warm(draws)],
        10..=15 => vec![cold(draws)],
        16 => vec![hot(draws), hot(draws)],
        17..=18 => vec![cold(draws), warm(draws), cold(draws)],
        _ => vec![],
    };
    let refuse = (below(draws, 50) == 0).then(|| String::from("poison"));
    Order { item, keys, refuse }
}

/// The network is back: sends until nothing is left, and stops in order.
async fn drain(executor: &Executor) {
    executor.set_online(false);
    executor.set_online(true);
    for look in 1.. {
        let pending = executor.pending().await.expect("it runs");
        if pending.is_empty() {
            break;
        }
        if look % LOOKS_PER_WORD == 0 {
            let first = executor.explain(pending[0].id.clone()).await.expect("it runs");
            say(&format!("torture child: {} are left; {}: {first:?}", pending.len(), pending[0].id));
        }
        sleep(LOOK_EVERY).await;
    }
    let stopped = executor.shutdown(Duration::from_secs(10)).await.expect("it runs");
    assert!(stopped.durable && stopped.given_up == 0, "{stopped:?}");
}

/// What the processes were promised, read from their files. A last line that is not whole was never promised:
/// the process died writing it, before it could have told anybody.
pub(crate) fn acknowledged(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("it can be read"));
    let logs =
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "acknowledged"));
    let mut all = BTreeSet::new();
    for log in logs {
        let text = fs::read_to_string(log).expect("it is text");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _torn)| whole);
        all.extend(whole.lines().map(String::from));
    }
    all
}
