//! The herd as a table for a terminal.

use std::fmt::Write;

use super::{Failing, Herd, HerdOptions, Hint, Return};

/// One column: its head, and its cell.
type Column = (&'static str, fn(&Return) -> String);

const COLUMNS: [Column; 10] = [
    ("jitter", |row| on(row.policy.jitter)),
    ("slow start", |row| on(row.policy.slow_start)),
    ("peak/s", |row| thousands(row.peak_per_s.into())),
    ("p99/s", |row| thousands(row.p99_per_s.into())),
    ("requests", |row| thousands(row.requests)),
    ("refused", |row| thousands(row.refusals)),
    ("repeated", |row| thousands(row.repeats)),
    ("50 % through", |row| seconds(row.drained_50_ms)),
    ("99 % through", |row| seconds(row.drained_99_ms)),
    ("all through", |row| seconds(row.drained_ms)),
];

impl Herd {
    /// The options in words, and one row per policy: what reached the server after the outage, and how
    /// long after it everything was through.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{}\n\n", self.options.words().join("\n"));
        let mut rows = vec![COLUMNS.map(|(head, _)| String::from(head))];
        rows.extend(self.returns.iter().map(|row| COLUMNS.map(|(_, cell)| cell(row))));
        for row in &rows {
            for (at, cell) in row.iter().enumerate() {
                let width = rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
                let gap = if at == 0 { "" } else { "  " };
                let _infallible = write!(text, "{gap}{cell:>width$}");
            }
            text.push('\n');
        }
        text
    }
}

impl HerdOptions {
    /// What is played, in words: who, the outage, the server.
    pub(super) fn words(&self) -> [String; 3] {
        let who = format!(
            "{} clients with {} items each in {} lanes, seed {}",
            thousands(self.clients.into()),
            self.items,
            self.lanes,
            self.seed,
        );
        let hint = match self.hint {
            Hint::Online => "nobody is told of its end",
            Hint::Offline => "all are offline, and hear of its end at once",
            Hint::Flap => "at its end all hear an online edge at once",
        };
        let outage = format!("outage of {} s: {}; {hint}", self.outage_ms / 1_000, failing(self.outage));
        let server = format!(
            "server: {} requests/s and a queue of {}, beyond which {}",
            thousands(self.capacity_per_s.into()),
            thousands(self.queue.into()),
            failing(self.overload),
        );
        [who, outage, server]
    }
}

fn failing(failing: Failing) -> String {
    match failing {
        Failing::Refuses => "connections are refused".into(),
        Failing::Silent => "nothing answers".into(),
        Failing::Unavailable { retry_after_s: None } => "it answers 503".into(),
        Failing::Unavailable { retry_after_s: Some(seconds) } => {
            format!("it answers 503 with Retry-After: {seconds}")
        }
    }
}

pub(super) fn on(on: bool) -> String {
    if on { "on".into() } else { "off".into() }
}

/// 12,345.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// 12.3 s.
pub(super) fn seconds(ms: Option<u64>) -> String {
    ms.map_or_else(|| "never".into(), |ms| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([Some(0), Some(61_987), None].map(seconds), ["0.0 s", "61.9 s", "never"]);
    }
}
