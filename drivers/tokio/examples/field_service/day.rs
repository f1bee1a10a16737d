//! The day as it happened: `day.jsonl`, a line for each thing that the technician records, or that happens
//! to the phone.

use std::{fmt, time::Duration};

use serde::Deserialize;

use crate::mutations::Mutation;

const DAY: &str = include_str!("day.jsonl");

/// One line of the day.
#[derive(Deserialize)]
pub(crate) struct Line {
    pub(crate) at: TimeOfDay,
    #[serde(flatten)]
    pub(crate) what: What,
    /// The line as it stands in the file.
    #[serde(skip)]
    pub(crate) text: &'static str,
}

/// What a line tells.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum What {
    Phone { phone: Happening },
    Record(Record),
}

/// What happens to the phone.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Happening {
    /// Down in a cellar.
    NoSignal,
    /// Up again.
    Signal,
    /// The system kills the app.
    Dies,
    /// Nothing more is recorded.
    DayEnds,
}

/// What the technician records.
#[derive(Deserialize)]
pub(crate) struct Record {
    /// Made by the app at the tap; the same if the tap is repeated.
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) mutation: Mutation,
}

/// Seconds since midnight, written `07:32:00`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TimeOfDay(u32);

/// The lines of `day.jsonl`, in order.
pub(crate) fn read() -> Result<Vec<Line>, String> {
    let parse = |(index, text): (usize, &'static str)| {
        let line: Line =
            serde_json::from_str(text).map_err(|error| format!("day.jsonl:{}: {error}", index + 1))?;
        Ok(Line { text, ..line })
    };
    let lines: Vec<Line> = DAY.lines().enumerate().map(parse).collect::<Result<_, String>>()?;
    if !lines.is_sorted_by_key(|line| line.at) {
        return Err("day.jsonl: the lines are not in the order of their times".into());
    }
    Ok(lines)
}

impl Line {
    /// What the technician records, if it is that.
    pub(crate) fn record(&self) -> Option<&Record> {
        match &self.what {
            What::Record(record) => Some(record),
            What::Phone { .. } => None,
        }
    }
}

impl TimeOfDay {
    /// How far into a day from `first` to `last` this is, when all of that day takes `whole`.
    pub(crate) fn scaled(self, first: Self, last: Self, whole: Duration) -> Duration {
        whole * self.0.saturating_sub(first.0) / last.0.saturating_sub(first.0).max(1)
    }

    pub(crate) fn hour(self) -> u32 {
        self.0 / 3600
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts: Vec<u32> = text.split(':').map_while(|part| part.parse().ok()).collect();
        match parts[..] {
            [hours @ 0..24, minutes @ 0..60, seconds @ 0..60] => {
                Ok(Self(hours * 3600 + minutes * 60 + seconds))
            }
            _ => Err(format!("`{text}` is no time of day; write it as 07:32:00")),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 3600, self.0 / 60 % 60)
    }
}
