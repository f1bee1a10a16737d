//! `Scenario`: everything that a run depends on, explicit and as plain data.
//!
//! A scenario survives changes of the code that a seed does not, so shrunk ones are kept as regressions.
//! Times are milliseconds since the start of the run.

use outbox::Json;
use serde::{Deserialize, Serialize};

mod limits;

pub use limits::OutOfLimits;

/// One run: the world's options, what people do, and what goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// Names every latency (see [`crate::rng`]); the drawn parts below are explicit.
    pub seed: u64,
    /// How the world is.
    pub options: Options,
    /// What people and the browser do, at its time.
    pub steps: Vec<Step>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// When all faults end: links are up, disks are free, frozen tabs wake, pauses are resumed, and a tab of
    /// the newest build is open. What was enqueued must reach its end from here on.
    pub heal_at_ms: u64,
}

/// How the world is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    /// Tabs are numbered from 0 to one less than this; a step opens them.
    pub tabs: u32,
    /// The core's configuration.
    pub max_concurrency: u32,
    /// The core's configuration.
    pub jitter: bool,
    /// The core's configuration.
    pub timeout_ms: u64,
    /// Whether tabs have a `beforeRetry` hook, and what it does.
    pub hook: HookStyle,
    /// How tabs agree on a leader.
    pub leadership: Leadership,
    /// How long a storage request waits before it runs, and its answer takes: least and most.
    pub storage_ms: (u64, u64),
    /// One way of the network: least and most.
    pub network_ms: (u64, u64),
    /// A message between tabs, and a lock's grant: least and most.
    pub message_ms: (u64, u64),
    /// How late timers fire: least and most.
    pub timer_ms: (u64, u64),
    /// How long the hook takes: least and most.
    pub hook_ms: (u64, u64),
    /// Whether a cancelled attempt's reply is dropped; else it comes all the same, late (R14).
    pub aborts: bool,
    /// Whether the server honours idempotency keys (R29).
    pub keyed: bool,
    /// Whether a loss of power may undo commits that were acknowledged (opt-in: relaxed durability).
    pub relaxed: bool,
    /// Whether what is to be stored gathers for a moment, as the tokio driver lets it (R4).
    pub gather: bool,
}

impl Default for Options {
    /// One tab, a quick world, no jitter.
    fn default() -> Self {
        Self {
            tabs: 1,
            max_concurrency: 4,
            jitter: false,
            timeout_ms: 15_000,
            hook: HookStyle::None,
            leadership: Leadership::Locks,
            storage_ms: (1, 1),
            network_ms: (10, 10),
            message_ms: (1, 1),
            timer_ms: (0, 0),
            hook_ms: (1, 1),
            aborts: true,
            keyed: true,
            relaxed: false,
            gather: false,
        }
    }
}

/// What the `beforeRetry` hook does (R17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HookStyle {
    /// There is none.
    None,
    /// It keeps everything.
    Keep,
    /// It keeps, rewrites, removes and squashes, by chance.
    Mixed,
}

/// How tabs agree on a leader (R26).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Leadership {
    /// A queued lock; messages for ping and steal.
    Locks,
    /// The core's `Election` over messages.
    Leases,
}

/// Something that someone does in one tab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// When.
    pub at_ms: u64,
    /// In which tab; what needs an open tab does nothing in a closed one.
    pub tab: u32,
    /// What.
    pub action: Action,
}

/// What is done in a tab.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    // The app.
    /// Enqueues the item `iN` (R1).
    Enqueue {
        /// N.
        item: u32,
        /// The mutator.
        mutator: String,
        /// Its args.
        args: Json,
    },
    /// Removes the item `iN` (R18).
    Remove {
        /// N.
        item: u32,
    },
    /// Takes back the failure record of `iN` as a new item `iNrM` (R15).
    RetryFailure {
        /// N.
        item: u32,
    },
    /// Dismisses the failure record of `iN` (R15).
    DismissFailure {
        /// N.
        item: u32,
    },
    /// Pauses for a reason (R20).
    Pause {
        /// The reason.
        reason: String,
    },
    /// Takes that reason back (R20).
    Resume {
        /// The reason.
        reason: String,
    },
    // The browser.
    /// The connectivity hint, whatever the truth (R8).
    Online(bool),
    /// The truth: whether requests of this tab reach the network at all.
    Link(bool),
    /// The page becomes visible (R13).
    Visible,
    /// The page is focused (R13, R28).
    Focus,
    /// The page loads the mutators of this build late, and registers them (R23).
    Register {
        /// The build.
        build: u32,
    },
    /// A page of this build is opened; does nothing if the tab is open.
    Open {
        /// Which mutators it has is the app's matter.
        build: u32,
    },
    /// The tab is closed in good order.
    Close,
    /// The tab dies.
    Crash,
    /// It is frozen: no timer fires, no message is handled, the lock stays.
    Freeze,
    /// It wakes.
    Thaw,
    /// Its timers fire on whole seconds only.
    Throttle(bool),
}

/// Something that goes wrong, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What triggers it.
    pub when: When,
    /// What goes wrong.
    pub what: What,
}

/// What triggers a fault: a time, an effect by its number, or an attempt. None of them moves if other
/// steps or faults are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum When {
    /// At this time, in this tab (or for all, if the fault is not one of a tab).
    At {
        /// The time.
        ms: u64,
        /// The tab.
        tab: u32,
    },
    /// At the n-th effect of a kind of a tab, counted from 1 over all its pages.
    Nth {
        /// The tab.
        tab: u32,
        /// The kind of effect.
        kind: EffectKind,
        /// Which one.
        n: u32,
    },
    /// At the n-th dispatch of the item `iN`, counted from 1 over all tabs.
    Attempt {
        /// N.
        item: u32,
        /// Which one.
        n: u32,
    },
}

/// The kinds of effects that faults can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EffectKind {
    /// Any effect at all.
    Any,
    /// `Persist`.
    Persist,
    /// `Load` and `Acquire`.
    Load,
    /// `Dispatch`.
    Dispatch,
    /// `AskBeforeRetry`.
    Ask,
    /// `Poke`, `Ping`, `Pong` and what an election broadcasts.
    Message,
    /// `Reply`.
    Reply,
    /// `Sleep`.
    Sleep,
}

/// What goes wrong. A fault that does not fit what triggered it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    // Network: on an attempt, or the n-th `Dispatch`.
    /// The request is lost; nothing answers.
    LoseRequest,
    /// The connection is refused at once.
    Refuse,
    /// The server applies it; the reply is lost and nothing answers.
    LoseReply,
    /// The server applies it; then the connection breaks.
    BreakReply,
    /// The request arrives twice, the second time so much later.
    Duplicate {
        /// Later by this.
        after_ms: u64,
    },
    /// The request takes so much longer: others overtake it.
    SlowRequest {
        /// Longer by this.
        by_ms: u64,
    },
    /// The reply takes so much longer.
    SlowReply {
        /// Longer by this.
        by_ms: u64,
    },
    /// The reply comes right at the attempt's deadline.
    ReplyAtDeadline,
    /// The reply comes though the attempt was cancelled.
    ReplyAfterCancel,
    /// The result is reported a second time, so much later.
    RepeatResult {
        /// Later by this.
        after_ms: u64,
    },
    /// The server answers with this status and `Retry-After`, and applies nothing.
    Unavailable {
        /// 408, 425, 429 or 5xx.
        status: u16,
        /// What `Retry-After` says.
        retry_after: RetryAfter,
    },
    /// The server refuses it for good.
    RefuseForGood,
    // Storage: on a request, or for a time.
    /// The request is run and answered so much later.
    SlowStorage {
        /// Later by this.
        by_ms: u64,
    },
    /// The answer is lost: the request runs, and nothing answers until the page ends.
    SilentStorage,
    /// The store cannot tell whether it committed.
    UnknownStorage {
        /// Whether it did.
        committed: bool,
    },
    /// Storage is not available, once, or for so long if at a time.
    UnavailableStorage {
        /// For how long.
        for_ms: u64,
    },
    /// The disk is full, once, or for so long if at a time.
    FullStorage {
        /// For how long.
        for_ms: u64,
    },
    /// Another build, or bad luck, has put a row of this kind at the end (R23, R24).
    StrangeRow(Strange),
    /// The power fails: all pages die, and with relaxed durability the last so many commits are gone.
    PowerLoss {
        /// At most this many.
        commits: u32,
    },
    /// The store is deleted and made anew; all pages that knew the old one stay open.
    StoreMadeAnew,
    // Tabs.
    /// The page dies here: at the effect, before it is carried out. It is opened again so much later.
    Crash {
        /// Later by this.
        reopen_ms: u64,
    },
    /// The page is frozen for so long.
    Freeze {
        /// For how long.
        for_ms: u64,
    },
    /// The whole machine sleeps for so long: nothing happens anywhere but at the server.
    Suspend {
        /// For how long.
        for_ms: u64,
    },
    // Leadership and messages.
    /// The tab is told that it leads while another may; the truth comes so much later.
    FalselyElected {
        /// Later by this.
        for_ms: u64,
    },
    /// The lock is taken away; the tab hears of it so much later, or never.
    Steal {
        /// Later by this; `None`: never.
        told_after_ms: Option<u64>,
    },
    /// The message is lost.
    LoseMessage,
    /// The message arrives again, so much later.
    RepeatMessage {
        /// Later by this.
        after_ms: u64,
    },
    /// The message takes so much longer.
    SlowMessage {
        /// Longer by this.
        by_ms: u64,
    },
    // Time.
    /// The wall clock is stepped: pages that start from here on read another time.
    StepClock {
        /// By this: back if negative.
        by_ms: i64,
    },
    /// This timer fires so much too early.
    EarlyTimer {
        /// Earlier by this.
        by_ms: u64,
    },
    /// This timer fires so much too late.
    LateTimer {
        /// Later by this.
        by_ms: u64,
    },
    // Host: on an `AskBeforeRetry`.
    /// The hook takes so long.
    SlowHook {
        /// This long.
        by_ms: u64,
    },
    /// The hook throws.
    ThrowingHook,
    /// The hook never answers.
    SilentHook,
    /// The hook answers something that is not allowed.
    WrongHook,
}

/// What a `Retry-After` header says (R11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RetryAfter {
    /// Nothing.
    None,
    /// So many seconds.
    Seconds(u64),
    /// A date so many seconds ahead.
    Date(u64),
    /// Centuries.
    Absurd,
}

/// A row that this build cannot read as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Strange {
    /// Bytes that are no JSON (R24).
    Garbage,
    /// A record of a newer version (R23).
    NewerVersion,
    /// A record whose head can be read and whose body cannot (R24).
    BrokenBody,
}

impl What {
    /// Its name, for counts and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LoseRequest => "lost request",
            Self::Refuse => "refused connection",
            Self::LoseReply => "lost reply",
            Self::BreakReply => "broken reply",
            Self::Duplicate { .. } => "duplicate request",
            Self::SlowRequest { .. } => "slow request",
            Self::SlowReply { .. } => "slow reply",
            Self::ReplyAtDeadline => "reply at the deadline",
            Self::ReplyAfterCancel => "reply after cancel",
            Self::RepeatResult { .. } => "repeated result",
            Self::Unavailable { .. } => "server unavailable",
            Self::RefuseForGood => "refused for good",
            Self::SlowStorage { .. } => "slow storage",
            Self::SilentStorage => "silent storage",
            Self::UnknownStorage { .. } => "storage unknown",
            Self::UnavailableStorage { .. } => "storage unavailable",
            Self::FullStorage { .. } => "storage full",
            Self::StrangeRow(_) => "strange row",
            Self::PowerLoss { .. } => "power loss",
            Self::StoreMadeAnew => "store made anew",
            Self::Crash { .. } => "crash",
            Self::Freeze { .. } => "freeze",
            Self::Suspend { .. } => "suspend",
            Self::FalselyElected { .. } => "falsely elected",
            Self::Steal { .. } => "lock stolen",
            Self::LoseMessage => "lost message",
            Self::RepeatMessage { .. } => "repeated message",
            Self::SlowMessage { .. } => "slow message",
            Self::StepClock { .. } => "clock step",
            Self::EarlyTimer { .. } => "early timer",
            Self::LateTimer { .. } => "late timer",
            Self::SlowHook { .. } => "slow hook",
            Self::ThrowingHook => "throwing hook",
            Self::SilentHook => "silent hook",
            Self::WrongHook => "wrong hook",
        }
    }
}
