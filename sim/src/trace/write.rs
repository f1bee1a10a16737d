//! A trace as text and as JSON Lines.

use std::{
    fmt,
    io::{self, BufRead, Write},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Detail, Ending, Header, Kind, Line, Teller, Trace};

/// Why something is not a trace.
#[derive(Debug, Error)]
pub enum NotATrace {
    /// It cannot be read.
    #[error("the trace cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not what a trace has there.
    #[error("line {line} of the trace: {cause}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// The first line is no header.
    #[error("line 1 of the trace: expected a header")]
    NoHeader,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct First<H> {
    header: H,
}

/// The last line.
#[derive(Serialize, Deserialize)]
struct Last<R> {
    report: R,
}

impl Trace {
    /// Writes one line each, in columns: time in seconds, lane, arrow, text. Then what came of it.
    ///
    /// `<-` is what a core was told, `->` what it asked for or tells, `!!` a fault, `==` what the store or
    /// the server did, `--` anything else.
    ///
    /// # Errors
    /// As `out` fails.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let broken = self.ending.as_ref().and_then(|ending| ending.violation.as_ref());
        for line in &self.lines {
            writeln!(out, "{line}")?;
            if let Some(broken) = broken.filter(|broken| broken.moment == line.n) {
                writeln!(
                    out,
                    "          ** {} ({}): {}",
                    broken.oracle,
                    broken.rules.join(", "),
                    broken.what
                )?;
            }
        }
        if self.header.left_out > 0 {
            writeln!(out, "          {} lines of noise left out", self.header.left_out)?;
        }
        Ok(())
    }

    /// Writes JSON Lines: `{"header":…}`, one [`Line`] each, and `{"report":…}` if the run has ended.
    ///
    /// # Errors
    /// As `out` fails.
    pub fn write_jsonl(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, &First { header: &self.header })?;
        for line in &self.lines {
            json_line(out, line)?;
        }
        self.ending.as_ref().map_or(Ok(()), |report| json_line(out, &Last { report }))
    }

    /// Reads what [`Trace::write_jsonl`] wrote: to be written otherwise.
    ///
    /// # Errors
    /// Where it is not such a file.
    pub fn read_jsonl(input: &mut dyn BufRead) -> Result<Self, NotATrace> {
        let mut lines = input.lines().enumerate();
        let Some((_, first)) = lines.next() else { return Err(NotATrace::NoHeader) };
        let Ok(First::<Header> { header }) = serde_json::from_str(&first?) else {
            return Err(NotATrace::NoHeader);
        };
        let mut trace = Self {
            header,
            lines: Vec::new(),
            ending: None,
            teller: Teller::default(),
            detail: Detail::default(),
        };
        for (at, line) in lines {
            let line = line?;
            match serde_json::from_str::<Line>(&line) {
                Ok(line) => trace.lines.push(line),
                Err(cause) => match serde_json::from_str::<Last<Ending>>(&line) {
                    Ok(last) => trace.ending = Some(last.report),
                    Err(_) => return Err(NotATrace::Line { line: at + 1, cause }),
                },
            }
        }
        Ok(trace)
    }
}

fn json_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// `    0.001 tab 0  <- enqueue i1 keyed {"keys":["a"],"value":1} (c1)`
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at_ms, who, kind, text, .. } = self;
        let arrow = match kind {
            Kind::Input | Kind::Online | Kind::Offline => "<-",
            Kind::Effect | Kind::Leads | Kind::Follows => "->",
            Kind::Fault => "!!",
            Kind::Ran | Kind::Applied | Kind::Repeated | Kind::Refused => "==",
            _ => "--",
        };
        write!(f, "{:>5}.{:03} {:<6} {arrow} {text}", at_ms / 1000, at_ms % 1000, who.to_string())
    }
}
