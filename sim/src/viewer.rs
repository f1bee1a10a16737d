//! The viewer: a trace as one page that needs nothing else.
//!
//! The page is `viewer.html`; the trace takes the place of [`PLACEHOLDER`]. It has a lane per tab, one for
//! the store and one for the server, and works from a file, without a network.

use serde::Serialize;

use crate::trace::{Ending, Header, Line, Trace};

const PAGE: &str = include_str!("viewer.html");

/// Where the trace goes: once in the page, inside a `script` element of JSON.
const PLACEHOLDER: &str = "__TRACE__";

#[derive(Serialize)]
struct Data<'a> {
    header: &'a Header,
    lines: &'a [Line],
    report: Option<&'a Ending>,
}

/// The page of a trace.
///
/// # Panics
/// Never: a trace is plain data.
#[must_use]
pub fn html(trace: &Trace) -> String {
    let data = Data { header: &trace.header, lines: &trace.lines, report: trace.ending.as_ref() };
    let json = serde_json::to_string(&data).expect("a trace is plain data");
    PAGE.replacen(PLACEHOLDER, &escaped(&json), 1)
}

/// JSON that cannot end the element it stands in: `<` occurs in its strings only, where it may be escaped.
fn escaped(json: &str) -> String {
    json.replace('<', "\\u003c")
}
