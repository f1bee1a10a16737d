//! The conformance suite: every clause of the storage contract (DESIGN §5), run against any store.
//!
//! It does no I/O itself. A [`Case`] is a script: [`Case::next`] takes the answer to the step before,
//! checks it, and gives the next [`Step`]; so blocking stores, asynchronous ones and a simulated one
//! run the same cases. Each case starts from an empty store with two open handles, replicas 0 and 1.
//! For blocking stores [`run`] does it all:
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use outbox::storage::{MemoryStore, StoreId, conformance::{self, Harness}};
//!
//! struct Memory(Rc<RefCell<MemoryStore>>);
//!
//! impl Harness for Memory {
//!     type Store = Rc<RefCell<MemoryStore>>;
//!     fn fresh(&mut self) {
//!         self.0 = Rc::new(RefCell::new(MemoryStore::new(StoreId(7))));
//!     }
//!     fn open(&mut self, _replica: usize) -> Self::Store {
//!         Rc::clone(&self.0)
//!     }
//! }
//!
//! let store = Rc::new(RefCell::new(MemoryStore::new(StoreId(7))));
//! let report = conformance::run(&mut Memory(store))?;
//! assert!(report.cases.len() > 25, "{report}");
//! # Ok::<(), conformance::Nonconformity>(())
//! ```
//!
//! What needs a fault to show (`Full`, `Unknown`, `Unavailable`) is for each store's own tests.

use alloc::{boxed::Box, format, vec::Vec};
use core::fmt;

use thiserror::Error;

use self::script::{Expect, Script};
use super::{Committed, Fence, Scope, Snapshot, StorageError, Store, Write};
use crate::item::Epoch;

mod cases;
mod check;
#[cfg(test)]
mod mutants;
mod random;
mod script;

/// How many replicas a case uses, numbered from 0.
pub const REPLICAS: usize = 2;

/// All cases, in the order in which a new store best meets them.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut scripts = cases::all();
    scripts.extend(random::all());
    scripts.into_iter().map(Case::new).collect()
}

/// One thing to do with the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Close both handles and open the same store again. Answer: [`Answer::Reopened`].
    Reopen,
    /// [`Store::acquire`] by a replica. Answer: [`Answer::Loaded`].
    Acquire {
        /// 0 or 1.
        replica: usize,
    },
    /// [`Store::load`] by a replica. Answer: [`Answer::Loaded`].
    Load {
        /// 0 or 1.
        replica: usize,
        /// What must match.
        fence: Option<Fence>,
        /// What to read.
        scope: Scope,
    },
    /// [`Store::persist`] by a replica. Answer: [`Answer::Persisted`].
    Persist {
        /// 0 or 1.
        replica: usize,
        /// What must match.
        fence: Option<Fence>,
        /// The writes.
        writes: Vec<Write>,
    },
}

/// What came of a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The handles are open again.
    Reopened,
    /// To an acquire or a load.
    Loaded(Result<Snapshot, StorageError>),
    /// To a persist.
    Persisted(Result<Committed, StorageError>),
}

/// A script of steps about one clause of the contract, and where it is.
#[derive(Clone, Debug)]
pub struct Case {
    name: &'static str,
    rules: &'static str,
    clause: &'static str,
    lines: alloc::vec::IntoIter<script::Line>,
    steps: usize,
    /// The step under way, and what it must come to.
    pending: Option<(Step, Expect)>,
    /// What the store has told so far, and may not contradict.
    known: Known,
}

/// What the answers so far have told of a store's four numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Store id and epoch, once a snapshot has told them.
    fence: Option<Fence>,
    /// The change counter, once told.
    change: Option<u64>,
}

impl Case {
    fn new(script: Script) -> Self {
        let Script { name, rules, clause, lines } = script;
        Self {
            name,
            rules,
            clause,
            lines: lines.into_iter(),
            steps: 0,
            pending: None,
            known: Known::default(),
        }
    }

    /// Its name, unique in the suite.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The rules it tests, such as `R3 R27`.
    #[must_use]
    pub fn rules(&self) -> &'static str {
        self.rules
    }

    /// What it says of a store that passes.
    #[must_use]
    pub fn clause(&self) -> &'static str {
        self.clause
    }

    /// How many steps it has given.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Checks the answer to the step before and gives the next one; `None`: the store has passed.
    /// `answer` is `None` the first time.
    ///
    /// # Errors
    /// The first answer that is not as the contract says.
    pub fn next(&mut self, answer: Option<&Answer>) -> Result<Option<Step>, Nonconformity> {
        if let Some((step, expect)) = self.pending.take() {
            let checked = check::answer(&mut self.known, &step, &expect, answer);
            checked.map_err(|mismatch| self.nonconformity(&step, mismatch))?;
        }
        let Some(line) = self.lines.next() else { return Ok(None) };
        let step = line.request.resolve(self.known);
        self.steps += 1;
        self.pending = Some((step.clone(), line.expect));
        Ok(Some(step))
    }

    fn nonconformity(&self, step: &Step, mismatch: check::Mismatch) -> Nonconformity {
        Nonconformity {
            case: self.name,
            rules: self.rules,
            clause: self.clause,
            step: self.steps,
            asked: check::shorten(format!("{step:?}")).into(),
            expected: check::shorten(mismatch.expected).into(),
            came: check::shorten(mismatch.came).into(),
        }
    }
}

impl Known {
    /// The current fence; before the first snapshot, one that no store has.
    fn fence(self) -> Fence {
        self.fence.unwrap_or(Fence { store: super::StoreId(u128::MAX), epoch: Epoch(u64::MAX) })
    }
}

/// A store broke a clause of the contract. The store is to blame (or the harness that answered for it).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{case} ({rules}), step {step}: {clause}\n   asked: {asked}\nexpected: {expected}\n    came: {came}")]
pub struct Nonconformity {
    /// The case.
    pub case: &'static str,
    /// The rules it tests.
    pub rules: &'static str,
    /// The clause that is broken.
    pub clause: &'static str,
    /// At which of the case's steps, from 1.
    pub step: usize,
    /// What was asked, cut to a readable length.
    pub asked: Box<str>,
    /// What the contract says.
    pub expected: Box<str>,
    /// What the store answered.
    pub came: Box<str>,
}

/// Opens blocking stores for [`run`].
pub trait Harness {
    /// A handle on the store.
    type Store: Store;

    /// Makes a new, empty store: what is opened next is that one. All handles are closed before.
    fn fresh(&mut self);

    /// Opens the store of the last [`fresh`](Self::fresh) for one replica.
    fn open(&mut self, replica: usize) -> Self::Store;
}

/// What a store has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Every case: name, rules, steps.
    pub cases: Vec<(&'static str, &'static str, usize)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, rules, steps) in &self.cases {
            writeln!(f, "{name:<44} {rules:<12} {steps:>5} steps")?;
        }
        write!(f, "{} cases passed", self.cases.len())
    }
}

/// Runs every case against a blocking store.
///
/// # Errors
/// The first broken clause.
pub fn run<H: Harness>(harness: &mut H) -> Result<Report, Nonconformity> {
    let mut report = Report { cases: Vec::new() };
    for mut case in cases() {
        run_case(harness, &mut case)?;
        report.cases.push((case.name(), case.rules(), case.steps()));
    }
    Ok(report)
}

/// Runs one case against a blocking store.
///
/// # Errors
/// The first answer that is not as the contract says.
pub fn run_case<H: Harness>(harness: &mut H, case: &mut Case) -> Result<(), Nonconformity> {
    harness.fresh();
    let open =
        |harness: &mut H| -> Vec<H::Store> { (0..REPLICAS).map(|replica| harness.open(replica)).collect() };
    let mut replicas = open(harness);
    let mut answer = None;
    while let Some(step) = case.next(answer.as_ref())? {
        answer = Some(match step {
            Step::Reopen => {
                replicas.clear();
                replicas = open(harness);
                Answer::Reopened
            }
            Step::Acquire { replica } => Answer::Loaded(replicas[replica].acquire()),
            Step::Load { replica, fence, scope } => Answer::Loaded(replicas[replica].load(fence, &scope)),
            Step::Persist { replica, fence, writes } => {
                Answer::Persisted(replicas[replica].persist(fence, &writes))
            }
        });
    }
    Ok(())
}
