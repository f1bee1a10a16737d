//! `cargo xtask demo`: builds the board and its office and runs them, from nothing but this repository.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    steps::{Failure, Steps, cargo, succeeds},
    tools, web,
};

/// The page.
pub(crate) const BOARD: &str = "drivers/wasm/demo/board";
/// The server's package.
pub(crate) const OFFICE: &str = "outbox-demo-server";

/// Builds the demo, runs it, prints its address, and opens that if asked to. Ends with ctrl-c.
pub(crate) fn run(is_opened: bool) -> Result<(), Failure> {
    if !succeeds(Command::new("npm").arg("--version")) {
        return Err(Failure("the demo's page is built by npm: install Node.js 20 or newer first".into()));
    }
    let mut steps = Steps::default();
    tools::install_for_wasm(&mut steps)?;
    web::build_package_of_any_size(&mut steps)?;
    build(&mut steps)?;
    serve(is_opened)
}

/// The page and the server, over the npm package as it was built.
pub(crate) fn build(steps: &mut Steps) -> Result<(), Failure> {
    web::install(steps, BOARD)?;
    steps.run("demo: the board", &mut web::npm(BOARD, &["run", "build"]))?;
    steps.run("demo: the office", &mut cargo(["build", "-p", OFFICE]))
}

/// Runs the office until ctrl-c, which ends both.
fn serve(is_opened: bool) -> Result<(), Failure> {
    let folder = target().join("demo");
    std::fs::create_dir_all(&folder)
        .map_err(|e| Failure(format!("cannot make {}: {e}", folder.display())))?;
    let mut command = cargo(["run", "--quiet", "-p", OFFICE, "--", "--page"]);
    command.arg(Path::new(BOARD).join("dist")).arg("--database").arg(folder.join("office.sqlite"));
    let broken = |e: std::io::Error| Failure(format!("the demo's server: {e}"));
    let mut office = command.stdout(Stdio::piped()).spawn().map_err(broken)?;
    let mut address = String::new();
    let said = office.stdout.take().expect("it is piped");
    BufReader::new(said).read_line(&mut address).map_err(broken)?;
    let address = address.trim();
    if !address.is_empty() {
        println!("\nThe board is at {address}, until ctrl-c. Make trouble: nothing is lost.");
        println!("What was written is kept in {}.", folder.display());
        if is_opened {
            open(address);
        }
    }
    let status = office.wait().map_err(broken)?;
    if status.success() { Ok(()) } else { Err(Failure(format!("the demo's server ended: {status}"))) }
}

/// Opens an address in the browser; where that is not known how, the printed address must do.
fn open(address: &str) {
    let opened = match env::consts::OS {
        "macos" => succeeds(Command::new("open").arg(address)),
        "windows" => succeeds(Command::new("cmd").args(["/C", "start", "", address])),
        _ => succeeds(Command::new("xdg-open").arg(address)),
    };
    if !opened {
        println!("No browser could be opened: go there yourself.");
    }
}

/// Where cargo builds.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
}
