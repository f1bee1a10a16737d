//! `App`: what is simulated besides the core: mutators, a server, a hook. Bring your own.

use std::sync::Arc;

use outbox::{AttemptOutcome, ItemId, Json, Registry, RetryBatch};

use crate::{oracle::Oracle, scenario::Scenario};

/// What an app brings. The world makes one registry per page, and one server per run.
pub trait App {
    /// The mutators of a build of the app, with their keys and limits. Build 0 is the oldest; a build may
    /// lack what another has (R23).
    fn registry(&self, build: u32) -> Registry;

    /// The newest build: what is opened when the world heals.
    fn newest_build(&self) -> u32 {
        0
    }

    /// The server of a run: the far end of every mutator.
    fn server(&self, scenario: &Scenario) -> Box<dyn Server>;

    /// The `beforeRetry` hook (R17). Asked only if the scenario's options say that there is one. What is
    /// not touched in `batch` is kept. `chance` draws: the same for the same scenario.
    ///
    /// # Errors
    /// A message: the hook throws.
    fn before_retry(&self, batch: &mut RetryBatch, chance: &mut dyn FnMut(u64) -> u64) -> Result<(), String> {
        let _ = (batch, chance);
        Ok(())
    }

    /// What must hold, besides what must hold in every app.
    fn oracles(&self, scenario: &Scenario) -> Vec<Box<dyn Oracle>> {
        let _ = scenario;
        Vec::new()
    }
}

/// What people do with an app, drawn: what [`swarm_of`](crate::swarm::swarm_of) asks for. An app that is only
/// played with scenarios of its own needs none.
pub trait Workload {
    /// What is enqueued as the item `iN`. `chance(n)` draws below n: the same for the same seed.
    fn enqueue(&self, item: u32, taste: Taste, chance: &mut dyn FnMut(u64) -> u64) -> Call;
}

/// What makes one drawn scenario unlike the others; drawn once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taste {
    /// How many things there are to write to: from one hot lane to a hundred cold ones.
    pub lanes: u64,
    /// How much of what is rare there is, in hundredths: none in half of all scenarios.
    pub rare: u64,
}

/// A call of one of the app's mutators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The mutator.
    pub mutator: String,
    /// Its args.
    pub args: Json,
}

/// The far end: a model of a server.
pub trait Server {
    /// A request arrives. Requests arrive one at a time, in any order, and sometimes twice.
    fn serve(&mut self, request: &Request) -> Answer;
}

/// What a mutator sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The item.
    pub item: ItemId,
    /// The mutator.
    pub mutator_name: Arc<str>,
    /// Its args.
    pub args: Json,
    /// The idempotency key, if the mutator asked for one (R21).
    pub idempotency_key: Option<Arc<str>>,
    /// The attempt's number, from 1.
    pub attempt: u32,
}

/// What a server did and says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// What the mutator makes of the reply.
    pub outcome: AttemptOutcome,
    /// Whether this request took effect: `false` for a refusal, and for a repeat that was recognised.
    pub applied: bool,
}

impl Answer {
    /// It took effect.
    #[must_use]
    pub fn applied(result: Option<Json>) -> Self {
        Self { outcome: AttemptOutcome::Success { result }, applied: true }
    }

    /// It had taken effect before: the same answer again.
    #[must_use]
    pub fn known(result: Option<Json>) -> Self {
        Self { outcome: AttemptOutcome::Success { result }, applied: false }
    }

    /// It took no effect.
    #[must_use]
    pub fn failed(failure: outbox::Failure) -> Self {
        Self { outcome: AttemptOutcome::Failure(failure), applied: false }
    }
}
