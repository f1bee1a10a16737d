//! The core's speed, through its public API, with storage that acknowledges at once.
//!
//! A lifecycle is all that happens to one item: enqueue, the insert's ack, the claim and its ack, dispatch,
//! result, the delete and its ack. The population stays what it was: one item comes, one goes.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use outbox_bench::{Host, LANES, draft, draft_in, rows, snapshot};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    lifecycle(&mut criterion);
    stuck(&mut criterion);
    restore(&mut criterion);
    criterion.final_summary();
}

/// One item comes and one goes, with so many others pending over 10,000 lanes.
fn lifecycle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lifecycle");
    group.throughput(Throughput::Elements(1));
    for (name, pending) in [("1k", 1_000), ("100k", 100_000), ("1M", 1_000_000)] {
        let mut host = Host::leading();
        let mut enqueued = 0;
        for _ in 0..pending {
            enqueued += 1;
            host.enqueue(draft(enqueued));
        }
        assert_eq!(host.outbox().pending().count(), pending);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|count| {
                let took = run(&mut host, enqueued, count);
                enqueued += count;
                took
            });
        });
        assert_eq!(host.outbox().pending().count(), pending, "one came and one went each time");
    }
    group.finish();
}

/// The same while 100,000 items wait behind two lanes whose heads hang.
fn stuck(criterion: &mut Criterion) {
    const STUCK: u64 = 100_000;
    let mut host = Host::leading();
    for n in 1..=STUCK {
        host.enqueue(draft_in(LANES * n, if n % 2 == 0 { "hung-a" } else { "hung-b" }));
    }
    assert_eq!(host.in_flight(), 2, "only the heads of the two lanes are sent (R6)");
    host.hang_flights();
    // Numbers that are no multiples of LANES, so that no id comes twice.
    let mut enqueued = LANES * (STUCK + 1);
    let mut group = criterion.benchmark_group("stuck");
    group.throughput(Throughput::Elements(1));
    group.bench_function("100k", |bencher| {
        bencher.iter_custom(|count| {
            let took = run(&mut host, enqueued, count);
            enqueued += count;
            took
        });
    });
    assert_eq!(host.outbox().pending().count(), STUCK as usize, "the hung lanes are as they were");
    group.finish();
}

/// Lets `count` items come and go; making the drafts is the app's work and not measured.
fn run(host: &mut Host, enqueued: u64, count: u64) -> Duration {
    const BATCH: u64 = 100;
    let mut took = Duration::ZERO;
    let mut next = enqueued;
    while next < enqueued + count {
        let end = (next + BATCH).min(enqueued + count);
        let drafts: Vec<_> = (next + 1..=end).map(draft).collect();
        next = end;
        let start = Instant::now();
        for draft in drafts {
            host.enqueue(draft);
            host.succeed();
        }
        took += start.elapsed();
    }
    took
}

/// From the rows of 50,000 items to a leader that has dispatched the first.
fn restore(criterion: &mut Criterion) {
    let stored = snapshot(rows(50_000));
    let mut group = criterion.benchmark_group("restore");
    group.sample_size(10);
    group.bench_function("50k", |bencher| {
        bencher.iter_batched(
            || (Host::elected(), stored.clone()),
            |(mut host, snapshot)| {
                let acquire = host.acquire_op();
                host.loaded(acquire, snapshot);
                assert!(host.in_flight() > 0, "a restored backlog is sent");
                black_box(host)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}
