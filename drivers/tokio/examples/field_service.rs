//! A field technician's day: visits, notes, photos and stock moves, recorded in cellars without a signal, by
//! an app that is killed in the middle, for an office whose server is flaky. In the end the office has
//! everything once, and in order.
//!
//! ```text
//! cargo run --release -p outbox-tokio --example field_service [-- --seconds 20 --trouble 12]
//! ```
//!
//! The day is in `field_service/day.jsonl`; it lasts 20 s here, and one request in 12 meets trouble. This
//! process plays the technician and the office. The app is a process of its own, so that it can be killed:
//!
//! | file | what it is |
//! |---|---|
//! | `mutations.rs` | the app's mutations, the part to copy |
//! | `app.rs` | the app: enqueues what is tapped, tells what becomes of it |
//! | `technician.rs` | goes through the day |
//! | `phone.rs` | starts the app, taps, kills it |
//! | `office.rs` | the flaky server |
//! | `summary.rs` | the figures, and the checks that decide the exit code |

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

#[path = "field_service/app.rs"]
mod app;
#[path = "field_service/day.rs"]
mod day;
#[path = "field_service/mutations.rs"]
mod mutations;
#[path = "field_service/office.rs"]
mod office;
#[path = "field_service/phone.rs"]
mod phone;
#[path = "field_service/progress.rs"]
mod progress;
#[path = "field_service/summary.rs"]
mod summary;
#[path = "field_service/technician.rs"]
mod technician;

use std::{
    env,
    error::Error,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use office::Office;
use outbox_tokio::{
    outbox::storage::{Scope, Store},
    store::SqliteStore,
};
use summary::Evidence;
use technician::Technician;

const USAGE: &str = "usage: field_service [--seconds 1..3600] [--trouble 2..1000000]";

/// How the day is to be.
struct Options {
    /// How long it lasts here.
    whole: Duration,
    /// One request in so many meets trouble.
    trouble: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ended = match args[..] {
        ["app", database, office] => app::run(Path::new(database), office).await.map(|()| true),
        _ => match Options::read(&args) {
            Some(options) => live(&options).await,
            None => Err(USAGE.into()),
        },
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("field_service: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn read(args: &[&str]) -> Option<Self> {
        let mut options = Self { whole: Duration::from_secs(20), trouble: 12 };
        for pair in args.chunks(2) {
            match (pair, pair.last()?.parse().ok()?) {
                (["--seconds", _], seconds @ 1..=3600) => options.whole = Duration::from_secs(seconds),
                (["--trouble", _], one_in @ 2..=1_000_000) => options.trouble = one_in,
                _ => return None,
            }
        }
        Some(options)
    }
}

/// Lives through the day, and prints what it came to; whether every check passes.
async fn live(options: &Options) -> Result<bool, Box<dyn Error>> {
    let day = day::read()?;
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("outbox.db");
    let office = Office::open(options.trouble).await?;
    let begun = Instant::now();
    let technician = Technician::begin(&database, &office, &day).await?;
    let seen = technician.live(options.whole).await?;

    let store = SqliteStore::open(&database, mutations::OUTBOX)?.load(None, &Scope::Full)?.contents;
    let books = office.books();
    let evidence = Evidence { day: &day, seen: &seen, books: &books, store: &store, took: begun.elapsed() };
    let (summary, well) = evidence.summary();
    print!("{summary}");
    Ok(well)
}
