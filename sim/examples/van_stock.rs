//! Your own app under the simulator: what a service van carries, booked from phones in cellars, kept by an
//! office whose server forgets what it has done. The simulator finds that, and shows how.
//!
//! ```text
//! cargo run --release -p outbox-sim --example van_stock            # finds, shrinks, saves, mends it
//! cargo run --release -p outbox-sim --example van_stock -- FILE    # plays it again
//! ```
//!
//! What an app brings, in the order of this file: typed mutators with keys, a model of its server, what its
//! `beforeRetry` hook does, what people do with it, and what must hold.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    sync::Arc,
};

use outbox::{AttemptOutcome, Json, Mutator, Registry, RetryBatch, Rewrite, Sent};
use outbox_sim::{
    Violation,
    app::{Answer, App, Call, Request, Server, Taste, Workload},
    moment::Moment,
    oracle::{Facts, Oracle},
    scenario::{Action, Fault, Scenario, Step},
    shrink::{self, Shrunk},
    swarm::swarm_of,
    trace::{Detail, Trace},
    world::World,
};
use serde::{Deserialize, Serialize};

// --- Mutators: a name, typed args, a key.

const USE_PARTS: &str = "useParts";
const RETURN_PARTS: &str = "returnParts";

/// Parts that were built in. A squash puts several uses into one.
#[derive(Debug, Serialize, Deserialize)]
struct UseParts {
    part: String,
    count: i64,
    visits: Vec<u32>,
}

/// Parts that were not needed after all.
#[derive(Debug, Serialize, Deserialize)]
struct ReturnParts {
    part: String,
    count: i64,
}

/// The office, under one of two servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Van {
    /// Whether the server looks at idempotency keys. One that does not is the bug to find.
    pub(crate) looks_at_keys: bool,
}

impl App for Van {
    fn registry(&self, _build: u32) -> Registry {
        let mut registry = Registry::new();
        registry
            .register(Mutator::new(USE_PARTS).key(|args: &UseParts| args.part.clone()).idempotency_key())
            .register(
                Mutator::new(RETURN_PARTS).key(|args: &ReturnParts| args.part.clone()).idempotency_key(),
            );
        registry
    }

    fn server(&self, _scenario: &Scenario) -> Box<dyn Server> {
        Box::new(Office { looks_at_keys: self.looks_at_keys, left: BTreeMap::new(), known: BTreeSet::new() })
    }

    /// Of the uses of one part that no server can have seen, one is sent: their sum.
    fn before_retry(
        &self,
        batch: &mut RetryBatch,
        _chance: &mut dyn FnMut(u64) -> u64,
    ) -> Result<(), String> {
        let mut first_of: BTreeMap<String, (outbox::ItemId, UseParts)> = BTreeMap::new();
        let asked: Vec<_> = batch.items().cloned().collect();
        for asked in asked.iter().filter(|asked| asked.sent == Sent::Never) {
            if &*asked.item.mutator_name != USE_PARTS {
                continue;
            }
            let used: UseParts = asked.item.args.parse().map_err(|error| error.to_string())?;
            if let Some((first, sum)) = first_of.get_mut(&used.part) {
                sum.count += used.count;
                sum.visits.extend(used.visits);
                let args = Json::from_value(sum).map_err(|error| error.to_string())?;
                batch.squash(first, &asked.item.id).map_err(|error| error.to_string())?;
                let rewrite = Rewrite { args: Some(args), ..Rewrite::default() };
                batch.rewrite(first, rewrite).map_err(|error| error.to_string())?;
            } else {
                first_of.insert(used.part.clone(), (asked.item.id.clone(), used));
            }
        }
        Ok(())
    }

    fn oracles(&self, _scenario: &Scenario) -> Vec<Box<dyn Oracle>> {
        vec![Box::<Stock>::default()]
    }
}

// --- The server: what it does with a request, and what it says.

/// Counts what is left in the van.
struct Office {
    looks_at_keys: bool,
    left: BTreeMap<String, i64>,
    known: BTreeSet<Arc<str>>,
}

/// What the server says: how many of these parts are left.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    left: i64,
}

impl Server for Office {
    fn serve(&mut self, request: &Request) -> Answer {
        let Some((part, change)) = change(request) else {
            return Answer::known(None);
        };
        let left = self.left.entry(part).or_default();
        let key = request.idempotency_key.as_ref().filter(|_| self.looks_at_keys);
        let is_repeat = key.is_some_and(|key| !self.known.insert(Arc::clone(key)));
        if !is_repeat {
            *left += change;
        }
        let said = Json::from_value(&Left { left: *left }).ok();
        if is_repeat { Answer::known(said) } else { Answer::applied(said) }
    }
}

/// Which part a request is about, and how many more of it there are then.
fn change(request: &Request) -> Option<(String, i64)> {
    match &*request.mutator_name {
        USE_PARTS => request.args.parse::<UseParts>().ok().map(|args| (args.part, -args.count)),
        RETURN_PARTS => request.args.parse::<ReturnParts>().ok().map(|args| (args.part, args.count)),
        _ => None,
    }
}

// --- What people do.

impl Workload for Van {
    fn enqueue(&self, item: u32, taste: Taste, chance: &mut dyn FnMut(u64) -> u64) -> Call {
        let part = format!("part {}", chance(taste.lanes));
        let count = 1 + i64::try_from(chance(4)).expect("it is below four");
        let (mutator, args) = if chance(5) == 0 {
            (RETURN_PARTS, Json::from_value(&ReturnParts { part, count }))
        } else {
            (USE_PARTS, Json::from_value(&UseParts { part, count, visits: vec![item] }))
        };
        Call { mutator: mutator.into(), args: args.expect("texts and numbers are JSON") }
    }
}

// --- What must hold.

/// What the office says is left = the sum of all that reached it, each once, however often it was sent.
#[derive(Debug, Default)]
struct Stock {
    left: BTreeMap<String, i64>,
    counted: BTreeSet<Arc<str>>,
}

impl Oracle for Stock {
    fn name(&self) -> &'static str {
        "stock"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R21", "R29"]
    }

    fn see(&mut self, _world: &World, _facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        let Moment::Served { request, answer, .. } = moment else { return Ok(()) };
        let AttemptOutcome::Success { result: Some(said) } = &answer.outcome else { return Ok(()) };
        let (Some((part, change)), Some(key)) = (change(request), &request.idempotency_key) else {
            return Err(format!("{} asks for nothing that the office knows", request.item));
        };
        let left = self.left.entry(part.clone()).or_default();
        if self.counted.insert(Arc::clone(key)) {
            *left += change;
        }
        let said: Left = said.parse().map_err(|error| error.to_string())?;
        if said.left != *left {
            let (item, attempt, said) = (&request.item, request.attempt, said.left);
            return Err(format!(
                "{left} of {part} should be left; at attempt {attempt} of {item} {said} are"
            ));
        }
        Ok(())
    }
}

// --- Search, shrink, show, replay.

/// The scenario of a seed, for this app.
pub(crate) fn drawn(van: Van, seed: u64) -> Scenario {
    let mut scenario = swarm_of(&van, seed);
    // The simulator knows by itself what a server owes that honours keys. It is told that this one promises
    // nothing, so that our own oracle is the one to find out.
    scenario.options.keyed = false;
    scenario
}

/// The first seed whose scenario breaks something, and that scenario made small.
pub(crate) fn search(van: Van, seeds: std::ops::Range<u64>) -> Option<(u64, Shrunk)> {
    const TRIES: u32 = 2_000;
    seeds.into_iter().find_map(|seed| {
        let shrunk = shrink::shrink(&van, &drawn(van, seed), TRIES)?;
        Some((seed, shrunk))
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let (broken, mended) = (Van { looks_at_keys: false }, Van { looks_at_keys: true });
    if let Some(file) = std::env::args().nth(1) {
        let scenario: Scenario = serde_json::from_str(&fs::read_to_string(file)?)?;
        tell(broken, &scenario)?;
        return Ok(());
    }

    let (seed, Shrunk { scenario, violation, tried }) =
        search(broken, 0..1_000).ok_or("no seed finds the bug")?;
    println!("seed {seed} breaks `{}`; made small in {tried} tries:\n", violation.oracle);
    for step in &scenario.steps {
        println!("  {}", step_in_words(step));
    }
    for fault in &scenario.faults {
        println!("  {}", fault_in_words(fault));
    }
    println!("\nWhat happens then:\n");
    tell(broken, &scenario)?;

    let file = std::env::temp_dir().join("van_stock.json");
    fs::write(&file, serde_json::to_string_pretty(&scenario)?)?;
    println!("\nSaved. To see it again:");
    println!("  cargo run --release -p outbox-sim --example van_stock -- {}", file.display());

    println!("\nWith a server that looks at the keys:");
    said(shrink::verdict(&mended, &scenario), "the same scenario")?;
    for seed in 0..200 {
        if let Some(violation) = shrink::verdict(&mended, &drawn(mended, seed)) {
            return said(Some(violation), &format!("seed {seed}"));
        }
    }
    said(None, "each of 200 seeds")
}

/// Plays a scenario and prints its trace, which ends with the oracle that rang.
fn tell(van: Van, scenario: &Scenario) -> Result<(), Box<dyn Error>> {
    let (trace, _) = Trace::of_run(&van, scenario, Detail::Story);
    Ok(trace.write_text(&mut std::io::stdout())?)
}

fn said(violation: Option<Violation>, of_what: &str) -> Result<(), Box<dyn Error>> {
    match violation {
        None => {
            println!("  {of_what}: all is well");
            Ok(())
        }
        Some(Violation { oracle, what, .. }) => Err(format!("{of_what}: `{oracle}`: {what}").into()),
    }
}

fn step_in_words(Step { at_ms, tab, action }: &Step) -> String {
    match action {
        Action::Enqueue { item, mutator, args } => {
            format!("at {at_ms} ms, tab {tab}: i{item} = {mutator} {args}")
        }
        other => format!("at {at_ms} ms, tab {tab}: {other:?}"),
    }
}

fn fault_in_words(Fault { when, what }: &Fault) -> String {
    format!("{}: at {when:?}", what.name())
}
