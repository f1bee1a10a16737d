//! Torture: processes that enqueue and send are killed with SIGKILL at random moments, alone and in pairs,
//! against a flaky server; at the end nothing may be lost, doubled or out of order (R1, R3, R5, R6, R15,
//! R21), and at no time may two lead (R26).
//!
//! The processes are this program again: the test `child` becomes one if its environment says so. What was
//! promised is written down by the processes, in files that outlive them; what was stored, by a trigger in
//! the database; what took effect, by the server. `verdict` compares the three.
//!
//! `cargo xtask torture --rounds 200` is the long form. A seed repeats the plan of the run; what the
//! operating system makes of it differs.

#![cfg(all(unix, feature = "http"))]

#[path = "torture/child.rs"]
mod child;
#[path = "torture/process.rs"]
mod process;
#[path = "support/server.rs"]
mod server;
#[path = "torture/verdict.rs"]
mod verdict;
#[path = "torture/witness.rs"]
mod witness;

use std::{
    env, fmt, fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use child::Orders;
use process::{Exit, Processes};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use server::{Fault, Faults, Server, below};
use verdict::Evidence;
use witness::Witness;

/// Kills in a normal run of all tests.
const KILLS_FEW: u32 = 12;
/// Kills in a run of their own, unless `OUTBOX_TORTURE_KILLS` says otherwise.
const KILLS_MANY: u32 = 50;
/// How long processes live before one is killed, in milliseconds.
const LIFE_MS: RangeInclusive<u32> = 20..=400;
/// How many items an enqueuer enqueues.
const BURST: RangeInclusive<u32> = 2..=20;
/// Processes that are killed while they make the database.
const BIRTHS: u32 = 5;
/// How long those live, in milliseconds.
const BIRTH_MS: RangeInclusive<u32> = 1..=60;
/// A run of this many kills must have met everything that it is about.
const THOROUGH_FROM: u32 = 100;
/// A process that is not ready by then never will be.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// A follower leads within this time after its leader's death (R26).
const TAKEOVER_WITHIN: Duration = Duration::from_secs(1);
/// The last process drains within this time, and one second for every 100 items.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);

/// Not a test of its own: the process that is killed.
#[test]
fn child() {
    if let Ok(orders) = env::var(child::ORDERS) {
        child::run(&serde_json::from_str(&orders).expect("the parent writes them"));
    }
}

#[test]
fn a_few_kills_lose_double_and_disorder_nothing() {
    torture(KILLS_FEW);
}

#[test]
#[ignore = "takes a minute and more; `cargo xtask torture` runs it"]
fn many_kills_lose_double_and_disorder_nothing() {
    torture(variable("OUTBOX_TORTURE_KILLS").unwrap_or(KILLS_MANY));
}

fn torture(kills: u32) {
    let random = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        u64::from(since.subsec_nanos()) ^ since.as_secs()
    };
    let seed = variable("OUTBOX_TORTURE_SEED").unwrap_or_else(random);
    let again = format!("OUTBOX_TORTURE_SEED={seed} cargo xtask torture --rounds {kills}");
    eprintln!("torture: seed {seed}, {kills} kills, {:?}", Faults::ROUGH);
    let folder = tempfile::tempdir().expect("the temporary folder is writable").keep();
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    let told = Torture::start(seed, &folder, runtime.handle()).and_then(|torture| torture.run(kills));
    match told {
        Ok(summary) => {
            eprintln!("torture: every promise was kept\n{summary}");
            fs::remove_dir_all(&folder).expect("the folder is this test's own");
        }
        Err(problem) => {
            panic!("{problem}\nthe files are kept in {}; the same plan again:\n  {again}", folder.display())
        }
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is {value:?}; it must be a number")))
}

/// One run: the server, the processes, and the plan.
struct Torture {
    seed: u64,
    plan: ChaCha8Rng,
    folder: PathBuf,
    server: Server,
    witness: Witness,
    processes: Processes,
    takeovers: Vec<Duration>,
    pairs: u32,
}

impl Torture {
    /// Starts the server and makes the database: the last of several, whose makers were killed.
    fn start(seed: u64, folder: &Path, runtime: &tokio::runtime::Handle) -> Result<Self, String> {
        let server = runtime.block_on(Server::start(seed, Faults::ROUGH)).expect("loopback has a free port");
        let mut plan = ChaCha8Rng::seed_from_u64(seed);
        let mut processes = Processes::default();
        let mut made = Err(String::from("no database was made"));
        for birth in 0..BIRTHS {
            let folder = folder.join(format!("birth-{birth}"));
            fs::create_dir(&folder).expect("the folder is new");
            let (url, process) = (server.url(child::MUTATOR), processes.started());
            processes.start(&Orders { folder: folder.clone(), url, seed, process, burst: 0, last: false });
            processes.listen(millis(draw(&mut plan, &BIRTH_MS)));
            processes.kill_all()?;
            made = Ok((Witness::install(&folder.join(child::DATABASE)), folder));
        }
        let (witness, folder) = made?;
        let (takeovers, pairs) = (Vec::new(), 0);
        Ok(Self { seed, plan, folder, server, witness, processes, takeovers, pairs })
    }

    fn run(mut self, kills: u32) -> Result<Summary, String> {
        let begun = Instant::now();
        let mut killed = 0;
        while killed < kills {
            killed += self.round().map_err(|problem| format!("after {killed} kills: {problem}"))?;
        }
        killed += self.processes.kill_all()?;
        self.server.heal();
        let under_fire = self.server.findings().ledger.len();
        let healed = Instant::now();
        self.drain()?;
        let summary = Summary {
            killed: killed + BIRTHS,
            pairs: self.pairs,
            under_fire,
            torment: healed - begun,
            drain: healed.elapsed(),
            evidence: self.evidence(),
            takeovers: self.takeovers,
        };
        let mut broken = summary.evidence.broken();
        broken.extend(summary.slow());
        broken.extend(summary.missed().filter(|_| kills >= THOROUGH_FROM));
        if broken.is_empty() { Ok(summary) } else { Err(format!("{}\n{summary}", broken.join("\n"))) }
    }

    /// Starts processes up to the number drawn, waits for the moment drawn, and kills one of them, or all.
    fn round(&mut self) -> Result<u32, String> {
        let wanted = 1 + below(&mut self.plan, 2);
        while self.processes.alive() < wanted {
            let burst = draw(&mut self.plan, &BURST);
            let orders = self.orders(burst, false);
            self.processes.start(&orders);
        }
        self.pairs += u32::from(self.processes.alive() == 2);
        if below(&mut self.plan, 2) == 0 {
            self.processes.wait_until_ready(READY_WITHIN)?; // else it may die while it starts
        }
        self.processes.listen(millis(draw(&mut self.plan, &LIFE_MS)));
        // All are drawn, wanted or not: what the system does must not change what the seed plans.
        let [all, leader] = [8, 2].map(|n| below(&mut self.plan, n) == 0);
        let any = below(&mut self.plan, self.processes.alive());
        if all {
            return self.processes.kill_all();
        }
        let victim = self.processes.leader().filter(|_| leader).unwrap_or(any);
        self.takeovers.extend(self.processes.kill(victim)?);
        Ok(1)
    }

    /// A last process sends what is left, undisturbed.
    fn drain(&mut self) -> Result<(), String> {
        let orders = self.orders(0, true);
        self.processes.start(&orders);
        let left = self.witness.left();
        let limit = DRAINED_WITHIN + Duration::from_secs(left / 100);
        match self.processes.wait_for_exit(limit) {
            Some(Exit { success: true, .. }) => Ok(()),
            Some(Exit { words, .. }) => Err(format!("the last process failed:\n{words}")),
            None => {
                let words = self.processes.kill_all();
                Err(format!("{} of {left} items are left after {limit:?}; {words:?}", self.witness.left()))
            }
        }
    }

    fn orders(&self, burst: u32, last: bool) -> Orders {
        Orders {
            folder: self.folder.clone(),
            url: self.server.url(child::MUTATOR),
            seed: self.seed,
            process: self.processes.started(),
            burst,
            last,
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            acknowledged: child::acknowledged(&self.folder),
            stored: self.witness.stored(),
            left: self.witness.left(),
            failures: self.witness.failures(),
            damage: self.witness.damage(),
            findings: self.server.findings(),
        }
    }
}

fn draw(plan: &mut ChaCha8Rng, range: &RangeInclusive<u32>) -> u32 {
    range.start() + below(plan, range.end() - range.start() + 1)
}

fn millis(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}

/// What a run was like.
struct Summary {
    killed: u32,
    /// Rounds with two processes.
    pairs: u32,
    /// Decisions of the server before the last process was started.
    under_fire: usize,
    torment: Duration,
    drain: Duration,
    evidence: Evidence,
    takeovers: Vec<Duration>,
}

impl Summary {
    /// Takeovers that took too long (R26).
    fn slow(&self) -> Option<String> {
        let slow = self.takeovers.iter().filter(|took| **took > TAKEOVER_WITHIN).count();
        (slow > 0).then(|| format!("{slow} takeovers took over {TAKEOVER_WITHIN:?} (R26)"))
    }

    /// What never happened, and should have in a long run.
    fn missed(&self) -> Option<String> {
        let Evidence { stored, failures, findings, .. } = &self.evidence;
        let marks = [
            (findings.repeats > 0, "a repeat that the idempotency key made harmless"),
            (findings.faults.len() == Fault::COUNT, "some of the faults"),
            (!failures.is_empty(), "a refusal"),
            (!self.takeovers.is_empty(), "a takeover"),
            (self.under_fire > stored.len() / 4, "a quarter of the sending under fire"),
        ];
        let missed: Vec<&str> = marks.iter().filter(|(met, _)| !met).map(|(_, mark)| *mark).collect();
        (!missed.is_empty()).then(|| format!("never happened: {}", missed.join("; ")))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Evidence { acknowledged, stored, failures, findings, .. } = &self.evidence;
        let mut takeovers = self.takeovers.clone();
        takeovers.sort_unstable();
        let (median, longest) = (takeovers.get(takeovers.len() / 2), takeovers.last());
        let (acknowledged, stored, refused) = (acknowledged.len(), stored.len(), failures.len());
        writeln!(f, "  kills      {}, {} rounds with two processes", self.killed, self.pairs)?;
        writeln!(f, "  items      {acknowledged} acknowledged, {stored} stored, {refused} refused")?;
        writeln!(f, "  decided    {} under fire, {} in all", self.under_fire, findings.ledger.len())?;
        writeln!(f, "  requests   {}, {} repeats without effect", findings.requests.len(), findings.repeats)?;
        writeln!(f, "  faults     {:?}", findings.faults)?;
        writeln!(f, "  takeovers  {}, median {median:?}, longest {longest:?}", takeovers.len())?;
        write!(f, "  time       {:?} under fire, {:?} to drain", self.torment, self.drain)
    }
}
