//! The core's memory: bytes held per pending item beyond what the app gave (id, mutator name, key, args).
//!
//! No timing: a counting allocator weighs a replica with 100,000 items over 10,000 lanes, once as it
//! enqueued them and once as it restored them.

#![expect(clippy::print_stdout, reason = "the figures are read by xtask")]

use std::alloc::System;

use outbox_bench::{Host, draft, payload_bytes, rows, snapshot};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ITEMS: usize = 100_000;

fn main() {
    println!("figure memory/enqueued {}", overhead_bytes(enqueued));
    println!("figure memory/restored {}", overhead_bytes(restored));
}

/// Bytes per item beyond its payload that live in the host `make` makes.
fn overhead_bytes(make: fn() -> Host) -> usize {
    let payload: usize = (1..=ITEMS as u64).map(|n| payload_bytes(n, &draft(n))).sum();
    let before = live_bytes();
    let mut host = make();
    host.shrink();
    let held = live_bytes() - before;
    assert_eq!(host.outbox().pending().count(), ITEMS);
    assert!(held > payload, "a replica holds at least what it was given");
    (held - payload) / ITEMS
}

fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn enqueued() -> Host {
    let mut host = Host::leading();
    for n in 1..=ITEMS as u64 {
        host.enqueue(draft(n));
    }
    host
}

fn restored() -> Host {
    let mut host = Host::elected();
    let acquire = host.acquire_op();
    host.loaded(acquire, snapshot(rows(ITEMS as u64)));
    host
}
