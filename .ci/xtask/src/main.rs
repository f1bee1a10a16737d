//! `cargo xtask`: every check, benchmark and long test of the project behind one command.

#![expect(clippy::print_stdout, reason = "a program for people")]

mod bench;
mod demo;
mod occupy;
mod steps;
mod tools;
mod web;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use steps::{Failure, Steps, cargo};

const HELP: &str = "\
usage: cargo xtask <command>

  test              every check, then all tests: what a change must pass. Installs what is missing
  demo [--open]     builds and runs the demo: a board in the browser, its server, and trouble
  npm               builds the npm package in drivers/wasm/npm
  web               the part of `test` that is the browser driver's and the npm package's
  bench [NAME]      the benchmarks (core, memory, sqlite; default all) and a table of figures and targets
  bench browser     the npm package and @tanstack/offline-transactions in one page: bench.json and bench.svg
  soak [--minutes M]
                    the simulator on fresh seeds, for M minutes (default 60)
  torture [--rounds N]
                    both drivers under SIGKILL, N times each (default 50), against a flaky server; and the
                    browser's tabs, network and storage under everything else
  torture --firefox [--rounds N]
                    the npm package in Firefox: its promises, its storage, and N kills (default 10)
  fmt               format everything
  help              this text
";

/// Seeds that every change must pass, always the same ones; `soak` plays fresh ones.
const SEEDS: &str = "5000";
/// The first of them.
const FROM: &str = "2000";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<(), Failure> {
    env::set_current_dir(top()).map_err(|e| Failure(format!("cannot enter {}: {e}", top().display())))?;
    match args {
        ["test"] => test(),
        ["demo"] => demo::run(false),
        ["demo", "--open"] => demo::run(true),
        ["npm"] => npm(),
        ["web"] => web(),
        ["bench"] => bench::run(&bench::NAMES),
        ["bench", "browser"] => browser(web::bench),
        ["bench", name] if bench::NAMES.contains(name) => bench::run(&[*name]),
        ["soak"] => soak("60"),
        ["soak", "--minutes", minutes] if is_count(minutes) => soak(minutes),
        ["torture"] => torture("50"),
        ["torture", "--rounds", rounds] if is_count(rounds) => torture(rounds),
        ["torture", "--firefox"] => browser(|steps| web::torture_firefox(steps, "10")),
        ["torture", "--firefox", "--rounds", rounds] if is_count(rounds) => {
            browser(|steps| web::torture_firefox(steps, rounds))
        }
        ["fmt"] => Steps::default().run("format", &mut cargo(["fmt", "--all"])),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(Failure(format!("cannot read `{}`\n\n{HELP}", args.join(" ")))),
    }
}

fn is_count(given: &str) -> bool {
    given.parse::<u32>().is_ok_and(|count| count > 0)
}

/// The top of the repository: two folders above this crate.
fn top() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).ancestors().nth(2).expect("the crate is two folders below the top").to_path_buf()
}

/// Every check, the quick ones first; the test runner last, so that its summary ends the output.
fn test() -> Result<(), Failure> {
    let mut steps = Steps::default();
    tools::install_missing(&mut steps)?;
    steps.run("format", &mut cargo(["fmt", "--all", "--check"]))?;
    steps.run("tidy", &mut cargo(["test", "--quiet", "-p", "outbox", "--test", "tidy"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    steps.run("clippy", &mut cargo(clippy))?;
    let docs = ["doc", "--workspace", "--no-deps", "--all-features"];
    steps.run("rustdoc", cargo(docs).env("RUSTDOCFLAGS", "-D warnings"))?;
    let wasm = ["build", "-p", "outbox", "--target", tools::WASM];
    steps.run("the core on wasm", &mut cargo(wasm))?;
    deny(&mut steps)?;
    steps.run("doctests", &mut cargo(["test", "--workspace", "--doc", "--all-features"]))?;
    steps.run("simulator", &mut sim(["run", "--seeds", SEEDS, "--from", FROM]))?;
    steps.run("planted bugs", &mut sim(["mutants"]))?;
    web::test(&mut steps)?;
    steps.finish("tests", &mut cargo(["nextest", "run", "--workspace", "--all-features"]))
}

/// Builds the npm package, with what that needs.
fn npm() -> Result<(), Failure> {
    let mut steps = Steps::default();
    tools::install_missing(&mut steps)?;
    web::build_package(&mut steps)
}

/// The browser driver and the npm package, for who works on nothing else.
fn web() -> Result<(), Failure> {
    let mut steps = Steps::default();
    tools::install_missing(&mut steps)?;
    web::test(&mut steps)?;
    steps.told();
    Ok(())
}

/// The simulator's command, as `cargo sim` runs it.
fn sim<const N: usize>(args: [&str; N]) -> Command {
    let mut command =
        cargo(["run", "--quiet", "--release", "-p", "outbox-sim", "--features", "mutants", "--"]);
    command.args(args);
    command
}

/// Fresh seeds for a long time.
fn soak(minutes: &str) -> Result<(), Failure> {
    Steps::default().run(&format!("soak, {minutes} minutes"), &mut sim(["run", "--minutes", minutes]))
}

/// cargo-deny runs where it is installed. It is not installed here: building it takes minutes of a run that
/// should be over in fifteen, for lists of licences and sources that change when a dependency does.
fn deny(steps: &mut Steps) -> Result<(), Failure> {
    if !steps::succeeds(&mut cargo(["deny", "--version"])) {
        steps.skip("licences and sources", "cargo install --locked cargo-deny");
        return Ok(());
    }
    let check = ["deny", "--config", ".ci/deny.toml", "check", "bans", "licenses", "sources"];
    steps.run("licences and sources", &mut cargo(check))
}

/// What needs the npm package and a browser.
fn browser(run: impl FnOnce(&mut Steps) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut steps = Steps::default();
    tools::install_missing(&mut steps)?;
    web::build_package(&mut steps)?;
    run(&mut steps)
}

/// The native driver's torture test, at full speed; then the browser's.
fn torture(rounds: &str) -> Result<(), Failure> {
    let test = ["test", "--release", "-p", "outbox-tokio", "--all-features", "--test", "torture"];
    let mut command: Command = cargo(test);
    command.args(["--", "--ignored", "--nocapture"]).env("OUTBOX_TORTURE_KILLS", rounds);
    Steps::default().run(&format!("torture, {rounds} kills"), &mut command)?;
    browser(|steps| web::torture(steps, rounds))
}
