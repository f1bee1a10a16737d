//! `sim check`: the exhaustive checks, which are tests: stateright is no part of the command.

use std::process::Command;

use crate::Verdict;

/// Runs them.
pub(crate) fn check(large: bool) -> Result<Verdict, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--release", "--package", "outbox-sim"]);
    cargo.args(["--test", "model_check", "--test", "election_check", "--", "--nocapture"]);
    if large {
        cargo.env("OUTBOX_CHECK", "large");
    }
    let status = cargo.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    Ok(if status.success() { Verdict::Clean } else { Verdict::CoreBug })
}
