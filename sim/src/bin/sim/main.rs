//! `sim`: hunts for bugs by seeds, replays, shrinks and shows them.
//!
//! Exit codes: 0 all is well; 1 a bug in the core (an oracle rang, or the core panicked); 2 wrong usage;
//! 3 a bug in the simulator (it panicked, or two runs of one scenario differ).

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

use clap::{Parser, Subcommand};

/// Finds bugs of the outbox from seeds, shrinks them, and shows them.
///
/// A seed names a scenario: tabs, people, and everything that goes wrong. The same seed plays the same
/// scenario, to the last byte.
#[derive(Parser)]
#[command(name = "cargo sim", bin_name = "cargo sim", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays seeds until one fails, the number is reached, or the time is up
    Run {
        /// Play this seed alone
        seed: Option<u64>,
        /// Play so many seeds
        #[arg(long, conflicts_with = "seed", default_value_t = 1000)]
        seeds: u64,
        /// The first of them; by default one that no run had before
        #[arg(long, conflicts_with = "seed")]
        from: Option<u64>,
        /// Play fresh seeds for so many minutes
        #[arg(long, conflicts_with_all = ["seed", "seeds"])]
        minutes: Option<u64>,
        /// Play so many at once
        #[arg(long, default_value_t = hunt::cores())]
        jobs: usize,
        /// Play every scenario twice and compare
        #[arg(long)]
        twice: bool,
    },
    /// Plays one scenario and shows what happens
    Replay {
        /// A scenario's file, or a seed
        scenario: String,
        /// Print a line per event
        #[arg(long)]
        trace: bool,
        /// With --trace: timers and idle checks too
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
        /// A scenario's file, or a seed
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
        #[arg(long, default_value_t = 20_000)]
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
        #[arg(long)]
        capacity: Option<u32>,
        /// Another seed, another herd
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where the plot goes
        #[arg(long, value_name = "FILE", default_value = "herd.svg")]
        svg: PathBuf,
    },
    /// Plants bugs in the core; each must be found by its oracle
    Mutants {
        /// Only this one
        name: Option<String>,
    },
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
