//! Tools that the checks need, and how each is installed where it is missing.

use std::{path::Path, process::Command};

use crate::steps::{Failure, Steps, cargo, succeeds};

/// The core must build for a target with no operating system at all.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The newest nextest that builds with the oldest Rust of this workspace (1.89).
const NEXTEST: &str = "0.9.128";

/// Installs rustfmt, clippy, the wasm target and nextest, each only if it is missing.
pub(crate) fn install_missing(steps: &mut Steps) -> Result<(), Failure> {
    for component in ["rustfmt", "clippy"] {
        let subcommand = component.trim_start_matches("rust"); // cargo fmt, cargo clippy
        if !succeeds(&mut cargo([subcommand, "--version"])) {
            steps.run("install", Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    if !has_target() {
        steps.run("install", Command::new("rustup").args(["target", "add", WASM]))?;
    }
    if !succeeds(&mut cargo(["nextest", "--version"])) {
        // Unoptimised: it only starts processes, and so it is built in half the time.
        let install = ["install", "--locked", "--debug", "cargo-nextest", "--version", NEXTEST];
        let features = ["--no-default-features", "--features", "default-no-update"];
        steps.run("install", cargo(install).args(features))?;
    }
    Ok(())
}

/// Whether the wasm target's library is there, however Rust was installed.
fn has_target() -> bool {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", WASM]).output();
    asked.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
