//! One short line for each input, effect and event: what snapshots, the simulator and logs print.
//!
//! The lines are for people and may change in any version. They are deterministic, hold no line breaks,
//! and are bounded: texts are cut at 60 characters, lists at 8 entries.

use core::fmt::{self, Display, Formatter, Write as _};

use crate::{
    before_retry::{Rewrite, Verdict},
    effect::{Effect, Event, ParkReason, Place, Reply, Sent, ViewChange},
    error::CallError,
    input::{AttemptOutcome, Failure, Input, Poke, Trigger},
    item::{Class, Draft, Item, Outcome, Seq, SerializedError},
    json::Json,
    record::{self, Decoded},
    storage::{Committed, Contents, Fence, Scope, Snapshot, StorageError, Write, WriteResult},
};

const MAX_CHARS: usize = 60;
const MAX_ENTRIES: usize = 8;

/// Text on one line: control characters escaped, the rest cut away.
struct Line<T>(T);

impl<T: AsRef<str>> Display for Line<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.as_ref().chars();
        for c in chars.by_ref().take(MAX_CHARS) {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        if chars.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

fn json(json: &Json) -> Line<&str> {
    Line(json.as_str())
}

/// Entries after `open`, separated, the first few of them; nothing at all if there are none.
fn list<T>(
    f: &mut Formatter<'_>,
    open: &str,
    separator: &str,
    entries: impl ExactSizeIterator<Item = T>,
    mut one: impl FnMut(&mut Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    let more = entries.len().saturating_sub(MAX_ENTRIES);
    for (index, entry) in entries.take(MAX_ENTRIES).enumerate() {
        f.write_str(if index == 0 { open } else { separator })?;
        one(f, entry)?;
    }
    if more > 0 { write!(f, "{separator}{more} more") } else { Ok(()) }
}

fn names(f: &mut Formatter<'_>, open: &str, names: &[impl AsRef<str>]) -> fmt::Result {
    list(f, open, ", ", names.iter(), |f, name| Line(name).fmt(f))
}

fn seqs(f: &mut Formatter<'_>, open: &str, seqs: impl ExactSizeIterator<Item = Seq>) -> fmt::Result {
    list(f, open, " ", seqs, |f, seq| seq.fmt(f))
}

/// `enqueue a addTodo {"id":1} [1] (c1)`
impl Display for Input {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enqueue { call, draft } => {
                let Draft { id, mutator_name, args, key, .. } = draft;
                write!(f, "enqueue {} {} {}", Line(id.as_str()), Line(mutator_name), json(args))?;
                if let Some(key) = key {
                    write!(f, " [{}]", Line(alloc::format!("{key}")))?;
                }
                write!(f, " (c{})", call.0)
            }
            Self::Remove { call, id } => write!(f, "remove {} (c{})", Line(id.as_str()), call.0),
            Self::RetryFailure { call, failure, id } => {
                write!(f, "retry failure {} as {} (c{})", Line(failure.as_str()), Line(id.as_str()), call.0)
            }
            Self::DismissFailure { call, id } => {
                write!(f, "dismiss failure {} (c{})", Line(id.as_str()), call.0)
            }
            Self::Pause { call, reason } => write!(f, "pause {} (c{})", Line(reason), call.0),
            Self::Resume { call, reason } => write!(f, "resume {} (c{})", Line(reason), call.0),
            Self::Register { call, name, .. } => write!(f, "register {} (c{})", Line(name), call.0),
            Self::Online(online) => f.write_str(if *online { "online" } else { "offline" }),
            Self::Wake(trigger) => write!(f, "wake {trigger}"),
            Self::Tick => f.write_str("tick"),
            Self::Elected => f.write_str("elected"),
            Self::Deposed => f.write_str("deposed"),
            Self::Holder(Some(holder)) => write!(f, "lock held by {}", Line(holder)),
            Self::Holder(None) => f.write_str("lock held by nobody known"),
            Self::Ping { from, parked } => {
                write!(f, "ping from {}", Line(from))?;
                names(f, ", parked ", parked)
            }
            Self::Pong { from, registered } => {
                write!(f, "pong from {}", Line(from))?;
                names(f, ", registered ", registered)
            }
            Self::Poked(poke) => write!(f, "poked {poke}"),
            Self::Loaded { op, result: Ok(snapshot) } => {
                write!(f, "loaded op{}: ", op.0)?;
                loaded(f, snapshot)
            }
            Self::Loaded { op, result: Err(error) } => write!(f, "load op{} failed: {}", op.0, Failed(error)),
            Self::Persisted { op, result: Ok(Committed { results, change }) } => {
                write!(f, "persisted op{} as {change}", op.0)?;
                list(f, ": ", ", ", results.iter(), |f, result| result.fmt(f))
            }
            Self::Persisted { op, result: Err(error) } => {
                write!(f, "persist op{} failed: {}", op.0, Failed(error))
            }
            Self::Resolved { attempt, outcome } => write!(f, "resolved {attempt} {outcome}"),
            Self::Answered { ask, verdicts: Ok(verdicts) } => {
                write!(f, "answered ask{}", ask.0)?;
                list(f, ": ", ", ", verdicts.iter(), |f, (id, verdict)| {
                    write!(f, "{} {verdict}", Line(id.as_str()))
                })
            }
            Self::Answered { ask, verdicts: Err(error) } => {
                write!(f, "ask{} failed: {}", ask.0, Line(alloc::format!("{error}")))
            }
        }
    }
}

/// `e1, change 3, through #5, rows #1 #4, 1 failure`
fn loaded(f: &mut Formatter<'_>, snapshot: &Snapshot) -> fmt::Result {
    let Snapshot { store: _, epoch, change, through, contents, paused } = snapshot;
    write!(f, "e{}, change {change}, through {through}", epoch.0)?;
    let failures = match contents {
        Contents::Full { rows, failures } => {
            f.write_str(if rows.is_empty() { ", empty" } else { "" })?;
            seqs(f, ", all of ", rows.iter().map(|row| row.seq))?;
            Some(failures)
        }
        Contents::Part { rows, gone, failures } => {
            seqs(f, ", new ", rows.iter().map(|row| row.seq))?;
            seqs(f, ", gone ", gone.iter().map(|gone| gone.seq))?;
            failures.as_ref()
        }
    };
    if let Some(failures) = failures.filter(|failures| !failures.is_empty()) {
        write!(f, ", {} failure{}", failures.len(), if failures.len() == 1 { "" } else { "s" })?;
    }
    names(f, ", paused ", paused)
}

/// `persist op3 e1: put #1 claim 2, insert b`
impl Display for Effect {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acquire { op } => write!(f, "acquire op{}", op.0),
            Self::Load { op, fence, scope } => write!(f, "load op{}{}: {scope}", op.0, Fenced(*fence)),
            Self::Persist { op, fence, writes } => {
                write!(f, "persist op{}{}", op.0, Fenced(*fence))?;
                list(f, ": ", ", ", writes.iter(), |f, write| write.fmt(f))
            }
            Self::Dispatch { attempt, item, deadline: _ } => {
                write!(f, "dispatch {attempt} {} {}", Line(&item.mutator_name), json(&item.args))
            }
            Self::Cancel(attempt) => write!(f, "cancel {attempt}"),
            Self::AskBeforeRetry { ask, items } => {
                write!(f, "ask{} about", ask.0)?;
                list(f, " ", ", ", items.iter(), |f, asked| {
                    let sent = match asked.sent {
                        Sent::Never => "never sent",
                        Sent::Maybe => "maybe sent",
                    };
                    write!(f, "{} {sent}", Line(asked.item.id.as_str()))
                })
            }
            Self::Resign => f.write_str("resign"),
            Self::Steal(holder) => write!(f, "steal the lock from {}", Line(holder)),
            Self::Ping { to, parked } => {
                write!(f, "ping {}", Line(to.as_deref().unwrap_or("all")))?;
                names(f, ", parked ", parked)
            }
            Self::Pong { to, registered } => {
                write!(f, "pong to {}", Line(to))?;
                names(f, ", registered ", registered)
            }
            Self::Poke(poke) => write!(f, "poke {poke}"),
            Self::Sleep { until: Some(until) } => write!(f, "sleep until {until}"),
            Self::Sleep { until: None } => f.write_str("sleep for good"),
            Self::Reply { call, result } => reply(f, call.0, result),
            Self::View(change) => write!(f, "view {change}"),
            Self::Notify(event) => event.fmt(f),
        }
    }
}

/// `reply c1: stored a #1`
fn reply(f: &mut Formatter<'_>, call: u64, result: &Result<Reply, CallError>) -> fmt::Result {
    write!(f, "reply c{call}: ")?;
    match result {
        Ok(Reply::Enqueued { id, seq }) => write!(f, "stored {} {seq}", Line(id.as_str())),
        Ok(Reply::Done(true)) => f.write_str("done"),
        Ok(Reply::Done(false)) => f.write_str("nothing there"),
        Err(CallError::Input(error)) => write!(f, "refused: {}", Line(alloc::format!("{error}"))),
        Err(CallError::Duplicate { id }) => write!(f, "duplicate {}", Line(id.as_str())),
        Err(CallError::Config(error)) => write!(f, "refused: {}", Line(alloc::format!("{error}"))),
        Err(CallError::Storage(error)) => write!(f, "storage {}", Failed(error)),
    }
}

/// `settled a #1 committed`
impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved { id, outcome } => write!(f, "outcome of {}: {outcome}", Line(id.as_str())),
            Self::Settled { id, seq, outcome } => write!(f, "settled {} {seq} {outcome}", Line(id.as_str())),
            Self::AttemptFailed { id, attempt, error, next_attempt_at } => {
                let (id, error) = (Line(id.as_str()), Error(error));
                write!(f, "attempt {attempt} of {id} failed: {error}; next at {next_attempt_at}")
            }
            Self::Stuck { id, attempts } => {
                write!(f, "stuck {} after {attempts} attempts", Line(id.as_str()))
            }
            Self::Parked { id, mutator_name, reason } => {
                write!(f, "parked {} {}: {reason}", Line(id.as_str()), Line(mutator_name))
            }
            Self::Quarantined { seq, record, problem } => {
                write!(f, "quarantined {seq}, {} bytes: {}", record.len(), Line(problem))
            }
            Self::FailureEvicted { id } => write!(f, "failure evicted {}", Line(id.as_str())),
            Self::HookFailed(error) => write!(f, "hook failed: {}", Line(alloc::format!("{error}"))),
            Self::Leading(true) => f.write_str("leading"),
            Self::Leading(false) => f.write_str("following"),
            Self::StorageFailed(error) => write!(f, "storage failed: {}", Failed(error)),
            Self::StorageRecovered => f.write_str("storage recovered"),
            Self::Paused { reasons } if reasons.is_empty() => f.write_str("not paused"),
            Self::Paused { reasons } => names(f, "paused: ", reasons),
        }
    }
}

impl Display for Trigger {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "init",
            Self::Visible => "visible",
            Self::Focus => "focus",
        })
    }
}

/// `transport TimeoutError: no answer`
impl Display for AttemptOutcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success { result: None } => f.write_str("success"),
            Self::Success { result: Some(result) } => write!(f, "success {}", json(result)),
            Self::Failure(Failure { class, error, retry_after_ms }) => {
                write!(f, "{class} {}", Error(error))?;
                retry_after_ms.map_or(Ok(()), |ms| write!(f, ", retry after {ms} ms"))
            }
        }
    }
}

impl Display for Class {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transport => "transport",
            Self::Server => "server",
            Self::NonRetriable => "non-retriable",
        })
    }
}

/// `3→4, settled #1 a committed, changed #2`
impl Display for Poke {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("something changed"),
            Self::Committed { store: _, from, to, settled, changed, more } => {
                write!(f, "{from}→{to}")?;
                list(f, ", settled ", ", ", settled.iter(), |f, (seq, id, outcome)| {
                    write!(f, "{seq} {} {outcome}", Line(id.as_str()))
                })?;
                seqs(f, ", changed ", changed.iter().copied())?;
                f.write_str(if *more { ", and more" } else { "" })
            }
        }
    }
}

/// `committed {"id":1}`
impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed { result: None } => f.write_str("committed"),
            Self::Committed { result: Some(result) } => write!(f, "committed {}", json(result)),
            Self::Dropped { error } => write!(f, "dropped: {}", Error(error)),
            Self::Removed => f.write_str("removed"),
            Self::Squashed { into } => write!(f, "squashed into {}", Line(into.as_str())),
            Self::Gone => f.write_str("gone"),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("kept"),
            Self::Remove => f.write_str("removed"),
            Self::SquashInto(into) => write!(f, "squashed into {}", Line(into.as_str())),
            Self::Rewrite(Rewrite { args, key, metadata }) => {
                f.write_str("rewritten")?;
                if let Some(args) = args {
                    write!(f, " {}", json(args))?;
                }
                if let Some(key) = key {
                    write!(f, " [{}]", Line(alloc::format!("{key}")))?;
                }
                f.write_str(if metadata.is_some() { " metadata" } else { "" })
            }
        }
    }
}

impl Display for ParkReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unregistered => f.write_str("not registered"),
            Self::NewerVersion { version } => write!(f, "of version {version}"),
            Self::Unreadable => f.write_str("not readable"),
            Self::Attempts { attempts } => write!(f, "after {attempts} attempts"),
        }
    }
}

/// `#1`, or `w1` while it is being written.
impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(seq) => seq.fmt(f),
            Self::Writing(nth) => write!(f, "w{nth}"),
        }
    }
}

/// `set #1 a addTodo {"id":1}`
impl Display for ViewChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { place, item } => {
                let Item { id, mutator_name, args, .. } = &**item;
                write!(f, "set {place} {} {} {}", Line(id.as_str()), Line(mutator_name), json(args))
            }
            Self::Moved { from, to } => write!(f, "moved {from} to {to}"),
            Self::Left { place, outcome: Some(outcome) } => write!(f, "left {place} {outcome}"),
            Self::Left { place, outcome: None } => write!(f, "left {place} not written"),
        }
    }
}

/// `put #1 claim 2`
impl Display for Write {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delete { seq, outcome } => write!(f, "delete {seq} {outcome}"),
            Self::Bury { seq, id, failure: _ } => write!(f, "bury {seq} {}", Line(id.as_str())),
            Self::Remove { id } => write!(f, "remove {}", Line(id.as_str())),
            Self::Put { seq, record } => match record::decode(*seq, record.as_bytes(), |name| name.into()) {
                Decoded::Item(item) if item.claimed => write!(f, "put {seq} claim {}", item.retry_count),
                Decoded::Item(item) => write!(f, "put {seq} after {}", item.retry_count),
                Decoded::Opaque { .. } | Decoded::Unreadable { .. } => write!(f, "put {seq} unreadable"),
            },
            Self::Insert { id, record } => {
                let decoded = record::decode(Seq(0), record.as_bytes(), |name| name.into());
                let claimed = matches!(decoded, Decoded::Item(item) if item.claimed);
                write!(f, "insert {}{}", Line(id.as_str()), if claimed { " claimed" } else { "" })
            }
            Self::RetryFailure { failure, id, record: _ } => {
                write!(f, "retry failure {} as {}", Line(failure.as_str()), Line(id.as_str()))
            }
            Self::DismissFailure { id } => write!(f, "dismiss failure {}", Line(id.as_str())),
            Self::Pause { reason } => write!(f, "pause {}", Line(reason)),
            Self::Resume { reason } => write!(f, "resume {}", Line(reason)),
        }
    }
}

impl Display for WriteResult {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inserted(seq) => seq.fmt(f),
            Self::Duplicate => f.write_str("duplicate"),
            Self::Done => f.write_str("done"),
            Self::Missing => f.write_str("missing"),
        }
    }
}

impl Display for Scope {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("all"),
            Self::Since { change, through } => write!(f, "since {change}, {through}"),
            Self::Items(items) => seqs(f, "", items.iter().copied()),
        }
    }
}

/// ` e1`, or nothing for an unfenced request.
struct Fenced(Option<Fence>);

impl Display for Fenced {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |fence| write!(f, " e{}", fence.epoch.0))
    }
}

/// A storage error in a word.
struct Failed<'a>(&'a StorageError);

impl Display for Failed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            StorageError::Full => f.write_str("full"),
            StorageError::Fenced => f.write_str("fenced"),
            StorageError::Unknown => f.write_str("unknown"),
            StorageError::Unavailable { cause } => write!(f, "unavailable: {}", Line(cause)),
        }
    }
}

/// `TimeoutError: no answer`
struct Error<'a>(&'a SerializedError);

impl Display for Error<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Line(&self.0.name), Line(&self.0.message))
    }
}
