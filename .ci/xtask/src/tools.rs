//! Tools that the checks need, and how each is installed where it is missing.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::steps::{Failure, Steps, cargo, succeeds};

/// The core must build for a target with no operating system at all.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The newest nextest that builds with the oldest Rust of this workspace (1.89).
const NEXTEST: &str = "0.9.128";

/// wasm-bindgen's programs must be of the very version that the lock file has of the crate.
const WASM_BINDGEN: &str = "0.2.129";

/// Debian's, for tests in Chromium.
pub(crate) const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// Debian's, too.
pub(crate) const FIREFOX: &str = "/usr/bin/firefox-esr";

/// Installs what the npm package is built with: the wasm target and wasm-bindgen, each only if it is missing.
pub(crate) fn install_for_wasm(steps: &mut Steps) -> Result<(), Failure> {
    if !has_target() {
        steps.run("install", Command::new("rustup").args(["target", "add", WASM]))?;
    }
    install_wasm_bindgen(steps)
}

/// Installs rustfmt, clippy, the wasm target, nextest and wasm-bindgen, each only if it is missing.
pub(crate) fn install_missing(steps: &mut Steps) -> Result<(), Failure> {
    for component in ["rustfmt", "clippy"] {
        let subcommand = component.trim_start_matches("rust"); // cargo fmt, cargo clippy
        if !succeeds(&mut cargo([subcommand, "--version"])) {
            steps.run("install", Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    if !succeeds(&mut cargo(["nextest", "--version"])) {
        // Unoptimised: it only starts processes, and so it is built in half the time.
        let install = ["install", "--locked", "--debug", "cargo-nextest", "--version", NEXTEST];
        let features = ["--no-default-features", "--features", "default-no-update"];
        steps.run("install", cargo(install).args(features))?;
    }
    install_for_wasm(steps)
}

/// wasm-bindgen and its test runner. Unoptimised: they are built in 75 s on two cores, and run for a second.
fn install_wasm_bindgen(steps: &mut Steps) -> Result<(), Failure> {
    if wasm_bindgen("wasm-bindgen-test-runner")?.exists() {
        return Ok(());
    }
    let install = ["install", "--locked", "--debug", "wasm-bindgen-cli", "--version", WASM_BINDGEN];
    let mut command = cargo(install);
    // Without TLS: it only talks to the driver of the browser.
    command.args(["--no-default-features", "--bin", "wasm-bindgen", "--bin", "wasm-bindgen-test-runner"]);
    command.arg("--root").arg(wasm_bindgen_root()?).env("CARGO_PROFILE_DEV_DEBUG", "0");
    steps.run("install", &mut command)
}

/// Where a program of wasm-bindgen is.
///
/// # Errors
/// Cargo has no home.
pub(crate) fn wasm_bindgen(program: &str) -> Result<PathBuf, Failure> {
    Ok(wasm_bindgen_root()?.join("bin").join(program))
}

/// A folder for this version alone: other projects need others. In cargo's home, so that it is built once a
/// machine and not once a clone.
fn wasm_bindgen_root() -> Result<PathBuf, Failure> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let home = home.ok_or_else(|| Failure("cargo has no home: set CARGO_HOME".into()))?;
    Ok(home.join(format!("tools/wasm-bindgen-{WASM_BINDGEN}")))
}

/// Whether the wasm target's library is there, however Rust was installed.
fn has_target() -> bool {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", WASM]).output();
    asked.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
