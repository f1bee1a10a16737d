//! The browser driver's steps: the crate in Chromium, the npm package built from it, and who uses that.

use std::{fs, path::Path, process::Command};

use crate::{
    demo, occupy,
    steps::{Failure, Steps, cargo},
    tools::{self, WASM},
};

/// The npm package.
const PACKAGE: &str = "drivers/wasm/npm";
/// Its suites in Chromium: of itself, and of projects that have installed it.
const SUITES: &str = "drivers/wasm/npm/tests";
/// The demo's stories in Chromium.
const STORIES: &str = "drivers/wasm/demo/tests";
/// The npm package in Firefox.
const FIREFOX_SUITE: &str = "drivers/wasm/npm/tests/torture/firefox";
/// Its benchmark beside another library.
const BENCH: &str = "drivers/wasm/npm/tests/bench";

/// The crate, then the package that is built from it, then the demo that uses that.
pub(crate) fn test(steps: &mut Steps) -> Result<(), Failure> {
    test_crate(steps)?;
    build_package(steps)?;
    test_package(steps)?;
    test_demo(steps)
}

/// The crate's own tests, in headless Chromium.
fn test_crate(steps: &mut Steps) -> Result<(), Failure> {
    let all = ["--all-targets", "--all-features", "--", "-D", "warnings"];
    let mut clippy = cargo(["clippy", "-p", "outbox-wasm", "--target", WASM]);
    steps.run("clippy of the wasm driver", clippy.args(all))?;
    let mut test = cargo(["test", "-p", "outbox-wasm", "--target", WASM, "--all-features"]);
    test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", tools::wasm_bindgen("wasm-bindgen-test-runner")?);
    test.env("CHROMEDRIVER", tools::CHROMEDRIVER);
    occupy::with_busy_server(|address| {
        test.env("WASM_BINDGEN_TEST_ADDRESS", address.to_string());
        test.env("WASM_BINDGEN_TEST_TIMEOUT", "300"); // seconds for all of them; 20 are the default
        steps.run("the wasm driver in Chromium", &mut test)
    })
    .map_err(|error| Failure(format!("no port for the tests of the wasm driver: {error}")))?
}

/// Builds the npm package, and fails if it has grown.
pub(crate) fn build_package(steps: &mut Steps) -> Result<(), Failure> {
    build_package_with(steps, &[])
}

/// Builds the npm package, however large it is: another compiler than ours must keep nobody from using it.
pub(crate) fn build_package_of_any_size(steps: &mut Steps) -> Result<(), Failure> {
    build_package_with(steps, &["--", "--any-size"])
}

fn build_package_with(steps: &mut Steps, args: &[&str]) -> Result<(), Failure> {
    install(steps, PACKAGE)?;
    let mut build = npm(PACKAGE, &["run", "build"]);
    build.args(args);
    steps.run("npm package", build.env("WASM_BINDGEN", tools::wasm_bindgen("wasm-bindgen")?))
}

/// The npm package's tests: in node, of its types, in a browser, and under bundlers.
fn test_package(steps: &mut Steps) -> Result<(), Failure> {
    steps.run("npm package: units", &mut npm(PACKAGE, &["test"]))?;
    steps.run("npm package: types", &mut npm(PACKAGE, &["run", "types"]))?;
    steps.run("npm package: publint and attw", &mut npm(PACKAGE, &["run", "lint"]))?;
    install(steps, SUITES)?;
    steps.run("npm package: types of the suites", &mut npm(SUITES, &["run", "check"]))?;
    steps.run("npm package in Chromium, and under bundlers", &mut npm(SUITES, &["test"]))
}

/// The demo: its page against its server, in Chromium.
fn test_demo(steps: &mut Steps) -> Result<(), Failure> {
    demo::build(steps)?;
    steps.run("demo: types of the board", &mut npm(demo::BOARD, &["run", "check"]))?;
    install(steps, STORIES)?;
    steps.run("demo: types of its stories", &mut npm(STORIES, &["run", "check"]))?;
    steps.run("demo in Chromium", &mut npm(STORIES, &["test"]))
}

/// The browser's torture: `rounds` kills of the whole browser, and everything else.
pub(crate) fn torture(steps: &mut Steps, rounds: &str) -> Result<(), Failure> {
    build_simulator(steps)?;
    install(steps, SUITES)?;
    let mut torture = npm(SUITES, &["test", "--", "--project=torture", "--workers=1"]);
    steps.run(&format!("torture in Chromium, {rounds} kills"), torture.env("OUTBOX_TORTURE_ROUNDS", rounds))
}

/// The same promises in Firefox, which takes its time to start, and `rounds` kills of it.
pub(crate) fn torture_firefox(steps: &mut Steps, rounds: &str) -> Result<(), Failure> {
    if !Path::new(tools::FIREFOX).exists() {
        return Err(Failure(format!("there is no {}: apt-get install firefox-esr", tools::FIREFOX)));
    }
    build_simulator(steps)?;
    install(steps, SUITES)?;
    install(steps, FIREFOX_SUITE)?;
    steps.run("torture in Firefox: types", &mut npm(FIREFOX_SUITE, &["run", "check"]))?;
    let mut torture = npm(FIREFOX_SUITE, &["test"]);
    torture.env("OUTBOX_TORTURE_ROUNDS", rounds).env("FIREFOX", tools::FIREFOX);
    steps.run(&format!("torture in Firefox, {rounds} kills"), &mut torture)
}

/// What replays the recordings of a run, as `cargo sim`.
fn build_simulator(steps: &mut Steps) -> Result<(), Failure> {
    let build = ["build", "--release", "-p", "outbox-sim", "--features", "mutants"];
    steps.run("simulator, to replay recordings", &mut cargo(build))
}

/// Both libraries in one page.
pub(crate) fn bench(steps: &mut Steps) -> Result<(), Failure> {
    install(steps, SUITES)?;
    install(steps, BENCH)?;
    steps.run("benchmark in Chromium: types", &mut npm(BENCH, &["run", "check"]))?;
    steps.run("benchmark in Chromium", &mut npm(BENCH, &["run", "bench"]))
}

/// Installs what the lock file names, unless that is installed: `npm ci` starts from nothing each time.
pub(crate) fn install(steps: &mut Steps, folder: &str) -> Result<(), Failure> {
    let lock = Path::new(folder).join("package-lock.json");
    let installed = Path::new(folder).join("node_modules/.installed-lock.json");
    let wanted = fs::read(&lock).map_err(|e| Failure(format!("cannot read {}: {e}", lock.display())))?;
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    steps.run("npm packages", &mut npm(folder, &["ci"]))?;
    fs::write(&installed, wanted).map_err(|e| Failure(format!("cannot write {}: {e}", installed.display())))
}

/// npm in a folder.
pub(crate) fn npm(folder: &str, args: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(["--prefix", folder]).args(args);
    command
}
