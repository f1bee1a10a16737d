//! The alarm test: each planted bug must be found by the oracle that its entry names, within so many
//! seeds. An oracle that finds nothing proves nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use outbox::mutants::{Mutant, plant};

use crate::{oracle, run_judged, standard::Standard, swarm::swarm, world::Violation};

/// Which oracle finds a bug, and within how many seeds.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The bug.
    pub mutant: Mutant,
    /// The oracle.
    pub oracle: &'static str,
    /// Seeds from 1 to this.
    pub seeds: u64,
}

/// How a bug was found.
#[derive(Clone, Debug)]
pub struct Kill {
    /// The first seed that shows it to its oracle.
    pub seed: u64,
    /// What the oracle said.
    pub violation: Violation,
}

/// All planted bugs.
#[must_use]
pub fn catalogue() -> Vec<Entry> {
    let entry = |mutant, oracle, seeds| Entry { mutant, oracle, seeds };
    use Mutant as M;
    vec![
        entry(M::DispatchBeforeAck, "claim", 100),
        entry(M::AckMatchedByItem, "claim", 2_000),
        entry(M::ClaimNotFenced, "fencing", 500),
        entry(M::LaneReleasedEarly, "order", 200),
        entry(M::FirstKeyOnly, "order", 200),
        entry(M::TimestampOrder, "order", 500),
        entry(M::JitterAboveCap, "backoff", 100),
        entry(M::RetryAfterShortened, "backoff", 500),
        entry(M::FailedTakeEverySlot, "concurrency", 500),
        entry(M::TriggerDropped, "backoff", 500),
        entry(M::FollowerNotStored, "durability", 100),
        entry(M::NeverRescanned, "liveness", 500),
        entry(M::RemovalLeavesCopy, "outcomes", 200),
        entry(M::ErrorAfterSuccess, "settle-once", 500),
        entry(M::AnswerInTwo, "hook", 500),
        entry(M::SquashLosesSurvivor, "hook", 500),
        entry(M::KeyPerAttempt, "idempotency", 100),
        entry(M::UnknownDeleted, "kept", 500),
        entry(M::LateFailureCounted, "settle-once", 1_000),
        entry(M::LateSuccessIgnored, "settle-once", 1_000),
        entry(M::OldAttemptSettlesRewrite, "settle-once", 2_000),
        entry(M::EpochNotRaised, "fencing", 200),
        entry(M::FenceByOrder, "fencing", 2_000),
        entry(M::FencedStaysLeader, "bounds", 200),
        entry(M::BatchFails, "calls", 500),
        entry(M::PutRecreates, "durability", 1_000),
        entry(M::OldKeyOnRewrite, "idempotency", 500),
        entry(M::EarlierEpochSettles, "settle-once", 6_000),
        entry(M::PokeFromAnywhere, "outcomes", 200),
        entry(M::TimerInThePast, "bounds", 10),
        entry(M::ViewByArrival, "view", 10),
        entry(M::NoSlowStart, "concurrency", 500),
        entry(M::PausedSends, "concurrency", 500),
        entry(M::NoFailureRecord, "kept", 200),
        entry(M::StaleClaimTrusted, "claim", 500),
        entry(M::AheadWithoutLimit, "concurrency", 200),
        entry(M::AheadOfLimited, "concurrency", 500),
        entry(M::GapIgnored, "order", 2_000),
        entry(M::LockIfAvailable, "liveness", 200),
        entry(M::ProbesNeverEnd, "concurrency", 200),
        entry(M::DoubtsWithoutPause, "bounds", 500),
    ]
}

/// Plays seeds until the entry's oracle rings; the other oracles are not asked.
#[must_use]
pub fn hunt(entry: Entry) -> Option<Kill> {
    plant(Some(entry.mutant));
    let kill = (1..=entry.seeds).find_map(|seed| {
        let scenario = swarm(seed);
        let mut judges = oracle::all(&scenario);
        judges.retain(|oracle| oracle.name() == entry.oracle);
        let report = catch_unwind(AssertUnwindSafe(|| run_judged(&Standard, &scenario, judges, None)));
        // A planted bug may break the core so badly that it panics: that is no oracle's doing.
        let violation = report.ok()?.violation?;
        (violation.oracle == entry.oracle).then_some(Kill { seed, violation })
    });
    plant(None);
    kill
}
