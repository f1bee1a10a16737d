//! Marks: what must have happened somewhere in a run, so that it says something.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A rare thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Mark {
    /// A replica that leads no more dispatched.
    ZombieDispatch,
    /// Its write was refused.
    Fenced,
    /// Its read was refused.
    FencedRead,
    /// An item was born claimed.
    BornClaimed,
    /// More was claimed than there are slots.
    ClaimedAhead,
    /// A tab died between commit and answer.
    CrashAfterCommit,
    /// A claim was found without a result by a new leader.
    Inherited,
    /// A poke never arrived.
    PokeLost,
    /// A request that nobody waited for any more came to the server first.
    StrayApplied,
    /// A result came that nobody waited for any more.
    LateResult,
    /// A removal was answered by an error.
    RemovalFailed,
    /// A removal found nothing.
    RemovalInVain,
    /// A removal succeeded while the item was in flight.
    RemovedInFlight,
    /// An enqueue was answered by an error.
    EnqueueFailed,
    /// The item was in doubt, and the caller was told so.
    EnqueueInDoubt,
    /// A failure record was written.
    Buried,
    /// A leader gave up its lock.
    Resigned,
    /// The same item was dispatched again.
    Repeated,
}

/// The marks that were seen in one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Arc<AtomicU32>);

impl Marks {
    pub(crate) fn set(&self, mark: Mark) {
        self.0.fetch_or(1 << mark as u32, Ordering::Relaxed);
    }

    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.0.load(Ordering::Relaxed) & (1 << mark as u32) != 0
    }
}
