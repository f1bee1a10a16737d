//! What a storage answers, read from its plain objects: a large answer a part at a time, its items too.
//!
//! A damaged row must not keep the others from being read for ever. One without a seq has no place, and a
//! failure record without an id or a text cannot be shown: those are left out, and stay stored as they are.
//! That every record of an item is a text is the storage's duty: the core quarantines what it cannot decode
//! (R24).

use alloc::{string::String, sync::Arc, vec::Vec};

use js_sys::Array;
use outbox::{
    Epoch, ItemId, Seq,
    storage::{Committed, Contents, FailureRow, Gone, Row, Snapshot, StorageError, StoreId, WriteResult},
    wire,
};
use wasm_bindgen::prelude::*;

use super::Fields;

/// So many rows are read in one task.
const PART: usize = 1_000;

/// A snapshot on its way from JavaScript: a read of all at once would block the page.
pub(super) struct Reading {
    answer: Fields,
    source: Array,
    /// So many rows of the source have been looked at.
    seen: usize,
    rows: Vec<Row>,
    /// The last one, which most rows share.
    mutator_name: Arc<str>,
}

impl Reading {
    /// `None`: it is no snapshot.
    pub(super) fn begin(answer: JsValue) -> Option<Self> {
        let answer = answer.unchecked_into::<Fields>();
        let source = answer.is_object().then(|| answer.rows()).filter(Array::is_array)?.unchecked_into();
        Some(Self { answer, source, seen: 0, rows: Vec::new(), mutator_name: Arc::default() })
    }

    /// Reads the next part; whether there is more to do in a later task. `None`: it is no snapshot.
    pub(super) fn go_on(&mut self) -> Option<bool> {
        let (start, all) = (self.seen, self.source.length() as usize);
        self.seen = all.min(start + PART);
        for place in start..self.seen {
            let row = self.source.get(place as u32).unchecked_into::<Fields>();
            let record = row.record().as_string()?.into_bytes();
            let Some(seq) = seq(&row.seq()) else { continue };
            let mut row = Row { seq, record: record.into() };
            row.read_ahead(|name| share(&mut self.mutator_name, name));
            self.rows.push(row);
        }
        // What follows from a large answer has a task of its own.
        Some(all > PART && start < all)
    }

    /// The whole, with all rows that have been read. `None`: it is no snapshot.
    pub(super) fn end(self) -> Option<Snapshot> {
        let Self { answer, rows, .. } = self;
        let failures = readable(answer.failures(), read_failure_row);
        let contents = if answer.full().is_truthy() {
            Contents::Full { rows, failures: failures? }
        } else {
            let gone = readable(answer.gone(), read_gone)?;
            Contents::Part { rows, gone, failures }
        };
        // By bytes, as everywhere; JavaScript sorts by UTF-16.
        let mut paused: Vec<String> = Vec::new();
        for reason in list(answer.paused(), |reason| reason.as_string())? {
            let place = paused.binary_search(&reason).unwrap_or_else(|place| place);
            paused.insert(place, reason);
        }
        Some(Snapshot {
            store: StoreId::try_from(answer.store().as_string()?).ok()?,
            epoch: Epoch(number(&answer.epoch())?),
            change: number(&answer.change())?,
            through: Seq(number(&answer.through())?),
            contents,
            paused,
        })
    }
}

fn share(last: &mut Arc<str>, name: &str) -> Arc<str> {
    if **last != *name {
        *last = name.into();
    }
    Arc::clone(last)
}

fn read_failure_row(row: &JsValue) -> Option<FailureRow> {
    let row = fields(row)?;
    let id = ItemId::new(row.id().as_string()?).ok()?;
    Some(FailureRow { id, record: row.record().as_string()?.into_bytes() })
}

fn read_gone(gone: &JsValue) -> Option<Gone> {
    let gone = fields(gone)?;
    let outcome = gone.outcome().as_string().and_then(|text| wire::from_json(&text).ok());
    Some(Gone { seq: seq(&gone.seq())?, outcome })
}

/// `None`: it is no object.
fn fields(value: &JsValue) -> Option<&Fields> {
    value.is_object().then(|| value.unchecked_ref())
}

pub(super) fn read_committed(fields: &Fields) -> Option<Committed> {
    let results = list(fields.is_object().then(|| fields.results())?, |result| {
        if let Some(seq) = number(&result) {
            return Some(WriteResult::Inserted(Seq(seq)));
        }
        Some(match result.as_string()?.as_str() {
            "duplicate" => WriteResult::Duplicate,
            "done" => WriteResult::Done,
            "missing" => WriteResult::Missing,
            _ => return None,
        })
    })?;
    Some(Committed { results, change: number(&fields.change())? })
}

/// The typed failure; else the words of whatever was thrown.
pub(super) fn read_failure(thrown: &JsValue) -> Result<StorageError, String> {
    if !thrown.is_object() {
        return Err(message(thrown));
    }
    match thrown.unchecked_ref::<Fields>().code().as_string().as_deref() {
        Some("full") => Ok(StorageError::Full),
        Some("fenced") => Ok(StorageError::Fenced),
        Some("unknown") => Ok(StorageError::Unknown),
        Some("unavailable") => Ok(StorageError::Unavailable { cause: message(thrown) }),
        _ => Err(message(thrown)),
    }
}

pub(crate) fn message(thrown: &JsValue) -> String {
    let said = thrown.is_object().then(|| thrown.unchecked_ref::<Fields>().message().as_string()).flatten();
    said.or_else(|| thrown.as_string()).unwrap_or_else(|| String::from("it gave no reason"))
}

fn list<T>(value: JsValue, read: impl Fn(JsValue) -> Option<T>) -> Option<Vec<T>> {
    let array = Array::is_array(&value).then(|| value.unchecked_into::<Array>())?;
    let mut all = Vec::new();
    for index in 0..array.length() {
        all.push(read(array.get(index))?);
    }
    Some(all)
}

/// Those that can be read. `None`: it is no list.
fn readable<T>(value: JsValue, read: impl Fn(&JsValue) -> Option<T>) -> Option<Vec<T>> {
    let all = list(value, |one| Some(read(&one)))?;
    Some(all.into_iter().flatten().collect())
}

/// The place of an item; the first is 1.
fn seq(value: &JsValue) -> Option<Seq> {
    number(value).filter(|seq| *seq > 0).map(Seq)
}

/// A whole number that JavaScript can hold.
fn number(value: &JsValue) -> Option<u64> {
    let number = value.as_f64()?;
    let is_whole = (0.0..=9_007_199_254_740_991.0).contains(&number) && number == (number as u64) as f64;
    is_whole.then_some(number as u64)
}
