//! The field technician's day, as the README tells to run it, only shorter: with a kill, two losses of
//! signal, a flaky server and one record that it refuses (R1, R3, R6, R12, R15, R21).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    env,
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Output},
};

/// What the summary must say. The counts are those of `day.jsonl`.
const SUMMARY: [&str; 8] = [
    "  stored     333  ",
    "  sent       332  ",
    "  dropped      1  T7-0060 moveStock: part FD-O164 is not in the catalogue",
    "  ok      nothing lost   the office has all 332 records that it did not refuse",
    "  ok      nothing twice  each of its 332 entries is one record",
    "  ok      order kept     in 24 lanes, the longest is `van` with 83 records",
    "  ok      refusals told  1 of 1, kept across the restart",
    "  ok      store empty    0 items and 1 failure record left in the SQLite file",
];

#[test]
fn a_day_with_a_kill_and_a_flaky_server_loses_nothing_and_keeps_the_order() {
    let output = field_service(&["--seconds", "2", "--trouble", "40"]);
    let (summary, story) = (text(&output.stdout), text(&output.stderr));
    let all = format!("{story}\n{summary}");
    assert!(output.status.success(), "{}\n{all}", output.status);
    for line in SUMMARY {
        assert!(summary.contains(line), "the summary does not say `{line}`:\n{all}");
    }
    assert!(!summary.contains("FAILED"), "{all}");
    assert!(!summary.contains("  repeated     0  "), "no reply was lost: the day was too easy\n{all}");
    let killed = "it ended by signal: 9 (SIGKILL); started again";
    for words in ["no signal", "signal again", "the office refuses T7-0060", killed] {
        assert!(story.contains(words), "the story does not say `{words}`:\n{all}");
    }
}

#[test]
fn a_wrong_flag_is_told_with_the_usage() {
    let output = field_service(&["--minutes", "2"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr).trim_end(),
        "field_service: usage: field_service [--seconds 1..3600] [--trouble 2..1000000]"
    );
}

/// Runs the example through cargo, which builds it if this build has not: the same profile and folder as this
/// test's own.
fn field_service(args: &[&str]) -> Output {
    let test = env::current_exe().unwrap();
    let profile_folder = test.ancestors().nth(2).unwrap(); // target/PROFILE/deps/TEST
    let profile = match profile_folder.file_name().and_then(OsStr::to_str).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let target: PathBuf = profile_folder.parent().unwrap().into();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut run = Command::new(cargo);
    run.args(["run", "--quiet", "--package", "outbox-tokio", "--example", "field_service"]);
    run.args(["--profile", profile]).arg("--target-dir").arg(target).arg("--").args(args);
    run.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
