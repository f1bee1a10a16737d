//! Steps: commands run one after another, each with a heading, its duration, and how to run it again.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    process::Command,
    time::{Duration, Instant},
};

/// Why a command of xtask stopped.
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The steps run so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Option<Duration>)>,
}

impl Steps {
    /// Runs `command` under a heading and says how long it took.
    ///
    /// # Errors
    /// The step, and the command to run it again by hand.
    pub(crate) fn run(&mut self, name: &str, command: &mut Command) -> Result<(), Failure> {
        let start = Instant::now();
        start_and_wait(name, command)?;
        println!("== {name}: {}", seconds(start.elapsed()));
        self.done.push((name.into(), Some(start.elapsed())));
        Ok(())
    }

    /// Says how long the steps took, then runs the last one, whose own summary ends the output.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) fn finish(self, name: &str, command: &mut Command) -> Result<(), Failure> {
        self.told();
        start_and_wait(name, command)
    }

    /// Says how long the steps took.
    pub(crate) fn told(self) {
        println!("\n== so far");
        for (name, took) in self.done {
            println!("  {:>9}  {name}", took.map_or("not run".into(), seconds));
        }
    }

    /// Says that a step was not run for want of a tool.
    pub(crate) fn skip(&mut self, name: &str, install: &str) {
        println!("\n== {name}: not run; for it: {install}");
        self.done.push((name.into(), None));
    }
}

fn start_and_wait(name: &str, command: &mut Command) -> Result<(), Failure> {
    let line = shown(command);
    println!("\n== {name}: {line}");
    let status = command.status().map_err(|e| Failure(format!("{name}: cannot start `{line}`: {e}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure(format!("{name} failed ({status}); to run it again:\n  {line}")))
}

/// Cargo with these arguments: the one that runs xtask.
pub(crate) fn cargo<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Whether `command` can be started and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value)));
    let mut words: Vec<String> =
        set.map(|(name, value)| format!("{}={}", plain(name), quoted(value))).collect();
    let program = command.get_program();
    let is_cargo = env::var_os("CARGO").is_some_and(|cargo: OsString| cargo == program);
    words.push(if is_cargo { "cargo".into() } else { quoted(program) });
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

fn plain(word: &OsStr) -> String {
    word.to_string_lossy().into_owned()
}

fn quoted(word: &OsStr) -> String {
    let word = plain(word);
    if word.is_empty() || word.contains([' ', '"', '$']) { format!("'{word}'") } else { word }
}

fn seconds(took: Duration) -> String {
    format!("{}.{} s", took.as_secs(), took.subsec_millis() / 100)
}

#[test]
fn a_failed_step_says_how_to_run_it_again() {
    let mut command = Command::new("false");
    command.arg("two words").env("RUSTDOCFLAGS", "-D warnings");
    let failure = Steps::default().run("a step", &mut command).err().map(|failure| failure.to_string());
    let failure = failure.unwrap_or_default();
    assert!(failure.starts_with("a step failed"), "{failure}");
    assert!(failure.ends_with("RUSTDOCFLAGS='-D warnings' false 'two words'"), "{failure}");
}
