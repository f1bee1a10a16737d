//! `sim marks`: which rare things happened, and which fault met which state; fails on what stayed cold.

use std::collections::BTreeSet;

use outbox::marks::{Mark, count};
use outbox_sim::matrix::{self, FAULTS, STATES};

use crate::{
    Verdict,
    hunt::{self, Plan, Sums},
};

/// A run of so many seeds is long: it reaches every mark and every cell that can be.
pub(crate) const LONG: u64 = 20_000;

/// Plays, then tells what was reached.
pub(crate) fn marks(plan: &Plan) -> Result<Verdict, String> {
    let (verdict, sums) = hunt::hunt(plan)?;
    println!("\n{:>12}  mark", "times");
    for mark in Mark::ALL {
        println!("{:>12}  {mark:?}: {}", count(*mark), mark.what());
    }
    matrix(&sums);
    Ok(reached(verdict, &sums))
}

/// What a run comes to when all that it should have reached counts too.
pub(crate) fn reached(verdict: Verdict, sums: &Sums) -> Verdict {
    let cold: Vec<String> =
        Mark::ALL.iter().filter(|mark| count(**mark) == 0).map(|mark| format!("{mark:?}")).collect();
    let filled: BTreeSet<_> = sums.cells.keys().copied().collect();
    let empty: Vec<String> =
        matrix::cold(&filled).map(|(fault, state)| format!("{fault} while {state}")).collect();
    if verdict != Verdict::Clean || cold.is_empty() && empty.is_empty() {
        return verdict;
    }
    println!("\ncold marks: {}\nempty cells: {}", list(&cold), list(&empty));
    println!("play longer, make the swarm reach them, or list them in matrix.rs with the reason");
    Verdict::SimulatorBug
}

/// How often each fault struck in each state.
fn matrix(sums: &Sums) {
    println!("\n{:>22}  {}", "fault while an item is", STATES.map(|state| format!("{state:>10}")).join(""));
    for fault in FAULTS {
        let counts = STATES.map(|state| sums.cells.get(&(fault, state)).copied().unwrap_or(0));
        println!("{fault:>22}  {}", counts.map(|count| format!("{count:>10}")).join(""));
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
