//! Progress: two bars on a terminal, plain lines elsewhere.

#![expect(clippy::print_stderr, reason = "a program for people")]

use std::io::{self, IsTerminal};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::day::TimeOfDay;

/// Shows how the day goes, on standard error.
pub(crate) struct Progress {
    bars: Option<Bars>,
    records: usize,
    /// The hour that was told last.
    hour: u32,
}

struct Bars {
    all: MultiProgress,
    stored: ProgressBar,
    sent: ProgressBar,
}

impl Progress {
    pub(crate) fn new(records: usize) -> Self {
        let bars = io::stderr().is_terminal().then(|| Bars::new(records as u64));
        Self { bars, records, hour: 0 }
    }

    /// Something that happened.
    pub(crate) fn say(&self, at: TimeOfDay, what: &str) {
        match &self.bars {
            Some(bars) => drop(bars.all.println(format!("{at}  {what}"))), // a terminal that is gone
            None => eprintln!("{at}  {what}"),
        }
    }

    /// How far it is.
    pub(crate) fn show(&mut self, at: TimeOfDay, stored: usize, sent: usize) {
        if let Some(bars) = &self.bars {
            bars.stored.set_position(stored as u64);
            bars.sent.set_position(sent as u64);
            bars.stored.set_message(at.to_string());
            bars.sent.set_message(format!("{} waiting", stored.saturating_sub(sent)));
        } else if at.hour() > self.hour {
            self.say(at, &format!("{stored} of {} stored, {sent} sent", self.records));
        }
        self.hour = at.hour();
    }

    pub(crate) fn end(&self) {
        if let Some(bars) = &self.bars {
            bars.stored.finish_and_clear();
            bars.sent.finish_and_clear();
        }
    }
}

impl Bars {
    fn new(records: u64) -> Self {
        let style = ProgressStyle::with_template("{prefix:>8} {bar:40} {pos:>3} of {len}  {msg}")
            .expect("the template is valid")
            .progress_chars("=> ");
        let all = MultiProgress::new();
        let bar = |name| {
            let bar = ProgressBar::new(records).with_style(style.clone()).with_prefix(name);
            all.add(bar)
        };
        let (stored, sent) = (bar("stored"), bar("sent"));
        Self { all, stored, sent }
    }
}
