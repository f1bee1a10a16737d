//! The herd lab: N clients come back at once after an outage. What does the server see, and how long does
//! it take until everything is through?
//!
//! Each client is a real [`Outbox`](outbox::Outbox) over a store of its own; storage answers at once, and one
//! event loop plays them all. [`herd`] plays the same outage once per [`Policy`]:
//!
//! | | on | off |
//! |---|---|---|
//! | jitter (R10) | `Config::jitter` | the whole backoff window, the same for every client |
//! | slow start (R9) | as it is | what is `transport` is reported as `server` |
//!
//! The core has no switch for slow start: it is a rule. It follows `transport` failures alone (R12), so
//! "off" is a driver that reports each of them as `server`, a timeout 1 ms before the core would see it.
//! That takes away what else follows a `transport` failure: the pull after the first success, and the pull
//! by *every* online edge (R13). Read "off" as "without what the core knows about the network", and not as
//! slow start alone. When the outage is one of 503s ([`Failing::Unavailable`]) nothing is `transport`, and
//! both columns tell the same.
//!
//! ```
//! use outbox_sim::herd::{HerdOptions, herd};
//!
//! let options = HerdOptions { clients: 50, capacity_per_s: 20, queue: 20, ..HerdOptions::default() };
//! let herd = herd(&options)?;
//! println!("{}", herd.table());
//! let page = herd.svg();
//! # assert!(page.starts_with("<svg"));
//! # Ok::<(), outbox::ConfigError>(())
//! ```

use outbox::ConfigError;
use serde::{Deserialize, Serialize};

mod play;
mod plot;

mod server;
mod table;

/// The most clients: each takes some kilobytes.
pub const MAX_CLIENTS: u32 = 1_000_000;
/// The longest outage: one day.
const MAX_OUTAGE_MS: u64 = 24 * 60 * 60 * 1000;
/// The most items of one client.
const MAX_ITEMS: u32 = 1_000;
/// The fastest server.
const MAX_CAPACITY_PER_S: u32 = 10_000_000;

/// An outage, who waits for its end, and what comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HerdOptions {
    /// Names every draw: the same options give the same herd.
    pub seed: u64,
    /// How many clients there are: 1 to [`MAX_CLIENTS`].
    pub clients: u32,
    /// How many items each of them enqueues: 1 to 1,000.
    pub items: u32,
    /// Over how many lanes, in turn: 1 to `items`.
    pub lanes: u32,
    /// All items are enqueued within so long after the outage began, each at a drawn time.
    pub enqueue_ms: u64,
    /// How long the outage is: at most a day.
    pub outage_ms: u64,
    /// What becomes of a request during the outage.
    pub outage: Failing,
    /// What the clients' online flag says of it.
    pub hint: Hint,
    /// How many requests the server does in a second: 1 to 10,000,000.
    pub capacity_per_s: u32,
    /// How many requests the server holds, the one that it does included: at least 1.
    pub queue: u32,
    /// What becomes of a request that comes when it holds so many.
    pub overload: Failing,
    /// One way of the network: least and most.
    pub network_ms: (u64, u64),
    /// The core's configuration (R14).
    pub timeout_ms: u64,
    /// The core's configuration (R8).
    pub max_concurrency: u32,
    /// How long the return is watched at most.
    pub horizon_ms: u64,
}

impl Default for HerdOptions {
    /// 10,000 clients with three items each come back after ten minutes to a server of 1,000 requests a
    /// second, which had broken down while everybody was writing.
    fn default() -> Self {
        Self {
            seed: 1,
            clients: 10_000,
            items: 3,
            lanes: 3,
            enqueue_ms: 1_000,
            outage_ms: 600_000,
            outage: Failing::Refuses,
            hint: Hint::Online,
            capacity_per_s: 1_000,
            queue: 2_000,
            overload: Failing::Unavailable { retry_after_s: None },
            network_ms: (20, 80),
            timeout_ms: 15_000,
            max_concurrency: 4,
            horizon_ms: 3_600_000,
        }
    }
}

/// How a server fails that does not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Failing {
    /// Connections are refused: `transport`.
    Refuses,
    /// It does not answer, until the attempt times out: `transport`.
    Silent,
    /// It answers 503: `server`.
    Unavailable {
        /// What `Retry-After` says, in seconds.
        retry_after_s: Option<u64>,
    },
}

/// What the online flag says (R8, R13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hint {
    /// It knows nothing of the outage, which is the server's: clients find its end by trying.
    Online,
    /// It says offline from the start to the end; then every client hears an online edge in the same
    /// millisecond. R13 spreads what waits in its backoff; items that were never tried wait for nothing, so
    /// every client that has one sends it at once: the worst of the three.
    Offline,
    /// It says online until the end; then it flaps, and every client hears an online edge in the same
    /// millisecond. Most items wait in their backoff: this is what the trigger's spread is for.
    Flap,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Backoff is jittered (R10).
    pub jitter: bool,
    /// A transport failure is told as what it is, and slow start follows (R9).
    pub slow_start: bool,
}

impl Policy {
    /// All four, the core's own first.
    pub const ALL: [Self; 4] = [
        Self { jitter: true, slow_start: true },
        Self { jitter: true, slow_start: false },
        Self { jitter: false, slow_start: true },
        Self { jitter: false, slow_start: false },
    ];
}

/// What came back, for each policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Herd {
    /// What was played.
    pub options: HerdOptions,
    /// One per policy, in the order of [`Policy::ALL`].
    pub returns: Vec<Return>,
}

/// The return under one policy. Times are milliseconds since the end of the outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Return {
    /// Under which.
    pub policy: Policy,
    /// Requests that arrived in each second after the outage, up to the last one.
    pub arrivals_per_s: Vec<u32>,
    /// Those of them that the server turned away because it held too many.
    pub refusals_per_s: Vec<u32>,
    /// The most arrivals in a second.
    pub peak_per_s: u32,
    /// The arrivals that 99 of 100 seconds do not exceed.
    pub p99_per_s: u32,
    /// Requests during the outage, all in vain.
    pub requests_in_outage: u64,
    /// Requests after it.
    pub requests: u64,
    /// Those of them that were turned away.
    pub refusals: u64,
    /// Requests for what the server had done already: its reply came too late.
    pub repeats: u64,
    /// When half of all items were through.
    pub drained_50_ms: Option<u64>,
    /// When 99 of 100 were.
    pub drained_99_ms: Option<u64>,
    /// When all were; `None`: not within the horizon.
    pub drained_ms: Option<u64>,
}

/// Plays the outage and the return, once per policy.
///
/// # Errors
/// The first option that is out of its limits.
pub fn herd(options: &HerdOptions) -> Result<Herd, ConfigError> {
    options.validate()?;
    let returns = Policy::ALL.iter().map(|&policy| play::play(options, policy)).collect();
    Ok(Herd { options: options.clone(), returns })
}

impl HerdOptions {
    /// Checks every limit.
    ///
    /// # Errors
    /// The first option that is out of its limits.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check("clients", self.clients.into(), 1, MAX_CLIENTS.into())?;
        check("items", self.items.into(), 1, MAX_ITEMS.into())?;
        check("lanes", self.lanes.into(), 1, self.items.into())?;
        check("outageMs", self.outage_ms, 0, MAX_OUTAGE_MS)?;
        check("enqueueMs", self.enqueue_ms, 0, MAX_OUTAGE_MS)?;
        check("capacityPerS", self.capacity_per_s.into(), 1, MAX_CAPACITY_PER_S.into())?;
        check("queue", self.queue.into(), 1, u32::MAX.into())?;
        check("networkMs", self.network_ms.1, self.network_ms.0, MAX_OUTAGE_MS)?;
        check("horizonMs", self.horizon_ms, 1_000, MAX_OUTAGE_MS)?;
        play::config(self, Policy::ALL[0]).validate()
    }
}

fn check(field: &str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError { field: field.into(), value: value.to_string(), expected: format!("{min} to {max}") })
}
