//! The native driver's speed on SQLite, beside a hand-written loop that stores the same rows in the same run.
//!
//! `raw` is the least that any durable queue on SQLite does: one thread, prepared inserts into a table of the
//! same shape, WAL, `synchronous=FULL`. All files lie in the system's folder for temporary files.
//!
//! Two things favour `raw`: its log is moved into the file half as often (after SQLite's 1,000 pages, the
//! store's 512 being what its reserve for a full disk covers), and its items are records before its clock
//! starts. It also needs one processor, and the executor two: beside other work the ratio says little.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use outbox::{Item, Json, Mutator, record};
use outbox_bench::{MUTATOR, item, item_in};
use outbox_tokio::{Attempt, EnqueueOptions, Executor, Handle, MutatorError};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinSet};

/// Concurrent enqueuers, and rows of a raw transaction.
const ENQUEUERS: u64 = 64;
/// Items of a drain, and the lanes that they are spread over.
const DRAINED: u64 = 10_000;
const DRAIN_LANES: u64 = 1_000;
/// The reason that holds back what is enqueued.
const HELD: &str = "bench";

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let runtime = Runtime::new().expect("a runtime can be started");
    for rows in [ENQUEUERS, 1] {
        raw(&mut criterion, rows);
        enqueue(&mut criterion, &runtime, rows);
    }
    for max_concurrency in [4, 64] {
        drain(&mut criterion, &runtime, max_concurrency);
    }
    criterion.final_summary();
}

/// Transactions of so many rows, one after another.
fn raw(criterion: &mut Criterion, rows: u64) {
    let folder = folder();
    let mut connection = Connection::open(folder.path().join("raw.db")).expect("the file can be opened");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE items
                 (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL);",
        )
        .expect("the table can be made");
    let mut stored = 0;
    let mut group = criterion.benchmark_group("raw");
    group.throughput(Throughput::Elements(rows));
    group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
        bencher.iter_custom(|count| {
            let items: Vec<_> = (stored + 1..=stored + count * rows).map(item).collect();
            stored += count * rows;
            let records: Vec<_> = items.iter().map(|item| (item.id.as_str(), record::encode(item))).collect();
            let start = Instant::now();
            for batch in records.chunks(rows as usize) {
                commit(&mut connection, batch).expect("the rows can be stored");
            }
            start.elapsed()
        });
    });
    group.finish();
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
fn enqueue(criterion: &mut Criterion, runtime: &Runtime, enqueuers: u64) {
    let folder = folder();
    let executor = runtime.block_on(held(&folder, 4));
    let mut enqueued = 0;
    let mut group = criterion.benchmark_group("executor");
    group.throughput(Throughput::Elements(enqueuers));
    group.bench_function(BenchmarkId::from_parameter(enqueuers), |bencher| {
        bencher.iter_custom(|count| {
            let items: Vec<_> = (enqueued + 1..=enqueued + count * enqueuers).map(item).collect();
            enqueued += count * enqueuers;
            runtime.block_on(async {
                let start = Instant::now();
                fill(&executor, &items, enqueuers).await;
                start.elapsed()
            })
        });
    });
    group.finish();
    runtime.block_on(stop(&executor));
}

/// From 10,000 stored items to none, with a mutator that does nothing.
fn drain(criterion: &mut Criterion, runtime: &Runtime, max_concurrency: u32) {
    let mut group = criterion.benchmark_group("drain");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(DRAINED));
    group.bench_function(BenchmarkId::from_parameter(max_concurrency), |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(async {
                let mut took = Duration::ZERO;
                for _ in 0..count {
                    took += drain_once(max_concurrency).await;
                }
                took
            })
        });
    });
    group.finish();
}

async fn drain_once(max_concurrency: u32) -> Duration {
    let folder = folder();
    let executor = held(&folder, max_concurrency).await;
    let items: Vec<_> = (1..=DRAINED).map(|n| item_in(n, &format!("lane-{}", n % DRAIN_LANES))).collect();
    let handles = fill(&executor, &items, ENQUEUERS).await;
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

/// Enqueues `items`, dealt out to so many tasks that each wait for one enqueue after another: their ids come
/// in about their order, as those that the executor makes do. A transaction of ids from all over the index
/// would write a page for each.
async fn fill(executor: &Executor, items: &[Item], tasks: u64) -> Vec<Handle> {
    let mut filling = JoinSet::new();
    for first in 0..tasks as usize {
        let share: Vec<Item> = items.iter().skip(first).step_by(tasks as usize).cloned().collect();
        let executor = executor.clone();
        filling.spawn(async move {
            let mut handles = Vec::with_capacity(share.len());
            for item in share {
                let options = EnqueueOptions::new().id(item.id);
                let handle = executor.enqueue_with(MUTATOR, &item.args, options).await;
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
