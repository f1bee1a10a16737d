//! `cargo xtask bench`: runs the benchmarks and sets what they measured beside the targets.
//!
//! A missed target is marked, not an error: machines are noisy. Ratios compare figures of one run only.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::steps::{Failure, cargo};

/// The benchmark programs.
pub(crate) const NAMES: [&str; 3] = ["core", "memory", "sqlite"];

/// What is measured, from figures by name. Criterion's figures are nanoseconds.
enum Measure {
    /// A figure in microseconds.
    Micros(&'static str),
    /// A figure in milliseconds.
    Millis(&'static str),
    /// A figure as it is, in bytes.
    Bytes(&'static str),
    /// One figure as thousandths of another.
    Ratio(&'static str, &'static str),
    /// So many things in the time of the figure, as things a second.
    Rate(u64, &'static str),
}

/// The bound on a measure, in nanoseconds, bytes, thousandths or things a second.
enum Target {
    AtMost(u64),
    AtLeast(u64),
    /// No target: told because others are ratios of it.
    None,
}

/// One line of the table.
struct Row {
    bench: &'static str,
    what: &'static str,
    measure: Measure,
    target: Target,
}

const fn row(bench: &'static str, what: &'static str, measure: Measure, target: Target) -> Row {
    Row { bench, what, measure, target }
}

const ROWS: &[Row] = &[
    row("core", "lifecycle, 1 k pending", Measure::Micros("lifecycle/1k"), Target::AtMost(3_000)),
    row("core", "lifecycle, 100 k pending", Measure::Micros("lifecycle/100k"), Target::AtMost(3_000)),
    row("core", "lifecycle, 1 M pending", Measure::Micros("lifecycle/1M"), Target::AtMost(3_000)),
    row("core", "1 M to 1 k pending", Measure::Ratio("lifecycle/1M", "lifecycle/1k"), Target::AtMost(2_000)),
    row("core", "lifecycle, 100 k stuck", Measure::Micros("stuck/100k"), Target::AtMost(3_000)),
    row("core", "restore of 50 k", Measure::Millis("restore/50k"), Target::AtMost(100_000_000)),
    row("memory", "beyond payload, enqueued", Measure::Bytes("memory/enqueued"), Target::AtMost(400)),
    row("memory", "beyond payload, restored", Measure::Bytes("memory/restored"), Target::AtMost(400)),
    row("sqlite", "raw, 64 a transaction", Measure::Rate(64, "raw/64"), Target::None),
    row("sqlite", "64 enqueuers", Measure::Rate(64, "executor/64"), Target::None),
    row("sqlite", "64 enqueuers to raw", Measure::Ratio("raw/64", "executor/64"), Target::AtLeast(500)),
    row("sqlite", "raw, one a transaction", Measure::Micros("raw/1"), Target::None),
    row("sqlite", "one enqueuer", Measure::Micros("executor/1"), Target::None),
    row("sqlite", "one enqueuer to raw", Measure::Ratio("executor/1", "raw/1"), Target::AtMost(1_300)),
    row("sqlite", "drain of 10 k, 4 at once", Measure::Rate(10_000, "drain/4"), Target::AtLeast(5_000)),
    row("sqlite", "drain of 10 k, 64 at once", Measure::Rate(10_000, "drain/64"), Target::AtLeast(5_000)),
];

/// Figures by name: criterion's in nanoseconds, others in their own unit.
type Figures = BTreeMap<String, u64>;

/// Runs `benches` one after another and prints the table of their figures.
///
/// # Errors
/// A benchmark that does not build or crashes; never a missed target.
pub(crate) fn run(benches: &[&str]) -> Result<(), Failure> {
    let home = target_dir()?.join("criterion");
    let mut figures = Figures::new();
    for bench in benches {
        println!("\n== {bench}");
        figures.extend(run_one(bench, &home)?);
    }
    for figure in ROWS.iter().filter(|row| benches.contains(&row.bench)).flat_map(|row| row.measure.figures())
    {
        if let Some(nanos) = estimate(&home, figure) {
            figures.entry(figure.into()).or_insert(nanos);
        }
    }
    println!("\n{:<28} {:>16} {:>16}", "figure", "measured", "target");
    for row in ROWS.iter().filter(|row| benches.contains(&row.bench)) {
        println!("{}", row.line(&figures));
    }
    Ok(())
}

/// Runs one benchmark; its own figures are its lines `figure NAME VALUE`.
fn run_one(bench: &str, home: &Path) -> Result<Figures, Failure> {
    let failed = |e: &dyn std::fmt::Display| {
        Failure(format!(
            "benchmark {bench}: {e}; to run it again:\n  cargo bench -p outbox-bench --bench {bench}"
        ))
    };
    let mut command = cargo(["bench", "--quiet", "-p", "outbox-bench", "--bench", bench]);
    let mut child =
        command.env("CRITERION_HOME", home).stdout(Stdio::piped()).spawn().map_err(|e| failed(&e))?;
    let mut figures = Figures::new();
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let line = line.map_err(|e| failed(&e))?;
        println!("{line}");
        figures.extend(parse(&line));
    }
    let status = child.wait().map_err(|e| failed(&e))?;
    if status.success() { Ok(figures) } else { Err(failed(&status)) }
}

fn parse(line: &str) -> Option<(String, u64)> {
    let (name, value) = line.strip_prefix("figure ")?.split_once(' ')?;
    Some((name.into(), value.parse().ok()?))
}

/// Criterion's mean of one benchmark, in whole nanoseconds.
fn estimate(home: &Path, figure: &str) -> Option<u64> {
    let text = fs::read_to_string(home.join(figure).join("new/estimates.json")).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    estimates["mean"]["point_estimate"].as_f64().map(|nanos| nanos as u64)
}

/// Absolute, for benchmarks run in their own folder.
fn target_dir() -> Result<PathBuf, Failure> {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    std::path::absolute(target).map_err(|e| Failure(format!("cannot tell where `target` is: {e}")))
}

impl Measure {
    fn figures(&self) -> Vec<&'static str> {
        match self {
            Self::Micros(figure) | Self::Millis(figure) | Self::Bytes(figure) | Self::Rate(_, figure) => {
                vec![*figure]
            }
            Self::Ratio(figure, base) => vec![*figure, *base],
        }
    }

    fn value(&self, figures: &Figures) -> Option<u64> {
        match self {
            Self::Micros(figure) | Self::Millis(figure) | Self::Bytes(figure) => {
                figures.get(*figure).copied()
            }
            Self::Ratio(figure, base) => (figures.get(*figure)? * 1000).checked_div(*figures.get(*base)?),
            Self::Rate(things, figure) => (things * 1_000_000_000).checked_div(*figures.get(*figure)?),
        }
    }

    fn shown(&self, value: u64) -> String {
        match self {
            Self::Micros(_) => format!("{} µs", thousandths(value)),
            Self::Millis(_) => format!("{} ms", thousandths(value / 1000)),
            Self::Bytes(_) => format!("{value} bytes"),
            Self::Ratio(..) => format!("{} ×", thousandths(value)),
            Self::Rate(..) => format!("{value} a second"),
        }
    }
}

/// Thousandths as a decimal number with two places.
fn thousandths(value: u64) -> String {
    format!("{}.{:02}", value / 1000, value % 1000 / 10)
}

impl Row {
    fn line(&self, figures: &Figures) -> String {
        let value = self.measure.value(figures);
        let measured = value.map_or("none".into(), |value| self.measure.shown(value));
        let (target, met) = match self.target {
            Target::AtMost(most) => {
                (format!("≤ {}", self.measure.shown(most)), value.is_some_and(|value| value <= most))
            }
            Target::AtLeast(least) => {
                (format!("≥ {}", self.measure.shown(least)), value.is_some_and(|value| value >= least))
            }
            Target::None => (String::new(), value.is_some()),
        };
        let verdict = if met { "" } else { "  MISSED" };
        format!("{:<28} {measured:>16} {target:>16}{verdict}", self.what)
    }
}

#[test]
fn the_table_shows_figures_and_marks_misses() {
    let figures: Figures = [("lifecycle/1k", 1_234), ("lifecycle/1M", 3_702), ("drain/4", 4_000_000_000)]
        .map(|(name, value)| (name.into(), value))
        .into();
    let line = |what: &str| ROWS.iter().find(|row| row.what == what).map(|row| row.line(&figures));
    let lines = [
        "lifecycle, 1 k pending",
        "lifecycle, 1 M pending",
        "1 M to 1 k pending",
        "restore of 50 k",
        "drain of 10 k, 4 at once",
    ];
    let lines = lines.map(|what| line(what).unwrap_or_default());
    assert!(lines[0].contains("1.23 µs") && lines[0].ends_with("≤ 3.00 µs"), "{lines:#?}");
    assert!(lines[1].contains("3.70 µs") && lines[1].ends_with("MISSED"), "{lines:#?}");
    assert!(lines[2].contains("3.00 ×") && lines[2].ends_with("≤ 2.00 ×  MISSED"), "{lines:#?}");
    assert!(lines[3].contains("none") && lines[3].ends_with("MISSED"), "{lines:#?}");
    assert!(lines[4].ends_with("2500 a second  ≥ 5000 a second  MISSED"), "{lines:#?}");
}

#[test]
fn figures_are_read_from_lines() {
    assert_eq!(parse("figure memory/enqueued 312"), Some(("memory/enqueued".into(), 312)));
    assert_eq!(parse("figure memory/enqueued many"), None);
    assert_eq!(parse("lifecycle/1k  time: [1 µs]"), None);
}
