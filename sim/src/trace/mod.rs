//! `Trace`: a run as short lines: what happened, in which lane, to which items.
//!
//! A [`Trace`] is filled by the sink of [`run_with`], or made of a flight recording. It is derived from
//! [`Moment`]s alone, so watching a run does not change it. It can be written as text, as JSON Lines, and
//! as a page (see [`viewer`](crate::viewer)).

use std::{collections::BTreeMap, fmt};

use outbox::{Effect, Input};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    moment::Moment,
    scenario::{Options, Scenario},
    world::{Report, WALL_START, World, run_with},
};

mod items;
mod recorded;
mod teller;
mod words;
mod write;

pub use recorded::DEPARTURE;
pub use write::NotATrace;

use teller::Teller;

/// Where something happened: one lane of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Who {
    /// A tab, by its number.
    Tab(u32),
    /// The store that all tabs share.
    Store,
    /// The server.
    Server,
    /// Nobody in particular: a power loss, the heal.
    World,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Somebody does something that no other line tells.
    Step,
    /// A fault strikes.
    Fault,
    /// A page starts.
    Opened,
    /// A page is closed in good order.
    Closed,
    /// A page dies.
    Crashed,
    /// A page is frozen.
    Frozen,
    /// A frozen page wakes.
    Thawed,
    /// The connectivity hint of a page says that it is online.
    Online,
    /// The same: that it is not.
    Offline,
    /// A replica leads from here on.
    Leads,
    /// It no longer does.
    Follows,
    /// The core is given any other input.
    Input,
    /// The core asks for, or tells, anything else.
    Effect,
    /// All effects of an input are carried out.
    Handled,
    /// A replica's election, in and out.
    Election,
    /// The store ran a request.
    Ran,
    /// The store was changed by nobody in this world.
    Changed,
    /// The server applied a request.
    Applied,
    /// The server knew the request, and did nothing again.
    Repeated,
    /// The server refused the request.
    Refused,
    /// The leader's lock changed hands.
    Lock,
    /// All faults have ended.
    Healed,
    /// Everything is over.
    End,
}

/// What an item is in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Its insert is under way.
    Writing,
    /// It is stored; in a tab: known, and nothing is being done about it.
    Stored,
    /// In the store: stored with a claim.
    Claimed,
    /// `beforeRetry` is asked about it.
    Asked,
    /// Its claim is being written.
    Claiming,
    /// It is being sent.
    InFlight,
    /// It failed, and waits.
    Backoff,
    /// It is held back until a named condition changes.
    Parked,
    /// Its outcome is known; its delete is being written.
    Settling,
    /// It is being removed.
    Removing,
    /// It has left this lane.
    Gone,
}

/// An item that a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemMark {
    /// Its id; its place, if nothing is known but that.
    pub id: String,
    /// What it is in the line's lane from here on; `None`: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Its scheduling lanes (R7), where they become known; empty: as before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The number of its moment, from 1: the same whether or not noise is left out.
    pub n: u64,
    /// Milliseconds since the run began.
    pub at_ms: u64,
    /// In which lane.
    pub who: Who,
    /// What kind of thing.
    pub kind: Kind,
    /// What, in the core's own words where it has some.
    pub text: String,
    /// Names the exchange that it belongs to: lines of one link are a request, what the other side made of
    /// it, and the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The items that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemMark>,
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// A name for people.
    pub title: String,
    /// How many tabs there are.
    pub tabs: u32,
    /// The wall clock at `atMs` 0, in milliseconds since the Unix epoch.
    pub start_ms: u64,
    /// How many lines were left out as noise.
    pub left_out: u64,
    /// The scenario's seed, options and size; `None` for a recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Played>,
}

/// The scenario that was played, without its steps and faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Played {
    /// Its seed.
    pub seed: u64,
    /// How the world was.
    pub options: Options,
    /// How many steps it has.
    pub steps: usize,
    /// How many faults it has; not all of them strike.
    pub faults: usize,
    /// When all faults end.
    pub heal_at_ms: u64,
}

/// What came of it: a [`Report`] as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// The hash of every moment, as 16 hex digits.
    pub hash: String,
    /// How many moments there were.
    pub moments: u64,
    /// How long it took, in simulated milliseconds.
    pub simulated_ms: u64,
    /// Faults that struck, by name.
    pub struck: BTreeMap<String, u64>,
    /// The promise that was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violation: Option<Broken>,
}

/// A broken promise: a [`Violation`](crate::Violation) as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// Which oracle found it.
    pub oracle: String,
    /// The rules it judges.
    pub rules: Vec<String>,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// At which moment, as in [`Line::n`].
    pub moment: u64,
    /// What was expected, and what was found.
    pub what: String,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// As `Story`, without what follows from other lines: changes of the view, pokes and what they make
    /// other replicas load, and what the store did if its answer arrives. For reading, not for the page.
    Short,
    /// What a reader needs: no sleeps, no looks at the change counter that find nothing new, no leases that
    /// are renewed, no steps that another line tells.
    #[default]
    Story,
    /// Every moment.
    All,
}

/// A run as lines.
#[derive(Debug)]
pub struct Trace {
    /// What was run.
    pub header: Header,
    /// What happened, in order.
    pub lines: Vec<Line>,
    /// What came of it; `None` until the run has ended.
    pub ending: Option<Ending>,
    teller: Teller,
    detail: Detail,
}

impl Trace {
    /// Nothing has happened yet. Give [`Trace::see`] to [`run_with`] as its sink, then call [`Trace::end`].
    #[must_use]
    pub fn new(scenario: &Scenario, detail: Detail) -> Self {
        let played = Played {
            seed: scenario.seed,
            options: scenario.options.clone(),
            steps: scenario.steps.len(),
            faults: scenario.faults.len(),
            heal_at_ms: scenario.heal_at_ms,
        };
        Self::with_header(
            Header {
                title: format!("seed {}", scenario.seed),
                tabs: scenario.options.tabs,
                start_ms: WALL_START.as_millis(),
                left_out: 0,
                scenario: Some(played),
            },
            detail,
        )
    }

    fn with_header(header: Header, detail: Detail) -> Self {
        Self { header, lines: Vec::new(), ending: None, teller: Teller::default(), detail }
    }

    /// Plays a scenario and traces it.
    #[must_use]
    pub fn of_run(app: &dyn App, scenario: &Scenario, detail: Detail) -> (Self, Report) {
        let mut trace = Self::new(scenario, detail);
        let mut sink = |world: &World, moment: &Moment<'_>| trace.see(world, moment);
        let report = run_with(app, scenario, Some(&mut sink));
        trace.end(&report);
        (trace, report)
    }

    /// Something happened.
    pub fn see(&mut self, world: &World, moment: &Moment<'_>) {
        self.push_moment(|teller| teller.moment(world, moment));
    }

    /// The run has ended. A violation at moment 0, such as a panic, is shown at the last one.
    pub fn end(&mut self, report: &Report) {
        let last = self.last_moment();
        let violation = report.violation.as_ref().map(|violation| Broken {
            oracle: violation.oracle.into(),
            rules: violation.rules.iter().map(ToString::to_string).collect(),
            at_ms: violation.at_ms,
            moment: if violation.moment == 0 { last } else { violation.moment },
            what: violation.what.clone(),
        });
        let broken_at = violation.as_ref().map_or(u64::MAX, |broken| broken.moment);
        self.ending = Some(Ending {
            hash: format!("{:016x}", report.hash),
            moments: report.moments,
            simulated_ms: report.simulated_ms,
            struck: report.struck.iter().map(|(name, count)| (name.to_string(), *count)).collect(),
            violation,
        });
        self.leave_out(broken_at);
    }

    fn push_moment(&mut self, tell: impl FnOnce(&mut Teller) -> Line) {
        let mut line = tell(&mut self.teller);
        line.n = self.teller.next_n();
        self.lines.push(line);
    }

    /// The number of the moment that was told last.
    fn last_moment(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.n)
    }

    /// Leaves out noise, but never the line in which a promise was broken.
    fn leave_out(&mut self, broken_at: u64) {
        if self.detail == Detail::All {
            return;
        }
        self.teller.end();
        let before = self.lines.len();
        let Teller { noise, echoes, .. } = &self.teller;
        let is_short = self.detail == Detail::Short;
        // Items that changed in a line that is left out change in the lane's next one.
        let mut owed: BTreeMap<Who, Vec<ItemMark>> = BTreeMap::new();
        self.lines.retain_mut(|line| {
            let is_noise = noise.contains(&line.n) || (is_short && echoes.contains(&line.n));
            let owed = owed.entry(line.who).or_default();
            if is_noise && line.n != broken_at {
                owed.extend(
                    line.items.drain(..).filter(|mark| mark.state.is_some() || !mark.keys.is_empty()),
                );
                return false;
            }
            if !owed.is_empty() {
                owed.append(&mut line.items);
                line.items = merged(owed);
            }
            true
        });
        self.header.left_out += (before - self.lines.len()) as u64;
    }
}

/// One mark for each item, with the last state that is known.
fn merged(marks: &mut Vec<ItemMark>) -> Vec<ItemMark> {
    let mut merged: Vec<ItemMark> = Vec::new();
    for mark in marks.drain(..) {
        match merged.iter_mut().find(|known| known.id == mark.id) {
            None => merged.push(mark),
            Some(known) => {
                known.state = mark.state.or(known.state);
                if !mark.keys.is_empty() {
                    known.keys = mark.keys;
                }
            }
        }
    }
    merged
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tab(tab) => write!(f, "tab {tab}"),
            Self::Store => f.write_str("store"),
            Self::Server => f.write_str("server"),
            Self::World => f.write_str("world"),
        }
    }
}

impl From<Who> for String {
    fn from(who: Who) -> Self {
        who.to_string()
    }
}

impl TryFrom<String> for Who {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "store" => Ok(Self::Store),
            "server" => Ok(Self::Server),
            "world" => Ok(Self::World),
            other => {
                let tab = other.strip_prefix("tab ").and_then(|tab| tab.parse().ok());
                tab.map(Self::Tab).ok_or_else(|| format!("no such lane: {other}"))
            }
        }
    }
}

/// Whether an effect is a look at the change counter.
fn is_check(effect: &Effect) -> bool {
    matches!(effect, Effect::Load { scope: outbox::storage::Scope::Since { .. }, .. })
}

/// Whether a load found nothing new.
fn found_nothing(answer: &Input) -> bool {
    use outbox::storage::Contents;
    let Input::Loaded { result: Ok(snapshot), .. } = answer else { return false };
    let Contents::Part { rows, gone, failures } = &snapshot.contents else { return false };
    rows.is_empty() && gone.is_empty() && failures.is_none()
}
