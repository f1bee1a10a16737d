//! The office's database, and how a write that arrives twice takes effect once.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    path::Path,
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// How many days a key and its answer are kept. A client that is offline for longer may repeat its effects.
pub const KEPT_DAYS: u32 = 30;

/// How many changes are kept for pages that were away; one that was away for longer gets everything.
const KEPT_CHANGES: i64 = 1_000;

/// `answer` is all that idempotency needs. `request` is there to tell a repeat from a mistake.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS answer (
        key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
        at INTEGER NOT NULL DEFAULT (unixepoch()));
    CREATE TABLE IF NOT EXISTS visit (id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS change (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body TEXT);
    CREATE TABLE IF NOT EXISTS office (name TEXT NOT NULL);
";

/// A visit to a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// Made by the client.
    pub id: String,
    /// Who is visited.
    pub customer: String,
    /// What is to be done.
    pub task: String,
    /// When it begins, such as `08:30`.
    pub time: String,
    /// Who goes there; empty: nobody yet.
    pub assignee: String,
    /// How far it is.
    pub status: Status,
    /// What was found there.
    pub note: String,
}

/// How far a visit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Status {
    Planned,
    OnTheWay,
    OnSite,
    Done,
}

/// What a write changes; `None` stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields of a visit")]
pub struct Edit {
    pub customer: Option<String>,
    pub task: Option<String>,
    pub time: Option<String>,
    pub assignee: Option<String>,
    pub status: Option<Status>,
    pub note: Option<String>,
}

/// A write as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// The whole of it as text: the same key must come with the same text.
    pub text: String,
    /// The visit that it is about.
    pub id: String,
    /// What is asked for.
    pub what: What,
}

/// What a write asks for.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum What {
    Create(Visit),
    Edit(Edit),
    Delete,
}

/// What a write did: its answer, and what every page is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its place in the order of all changes.
    pub seq: i64,
    /// The visit.
    pub id: String,
    /// As it is now; `None`: deleted.
    pub visit: Option<Visit>,
}

/// An answer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200, or a 4xx that says no for good.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// Whether it was stored by an earlier attempt.
    pub is_repeat: bool,
}

/// Why there is no answer: the client tries again.
#[derive(Debug)]
pub enum Problem {
    /// The database failed; the transaction is rolled back.
    Database(rusqlite::Error),
    /// A task died.
    Broken,
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "the database failed: {error}"),
            Self::Broken => f.write_str("a task died"),
        }
    }
}

impl Error for Problem {}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// The office's database.
pub struct Office {
    db: Connection,
    /// Random: the number of a change says nothing in another database.
    pub name: String,
}

impl Office {
    /// Opens the database; a new one gets a day's visits.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let mut db = Connection::open(path)?;
        db.execute_batch(SCHEMA)?;
        db.execute("DELETE FROM answer WHERE at < unixepoch() - ?1 * 86400", [KEPT_DAYS])?;
        let known = db.query_row("SELECT name FROM office", [], |row| row.get(0)).optional()?;
        let name = match known {
            Some(name) => name,
            None => begin(&mut db)?,
        };
        Ok(Self { db, name })
    }

    /// The idempotent write: a key that is known gets its stored answer; for a new one the effect and the
    /// answer are committed together.
    ///
    /// # Errors
    /// [`Problem`]: nothing is decided, nothing is stored.
    pub fn write(&mut self, key: &str, request: &Request) -> Result<Answer, Problem> {
        // Immediate: of two attempts at the same time the second waits here, and then finds the answer.
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some((answered, answer)) = stored(&transaction, key)? {
            return Ok(if answered == request.text { answer } else { another_request() });
        }
        let answer = decide(&transaction, request)?;
        transaction.execute(
            "INSERT INTO answer (key, request, status, body) VALUES (?1, ?2, ?3, ?4)",
            params![key, request.text, answer.status, answer.body],
        )?;
        transaction.commit()?;
        Ok(answer)
    }

    /// The number of the last change.
    ///
    /// # Errors
    /// [`Problem::Database`].
    pub fn newest(&self) -> Result<i64, Problem> {
        Ok(self.db.query_row("SELECT coalesce(max(seq), 0) FROM change", [], |row| row.get(0))?)
    }

    /// The changes after the one of this number; `None` if some of them are no longer kept.
    ///
    /// # Errors
    /// [`Problem::Database`].
    pub fn changes_after(&self, seq: i64) -> Result<Option<Vec<Change>>, Problem> {
        let oldest: Option<i64> = self.db.query_row("SELECT min(seq) FROM change", [], |row| row.get(0))?;
        let is_kept = oldest.map_or(seq == 0, |oldest| seq + 1 >= oldest) && seq <= self.newest()?;
        if !is_kept {
            return Ok(None);
        }
        let mut rows =
            self.db.prepare_cached("SELECT seq, id, body FROM change WHERE seq > ?1 ORDER BY seq")?;
        let changes = rows.query_map([seq], |row| {
            let body: Option<String> = row.get(2)?;
            Ok(Change { seq: row.get(0)?, id: row.get(1)?, visit: body.as_deref().map(visit_of) })
        })?;
        Ok(Some(changes.collect::<Result<_, _>>()?))
    }

    /// All visits, and the number of the last change in them.
    ///
    /// # Errors
    /// [`Problem::Database`].
    pub fn snapshot(&mut self) -> Result<(i64, Vec<Visit>), Problem> {
        let newest = self.newest()?;
        let mut rows = self.db.prepare_cached("SELECT body FROM visit ORDER BY id")?;
        let visits = rows.query_map([], |row| Ok(visit_of(&row.get::<_, String>(0)?)))?;
        Ok((newest, visits.collect::<Result<_, _>>()?))
    }
}

/// The answer under a key, and to which request it was given.
fn stored(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<Option<(String, Answer)>> {
    let mut find = transaction.prepare_cached("SELECT request, status, body FROM answer WHERE key = ?1")?;
    let found = find.query_row([key], |row| {
        Ok((row.get(0)?, Answer { status: row.get(1)?, body: row.get(2)?, is_repeat: true }))
    });
    found.optional()
}

/// The app's own rules: takes effect, or says no for good. Both are answers, and both are stored.
fn decide(transaction: &Transaction<'_>, request: &Request) -> rusqlite::Result<Answer> {
    let Request { id, what, .. } = request;
    let mut find = transaction.prepare_cached("SELECT body FROM visit WHERE id = ?1")?;
    let known: Option<Visit> =
        find.query_row([id], |row| Ok(visit_of(&row.get::<_, String>(0)?))).optional()?;
    let visit = match (what, known) {
        (What::Create(_), Some(_)) => {
            return Ok(refusal(409, "exists", "There is a visit of that id already."));
        }
        (What::Create(visit), None) if visit.customer.trim().is_empty() => {
            return Ok(refusal(422, "customer", "A visit needs a customer."));
        }
        (What::Create(visit), None) => Some(visit.clone()),
        (_, None) => return Ok(refusal(404, "gone", "The visit was deleted meanwhile.")),
        (What::Edit(edit), Some(visit)) => Some(edited(visit, edit)),
        (What::Delete, Some(_)) => None,
    };
    let change = record(transaction, id, visit)?;
    Ok(Answer { status: 200, body: json!(change).to_string(), is_repeat: false })
}

fn edited(visit: Visit, edit: &Edit) -> Visit {
    let Edit { customer, task, time, assignee, status, note } = edit.clone();
    Visit {
        id: visit.id,
        customer: customer.unwrap_or(visit.customer),
        task: task.unwrap_or(visit.task),
        time: time.unwrap_or(visit.time),
        assignee: assignee.unwrap_or(visit.assignee),
        status: status.unwrap_or(visit.status),
        note: note.unwrap_or(visit.note),
    }
}

/// Makes a change, and notes it for the pages that are told.
fn record(transaction: &Transaction<'_>, id: &str, visit: Option<Visit>) -> rusqlite::Result<Change> {
    let body = visit.as_ref().map(|visit| json!(visit).to_string());
    match &body {
        Some(body) => {
            transaction.execute("INSERT OR REPLACE INTO visit (id, body) VALUES (?1, ?2)", (id, body))
        }
        None => transaction.execute("DELETE FROM visit WHERE id = ?1", [id]),
    }?;
    transaction.execute("INSERT INTO change (id, body) VALUES (?1, ?2)", (id, body))?;
    let seq = transaction.last_insert_rowid();
    transaction.execute("DELETE FROM change WHERE seq <= ?1", [seq - KEPT_CHANGES])?;
    Ok(Change { seq, id: id.into(), visit })
}

fn another_request() -> Answer {
    refusal(
        422,
        "key-reused",
        "This Idempotency-Key came with another request before; a new request needs a new key.",
    )
}

/// An answer that says no for good, in words for people and a code for programs.
#[must_use]
pub fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "error": { "code": code, "message": message } }).to_string();
    Answer { status, body, is_repeat: false }
}

fn visit_of(body: &str) -> Visit {
    serde_json::from_str(body).expect("what is stored is what `record` wrote")
}

/// A new database: its name, and a day's visits.
fn begin(db: &mut Connection) -> rusqlite::Result<String> {
    let name = Uuid::new_v4().simple().to_string();
    let day: Vec<Visit> =
        serde_json::from_str(include_str!("day.json")).expect("the day's visits are a part of this program");
    let transaction = db.transaction()?;
    for visit in day {
        record(&transaction, &visit.id.clone(), Some(visit))?;
    }
    transaction.execute("INSERT INTO office (name) VALUES (?1)", [&name])?;
    transaction.commit()?;
    Ok(name)
}
