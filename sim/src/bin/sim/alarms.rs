//! `sim mutants`: whether the alarms ring.

use outbox_sim::mutants::{catalogue, hunt};

use crate::Verdict;

/// Plants bug after bug; each must be found by its oracle.
pub(crate) fn mutants(only: Option<&str>) -> Result<Verdict, String> {
    let entries: Vec<_> = catalogue()
        .into_iter()
        .filter(|entry| only.is_none_or(|only| format!("{:?}", entry.mutant).eq_ignore_ascii_case(only)))
        .collect();
    if entries.is_empty() {
        let names: Vec<String> = catalogue().iter().map(|entry| format!("{:?}", entry.mutant)).collect();
        return Err(format!("no bug of that name can be planted; there are {}", names.join(", ")));
    }
    println!("{:<26} {:<14} {:>6} {:>6}  what is wrong", "planted bug", "oracle", "seed", "bound");
    let mut survivors = 0;
    for entry in &entries {
        let kill = hunt(*entry);
        survivors += u32::from(kill.is_none());
        let seed = kill.as_ref().map_or_else(|| "lives".into(), |kill| kill.seed.to_string());
        let name = format!("{:?}", entry.mutant);
        println!("{name:<26} {:<14} {seed:>6} {:>6}  {}", entry.oracle, entry.seeds, entry.mutant.what());
        if let (Some(kill), Some(_)) = (&kill, only) {
            println!("\nfound: {}", kill.violation.what);
        }
    }
    println!("{} planted, {} found", entries.len(), entries.len() as u32 - survivors);
    Ok(if survivors == 0 { Verdict::Clean } else { Verdict::SimulatorBug })
}
