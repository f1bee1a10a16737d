//! The standard app: mutators that between them use every option of a mutator, and a server that keeps a
//! ledger. What the swarm plays.

use std::{collections::BTreeMap, sync::Arc};

use outbox::{AttemptLimit, Exhausted, Json, Mutator, Registry, RetryBatch, Rewrite};
use serde::{Deserialize, Serialize};

use crate::{
    app::{Answer, App, Call, Request, Server, Taste, Workload},
    scenario::Scenario,
};

/// The mutators of the standard app.
pub mod mutators {
    /// Asks for an idempotency key.
    pub const KEYED: &str = "keyed";
    /// Asks for none.
    pub const PLAIN: &str = "plain";
    /// Waits for everything before it and holds everything after it.
    pub const BARRIER: &str = "barrier";
    /// Is dropped after three attempts.
    pub const LIMITED: &str = "limited";
    /// Is parked after three attempts in build 0, and has no limit in build 1.
    pub const PARKING: &str = "parking";
    /// Is not there in build 0.
    pub const NEW: &str = "new";
    /// Has a timeout of its own.
    pub const HASTY: &str = "hasty";
}

/// The timeout of `hasty`.
const HASTY_MS: u64 = 1_500;
/// The attempts of `limited` and `parking`.
const ATTEMPTS: u32 = 3;

/// The standard app. It has two builds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standard;

/// The args of every mutator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Args {
    /// Its lanes; none: `unknown`.
    pub keys: Vec<String>,
    /// What is written.
    pub value: u64,
}

impl Args {
    /// As JSON.
    ///
    /// # Panics
    /// Never: texts and numbers are JSON.
    #[must_use]
    pub fn json(&self) -> Json {
        Json::from_value(self).expect("texts and numbers are JSON")
    }
}

fn mutator(name: &'static str) -> Mutator<Args> {
    Mutator::new(name).key(|args: &Args| args.keys.clone())
}

impl App for Standard {
    fn registry(&self, build: u32) -> Registry {
        let mut registry = Registry::new();
        let limit = |then| AttemptLimit { attempts: ATTEMPTS, then };
        registry
            .register(mutator(mutators::KEYED).idempotency_key())
            .register(mutator(mutators::PLAIN))
            .register(mutator(mutators::BARRIER).idempotency_key().barrier())
            .register(mutator(mutators::LIMITED).idempotency_key().max_attempts(limit(Exhausted::Drop)))
            .register(mutator(mutators::HASTY).idempotency_key().timeout_ms(HASTY_MS));
        let parking = mutator(mutators::PARKING).idempotency_key();
        if build == 0 {
            registry.register(parking.max_attempts(limit(Exhausted::Park)));
        } else {
            registry.register(parking).register(mutator(mutators::NEW).idempotency_key());
        }
        registry
    }

    fn newest_build(&self) -> u32 {
        1
    }

    fn server(&self, scenario: &Scenario) -> Box<dyn Server> {
        Box::new(Ledger { keyed: scenario.options.keyed, answers: BTreeMap::new(), writes: 0 })
    }

    fn before_retry(&self, batch: &mut RetryBatch, chance: &mut dyn FnMut(u64) -> u64) -> Result<(), String> {
        let ids: Vec<_> = batch.items().map(|asked| asked.item.id.clone()).collect();
        let mut last = None;
        for id in ids {
            let made = match (chance(12), &last) {
                (0, _) => batch.remove(&id),
                (1 | 2, _) => rewrite(batch, &id, chance(1_000)),
                (3, Some(survivor)) => batch.squash(survivor, &id),
                _ => {
                    last = Some(id);
                    Ok(())
                }
            };
            made.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Workload for Standard {
    fn enqueue(&self, item: u32, taste: Taste, chance: &mut dyn FnMut(u64) -> u64) -> Call {
        let args = Args { keys: keys(chance, taste.lanes), value: item.into() };
        let choices: &[&str] = if chance(100) < taste.rare {
            &[mutators::BARRIER, mutators::LIMITED, mutators::PARKING, mutators::NEW, mutators::HASTY]
        } else {
            &[mutators::KEYED, mutators::KEYED, mutators::KEYED, mutators::PLAIN]
        };
        let mutator = choices[chance(choices.len() as u64) as usize];
        Call { mutator: mutator.into(), args: args.json() }
    }
}

/// Half of them on the hottest lane; some in two; some in none.
fn keys(chance: &mut dyn FnMut(u64) -> u64, lanes: u64) -> Vec<String> {
    let mut lane = || {
        let n = if chance(2) == 0 { 0 } else { chance(lanes) };
        format!("k{n}")
    };
    let first = lane();
    let second = lane();
    match chance(10) {
        0 => Vec::new(),
        1 | 2 => vec![first, second],
        _ => vec![first],
    }
}

fn rewrite(batch: &mut RetryBatch, id: &outbox::ItemId, value: u64) -> Result<(), outbox::HookError> {
    let asked = batch.items().find(|asked| asked.item.id == *id);
    let old = asked.and_then(|asked| asked.item.args.parse::<Args>().ok());
    let Some(old) = old else { return Ok(()) };
    let args = Args { value: 1_000_000 + value, ..old };
    batch.rewrite(id, Rewrite { args: Some(args.json()), ..Rewrite::default() })
}

/// A server that counts writes; one that is keyed knows a repeat by its idempotency key.
struct Ledger {
    keyed: bool,
    answers: BTreeMap<Arc<str>, Json>,
    writes: u64,
}

impl Server for Ledger {
    fn serve(&mut self, request: &Request) -> Answer {
        let key = request.idempotency_key.as_ref().filter(|_| self.keyed);
        if let Some(known) = key.and_then(|key| self.answers.get(key)) {
            return Answer::known(Some(known.clone()));
        }
        self.writes += 1;
        let result = Json::from_value(&self.writes).expect("a number is JSON");
        if let Some(key) = key {
            self.answers.insert(Arc::clone(key), result.clone());
        }
        Answer::applied(Some(result))
    }
}
