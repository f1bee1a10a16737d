//! The viewer: a trace as one page that needs nothing else.
//!
//! The page is `viewer.html`; the trace takes the place of a placeholder. It has a lane per tab, one for
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{standard::Standard, swarm::swarm, trace::Detail};

    #[test]
    fn a_page_has_one_place_for_the_trace() {
        assert_eq!(PAGE.matches(PLACEHOLDER).count(), 1);
    }

    #[test]
    fn no_text_of_a_trace_ends_its_element() {
        let (mut trace, _) = Trace::of_run(&Standard, &swarm(3), Detail::Story);
        let evil = "</script><script>alert(1)</script><!-- \u{2028} \" \\";
        trace.header.title = evil.into();
        trace.lines[0].text = evil.into();
        let page = html(&trace);
        assert_eq!(page.matches("</script").count(), PAGE.matches("</script").count());
        assert_eq!(page.matches("<!--").count(), PAGE.matches("<!--").count());
        // And it is read as it was.
        let (_, data) = page.split_once(r#"id="trace">"#).unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        let read: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(read["header"]["title"], evil);
        assert_eq!(read["lines"][0]["text"], evil);
        assert_eq!(read["lines"].as_array().unwrap().len(), trace.lines.len());
    }

    #[test]
    fn the_page_needs_no_network() {
        for banned in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!PAGE.contains(banned), "{banned}");
        }
    }
}
