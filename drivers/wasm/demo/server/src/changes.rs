//! `GET /changes`: what changed, pushed to every page as server-sent events.
//!
//! The first event of a stream is `snapshot`, all visits; then each change is one event. The id of an event
//! is `DATABASE:SEQ`. A browser that lost the connection sends the last id that it saw as `Last-Event-ID`,
//! and gets what it missed; or a snapshot, if that is no longer kept or was said by another database.

use std::{collections::VecDeque, convert::Infallible, iter};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    App,
    office::{Office, Problem},
};

/// The header in which a browser says how far it got.
const LAST_EVENT_ID: &str = "last-event-id";

/// One page's stream.
struct Reader {
    app: App,
    newest: watch::Receiver<i64>,
    /// How far the page got; `None`: it needs a snapshot.
    at: Option<i64>,
    /// What it was not sent yet.
    waiting: VecDeque<Event>,
}

/// The stream, from where the page left off.
pub(crate) async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).map(String::from);
    let mut newest = app.newest.subscribe();
    newest.mark_changed(); // what happened before is read first
    let at = app.with_office(move |office| Ok(last.and_then(|last| place(&office.name, &last)))).await;
    let reader = Reader { app, newest, at: at.unwrap_or(None), waiting: VecDeque::new() };
    Sse::new(stream::unfold(reader, next)).keep_alive(KeepAlive::default())
}

/// How far `last` is in the database of this name.
fn place(name: &str, last: &str) -> Option<i64> {
    let (of, seq) = last.split_once(':')?;
    if of == name { seq.parse().ok() } else { None }
}

/// The next event; waits until there is one. The stream ends if the database fails: the browser comes again.
async fn next(mut reader: Reader) -> Option<(Result<Event, Infallible>, Reader)> {
    loop {
        if let Some(event) = reader.waiting.pop_front() {
            return Some((Ok(event), reader));
        }
        reader.newest.changed().await.ok()?;
        let at = reader.at;
        let (at, events) = reader.app.with_office(move |office| read(office, at)).await.ok()?;
        reader.at = Some(at);
        reader.waiting.extend(events);
    }
}

/// What a page that got as far as `at` has not seen: changes, or everything.
fn read(office: &mut Office, at: Option<i64>) -> Result<(i64, Vec<Event>), Problem> {
    let missed = at.map(|at| office.changes_after(at)).transpose()?.flatten();
    let name = office.name.clone();
    let event = |kind: &str, seq: i64, data: String| {
        Event::default().event(kind).id(format!("{name}:{seq}")).data(data)
    };
    let Some((changes, at)) = missed.zip(at) else {
        let (newest, visits) = office.snapshot()?;
        let data = json!({ "seq": newest, "visits": visits }).to_string();
        return Ok((newest, iter::once(event("snapshot", newest, data)).collect()));
    };
    let newest = changes.last().map_or(at, |change| change.seq);
    let events = changes.iter().map(|change| event("change", change.seq, json!(change).to_string()));
    Ok((newest, events.collect()))
}
