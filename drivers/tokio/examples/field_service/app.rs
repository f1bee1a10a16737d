//! The technician's app, the worker process: it reads taps from its standard input, a line of the day each,
//! and tells on its standard output what becomes of them.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use outbox_tokio::{
    Executor,
    outbox::{Event, Outcome},
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    day::{Happening, What},
    mutations::{self, Office, Sent},
};

/// How long attempts under way may take when the app is closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the app tells, one line of JSON each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Report {
    /// It runs, and this many records were stored by the process before it.
    Started { waiting: usize },
    /// A record is durable.
    Stored { id: String },
    /// A record was sent, or failed to be, for the n-th time.
    Attempted { id: String, attempts: u32 },
    /// The office refused a record for good.
    Refused { id: String, reason: String },
    /// Nothing is left to send. What the office refused, by id.
    Done { refused: BTreeMap<String, Refusal> },
}

/// A record that the office refused for good, as the technician is shown it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) mutator: String,
    pub(crate) reason: String,
    pub(crate) attempts: u32,
}

/// Runs the app until nobody is there to tap any longer. What is stored then stays stored.
pub(crate) async fn run(database: &Path, office: &str) -> Result<(), Box<dyn Error>> {
    let executor = mutations::executor(database, &Office::at(office)).start().await?;
    let mut events = executor.events();
    tell(&Report::Started { waiting: executor.pending().await?.len() })?;

    let mut taps = BufReader::new(tokio::io::stdin()).lines();
    let mut day_has_ended = false;
    loop {
        tokio::select! {
            tap = taps.next_line() => match tap? {
                Some(line) => day_has_ended |= tapped(&executor, &line).await?,
                None => break,
            },
            Some(event) = events.next() => {
                if let Some(report) = event.ok().and_then(report) {
                    tell(&report)?;
                }
            }
        }
        if day_has_ended && executor.pending().await?.is_empty() {
            tell(&Report::Done { refused: refused(&executor).await? })?;
            day_has_ended = false;
        }
    }
    let _stopped = executor.shutdown(PATIENCE).await?;
    Ok(())
}

/// Does what a line of the day says; whether the day has ended.
async fn tapped(executor: &Executor, line: &str) -> Result<bool, Box<dyn Error>> {
    match serde_json::from_str(line)? {
        What::Record(record) => {
            record.mutation.enqueue(executor, &record.id).await?;
            tell(&Report::Stored { id: record.id })?;
        }
        What::Phone { phone: Happening::NoSignal } => executor.set_online(false),
        What::Phone { phone: Happening::Signal } => executor.set_online(true),
        What::Phone { phone: Happening::Dies } => {} // no app is asked
        What::Phone { phone: Happening::DayEnds } => return Ok(true),
    }
    Ok(false)
}

/// What an event tells the technician, if anything.
fn report(event: Event) -> Option<Report> {
    match event {
        Event::AttemptFailed { id, attempt, .. } => {
            Some(Report::Attempted { id: id.to_string(), attempts: attempt })
        }
        Event::Settled { id, outcome: Outcome::Committed { result }, .. } => {
            let sent: Sent = result?.parse().ok()?;
            Some(Report::Attempted { id: id.to_string(), attempts: sent.attempts })
        }
        Event::Settled { id, outcome: Outcome::Dropped { error }, .. } => {
            Some(Report::Refused { id: id.to_string(), reason: error.message })
        }
        _ => None,
    }
}

/// The failure records. They outlive restarts, until the technician dismisses them or tries again.
async fn refused(executor: &Executor) -> Result<BTreeMap<String, Refusal>, Box<dyn Error>> {
    let failures = executor.failures().await?.into_iter();
    let refusal = failures.map(|failure| {
        let (mutator, attempts) = (failure.item.mutator_name.to_string(), failure.item.retry_count);
        (failure.item.id.to_string(), Refusal { mutator, reason: failure.error.message, attempts })
    });
    Ok(refusal.collect())
}

fn tell(report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_string(report)?;
    line.push('\n');
    io::stdout().lock().write_all(line.as_bytes())
}
