//! `sim run`: many seeds on many threads. A scenario itself is played by one.

use std::{
    collections::BTreeMap,
    num::NonZero,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use indicatif::{ProgressBar, ProgressStyle};
use outbox_sim::{Report, Violation, matrix::Cell, swarm::swarm};

use crate::{Verdict, marks, show};

/// What to play.
pub(crate) struct Plan {
    pub(crate) seeds: u64,
    pub(crate) from: Option<u64>,
    pub(crate) minutes: Option<u64>,
    pub(crate) jobs: usize,
    pub(crate) twice: bool,
}

/// How many seeds can be played at once.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Plays one seed.
pub(crate) fn one(seed: u64, twice: bool) -> Result<Verdict, String> {
    many(&Plan { seeds: 1, from: Some(seed), minutes: None, jobs: 1, twice })
}

/// What all threads know.
struct Hunt {
    next: AtomicU64,
    stop: AtomicBool,
    sums: Mutex<Sums>,
    found: Mutex<Option<(u64, Violation)>>,
}

/// What all runs together came to.
#[derive(Default)]
pub(crate) struct Sums {
    seeds: u64,
    moments: u64,
    simulated_ms: u64,
    struck: BTreeMap<&'static str, u64>,
    pub(crate) cells: BTreeMap<Cell, u64>,
}

impl Sums {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.moments += report.moments;
        self.simulated_ms += report.simulated_ms;
        for (fault, count) in &report.struck {
            *self.struck.entry(fault).or_default() += count;
        }
        for (cell, count) in &report.cells {
            *self.cells.entry(*cell).or_default() += count;
        }
    }

    fn faults(&self) -> u64 {
        self.struck.values().sum()
    }
}

/// Plays seeds until one fails or all are played. If they were many, they must have reached everything.
pub(crate) fn many(plan: &Plan) -> Result<Verdict, String> {
    let (verdict, sums) = hunt(plan)?;
    Ok(if sums.seeds < marks::LONG { verdict } else { marks::reached(verdict, &sums) })
}

/// The same, with what was reached.
pub(crate) fn hunt(plan: &Plan) -> Result<(Verdict, Sums), String> {
    let from = plan.from.unwrap_or_else(fresh);
    let until = plan.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let end = if until.is_some() { u64::MAX } else { from.saturating_add(plan.seeds) };
    println!("seeds from {from}, {} at once", plan.jobs);
    let hunt = Hunt {
        next: AtomicU64::new(from),
        stop: AtomicBool::new(false),
        sums: Mutex::default(),
        found: Mutex::default(),
    };
    let bar = bar(plan);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..plan.jobs {
            scope.spawn(|| {
                while !hunt.stop.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
                    let seed = hunt.next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    hunt.play(seed, plan.twice);
                    hunt.show(&bar, started);
                }
            });
        }
    });
    bar.finish_and_clear();
    let sums = hunt.sums.into_inner().map_err(|_| "a thread panicked")?;
    tell(&sums, started.elapsed());
    let Some((seed, violation)) = hunt.found.into_inner().map_err(|_| "a thread panicked")? else {
        return Ok((Verdict::Clean, sums));
    };
    if violation.oracle == DETERMINISM {
        println!("\n{seed}: {}", violation.what);
        return Ok((Verdict::SimulatorBug, sums));
    }
    show::failure(&seed.to_string(), &swarm(seed), &violation);
    Ok((show::blame(&violation), sums))
}

/// What two runs that differ violate.
const DETERMINISM: &str = "determinism";

impl Hunt {
    fn play(&self, seed: u64, twice: bool) {
        let scenario = swarm(seed);
        let report = show::play(&scenario);
        let differs = twice && show::play(&scenario).hash != report.hash;
        if let Ok(mut sums) = self.sums.lock() {
            sums.add(&report);
        }
        let violation = report.violation.clone().or_else(|| differs.then(|| two_ends(&report)));
        if let Some(violation) = violation {
            self.stop.store(true, Ordering::Relaxed);
            if let Ok(mut found) = self.found.lock() {
                // Of several, the smallest seed: what is told does not depend on threads.
                if found.as_ref().is_none_or(|(other, _)| seed < *other) {
                    *found = Some((seed, violation));
                }
            }
        }
    }

    fn show(&self, bar: &ProgressBar, started: Instant) {
        let Ok(sums) = self.sums.lock() else { return };
        if bar.length().is_some() {
            bar.set_position(sums.seeds);
        }
        let seconds = started.elapsed().as_secs().max(1);
        bar.set_message(format!(
            "{} seeds, {} k events/s, {} simulated hours, {} faults",
            sums.seeds,
            sums.moments / seconds / 1_000,
            sums.simulated_ms / 3_600_000,
            sums.faults()
        ));
    }
}

fn two_ends(report: &Report) -> Violation {
    Violation {
        oracle: DETERMINISM,
        rules: &[],
        at_ms: report.simulated_ms,
        moment: report.moments,
        what: "two runs of the same scenario differ: a bug in the simulator".into(),
    }
}

fn bar(plan: &Plan) -> ProgressBar {
    if plan.minutes.is_some() {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        return bar;
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    ProgressBar::new(plan.seeds).with_style(style.expect("the template is well formed"))
}

fn tell(sums: &Sums, took: Duration) {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    println!(
        "{} seeds, {} events, {} simulated hours in {}.{:03} s: {} events/s, {} seeds/min",
        sums.seeds,
        sums.moments,
        sums.simulated_ms / 3_600_000,
        millis / 1000,
        millis % 1000,
        sums.moments * 1000 / millis,
        sums.seeds * 60_000 / millis
    );
    let faults: Vec<String> = sums.struck.iter().map(|(fault, count)| format!("{count} {fault}")).collect();
    println!("{} faults: {}", sums.faults(), faults.join(", "));
}

/// A seed that no run had before: the time.
fn fresh() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs()) * 1_000_000
}
