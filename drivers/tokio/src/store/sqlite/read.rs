//! What is read of the file. Records come out as bytes, whatever has happened to them (R24).

use std::collections::{BTreeMap, BTreeSet};

use outbox::storage::{Contents, FailureRow, Gone, Row, Snapshot, StoreId};
use outbox::{Epoch, ItemId, Outcome, Seq};
use rusqlite::{Connection, OptionalExtension, types::ValueRef};

use super::{Abort, Meta};

pub(super) fn meta(connection: &Connection) -> Result<Meta, Abort> {
    let sql = "SELECT store, epoch, (SELECT seq FROM sqlite_sequence WHERE name = 'change') FROM meta";
    Ok(connection.prepare_cached(sql)?.query_row([], meta_row)?)
}

/// `store, epoch, change` of a row.
fn meta_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Meta> {
    let store: String = row.get(0)?;
    let store = StoreId::try_from(store).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(Meta { store, epoch: Epoch(unsigned(row, 1)?), change: unsigned(row, 2)? })
}

pub(super) fn snapshot(connection: &Connection, meta: &Meta, contents: Contents) -> Result<Snapshot, Abort> {
    let mut statement = connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'items'")?;
    let through = statement.query_row([], |row| unsigned(row, 0)).optional()?.unwrap_or_default();
    let mut statement = connection.prepare_cached("SELECT reason FROM pauses ORDER BY reason")?;
    let paused = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let &Meta { store, epoch, change } = meta;
    Ok(Snapshot { store, epoch, change, through: Seq(through), contents, paused })
}

pub(super) fn full(connection: &Connection) -> Result<Contents, Abort> {
    Ok(Contents::Full { rows: rows_above(connection, Seq(0))?, failures: failures(connection)? })
}

/// What changed after `change`; everything if the log does not reach back to it.
pub(super) fn since(
    connection: &Connection,
    meta: &Meta,
    change: u64,
    through: Seq,
) -> Result<Contents, Abort> {
    if !(log_since(connection)?..=meta.change).contains(&change) {
        return full(connection);
    }
    let mut put = BTreeSet::new();
    let mut gone = BTreeMap::new();
    let mut failed = false;
    let mut statement =
        connection.prepare_cached("SELECT change, what, seq, outcome FROM changes ORDER BY n DESC")?;
    let mut log = statement.query([])?;
    while let Some(row) = log.next()? {
        if unsigned(row, 0)? <= change {
            break;
        }
        match row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)? {
            "put" => drop(put.insert(Seq(unsigned(row, 2)?))),
            "gone" => drop(gone.insert(Seq(unsigned(row, 2)?), outcome(row, 3)?)),
            _ => failed = true,
        }
    }
    let put: Vec<Seq> = put.into_iter().filter(|seq| *seq <= through && !gone.contains_key(seq)).collect();
    let mut rows = rows_at(connection, &put)?;
    rows.extend(rows_above(connection, through)?);
    Ok(Contents::Part {
        rows,
        gone: gone.into_iter().map(|(seq, outcome)| Gone { seq, outcome }).collect(),
        failures: if failed { Some(failures(connection)?) } else { None },
    })
}

pub(super) fn items(connection: &Connection, seqs: &[Seq]) -> Result<Contents, Abort> {
    let seqs: Vec<Seq> = BTreeSet::from_iter(seqs.iter().copied()).into_iter().collect();
    let rows = rows_at(connection, &seqs)?;
    let found: BTreeSet<Seq> = rows.iter().map(|row| row.seq).collect();
    let mut gone: BTreeMap<Seq, Option<Outcome>> =
        seqs.into_iter().filter(|seq| !found.contains(seq)).map(|seq| (seq, None)).collect();
    if !gone.is_empty() {
        let mut statement = connection
            .prepare_cached("SELECT seq, outcome FROM changes WHERE what = 'gone' AND outcome IS NOT NULL")?;
        let mut log = statement.query([])?;
        while let Some(row) = log.next()? {
            if let Some(known) = gone.get_mut(&Seq(unsigned(row, 0)?)) {
                *known = outcome(row, 1)?;
            }
        }
    }
    let gone = gone.into_iter().map(|(seq, outcome)| Gone { seq, outcome }).collect();
    Ok(Contents::Part { rows, gone, failures: None })
}

/// The log is complete for what changed after this. It is if its first entry was never pruned; else the
/// transaction of its oldest entry may have lost some, but none after it has.
fn log_since(connection: &Connection) -> Result<u64, Abort> {
    let mut statement = connection.prepare_cached("SELECT n, change FROM changes ORDER BY n LIMIT 1")?;
    let oldest = statement.query_row([], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?))).optional()?;
    Ok(match oldest {
        None | Some((1, _)) => 0,
        Some((_, change)) => change,
    })
}

fn rows_above(connection: &Connection, seq: Seq) -> Result<Vec<Row>, Abort> {
    let mut statement =
        connection.prepare_cached("SELECT seq, record FROM items WHERE seq > ? ORDER BY seq")?;
    let rows = statement.query_map([place(seq)], |row| {
        Ok(Row { seq: Seq(unsigned(row, 0)?), record: bytes(row, 1)?.into() })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn rows_at(connection: &Connection, seqs: &[Seq]) -> Result<Vec<Row>, Abort> {
    let mut statement = connection.prepare_cached("SELECT record FROM items WHERE seq = ?")?;
    let mut rows = Vec::new();
    for &seq in seqs {
        let record = statement.query_row([place(seq)], |row| bytes(row, 0)).optional()?;
        rows.extend(record.map(|record| Row { seq, record: record.into() }));
    }
    Ok(rows)
}

/// All failure records. Ids are checked when written; one that somebody has since made unusable names
/// nothing, and its record is left where it is.
fn failures(connection: &Connection) -> Result<Vec<FailureRow>, Abort> {
    let mut statement = connection.prepare_cached("SELECT id, record FROM failures ORDER BY n")?;
    let rows = statement.query_map([], |row| {
        let id = String::from_utf8(bytes(row, 0)?).ok().and_then(|id| ItemId::new(id).ok());
        let record = bytes(row, 1)?;
        Ok(id.map(|id| FailureRow { id, record }))
    })?;
    Ok(rows.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// A value's bytes, of whatever type it is.
fn bytes(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        ValueRef::Integer(number) => number.to_string().into_bytes(),
        ValueRef::Real(number) => number.to_string().into_bytes(),
        ValueRef::Null => Vec::new(),
    })
}

/// An outcome of the log; one that cannot be read is not known.
fn outcome(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<Outcome>> {
    Ok(serde_json::from_slice(&bytes(row, column)?).ok())
}

fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// A seq as SQLite holds it. It allocates none above 2^63 − 1, so any of those is equally not there.
pub(super) fn place(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}
