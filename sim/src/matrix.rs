//! The matrix: which fault struck while an item was in which state. A long run that leaves a cell empty
//! fails, unless [`impossible`] has the reason why it cannot be.

use std::collections::BTreeSet;

use outbox::Reason;

use crate::world::Page;

/// How many items of a page are looked at when a fault strikes.
const MAX_LOOKED_AT: usize = 24;

/// The states of items that matter to faults.
pub const STATES: [&str; 10] = [
    "writing",
    "claiming",
    "in flight",
    "backoff",
    "behind",
    "parked",
    "hook",
    "settling",
    "removing",
    "follower",
];

/// The faults that strike a tab: [`What::name`](crate::scenario::What::name) of each.
pub const FAULTS: [&str; 31] = [
    "lost request",
    "refused connection",
    "lost reply",
    "broken reply",
    "duplicate request",
    "slow request",
    "slow reply",
    "reply at the deadline",
    "reply after cancel",
    "repeated result",
    "server unavailable",
    "refused for good",
    "slow storage",
    "silent storage",
    "storage unknown",
    "storage unavailable",
    "storage full",
    "store made anew",
    "crash",
    "freeze",
    "suspend",
    "falsely elected",
    "lock stolen",
    "lost message",
    "repeated message",
    "slow message",
    "early timer",
    "late timer",
    "clock step",
    "throwing hook",
    "silent hook",
];

/// The first so many of [`FAULTS`] are faults of a dispatch: only a page that leads can meet them.
const OF_A_DISPATCH: usize = 12;

/// Why a cell cannot be; `None`: it can.
#[must_use]
pub fn impossible((fault, state): Cell) -> Option<&'static str> {
    let asks = matches!(fault, "throwing hook" | "silent hook");
    match state {
        "follower" if FAULTS[..OF_A_DISPATCH].contains(&fault) => Some("only a leader dispatches"),
        "follower" if asks => Some("only a leader asks the hook"),
        "backoff" if asks => Some("whatever waits is asked about, and then waits for the hook"),
        _ => None,
    }
}

/// A fault and a state.
pub type Cell = (&'static str, &'static str);

/// The states that a page's items are in.
#[must_use]
pub fn states(page: &Page) -> BTreeSet<&'static str> {
    let items = page.outbox.pending().take(MAX_LOOKED_AT);
    items.filter_map(|item| Some(state(&page.outbox.explain(&item.id)?.reason))).flatten().collect()
}

fn state(reason: &Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::Writing => "writing",
        Reason::Claiming => "claiming",
        Reason::InFlight { .. } => "in flight",
        Reason::Backoff => "backoff",
        Reason::Behind { .. } => "behind",
        Reason::Parked(_) => "parked",
        Reason::Hook => "hook",
        Reason::Settling => "settling",
        Reason::Removing => "removing",
        Reason::Follower => "follower",
        _ => return None,
    })
}

/// The cells that a run should have filled and has not.
pub fn cold<'a>(filled: &'a BTreeSet<Cell>) -> impl Iterator<Item = Cell> + 'a {
    let all = FAULTS.iter().flat_map(|&fault| STATES.iter().map(move |&state| (fault, state)));
    all.filter(|cell| !filled.contains(cell) && impossible(*cell).is_none())
}
