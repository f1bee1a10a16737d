//! Determinism: the same scenario has the same hash, run after run, on native and on wasm32.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use outbox_sim::{run, standard::Standard, swarm::swarm};

/// Seeds that are run twice.
const TWICE: std::ops::RangeInclusive<u64> = 1..=40;
/// Seeds that are run on wasm32 as well.
const ON_WASM: std::ops::RangeInclusive<u64> = 1..=10;
const TARGET: &str = "wasm32-unknown-unknown";

/// Runs the exported function on a range of seeds and prints one hash per line.
const RUNNER: &str = "
const [, file, first, last] = process.argv;
const { instance } = await WebAssembly.instantiate((await import('node:fs')).readFileSync(file), {});
for (let seed = BigInt(first); seed <= BigInt(last); seed++) {
  console.log(BigInt.asUintN(64, instance.exports.run_hash(seed)).toString());
}
";

fn hash(seed: u64) -> u64 {
    run(&Standard, &swarm(seed)).hash
}

#[test]
fn the_same_scenario_has_the_same_hash() {
    let mut last = None;
    for seed in TWICE {
        let scenario = swarm(seed);
        assert_eq!(scenario, swarm(seed), "seed {seed} draws one scenario");
        let first = run(&Standard, &scenario);
        let second = run(&Standard, &scenario);
        assert_eq!(first.hash, second.hash, "seed {seed}: {first:?} and {second:?}");
        assert_eq!(first.moments, second.moments, "seed {seed}");
        assert_ne!(
            last.replace(first.hash),
            Some(first.hash),
            "seed {seed} is another run than the one before"
        );
    }
}

#[test]
fn wasm_has_the_same_hashes_as_native() {
    let module = build_for_wasm();
    let node = Command::new("node")
        .args(["--input-type=module", "--eval", RUNNER])
        .arg(&module)
        .args([ON_WASM.start().to_string(), ON_WASM.end().to_string()])
        .output();
    let node =
        node.unwrap_or_else(|error| panic!("this test runs wasm in `node`, version 20 or later: {error}"));
    let errors = String::from_utf8_lossy(&node.stderr);
    assert!(node.status.success(), "node: {errors}");
    let hashes: Vec<u64> = String::from_utf8_lossy(&node.stdout)
        .lines()
        .map(|line| line.parse().expect("the runner prints hashes"))
        .collect();
    assert_eq!(hashes.len() as u64, ON_WASM.end() - ON_WASM.start() + 1, "one hash per seed");
    for (seed, on_wasm) in ON_WASM.zip(hashes) {
        assert_eq!(hash(seed), on_wasm, "seed {seed} runs otherwise on {TARGET}");
    }
}

fn build_for_wasm() -> PathBuf {
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("wasm/Cargo.toml");
    let build = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--target", TARGET, "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target_dir)
        .output()
        .expect("cargo runs this test");
    let errors = String::from_utf8_lossy(&build.stderr);
    assert!(build.status.success(), "needs the target: `rustup target add {TARGET}`\n{errors}");
    target_dir.join(TARGET).join("release/outbox_sim_wasm.wasm")
}
