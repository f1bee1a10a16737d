//! How cases are written down: lines of a request and what it must come to.

use alloc::{string::String, vec::Vec};

use super::{Known, Step};
use crate::{
    item::{Epoch, ItemId, Outcome, Seq},
    storage::{Fence, Scope, StoreId, Write, WriteResult},
};

/// One case, before it runs.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) rules: &'static str,
    pub(super) clause: &'static str,
    pub(super) lines: Vec<Line>,
}

/// One step of a case.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) request: Request,
    pub(super) expect: Expect,
}

/// A step whose fence and change counter are still relative to what the store will have told.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Reopen,
    Acquire(usize),
    Load(usize, Token, Ask),
    Persist(usize, Token, Vec<Write>),
}

/// Which fence a request carries, relative to the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// None.
    Unfenced,
    /// The current store and epoch.
    Current,
    /// The epoch before.
    Older,
    /// The epoch after: equality counts, not order.
    Newer,
    /// The current epoch of another store.
    OtherStore,
}

/// Which rows a load asks for.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Full,
    /// What changed in the last `transactions`, seen from one who knows seqs up to `through`.
    Since {
        transactions: u64,
        through: u64,
    },
    /// As `Since`, from one who knows a change counter that this store has not reached.
    SinceFuture,
    Items(Vec<u64>),
}

/// What a request must come to.
#[derive(Clone, Debug)]
pub(super) enum Expect {
    Reopened,
    /// A snapshot: of everything if there is no part. `acquired`: its epoch is one more than before.
    Snapshot {
        acquired: bool,
        full: Full,
        part: Option<Part>,
    },
    /// Committed, with these results.
    Results(Vec<WriteResult>),
    Fenced,
}

/// Everything a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) rows: Vec<(Seq, Vec<u8>)>,
    pub(super) failures: Vec<(ItemId, Vec<u8>)>,
    pub(super) paused: Vec<String>,
    pub(super) through: Seq,
}

impl Full {
    /// An empty store that has allocated seqs up to `through`.
    pub(super) fn through(through: u64) -> Self {
        Self { through: Seq(through), ..Self::default() }
    }

    pub(super) fn row(mut self, seq: u64, record: &str) -> Self {
        self.rows.push((Seq(seq), record.into()));
        self
    }

    pub(super) fn failure(mut self, failed: &str, record: &str) -> Self {
        self.failures.push((id(failed), record.into()));
        self
    }

    pub(super) fn paused(mut self, reasons: &[&str]) -> Self {
        self.paused = reasons.iter().map(|reason| (*reason).into()).collect();
        self
    }
}

/// What a partial load must hold. A store may answer `Since` with everything instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) rows: Vec<(Seq, Vec<u8>)>,
    /// An outcome that a store's log no longer knows is never wrong.
    pub(super) gone: Vec<(Seq, Option<Outcome>)>,
    /// Whether the failure records must come with it.
    pub(super) failures: bool,
}

impl Part {
    pub(super) fn row(mut self, seq: u64, record: &str) -> Self {
        self.rows.push((Seq(seq), record.into()));
        self
    }

    pub(super) fn gone(mut self, seq: u64, outcome: Option<Outcome>) -> Self {
        self.gone.push((Seq(seq), outcome));
        self
    }

    pub(super) fn with_failures(mut self) -> Self {
        self.failures = true;
        self
    }
}

impl Script {
    pub(super) fn new(name: &'static str, rules: &'static str, clause: &'static str) -> Self {
        Self { name, rules, clause, lines: Vec::new() }
    }

    pub(super) fn line(mut self, request: Request, expect: Expect) -> Self {
        self.lines.push(Line { request, expect });
        self
    }

    pub(super) fn reopen(self) -> Self {
        self.line(Request::Reopen, Expect::Reopened)
    }

    pub(super) fn acquire(self, replica: usize, full: Full) -> Self {
        self.line(Request::Acquire(replica), Expect::Snapshot { acquired: true, full, part: None })
    }

    /// A full load by both replicas: all see the same store.
    pub(super) fn holds(self, full: Full) -> Self {
        self.load(0, Token::Unfenced, full.clone()).load(1, Token::Unfenced, full)
    }

    pub(super) fn load(self, replica: usize, token: Token, full: Full) -> Self {
        let expect = Expect::Snapshot { acquired: false, full, part: None };
        self.line(Request::Load(replica, token, Ask::Full), expect)
    }

    pub(super) fn load_part(self, replica: usize, ask: Ask, part: Part, full: Full) -> Self {
        let expect = Expect::Snapshot { acquired: false, full, part: Some(part) };
        self.line(Request::Load(replica, Token::Unfenced, ask), expect)
    }

    pub(super) fn load_fenced(self, replica: usize, token: Token, ask: Ask) -> Self {
        self.line(Request::Load(replica, token, ask), Expect::Fenced)
    }

    /// An unfenced transaction of replica 0: each write with its result.
    pub(super) fn persist<const N: usize>(self, writes: [(Write, WriteResult); N]) -> Self {
        self.persist_as(0, Token::Unfenced, writes)
    }

    pub(super) fn persist_as(
        self,
        replica: usize,
        token: Token,
        writes: impl IntoIterator<Item = (Write, WriteResult)>,
    ) -> Self {
        let (writes, results) = writes.into_iter().unzip();
        self.line(Request::Persist(replica, token, writes), Expect::Results(results))
    }

    pub(super) fn persist_fenced(self, replica: usize, token: Token, writes: &[Write]) -> Self {
        self.line(Request::Persist(replica, token, writes.into()), Expect::Fenced)
    }
}

impl Request {
    /// The step, now that the store has told its id, epoch and change counter.
    pub(super) fn resolve(&self, known: Known) -> Step {
        match self {
            Self::Reopen => Step::Reopen,
            Self::Acquire(replica) => Step::Acquire { replica: *replica },
            Self::Load(replica, token, ask) => {
                Step::Load { replica: *replica, fence: token.resolve(known), scope: ask.resolve(known) }
            }
            Self::Persist(replica, token, writes) => {
                Step::Persist { replica: *replica, fence: token.resolve(known), writes: writes.clone() }
            }
        }
    }
}

impl Token {
    fn resolve(self, known: Known) -> Option<Fence> {
        let Fence { store, epoch } = known.fence();
        match self {
            Self::Unfenced => None,
            Self::Current => Some(Fence { store, epoch }),
            Self::Older => Some(Fence { store, epoch: Epoch(epoch.0.wrapping_sub(1)) }),
            Self::Newer => Some(Fence { store, epoch: Epoch(epoch.0.wrapping_add(1)) }),
            Self::OtherStore => Some(Fence { store: StoreId(store.0 ^ 1), epoch }),
        }
    }
}

impl Ask {
    fn resolve(&self, known: Known) -> Scope {
        let change = known.change.unwrap_or_default();
        match self {
            Self::Full => Scope::Full,
            Self::Since { transactions, through } => {
                Scope::Since { change: change.saturating_sub(*transactions), through: Seq(*through) }
            }
            Self::SinceFuture => Scope::Since { change: change + 1, through: Seq(0) },
            Self::Items(seqs) => Scope::Items(seqs.iter().copied().map(Seq).collect()),
        }
    }
}

pub(super) fn id(text: &str) -> ItemId {
    ItemId::new(text).expect("the suite's ids are 1 to 256 bytes long")
}

pub(super) fn insert(item: &str, record: &str) -> Write {
    Write::Insert { id: id(item), record: record.into() }
}

pub(super) fn put(seq: u64, record: &str) -> Write {
    Write::Put { seq: Seq(seq), record: record.into() }
}

pub(super) fn delete(seq: u64) -> Write {
    Write::Delete { seq: Seq(seq), outcome: committed() }
}

pub(super) fn bury(seq: u64, item: &str, failure: &str) -> Write {
    Write::Bury { seq: Seq(seq), id: id(item), failure: failure.into() }
}

pub(super) fn remove(item: &str) -> Write {
    Write::Remove { id: id(item) }
}

pub(super) fn retry(failure: &str, item: &str, record: &str) -> Write {
    Write::RetryFailure { failure: id(failure), id: id(item), record: record.into() }
}

pub(super) fn dismiss(failure: &str) -> Write {
    Write::DismissFailure { id: id(failure) }
}

pub(super) fn pause(reason: &str) -> Write {
    Write::Pause { reason: reason.into() }
}

pub(super) fn resume(reason: &str) -> Write {
    Write::Resume { reason: reason.into() }
}

/// The outcome of the suite's deletes.
pub(super) fn committed() -> Outcome {
    Outcome::Committed { result: None }
}

pub(super) fn at(seq: u64) -> WriteResult {
    WriteResult::Inserted(Seq(seq))
}
