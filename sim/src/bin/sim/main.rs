//! `sim`: hunts for bugs by seeds, replays, shrinks and shows them.
//!
//! Exit codes: 0 all is well; 1 a bug in the core (an oracle rang, or the core panicked); 2 wrong usage,
//! such as a recording that does not fit this version; 3 a bug in the simulator (it panicked, two runs of
//! one scenario differ, or a long run left a mark cold).

#![expect(clippy::print_stdout, reason = "a program for people")]

#[cfg(feature = "mutants")]
mod alarms;
mod check;
mod hunt;
mod input;
mod marks;
mod replay;
mod show;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, builder::RangedU64ValueParser};
use outbox_sim::herd::HerdOptions;

/// Finds bugs of the outbox from seeds, shrinks them, and shows them.
///
/// A seed names a scenario: tabs, people, and everything that goes wrong. The same seed plays the same
/// scenario, to the last byte.
#[derive(Parser)]
#[command(name = "cargo sim", bin_name = "cargo sim", max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What the help ends with.
const AFTER_HELP: &str = "\
To begin with:
  cargo sim run                          a thousand fresh seeds
  cargo sim replay 7 --html run.html     one of them, as a page with swimlanes

Exit codes: 0 all is well; 1 a bug in the core; 2 wrong usage; 3 a bug in the simulator, or rare things
that a long run did not reach.";

#[derive(Subcommand)]
enum Command {
    /// Plays seeds until one fails, the number is reached, or the time is up
    ///
    /// A run of 20,000 seeds or more also fails on rare things that did not happen: see `cargo sim marks`.
    Run {
        /// Play this seed alone
        seed: Option<u64>,
        /// Play so many seeds
        #[arg(long, conflicts_with = "seed", default_value_t = 1000, value_parser = at_least_one())]
        seeds: u64,
        /// The first of them; by default one that no run had before
        #[arg(long, conflicts_with = "seed")]
        from: Option<u64>,
        /// Play fresh seeds for so many minutes
        #[arg(long, conflicts_with_all = ["seed", "seeds"], value_parser = at_least_one())]
        minutes: Option<u64>,
        /// Play so many at once
        #[arg(long, default_value_t = hunt::cores())]
        jobs: usize,
        /// Play every scenario twice and compare
        #[arg(long)]
        twice: bool,
    },
    /// Plays one scenario, or a flight recording of an app, and shows what happens
    ///
    /// A flight recording is what `outbox.exportRecording()` of the npm package returns if it was started
    /// with `record: true`, or an `outbox::Recording` as JSON, which the tokio driver's `Builder::recorder`
    /// gives the inputs of. It is replayed through the real core: each answer in it must be to something
    /// that the replay, too, has asked for, else the first that is not is named; and what was left in the
    /// end is told.
    Replay {
        /// A seed, a scenario's file, or a flight recording's
        #[arg(value_name = "SEED|FILE")]
        scenario: String,
        /// Print a line per event
        #[arg(long)]
        trace: bool,
        /// In trace and page: timers and idle checks too
        #[arg(long)]
        all: bool,
        /// Write a page with swimlanes, to be opened in a browser
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Write a line of JSON per event
        #[arg(long, value_name = "FILE")]
        jsonl: Option<PathBuf>,
    },
    /// Makes a failing scenario as small as it can be
    Shrink {
        /// A seed, or a scenario's file
        #[arg(value_name = "SEED|FILE")]
        scenario: String,
        /// Where to write it
        #[arg(long, value_name = "FILE", default_value = "shrunk.json")]
        out: PathBuf,
        /// Try at most so many scenarios
        #[arg(long, default_value_t = 20_000)]
        tries: u32,
    },
    /// Runs the exhaustive checks of small worlds and of the election
    Check {
        /// The large ones too: minutes each
        #[arg(long)]
        large: bool,
    },
    /// Plays seeds, then tells which rare things happened; fails if one did not
    Marks {
        /// Play so many seeds
        #[arg(long, default_value_t = marks::LONG, value_parser = at_least_one())]
        seeds: u64,
        /// The first of them
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Play so many at once
        #[arg(long, default_value_t = hunt::cores())]
        jobs: usize,
    },
    /// Plays the return of many clients after an outage, under each policy
    Herd {
        /// How many clients
        #[arg(long, default_value_t = 10_000)]
        clients: u32,
        /// What the server can do, in requests a second
        #[arg(long, default_value_t = HerdOptions::default().capacity_per_s)]
        capacity: u32,
        /// Another seed, another herd
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where the plot goes
        #[arg(long, value_name = "FILE", default_value = "herd.svg")]
        svg: PathBuf,
    },
    /// Plants bugs in the core; each must be found by its oracle
    Mutants {
        /// Only this one; with no such bug, their names are told
        name: Option<String>,
    },
}

/// None at all would be a run that proves nothing.
fn at_least_one() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1..)
}

fn main() -> ExitCode {
    show::keep_panics();
    let result = match Cli::parse().command {
        Command::Run { seed: Some(seed), twice, .. } => hunt::one(seed, twice),
        Command::Run { seeds, from, minutes, jobs, twice, .. } => {
            hunt::many(&hunt::Plan { seeds, from, minutes, jobs: jobs.max(1), twice })
        }
        Command::Replay { scenario, trace, all, html, jsonl } => {
            replay::replay(&scenario, &replay::Wanted { trace, all, html, jsonl })
        }
        Command::Shrink { scenario, out, tries } => replay::shrink(&scenario, &out, tries),
        Command::Check { large } => check::check(large),
        Command::Marks { seeds, from, jobs } => {
            let plan = hunt::Plan { seeds, from: Some(from), minutes: None, jobs: jobs.max(1), twice: false };
            marks::marks(&plan)
        }
        Command::Herd { clients, capacity, seed, svg } => replay::herd(clients, capacity, seed, &svg),
        Command::Mutants { name } => mutants(name.as_deref()),
    };
    match result {
        Ok(verdict) => verdict.code(),
        Err(problem) => {
            println!("sim: {problem}");
            ExitCode::from(2)
        }
    }
}

#[cfg(feature = "mutants")]
fn mutants(name: Option<&str>) -> Result<Verdict, String> {
    alarms::mutants(name)
}

#[cfg(not(feature = "mutants"))]
fn mutants(_name: Option<&str>) -> Result<Verdict, String> {
    Err("built without the feature `mutants`; `cargo sim mutants` has it".into())
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Clean,
    CoreBug,
    SimulatorBug,
}

impl Verdict {
    fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Clean => 0,
            Self::CoreBug => 1,
            Self::SimulatorBug => 3,
        })
    }
}
