//! The simulator on wasm32: `run_hash(seed)` is the hash of the swarm scenario of a seed.
#![expect(unsafe_code, reason = "an exported name is one that the linker trusts to be unique")]

use outbox_sim::{run, standard::Standard, swarm::swarm};

/// The hash of every moment of the swarm scenario of this seed.
#[unsafe(no_mangle)]
pub extern "C" fn run_hash(seed: u64) -> u64 {
    run(&Standard, &swarm(seed)).hash
}
