//! The witness: a trigger in the database that writes down every insert, in the insert's own transaction.
//! So it knows what was stored and in which order, also of what was never acknowledged.

use std::{collections::BTreeSet, path::Path};

use outbox_tokio::store::SqliteStore;
use rusqlite::Connection;
use serde::Deserialize;

use crate::{child::OUTBOX, server::Order};

const INSTALL: &str = "
    CREATE TABLE witness (seq INTEGER NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL) STRICT;
    CREATE TRIGGER witness AFTER INSERT ON items
    BEGIN INSERT INTO witness VALUES (new.seq, new.id, new.record); END;
";

pub(crate) struct Witness {
    connection: Connection,
}

/// An item that was stored, whether or not that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) seq: i64,
    pub(crate) order: Order,
}

impl Witness {
    /// Makes the database, with the witness in it.
    pub(crate) fn install(path: &Path) -> Self {
        drop(SqliteStore::open(path, OUTBOX).expect("the folder is new"));
        let connection = Connection::open(path).expect("it was just made");
        connection.execute_batch(INSTALL).expect("it was just made");
        Self { connection }
    }

    /// All inserts, in the order of their commits.
    pub(crate) fn stored(&self) -> Vec<Stored> {
        #[derive(Deserialize)]
        struct Record {
            args: Order,
        }
        self.rows("SELECT seq, id, record FROM witness ORDER BY rowid", |row| {
            let (seq, id, record) = (row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?);
            let Record { args: order } = serde_json::from_str(&record).expect("records are JSON (R25)");
            assert_eq!(order.item, id, "the id and the args are of one item");
            Ok(Stored { seq, order })
        })
    }

    /// How many items are still stored.
    pub(crate) fn left(&self) -> u64 {
        let count: i64 = self.rows("SELECT count(*) FROM items", |row| row.get(0))[0];
        count.unsigned_abs()
    }

    /// The items that left failure records.
    pub(crate) fn failures(&self) -> BTreeSet<String> {
        self.rows("SELECT id FROM failures", |row| row.get(0)).into_iter().collect()
    }

    /// What SQLite finds wrong with the file.
    pub(crate) fn damage(&self) -> Vec<String> {
        let mut words = self.rows("PRAGMA integrity_check", |row| row.get::<_, String>(0));
        words.retain(|words| words != "ok");
        words
    }

    fn rows<T>(&self, sql: &str, read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let mut statement = self.connection.prepare(sql).expect("the tables are there");
        let rows = statement.query_map([], read).expect("the statement takes nothing");
        rows.collect::<Result<_, _>>().expect("the file can be read")
    }
}
