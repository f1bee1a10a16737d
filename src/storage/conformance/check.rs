//! Checks one answer against what a case expects, and against what the store has told before.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use super::{
    Answer, Known, Step,
    script::{Expect, Full, Part},
};
use crate::{
    item::{Epoch, ItemId, Outcome, Seq},
    storage::{
        Committed, Contents, FailureRow, Fence, Gone, Row, Scope, Snapshot, StorageError, WriteResult,
    },
};

/// The longest part of a message in bytes.
const SHOWN_BYTES_MAX: usize = 2_000;

/// An answer that is not as expected.
pub(super) struct Mismatch {
    pub(super) expected: String,
    pub(super) came: String,
}

/// Checks `answer` and learns from it.
pub(super) fn answer(
    known: &mut Known,
    step: &Step,
    expect: &Expect,
    answer: Option<&Answer>,
) -> Result<(), Mismatch> {
    match (expect, answer) {
        (Expect::Reopened, Some(Answer::Reopened)) => Ok(()),
        (Expect::Fenced, Some(Answer::Loaded(Err(StorageError::Fenced)))) if is_load(step) => Ok(()),
        (Expect::Fenced, Some(Answer::Persisted(Err(StorageError::Fenced)))) if !is_load(step) => Ok(()),
        (Expect::Results(results), Some(Answer::Persisted(Ok(committed)))) => {
            check_committed(known, results, committed)
        }
        (Expect::Snapshot { acquired, full, part }, Some(Answer::Loaded(Ok(snapshot)))) => {
            check_numbers(known, *acquired, full, snapshot)?;
            equal("pause reasons", &full.paused, &snapshot.paused)?;
            match part {
                None => check_full(full, &snapshot.contents),
                Some(part) => check_part(step, part, full, &snapshot.contents),
            }
        }
        (expect, None) => {
            mismatch(wanted(expect), "no answer: the harness must answer each step".to_string())
        }
        (expect, Some(answer)) => mismatch(wanted(expect), format!("{answer:?}")),
    }
}

/// Cuts a text to a readable length, and says what it left out.
pub(super) fn shorten(mut text: String) -> String {
    if text.len() > SHOWN_BYTES_MAX {
        let whole = text.len();
        let mut end = SHOWN_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(&format!(" … ({whole} bytes in all)"));
    }
    text
}

fn is_load(step: &Step) -> bool {
    matches!(step, Step::Load { .. } | Step::Acquire { .. })
}

fn wanted(expect: &Expect) -> String {
    match expect {
        Expect::Reopened => "both handles closed and open again".into(),
        Expect::Fenced => "the error `Fenced`, and nothing written".into(),
        Expect::Results(results) => format!("committed with {results:?}"),
        Expect::Snapshot { full, part: None, .. } => {
            format!("a snapshot of everything: {:?}", Shown::of(full))
        }
        Expect::Snapshot { part: Some(part), .. } => format!("a snapshot with {part:?}"),
    }
}

fn check_committed(
    known: &mut Known,
    results: &[WriteResult],
    committed: &Committed,
) -> Result<(), Mismatch> {
    equal("one result per write", results, &committed.results)?;
    let before = known.change.replace(committed.change);
    before.map_or(Ok(()), |before| equal("the change counter, one more", &(before + 1), &committed.change))
}

/// Store id, epoch, change counter and `through`: a load moves none, an acquire the epoch only.
fn check_numbers(
    known: &mut Known,
    acquired: bool,
    full: &Full,
    snapshot: &Snapshot,
) -> Result<(), Mismatch> {
    if let Some(Fence { store, epoch }) = known.fence {
        equal("the store's id, for ever the same", &store, &snapshot.store)?;
        equal("the epoch", &Epoch(epoch.0 + u64::from(acquired)), &snapshot.epoch)?;
    }
    known.fence = Some(Fence { store: snapshot.store, epoch: snapshot.epoch });
    if let Some(change) = known.change.replace(snapshot.change) {
        equal("the change counter, unmoved by reading", &change, &snapshot.change)?;
    }
    equal("`through`, the highest seq ever allocated", &full.through, &snapshot.through)
}

fn check_full(full: &Full, contents: &Contents) -> Result<(), Mismatch> {
    match contents {
        Contents::Full { rows, failures } => {
            equal("all rows in seq order", &Shown(&full.rows), &Shown(&plain(rows)))?;
            equal(
                "all failure records, oldest first",
                &Shown(&full.failures),
                &Shown(&plain_failures(failures)),
            )
        }
        Contents::Part { .. } => mismatch("`Contents::Full`".into(), format!("{contents:?}")),
    }
}

fn check_part(step: &Step, part: &Part, full: &Full, contents: &Contents) -> Result<(), Mismatch> {
    let items = matches!(step, Step::Load { scope: Scope::Items(_), .. });
    let (rows, gone, failures) = match contents {
        Contents::Full { .. } if !items => return check_full(full, contents),
        Contents::Full { .. } => return mismatch("`Contents::Part`".into(), format!("{contents:?}")),
        Contents::Part { rows, gone, failures } => (rows, gone, failures),
    };
    equal("the rows asked for, in seq order", &Shown(&part.rows), &Shown(&plain(rows)))?;
    check_gone(&part.gone, gone)?;
    match failures {
        Some(_) if items => mismatch("no failure records with `Items`".into(), format!("{failures:?}")),
        Some(rows) => {
            equal("all failure records, oldest first", &Shown(&full.failures), &Shown(&plain_failures(rows)))
        }
        None if part.failures => mismatch("all failure records: some changed since".into(), "none".into()),
        None => Ok(()),
    }
}

/// The same places in order; an outcome is right or not told.
fn check_gone(expected: &[(Seq, Option<Outcome>)], came: &[Gone]) -> Result<(), Mismatch> {
    let right = |((seq, outcome), gone): (&(Seq, Option<Outcome>), &Gone)| {
        *seq == gone.seq && (gone.outcome.is_none() || gone.outcome == *outcome)
    };
    if expected.len() == came.len() && expected.iter().zip(came).all(right) {
        return Ok(());
    }
    mismatch(format!("gone, in seq order, each with its outcome or none: {expected:?}"), format!("{came:?}"))
}

fn equal<T: PartialEq + fmt::Debug + ?Sized>(what: &str, expected: &T, came: &T) -> Result<(), Mismatch> {
    if expected == came { Ok(()) } else { mismatch(format!("{what}: {expected:?}"), format!("{came:?}")) }
}

fn mismatch(expected: String, came: String) -> Result<(), Mismatch> {
    Err(Mismatch { expected, came })
}

fn plain(rows: &[Row]) -> Vec<(Seq, Vec<u8>)> {
    rows.iter().map(|row| (row.seq, row.record.to_vec())).collect()
}

fn plain_failures(rows: &[FailureRow]) -> Vec<(ItemId, Vec<u8>)> {
    rows.iter().map(|row| (row.id.clone(), row.record.clone())).collect()
}

/// Rows as a reader wants them: text, not lists of numbers.
#[derive(PartialEq, Eq)]
struct Shown<'a, K>(&'a [(K, Vec<u8>)]);

impl<'a> Shown<'a, Seq> {
    fn of(full: &'a Full) -> (Self, Shown<'a, ItemId>, &'a [String], Seq) {
        (Shown(&full.rows), Shown(&full.failures), &full.paused, full.through)
    }
}

impl<K: fmt::Display> fmt::Debug for Shown<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for (key, record) in self.0 {
            list.entry(&format_args!("{key} {:?}", shorten(String::from_utf8_lossy(record).into_owned())));
        }
        list.finish()
    }
}
