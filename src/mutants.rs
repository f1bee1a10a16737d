//! Planted bugs, to prove that the alarms ring: each must be found by the simulator's oracle of its name.
//!
//! Compiled only with the feature `mutants`, which no shipped crate enables; without it `mutant!` is the
//! constant `false`. At most one is planted at a time, in the whole process.

/// Whether this bug is planted; with a block: what is done then, which is not even compiled otherwise.
macro_rules! mutant {
    ($name:ident => $body:block) => {
        #[cfg(feature = "mutants")]
        if $crate::mutants::is_planted($crate::mutants::Mutant::$name) $body
    };
    ($name:ident) => {{
        #[cfg(feature = "mutants")]
        let planted = $crate::mutants::is_planted($crate::mutants::Mutant::$name);
        #[cfg(not(feature = "mutants"))]
        let planted = false;
        planted
    }};
}
pub(crate) use mutant;

#[cfg(feature = "mutants")]
pub use planted::{Mutant, is_planted, plant};

#[cfg(feature = "mutants")]
mod planted {
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// One more than the number of the bug that is planted.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    /// Plants a bug in this process, instead of the one before.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.store(mutant.map_or(0, |mutant| mutant as usize + 1), Ordering::Relaxed);
    }

    /// Whether this bug is planted.
    #[must_use]
    pub fn is_planted(mutant: Mutant) -> bool {
        PLANTED.load(Ordering::Relaxed) == mutant as usize + 1
    }

    macro_rules! catalogue {
        ($($name:ident: $what:literal,)*) => {
            /// A bug that can be planted.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum Mutant {
                $(#[doc = $what] $name,)*
            }

            impl Mutant {
                /// All of them.
                pub const ALL: &[Self] = &[$(Self::$name,)*];

                /// What is wrong then.
                #[must_use]
                pub fn what(self) -> &'static str {
                    match self {
                        $(Self::$name => $what,)*
                    }
                }
            }
        };
    }

    catalogue! {
        DispatchBeforeAck: "an item is sent before its claim is acknowledged (R2)",
        AckMatchedByItem: "any write of an item acknowledges its claim (R4)",
        ClaimNotFenced: "a leader's writes carry no fence (R27)",
        LaneReleasedEarly: "a settled item leaves its lane before its delete is durable (R5)",
        FirstKeyOnly: "only the first key of an item counts (R6)",
        TimestampOrder: "lanes go by createdAt instead of seq (R3)",
        JitterAboveCap: "jitter adds to the window instead of subtracting (R10)",
        RetryAfterShortened: "a trigger pulls an item below its Retry-After (R11)",
        FailedTakeEverySlot: "items that failed before may hold every slot (R8)",
        TriggerDropped: "a trigger within five seconds of the last is dropped (R13)",
        FollowerNotStored: "a follower resolves an enqueue that is not stored (R1)",
        NeverRescanned: "the change counter is never compared by itself (R28)",
        RemovalLeavesCopy: "a removed item stays in the scheduler (R18)",
        ErrorAfterSuccess: "a delete that fails sends the item again (R5)",
        AnswerInTwo: "the hook's answer is two transactions (R17)",
        SquashLosesSurvivor: "a squash deletes and does not write the survivor (R17)",
        KeyPerAttempt: "each attempt has an idempotency key of its own (R21)",
        UnknownDeleted: "an item of an unknown mutator is deleted (R23)",
        LateFailureCounted: "a late failure counts against the newer attempt (R14)",
        LateSuccessIgnored: "a late success is ignored (R14)",
        OldAttemptSettlesRewrite: "an attempt with the old args settles a rewritten item (R14)",
        EpochNotRaised: "a takeover does not raise the epoch (R27)",
        FenceByOrder: "the fence compares epochs by order, and no store id (R27)",
        FencedStaysLeader: "a leader that is fenced goes on leading (R27)",
        BatchFails: "one refused insert fails all inserts of its transaction (R4)",
        PutRecreates: "a put makes a row that was removed (DESIGN, storage contract)",
        OldKeyOnRewrite: "rewritten args keep their idempotency key (R21)",
        EarlierEpochSettles: "a result of an earlier epoch counts (R14)",
        PokeFromAnywhere: "a poke is applied whatever counter it starts from (R28)",
        TimerInThePast: "a timer is asked for that is due already (R31)",
        ViewByArrival: "the view keeps items where they arrived (R22)",
        NoSlowStart: "a transport failure does not slow down (R9)",
        PausedSends: "a pause does not stop new dispatches (R20)",
        NoFailureRecord: "a refusal leaves no failure record (R15)",
        StaleClaimTrusted: "a claim acknowledged late is not checked (R2)",
        AheadWithoutLimit: "claims run ahead of the slots without a limit (R2)",
        AheadOfLimited: "an item whose attempts are counted is claimed ahead of its slot (R2, R16)",
        GapIgnored: "a leader dispatches past a gap (R3)",
        LockIfAvailable: "the lock is asked for if it is free, and never queued for (R26)",
        ProbesNeverEnd: "offline is ignored (R8)",
        DoubtsWithoutPause: "a store that never knows what it committed is asked without a pause (R4)",
    }
}
