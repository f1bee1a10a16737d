//! Tidy: what no compiler and no lint checks, checked as a test. Each check has a test that it can fail.
//!
//! A complaint names the file, the line, what is wrong and what to write instead.

#[path = "tidy/bans.rs"]
mod bans;
#[path = "tidy/manifest.rs"]
mod manifest;
#[path = "tidy/source.rs"]
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use source::{Source, is_word};

/// The widest line of Rust; rustfmt.toml says the same for code, this also holds for comments.
const MAX_COLUMNS: usize = 110;
/// A function fits a screen.
const MAX_FUNCTION_LINES: usize = 70;
/// A file has one subject.
const MAX_FILE_LINES: usize = 800;
/// R1 to R32: the rules that code, tests and messages cite.
const LAST_RULE: u32 = 32;
/// The repository: cargo runs a package's tests in its root.
const TOP: &str = ".";

/// All that may stand at the top: the house, and what a tool insists on. Dot files are free.
const TOP_LEVEL: [&str; 12] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "drivers",
    "rustfmt.toml",
    "sim",
    "snapshots",
    "src",
    "tests",
];

#[test]
fn the_tree_is_tidy() {
    let files = tracked();
    assert!(files.len() > 10, "tidy sees only {} files: it is looking in the wrong place", files.len());
    let mut complaints = top_level(files.keys().map(String::as_str));
    for (path, text) in &files {
        complaints.extend(check(path, text));
    }
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn every_rule_is_named_by_a_test() {
    let files = tracked();
    let missing = untested_rules(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    assert!(missing.is_empty(), "no test names {missing:?}: cite the rule where it is tested, as in `(R10)`");
}

/// All checks that apply to one file.
fn check(path: &str, text: &str) -> Vec<String> {
    let mut complaints = [header(path, text), words(path, text), rules(path, text)].concat();
    if path.ends_with(".rs") {
        let source = Source::new(path, text);
        complaints.extend(columns(&source));
        complaints.extend(lengths(&source));
        complaints.extend(bans::check(&source));
    }
    if path.ends_with("Cargo.toml") {
        complaints.extend(manifest::check(path, text));
    }
    complaints
}

/// Lines of at most 110 columns. A URL and a row of a table in a doc comment cannot be broken.
fn columns(source: &Source<'_>) -> Vec<String> {
    let is_row = |line: &str| line.trim_start().trim_start_matches(['/', '!']).starts_with(" |");
    let too_wide = |line: &str| line.chars().count() > MAX_COLUMNS && !line.contains("://") && !is_row(line);
    let numbered = source.text.lines().enumerate().filter(|(_, line)| too_wide(line));
    numbered
        .map(|(index, line)| {
            let columns = line.chars().count();
            format!("{}:{}: {columns} columns: break the line at {MAX_COLUMNS}", source.path, index + 1)
        })
        .collect()
}

/// Functions that fit a screen, files of one subject.
fn lengths(source: &Source<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = source.text.lines().count();
    if lines > MAX_FILE_LINES {
        complaints.push(format!("{}:1: {lines} lines: split the file below {MAX_FILE_LINES}", source.path));
    }
    for function in source.functions().iter().filter(|function| function.lines > MAX_FUNCTION_LINES) {
        complaints.push(format!(
            "{}:{}: `{}` has {} lines: split it below {MAX_FUNCTION_LINES}, control flow above, leaves below",
            source.path, function.line, function.name, function.lines
        ));
    }
    complaints
}

/// The first lines of a file say what it is for.
fn header(path: &str, text: &str) -> Vec<String> {
    let (marker, first) = if path.ends_with(".rs") {
        ("//!", text.lines().next())
    } else if path.ends_with(".toml") || path.ends_with(".sh") || path == ".ci/run" {
        ("#", text.lines().find(|line| !line.starts_with("#!")))
    } else {
        return Vec::new();
    };
    let says = first.and_then(|line| line.strip_prefix(marker)).is_some_and(|rest| rest.trim().len() >= 10);
    if says { Vec::new() } else { vec![format!("{path}:1: begin with `{marker}` and what the file is for")] }
}

/// Words that promise work instead of doing it.
fn words(path: &str, text: &str) -> Vec<String> {
    let banned = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in line.split(|c| !is_word(c)).filter(|word| banned.contains(word)) {
            complaints.push(format!("{path}:{}: `{word}`: do it now, or open an issue", index + 1));
        }
    }
    complaints
}

/// Only rules that exist are cited.
fn rules(path: &str, text: &str) -> Vec<String> {
    if !path.ends_with(".rs") && !path.ends_with(".md") && !path.ends_with(".toml") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for rule in cited(line).filter(|rule| !(1..=LAST_RULE).contains(rule)) {
            complaints.push(format!("{path}:{}: no rule R{rule}: cite one of R1 to R{LAST_RULE}", index + 1));
        }
    }
    complaints
}

/// The numbers of the rules that a text cites.
fn cited(text: &str) -> impl Iterator<Item = u32> {
    text.split(|c| !is_word(c)).filter_map(|word| {
        let digits = word.strip_prefix('R')?;
        let plain = !digits.is_empty() && digits.len() <= 3 && digits.chars().all(|c| c.is_ascii_digit());
        plain.then(|| digits.parse().expect("at most three digits fit"))
    })
}

/// The rules that no test names. R26 (leadership) may also be named by the election's own tests.
fn untested_rules<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u32> {
    let mut missing: BTreeSet<u32> = (1..=LAST_RULE).collect();
    for (path, text) in files {
        let is_tidy = path.starts_with("tests/tidy");
        let is_test = path.split('/').any(|part| part == "tests") && path.ends_with(".rs") && !is_tidy;
        if is_test {
            missing.retain(|rule| !cited(text).any(|named| named == *rule));
        } else if path.ends_with("election.rs")
            && text.contains("#[test]")
            && cited(text).any(|rule| rule == 26)
        {
            missing.remove(&26);
        }
    }
    missing.into_iter().collect()
}

/// Nothing at the top but the house and what a tool insists on.
fn top_level<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let tops: BTreeSet<&str> = paths.filter_map(|path| path.split('/').next()).collect();
    tops.into_iter()
        .filter(|top| !top.starts_with('.') && !TOP_LEVEL.contains(top))
        .map(|top| format!("{top}:1: not part of the house: move it into one of {}", TOP_LEVEL.join(", ")))
        .collect()
}

/// The files that git tracks or would track, as path and text; without git, the tree. Binary files are
/// left out.
fn tracked() -> BTreeMap<String, String> {
    let top = Path::new(TOP);
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(top)
        .output();
    let paths: Vec<String> = match listing {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(String::from).collect()
        }
        _ => walk(top, top),
    };
    let read = |path: String| fs::read_to_string(top.join(&path)).ok().map(|text| (path, text));
    paths.into_iter().filter_map(read).collect()
}

/// All files under `folder` but build output and git's own.
fn walk(top: &Path, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the repository can be read").flatten() {
        let (path, name): (PathBuf, _) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if name != "target" && name != ".git" && name != "node_modules" {
                found.extend(walk(top, &path));
            }
        } else if let Ok(relative) = path.strip_prefix(top) {
            found.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
    found
}

/// Asserts that `complaints` is one complaint that holds all of `parts`.
#[track_caller]
fn assert_one(complaints: &[String], parts: &[&str]) {
    let [complaint] = complaints else { panic!("expected one complaint: {complaints:#?}") };
    for part in parts {
        assert!(complaint.contains(part), "`{complaint}` does not say `{part}`");
    }
}

#[test]
fn wide_lines_are_told() {
    let w = "w".repeat(MAX_COLUMNS);
    let wide = format!("//! x\n// {w}\n// http://{w}\n/// | {w} |\n");
    assert_one(&columns(&Source::new("src/x.rs", &wide)), &["src/x.rs:2", "113 columns"]);
}

#[test]
fn long_functions_and_files_are_told() {
    let long = format!("//! x\nfn long() {{\n{}}}\n", "    step();\n".repeat(MAX_FUNCTION_LINES - 1));
    assert_one(&lengths(&Source::new("src/x.rs", &long)), &["src/x.rs:2", "`long` has 71 lines"]);
    let fits = long.replacen("    step();\n", "", 1);
    assert!(lengths(&Source::new("src/x.rs", &fits)).is_empty());
    let file = "// line\n".repeat(MAX_FILE_LINES + 1);
    assert_one(&lengths(&Source::new("src/x.rs", &file)), &["801 lines"]);
}

#[test]
fn files_that_do_not_say_what_they_are_for_are_told() {
    assert_one(&header("src/x.rs", "use core::fmt;\n"), &["src/x.rs:1", "`//!`"]);
    assert_one(&header("src/x.rs", "//!\n"), &["`//!`"]);
    assert_one(&header(".ci/run", "#!/usr/bin/env bash\nset -e\n"), &["`#`"]);
    assert!(header(".ci/run", "#!/usr/bin/env bash\n# Runs every check.\n").is_empty());
}

#[test]
fn postponed_work_is_told() {
    let word = concat!("TO", "DO");
    assert_one(&words("README.md", &format!("fine\n{word}: later, addTodo\n")), &["README.md:2", word]);
}

#[test]
fn rules_that_do_not_exist_are_told() {
    let (zero, beyond) = (format!("R{}", 0), format!("R{}", LAST_RULE + 1));
    assert_one(&rules("src/x.rs", &format!("({zero}) and R1 and `C{zero}`")), &["src/x.rs:1", &zero]);
    assert_one(&rules("README.md", &beyond), &["README.md:1", &beyond]);
}

#[test]
fn rules_without_a_test_are_told() {
    let all = (1..=LAST_RULE).map(|rule| format!("(R{rule})")).collect::<Vec<_>>().join(" ");
    let test = |text: &str| untested_rules([("drivers/tokio/tests/x.rs", text)].into_iter());
    assert_eq!(test(&all), []);
    assert_eq!(test(&all.replace("(R7)", "").replace("(R26)", "")), [7, 26]);
    let elsewhere = [("src/x.rs", all.as_str()), ("tests/tidy.rs", &all), ("tests/README.md", &all)];
    assert_eq!(untested_rules(elsewhere.into_iter()).len(), 32);
    let election = [("src/lease/election.rs", "#[test] fn f() {} // (R26)")];
    assert!(!untested_rules(election.into_iter()).contains(&26));
}

#[test]
fn strays_at_the_top_are_told() {
    assert_one(&top_level(["src/lib.rs", ".ci/run", "notes.txt"].into_iter()), &["notes.txt:1"]);
}

#[test]
fn the_walk_finds_this_file_without_git() {
    let top = Path::new(TOP);
    assert!(walk(top, &top.join("tests")).contains(&String::from("tests/tidy.rs")));
}
