//! The native driver's speed on SQLite, beside a hand-written loop that stores the same rows in the same run.
//!
//! `raw` is the least that any durable queue on SQLite does: one thread, prepared inserts into a table of the
//! same shape, WAL, `synchronous=FULL`. All files lie in the system's folder for temporary files.
//!
//! A disk is fast in one second and slow in the next: `raw` and the executor take turns of a tenth of a
//! second, and the medians of their turns are set beside each other. Each turn has a new file, whose log is
//! as long as it gets before the clock starts, so that some ten thousand rows are stored, not a million.
//!
//! Two things favour `raw`: its log is moved into the file half as often (after SQLite's 1,000 pages, the
//! store's 512 being what its reserve for a full disk covers), and its items are records before its clock
//! starts. It also needs one processor, and the executor two: beside other work the ratio says little.

#![expect(clippy::print_stdout, reason = "the figures are read by xtask")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use outbox::{Item, ItemId, Json, Mutator, record};
use outbox_bench::{MUTATOR, item, item_in};
use outbox_tokio::{Attempt, EnqueueOptions, Executor, Handle, MutatorError};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinSet};

/// Concurrent enqueuers, and rows of a raw transaction.
const ENQUEUERS: u64 = 64;
/// How often `raw` and the executor take turns.
const TURNS: usize = 41;
/// How long a turn takes, about.
const TURN: Duration = Duration::from_millis(100);
/// Transactions before it: with these a log has been moved into its file, and no longer grows.
const WARM_UP: u32 = 400;
/// Items of a drain, and the lanes that they are spread over.
const DRAINED: u64 = 10_000;
const DRAIN_LANES: u64 = 1_000;
/// How often they are drained.
const DRAINS: usize = 11;
/// The reason that holds back what is enqueued.
const HELD: &str = "bench";

fn main() {
    let runtime = Runtime::new().expect("a runtime can be started");
    for rows in [ENQUEUERS, 1] {
        let turns: Vec<_> = (0..TURNS)
            .map(|_| {
                let (mut raw, mut executor) = (Raw::new(rows), Enqueuers::new(&runtime, rows));
                (turn(|count| raw.run(count)), turn(|count| executor.run(count)))
            })
            .collect();
        figure(&format!("raw/{rows}"), turns.iter().map(|turn| turn.0));
        figure(&format!("executor/{rows}"), turns.iter().map(|turn| turn.1));
    }
    for max_concurrency in [4, 64] {
        let drains = (0..DRAINS).map(|_| runtime.block_on(drain_once(max_concurrency)));
        figure(&format!("drain/{max_concurrency}"), drains);
    }
}

/// Prints the median, in nanoseconds.
fn figure(name: &str, took: impl Iterator<Item = Duration>) {
    let mut took: Vec<_> = took.collect();
    took.sort_unstable();
    println!("figure {name} {}", took[took.len() / 2].as_nanos());
}

/// What one of so many takes that fill a turn.
fn turn(mut run: impl FnMut(u32) -> Duration) -> Duration {
    let warm = run(WARM_UP) / WARM_UP;
    let count = TURN.as_nanos() / warm.as_nanos().max(1);
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    run(count) / count
}

/// Transactions of so many rows, one after another.
struct Raw {
    _folder: TempDir,
    connection: Connection,
    rows: u64,
    stored: u64,
}

impl Raw {
    fn new(rows: u64) -> Self {
        let folder = folder();
        let connection = Connection::open(folder.path().join("raw.db")).expect("the file can be opened");
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE items
                     (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL);",
            )
            .expect("the table can be made");
        Self { _folder: folder, connection, rows, stored: 0 }
    }

    fn run(&mut self, count: u32) -> Duration {
        let end = self.stored + u64::from(count) * self.rows;
        let items: Vec<_> = (self.stored + 1..=end).map(item).collect();
        self.stored = end;
        let records: Vec<_> = items.iter().map(|item| (item.id.as_str(), record::encode(item))).collect();
        let start = Instant::now();
        for batch in records.chunks(self.rows as usize) {
            commit(&mut self.connection, batch).expect("the rows can be stored");
        }
        start.elapsed()
    }
}

fn commit(connection: &mut Connection, batch: &[(&str, std::sync::Arc<str>)]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut insert = transaction.prepare_cached("INSERT INTO items (id, record) VALUES (?1, ?2)")?;
    for (id, record) in batch {
        insert.execute((id, record.as_ref()))?;
        black_box(transaction.last_insert_rowid());
    }
    drop(insert);
    transaction.commit()
}

/// So many tasks that each wait for one enqueue after another; nothing is sent meanwhile.
struct Enqueuers<'a> {
    _folder: TempDir,
    runtime: &'a Runtime,
    executor: Executor,
    enqueuers: u64,
    enqueued: u64,
}

impl<'a> Enqueuers<'a> {
    fn new(runtime: &'a Runtime, enqueuers: u64) -> Self {
        let folder = folder();
        let executor = runtime.block_on(held(&folder, 4));
        Self { _folder: folder, runtime, executor, enqueuers, enqueued: 0 }
    }

    fn run(&mut self, count: u32) -> Duration {
        let end = self.enqueued + u64::from(count) * self.enqueuers;
        let items: Vec<_> = (self.enqueued + 1..=end).map(item).collect();
        self.enqueued = end;
        let shares = dealt(items, self.enqueuers);
        self.runtime.block_on(async {
            let start = Instant::now();
            let _handles = fill(&self.executor, shares).await;
            start.elapsed()
        })
    }
}

impl Drop for Enqueuers<'_> {
    fn drop(&mut self) {
        self.runtime.block_on(stop(&self.executor));
    }
}

/// From 10,000 stored items to none, with a mutator that does nothing.
async fn drain_once(max_concurrency: u32) -> Duration {
    let folder = folder();
    let executor = held(&folder, max_concurrency).await;
    let items: Vec<_> = (1..=DRAINED).map(|n| item_in(n, &format!("lane-{}", n % DRAIN_LANES))).collect();
    let handles = fill(&executor, dealt(items, ENQUEUERS)).await;
    let start = Instant::now();
    executor.resume(HELD).await.expect("the executor runs");
    for handle in handles {
        let settled = handle.await.expect("the executor runs");
        assert!(settled.is_committed(), "the mutator never fails");
    }
    // The waiters hear the answers (R29); the last deletes may still be under way (R5).
    while !executor.pending().await.expect("the executor runs").is_empty() {
        tokio::task::yield_now().await;
    }
    let took = start.elapsed();
    stop(&executor).await;
    took
}

/// An executor on a file of its own that sends nothing until `HELD` is resumed.
async fn held(folder: &TempDir, max_concurrency: u32) -> Executor {
    let mutator = Mutator::<Json>::new(MUTATOR);
    let executor = Executor::builder("bench")
        .sqlite(folder.path().join("outbox.db"))
        .mutator(mutator, |_: Attempt<Json>| async { Ok::<(), MutatorError>(()) })
        .max_concurrency(max_concurrency)
        .start()
        .await
        .expect("the executor can start");
    executor.pause(HELD).await.expect("the executor runs");
    executor
}

/// Ids and args dealt out to so many tasks: the ids come in about their order, as those that the executor
/// makes do. A transaction of ids from all over the index would write a page for each.
fn dealt(items: Vec<Item>, tasks: u64) -> Vec<Vec<(ItemId, Json)>> {
    let mut shares: Vec<_> = (0..tasks).map(|_| Vec::new()).collect();
    for (item, task) in items.into_iter().zip((0..tasks as usize).cycle()) {
        shares[task].push((item.id, item.args));
    }
    shares
}

/// Each share is a task's, which waits for one enqueue after another.
async fn fill(executor: &Executor, shares: Vec<Vec<(ItemId, Json)>>) -> Vec<Handle> {
    let mut filling = JoinSet::new();
    for share in shares {
        let executor = executor.clone();
        filling.spawn(async move {
            let mut handles = Vec::with_capacity(share.len());
            for (id, args) in share {
                let options = EnqueueOptions::new().id(id);
                let handle = executor.enqueue_with(MUTATOR, &args, options).await;
                handles.push(handle.expect("the item can be stored"));
            }
            handles
        });
    }
    filling.join_all().await.into_iter().flatten().collect()
}

async fn stop(executor: &Executor) {
    let stopped = executor.shutdown(Duration::from_secs(10)).await.expect("the executor runs");
    assert!(stopped.durable, "everything was written");
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder can be made")
}
