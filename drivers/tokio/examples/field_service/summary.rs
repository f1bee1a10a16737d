//! The summary: what the day came to, checked against the file, the office's books and the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use outbox_tokio::outbox::storage::Contents;
use serde_json::Value;

use crate::{day::Line, office::Books, phone::Seen};

/// What is known when the day is over, each by whoever knows it best.
pub(crate) struct Evidence<'a> {
    pub(crate) day: &'a [Line],
    pub(crate) seen: &'a Seen,
    pub(crate) books: &'a Books,
    pub(crate) store: &'a Contents,
    pub(crate) took: Duration,
}

/// A mutation as both sides can name it: the mutator and the args.
type Effect = (String, Value);

/// What a check found; an error is what is wrong.
type Found = Result<String, String>;

impl Evidence<'_> {
    /// The summary, and whether all is well.
    pub(crate) fn summary(&self) -> (String, bool) {
        let recorded = self.recorded();
        let checks = [
            ("nothing lost", nothing_lost(&recorded, &self.books.effects)),
            ("nothing twice", nothing_twice(&recorded, &self.books.effects)),
            ("order kept", order_kept(&recorded, &self.books.effects)),
            ("refusals told", self.refusals_told()),
            ("store empty", self.store_empty()),
        ];
        let mut text = self.figures();
        for (name, found) in &checks {
            let (mark, words) = match found {
                Ok(words) => ("ok", words),
                Err(words) => ("FAILED", words),
            };
            let _ = writeln!(text, "  {mark:<6}  {name:<13}  {words}"); // a String takes everything
        }
        (text, checks.iter().all(|(_, found)| found.is_ok()))
    }

    fn figures(&self) -> String {
        let records = self.day.iter().filter(|line| line.record().is_some()).count();
        let attempts: u32 = self.seen.attempts.values().sum();
        let retried = self.seen.attempts.values().filter(|attempts| **attempts > 1).count();
        let (seconds, tenths) = (self.took.as_secs(), self.took.subsec_millis() / 100);
        let Books { effects, repeated, turned_away, replies_lost, .. } = self.books;
        let mut text = format!("\nA technician's day: {records} records in {seconds}.{tenths} s\n\n");
        let mut row = |name: &str, count: usize, words: &str| {
            let _ = writeln!(text, "  {name:<10} {count:>3}  {words}"); // a String takes everything
        };
        row("stored", self.seen.stored.len(), "each before it was sent");
        row("sent", effects.len(), &format!("in {attempts} attempts; {retried} records took more than one"));
        row("dropped", self.books.refused.len(), &self.refusals());
        row("busy", *turned_away as usize, "requests answered 503, come again later");
        row("cut off", *replies_lost as usize, "requests done, their answers lost");
        row("repeated", *repeated as usize, "requests that the office knew by their idempotency keys");
        text.push('\n');
        text
    }

    /// What the app shows of them.
    fn refusals(&self) -> String {
        let told = self.seen.done.iter().flatten();
        let told = told.map(|(id, refusal)| format!("{id} {}: {}", refusal.mutator, refusal.reason));
        told.collect::<Vec<_>>().join("; ")
    }

    /// What the file says the office should have: all records, in order, but those that it refused.
    fn recorded(&self) -> Vec<Effect> {
        let records = self.day.iter().filter_map(|line| Some((line, line.record()?)));
        let accepted = records.filter(|(_, record)| !self.books.refused.contains(&record.id));
        accepted.map(|(line, _)| effect(line)).collect()
    }

    /// What the office refused is what the technician is shown, and nothing else.
    fn refusals_told(&self) -> Found {
        let told: BTreeSet<&String> = self.seen.done.iter().flat_map(BTreeMap::keys).collect();
        if told == self.books.refused.iter().collect() {
            return Ok(format!("{} of {}, kept across the restart", told.len(), told.len()));
        }
        Err(format!("the office refused {:?}, the app shows {told:?}", self.books.refused))
    }

    fn store_empty(&self) -> Found {
        match self.store {
            Contents::Full { rows, failures } if rows.is_empty() => {
                Ok(format!("0 items and {} failure record left in the SQLite file", failures.len()))
            }
            left => Err(format!("the SQLite file still holds {left:?}")),
        }
    }
}

/// Every record took effect, as it was recorded.
fn nothing_lost(recorded: &[Effect], effects: &[Effect]) -> Found {
    match surplus(recorded, effects) {
        None => Ok(format!("the office has all {} records that it did not refuse", recorded.len())),
        Some((mutator, args)) => Err(format!("the office does not have {mutator} {args}")),
    }
}

/// No record took effect more often than it was recorded.
fn nothing_twice(recorded: &[Effect], effects: &[Effect]) -> Found {
    match surplus(effects, recorded) {
        None => Ok(format!("each of its {} entries is one record", effects.len())),
        Some((mutator, args)) => Err(format!("the office has once too often {mutator} {args}")),
    }
}

/// In each lane the records took effect in the order in which they were recorded.
fn order_kept(recorded: &[Effect], effects: &[Effect]) -> Found {
    let (recorded, effects) = (by_lane(recorded), by_lane(effects));
    for (lane, expected) in &recorded {
        let seen = effects.get(lane).map_or(&[][..], Vec::as_slice);
        if let Some(at) = (0..expected.len()).find(|at| seen.get(*at) != expected.get(*at)) {
            return Err(format!("lane `{lane}`: number {} should be {:?}", at + 1, expected[at]));
        }
    }
    let (longest, records) = recorded.iter().max_by_key(|(_, records)| records.len()).ok_or("no records")?;
    Ok(format!("in {} lanes, the longest is `{longest}` with {} records", recorded.len(), records.len()))
}

/// What a line records.
fn effect(line: &Line) -> Effect {
    let mut record: Value = serde_json::from_str(line.text).expect("the line was read before");
    let mutator = record["do"].as_str().expect("the line was read before").into();
    (mutator, record["args"].take())
}

/// The first of `these` that is not in `those` as often.
fn surplus<'a>(these: &'a [Effect], those: &[Effect]) -> Option<&'a Effect> {
    let count = |all: &[Effect], one: &Effect| all.iter().filter(|other| *other == one).count();
    these.iter().find(|one| count(these, one) > count(those, one))
}

/// The lanes as the office sees them, whatever keys the app made: all that names one visit or one place, and
/// the trips.
fn by_lane(effects: &[Effect]) -> BTreeMap<&str, Vec<&Effect>> {
    let mut lanes: BTreeMap<&str, Vec<&Effect>> = BTreeMap::new();
    for effect in effects {
        let mut named: Vec<&str> =
            ["visit", "from", "to"].iter().filter_map(|field| effect.1[field].as_str()).collect();
        if named.is_empty() {
            named.push("trips");
        }
        for lane in named {
            lanes.entry(lane).or_default().push(effect);
        }
    }
    lanes
}
