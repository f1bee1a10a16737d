//! What a storage answers, read from its plain objects: a large answer a part at a time.

use alloc::{string::String, vec::Vec};

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
    rows: Vec<Row>,
}

impl Reading {
    /// `None`: it is no snapshot.
    pub(super) fn begin(answer: JsValue) -> Option<Self> {
        let answer = answer.unchecked_into::<Fields>();
        let source = answer.is_object().then(|| answer.rows()).filter(Array::is_array)?.unchecked_into();
        Some(Self { answer, source, rows: Vec::new() })
    }

    /// Reads the next part; whether there is more to do in a later task. `None`: it is no snapshot.
    pub(super) fn go_on(&mut self) -> Option<bool> {
        let (start, all) = (self.rows.len(), self.source.length() as usize);
        for place in start..all.min(start + PART) {
            let row = self.source.get(place as u32).unchecked_into::<Fields>();
            self.rows
                .push(Row { seq: Seq(number(&row.seq())?), record: row.record().as_string()?.into_bytes() });
        }
        // What follows from a large answer has a task of its own.
        Some(all > PART && start < all)
    }

    /// The whole, with all rows that have been read. `None`: it is no snapshot.
    pub(super) fn end(self) -> Option<Snapshot> {
        let Self { answer, source: _, rows } = self;
        let failures = list(answer.failures(), |row| {
            let row = row.unchecked_into::<Fields>();
            let id = ItemId::new(row.id().as_string()?).ok()?;
            Some(FailureRow { id, record: row.record().as_string()?.into_bytes() })
        });
        let contents = if answer.full().is_truthy() {
            Contents::Full { rows, failures: failures? }
        } else {
            let gone = list(answer.gone(), |gone| {
                let gone = gone.unchecked_into::<Fields>();
                let outcome = gone.outcome().as_string().and_then(|text| wire::from_json(&text).ok());
                Some(Gone { seq: Seq(number(&gone.seq())?), outcome })
            })?;
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

/// A whole number that JavaScript can hold.
fn number(value: &JsValue) -> Option<u64> {
    let number = value.as_f64()?;
    (0.0..=9_007_199_254_740_991.0).contains(&number).then_some(number as u64)
}
