//! The phone: runs the app as a process of its own, taps, listens to what it tells, and kills it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    io, mem,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
};

use crate::app::{Refusal, Report};

/// A phone with the app running on it. Dropping it kills the app.
pub(crate) struct Phone {
    database: PathBuf,
    office: String,
    seen: watch::Sender<Seen>,
    app: App,
}

/// What the apps on a phone have told, one after another.
#[derive(Default)]
pub(crate) struct Seen {
    /// How many records the app that runs now found waiting; `None` until it is ready.
    pub(crate) started: Option<usize>,
    /// The ids of the records that are durable.
    pub(crate) stored: BTreeSet<String>,
    /// How many attempts each record took so far, by id.
    pub(crate) attempts: BTreeMap<String, u32>,
    /// What was refused since it was last taken: id and reason.
    refused: Vec<(String, String)>,
    /// When all is sent: what the office refused, by id.
    pub(crate) done: Option<BTreeMap<String, Refusal>>,
    ended: bool,
}

struct App {
    process: Child,
    taps: ChildStdin,
    listening: JoinHandle<()>,
}

impl Phone {
    /// Starts the app, and waits until it is ready.
    pub(crate) async fn start(database: &Path, office: &str) -> Result<Self, Box<dyn Error>> {
        let seen = watch::Sender::new(Seen::default());
        let app = App::start(database, office, seen.clone())?;
        let phone = Self { database: database.into(), office: office.into(), seen, app };
        phone.wait(|seen| seen.started.is_some()).await?;
        Ok(phone)
    }

    /// Hands the app a line of the day. It may not have read it yet when this returns.
    pub(crate) async fn tap(&mut self, line: &str) -> io::Result<()> {
        self.app.taps.write_all(format!("{line}\n").as_bytes()).await
    }

    /// Kills the app (SIGKILL), hears the rest of what it told, and starts it again.
    pub(crate) async fn kill_and_restart(&mut self) -> Result<ExitStatus, Box<dyn Error>> {
        self.app.process.kill().await?;
        let status = self.app.process.wait().await?;
        (&mut self.app.listening).await?;
        self.seen.send_modify(|seen| (seen.started, seen.ended) = (None, false));
        self.app = App::start(&self.database, &self.office, self.seen.clone())?;
        self.wait(|seen| seen.started.is_some()).await?;
        Ok(status)
    }

    /// The refusals that came since this was last asked, each with its reason.
    pub(crate) fn take_refused(&self) -> Vec<(String, String)> {
        let mut refused = Vec::new();
        self.seen.send_if_modified(|seen| {
            refused = mem::take(&mut seen.refused);
            false // nobody waits for this
        });
        refused
    }

    /// What was told so far.
    pub(crate) fn seen(&self) -> watch::Ref<'_, Seen> {
        self.seen.borrow()
    }

    /// Waits until what was told is enough.
    pub(crate) async fn wait(&self, enough: impl Fn(&Seen) -> bool) -> Result<(), Box<dyn Error>> {
        let mut told = self.seen.subscribe();
        let seen = told.wait_for(|seen| seen.ended || enough(seen)).await?;
        if enough(&seen) { Ok(()) } else { Err("the app has ended before its day did".into()) }
    }

    /// Closes the app, and gives back all that was told.
    pub(crate) async fn close(self) -> Result<Seen, Box<dyn Error>> {
        let App { mut process, taps, listening } = self.app;
        drop(taps);
        let status = process.wait().await?;
        listening.await?;
        if status.success() {
            Ok(self.seen.send_replace(Seen::default()))
        } else {
            Err(format!("the app ended by {status}").into())
        }
    }
}

impl App {
    /// This program again, as a second process.
    fn start(database: &Path, office: &str, seen: watch::Sender<Seen>) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("app").arg(database).arg(office).kill_on_drop(true);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(taps), Some(reports)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("the app was started without pipes".into());
        };
        Ok(Self { process, taps, listening: tokio::spawn(listen(reports, seen)) })
    }
}

/// Takes in what an app tells, to its end. A last line that the kill cut short says nothing.
async fn listen(reports: ChildStdout, seen: watch::Sender<Seen>) {
    let mut lines = BufReader::new(reports).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(report) = serde_json::from_str(&line) {
            seen.send_modify(|seen| seen.hear(report));
        }
    }
    seen.send_modify(|seen| seen.ended = true);
}

impl Seen {
    fn hear(&mut self, report: Report) {
        match report {
            Report::Started { waiting } => self.started = Some(waiting),
            Report::Stored { id } => {
                self.stored.insert(id);
            }
            Report::Attempted { id, attempts } => self.attempted(id, attempts),
            Report::Refused { id, reason } => self.refused.push((id, reason)),
            Report::Done { refused } => {
                for (id, refusal) in &refused {
                    self.attempted(id.clone(), refusal.attempts);
                }
                self.done = Some(refused);
            }
        }
    }

    fn attempted(&mut self, id: String, attempts: u32) {
        let known = self.attempts.entry(id).or_default();
        *known = attempts.max(*known);
    }
}
