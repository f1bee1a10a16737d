//! A flight recording as a trace: its inputs, replayed through a real `Outbox`.
//!
//! A recording holds what its replica was told, not what it did. So whether the replay does what was done
//! then shows in the answers: each of them is to something that the replay, too, has asked for. At the
//! first that is not, the two depart: another version of the core made the recording, or it was changed
//! since, or it does not begin where its replica did.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
};

use outbox::{
    AskId, AttemptId, ConfigError, Effect, Input, Outbox, Recording, Timestamp,
    storage::{OpId, Write, WriteResult},
};

use super::{Broken, Detail, Ending, Header, Trace, teller::Replica};
use crate::{
    shrink::{PANIC, panic_message},
    world::RunHash,
};

/// What a replay that departs from its recording is broken by, where a run names an oracle.
pub const DEPARTURE: &str = "recording";

impl Trace {
    /// The trace of a flight recording (one tab, its inputs, and the effects that replaying them gives),
    /// and the replica as it was in the end.
    ///
    /// Where the replay departs from what was recorded, its [ending](Trace::ending) says so ([`DEPARTURE`]),
    /// and the rest is told all the same. A panic of the core is the end of it ([`PANIC`]).
    ///
    /// # Errors
    /// If the recording's configuration is not valid.
    pub fn of_recording(recording: &Recording, detail: Detail) -> Result<(Self, Outbox), ConfigError> {
        let mut replay = Replay::new(recording, detail)?;
        for (at, (now, input)) in recording.inputs.iter().enumerate() {
            if let Err(found) = replay.asked.answered(input) {
                replay.departs(*now, at, &found);
            }
            if !replay.handle(*now, input) {
                break;
            }
        }
        Ok(replay.end())
    }
}

/// A replay under way.
struct Replay {
    trace: Trace,
    start: Timestamp,
    outbox: Outbox,
    asked: Asked,
    hash: RunHash,
    broken: Option<Broken>,
}

impl Replay {
    fn new(recording: &Recording, detail: Detail) -> Result<Self, ConfigError> {
        let start = recording.start;
        let header = Header {
            title: format!("recording of {}", recording.config.replica),
            tabs: 1,
            start_ms: start.as_millis(),
            left_out: 0,
            scenario: None,
        };
        let mut trace = Trace::with_header(header, detail);
        trace.push_moment(|teller| teller.opened(&replica(start, start), None));
        Ok(Self {
            trace,
            start,
            outbox: Outbox::new(recording.config.clone(), start)?,
            asked: Asked::default(),
            hash: RunHash::default(),
            broken: None,
        })
    }

    /// Hands it an input; whether it goes on.
    fn handle(&mut self, now: Timestamp, input: &Input) -> bool {
        let replica = replica(self.start, now);
        self.trace.push_moment(|teller| teller.input(&replica, input));
        let mut effects = Vec::new();
        let handle = || self.outbox.handle(now, input.clone(), &mut effects);
        let panicked = catch_unwind(AssertUnwindSafe(handle)).err();
        (replica.at_ms, &effects).hash(&mut self.hash);
        for effect in &effects {
            self.asked.note(effect);
            self.trace.push_moment(|teller| teller.effect(&replica, effect));
        }
        if let Some(payload) = panicked {
            let moment = self.trace.last_moment();
            self.broken.get_or_insert_with(|| Broken {
                oracle: PANIC.into(),
                rules: Vec::new(),
                at_ms: replica.at_ms,
                moment,
                what: panic_message(&*payload),
            });
            return false;
        }
        self.trace.push_moment(|teller| teller.handled(&replica, effects.len()));
        true
    }

    /// The input that comes next is none that this replay can have been given. The first such counts.
    fn departs(&mut self, now: Timestamp, at: usize, found: &Unasked) {
        let moment = self.trace.last_moment() + 1;
        let at_ms = now.since_ms(self.start);
        self.broken.get_or_insert_with(|| Broken {
            oracle: DEPARTURE.into(),
            rules: vec![found.rule.into()],
            at_ms,
            moment,
            what: format!("input {}: {}", at + 1, found.what),
        });
    }

    fn end(self) -> (Trace, Outbox) {
        let Self { mut trace, outbox, hash, broken, .. } = self;
        let broken_at = broken.as_ref().map_or(u64::MAX, |broken| broken.moment);
        trace.ending = Some(Ending {
            hash: format!("{:016x}", hash.finish()),
            moments: trace.last_moment(),
            simulated_ms: trace.lines.last().map_or(0, |line| line.at_ms),
            struck: BTreeMap::new(),
            violation: broken,
        });
        trace.leave_out(broken_at);
        (trace, outbox)
    }
}

fn replica(start: Timestamp, now: Timestamp) -> Replica {
    Replica { at_ms: now.since_ms(start), tab: 0, page: 1, zero_ms: start.as_millis() }
}

/// What the replay has asked for.
#[derive(Default)]
struct Asked {
    /// The storage request under way: at most one (R4).
    storage: Option<(OpId, Request)>,
    attempts: BTreeSet<AttemptId>,
    asks: BTreeSet<AskId>,
}

enum Request {
    Read,
    Write(Vec<Write>),
}

/// An answer to what was not asked, and the rule that this breaks.
struct Unasked {
    rule: &'static str,
    what: String,
}

impl Asked {
    fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::Acquire { op } | Effect::Load { op, .. } => self.storage = Some((*op, Request::Read)),
            Effect::Persist { op, writes, .. } => {
                self.storage = Some((*op, Request::Write(writes.clone())));
            }
            Effect::Dispatch { attempt, .. } => drop(self.attempts.insert(*attempt)),
            Effect::AskBeforeRetry { ask, .. } => drop(self.asks.insert(*ask)),
            _ => {}
        }
    }

    /// An input comes: if it is an answer, then one to what was asked.
    fn answered(&mut self, input: &Input) -> Result<(), Unasked> {
        let (rule, what) = match input {
            Input::Loaded { op, .. } | Input::Persisted { op, .. } => {
                return self.storage_answered(*op, input).map_err(|what| Unasked { rule: "R4", what });
            }
            Input::Resolved { attempt, .. } if !self.attempts.contains(attempt) => {
                ("R14", format!("attempt {attempt} ends, which the replay has not begun"))
            }
            Input::Answered { ask, .. } if !self.asks.remove(ask) => {
                ("R17", format!("the hook answers ask{}, which the replay has not asked", ask.0))
            }
            _ => return Ok(()),
        };
        Err(Unasked { rule, what })
    }

    fn storage_answered(&mut self, op: OpId, answer: &Input) -> Result<(), String> {
        let Some((_, request)) = self.storage.take_if(|(asked, _)| *asked == op) else {
            let waits = match &self.storage {
                Some((asked, _)) => format!("waits for the answer to op{}", asked.0),
                None => "waits for no answer".into(),
            };
            return Err(format!("the store answers op{}, but the replay {waits}", op.0));
        };
        match (answer, request) {
            (Input::Loaded { .. }, Request::Write(_)) => Err(format!("op{} of the replay is a write", op.0)),
            (Input::Persisted { .. }, Request::Read) => Err(format!("op{} of the replay is a read", op.0)),
            (Input::Persisted { result: Ok(committed), .. }, Request::Write(writes)) => {
                let mut pairs = writes.iter().zip(&committed.results);
                pairs.find(|(write, result)| !fits(write, result)).map_or(Ok(()), |(write, result)| {
                    Err(format!("op{} of the replay is to {write}, and the answer is: {result}", op.0))
                })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a store can say this of such a write.
fn fits(write: &Write, result: &WriteResult) -> bool {
    match write {
        Write::Insert { .. } => matches!(result, WriteResult::Inserted(_) | WriteResult::Duplicate),
        Write::RetryFailure { .. } => !matches!(result, WriteResult::Done),
        _ => matches!(result, WriteResult::Done | WriteResult::Missing),
    }
}
