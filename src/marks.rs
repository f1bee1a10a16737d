//! `sometimes!`: marks that prove that rare things happened in the simulator. A mark that a long run never
//! hits is a failure: what is not reached is not tested.
//!
//! Compiled to nothing without the feature `marks`, which only the simulator enables.

/// Notes that this happened; with a condition: if it holds.
macro_rules! sometimes {
    ($name:ident) => {
        #[cfg(feature = "marks")]
        $crate::marks::hit($crate::marks::Mark::$name);
    };
    ($name:ident, $when:expr) => {
        #[cfg(feature = "marks")]
        if $when {
            $crate::marks::hit($crate::marks::Mark::$name);
        }
    };
}
pub(crate) use sometimes;

#[cfg(feature = "marks")]
pub use catalogue::{Mark, count, hit};

#[cfg(feature = "marks")]
mod catalogue {
    use core::sync::atomic::{AtomicU64, Ordering};

    macro_rules! catalogue {
        ($($name:ident: $what:literal,)*) => {
            /// Something rare that must happen sometimes.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum Mark {
                $(#[doc = $what] $name,)*
            }

            impl Mark {
                /// All of them.
                pub const ALL: &[Self] = &[$(Self::$name,)*];

                /// What happened.
                #[must_use]
                pub fn what(self) -> &'static str {
                    match self {
                        $(Self::$name => $what,)*
                    }
                }
            }

            static COUNTS: [AtomicU64; Mark::ALL.len()] = [const { AtomicU64::new(0) }; Mark::ALL.len()];
        };
    }

    catalogue! {
        BornClaimed: "an insert was its claim too (R2)",
        ClaimHeld: "a claim was acknowledged when its item might not be sent (R2)",
        ClaimedAhead: "an item was claimed before it had a slot (R2)",
        AheadGivenBack: "claims ahead were taken back for want of space (R5)",
        SentAhead: "a claim that waited was sent without another word of storage (R2)",
        ClaimStale: "a claim was acknowledged late, and checked (R2)",
        ClaimVerified: "a fenced read let a held or late claim be acted on (R2)",
        GapLoaded: "a seq above the known ones made a load (R3)",
        BatchSplit: "a transaction failed and went again class by class (R4)",
        InsertsHalved: "a refused batch of inserts was halved (R4)",
        InsertRefused: "an insert failed alone, and its caller was told (R4)",
        FencedInserts: "inserts of a fenced leader went again, unclaimed (R4)",
        Doubt: "a store could not tell whether it committed (R4)",
        DoubtStored: "an insert in doubt was found stored (R4)",
        DoubtRefused: "an insert in doubt was not found (R4)",
        DeleteRepeated: "a delete that failed was repeated (R5)",
        FailuresEvicted: "failure records made way on a full disk (R5)",
        SentUnclaimed: "one item was sent unclaimed because the disk was full (R5)",
        Probe: "a probe went out while offline (R8)",
        SlowStart: "a transport failure set the limit to one (R9)",
        SlowStartSpared: "another attempt was answered meanwhile, and the limit stayed (R9)",
        RetryAfterClamped: "a Retry-After was longer than a day (R11)",
        TriggerDeferred: "a trigger within five seconds of the last was deferred (R13)",
        Pulled: "a trigger pulled a waiting item forward (R13)",
        PullFloored: "a trigger stopped at a Retry-After (R13)",
        InitSpared: "an item whose last claim has no result kept its backoff at the start (R13)",
        TimedOut: "an attempt ran into its timeout (R14)",
        LateSuccess: "a late success settled its item (R14)",
        LateSuccessSuperseded: "a late success cancelled a newer attempt (R14)",
        LateRefusal: "a late refusal settled its item (R14)",
        LateFailure: "a late failure was ignored (R14)",
        LateDecided: "a result came when the end was decided already (R14)",
        OtherEpoch: "a leader ignored a result of another epoch (R14)",
        OldArgs: "a result of an attempt with older args was ignored (R14)",
        Buried: "a refusal left a failure record (R15)",
        FailureRetried: "a failure record became an item again (R15)",
        Exhausted: "an item used up its attempts and was dropped (R16)",
        ParkedExhausted: "an item used up its attempts and was parked (R16)",
        Stuck: "an item failed ten times (R16)",
        Asked: "the hook was asked (R17)",
        AnswerVoid: "what was asked about ended first, and the answer was void (R17)",
        HookLate: "the hook did not answer in time (R17)",
        HookFailed: "the hook threw or answered something that is not allowed (R17)",
        Rewritten: "the hook gave new args (R17)",
        Squashed: "the hook merged an item into another (R17)",
        AnswerRetried: "the write of an accepted answer failed and was repeated (R17)",
        RemovedWriting: "an item was removed while it was being written (R18)",
        ClaimKeptInDoubt: "a claim that may have been stored was not taken back (R25)",
        RemovedUnknown: "an item became known after its removal was asked for (R18)",
        RemovedInFlight: "an item was removed in flight (R18)",
        RemovedElsewhere: "a write found that its item was gone (R18)",
        RemoveNothing: "a removal found nothing to remove (R18)",
        ReleasedLate: "a leader released what waited for a mutator that was registered late (R23)",
        ParkedUnregistered: "an item of an unknown mutator was parked (R23)",
        ParkedNewer: "a record of a newer version was parked (R23)",
        Quarantined: "a record could not be read (R24)",
        Clamped: "a deadline from storage was later than its rule allows (R30)",
        Pinged: "a silent leader was pinged (R26)",
        Stolen: "a lock was stolen from a leader that did not answer (R26)",
        GaveWay: "a leader gave way to one that has the mutators it lacks (R27)",
        Fenced: "a leader was fenced (R27)",
        ResignedSilent: "a leader resigned because storage did not answer (R27)",
        SteppedDown: "a leader stepped down (R27)",
        AcquireStale: "an acquire came when the replica led no more (R27)",
        PokeApplied: "a poke was applied (R28)",
        PokeStale: "a poke came late or twice (R28)",
        PokeGap: "a poke was missed, and a load made up for it (R28)",
        OtherStore: "the store was made anew under a running replica (R27)",
    }

    /// It happened.
    pub fn hit(mark: Mark) {
        COUNTS[mark as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often it happened in this process.
    #[must_use]
    pub fn count(mark: Mark) -> u64 {
        COUNTS[mark as usize].load(Ordering::Relaxed)
    }
}
