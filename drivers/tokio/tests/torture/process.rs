//! The processes that are alive: started, listened to, killed by their id.

use std::{
    env,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use crate::child::{LEADING, ORDERS, Orders, READY};

const SIGKILL: i32 = 9;
/// A follower that does not lead by then never will.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(20);

/// All processes of a run. None outlives it.
pub(crate) struct Processes {
    /// In the order of their start.
    alive: Vec<Process>,
    started: u32,
    /// Two that led at once (R26).
    rivals: Option<(u32, u32)>,
    said: Receiver<Said>,
    to_said: Sender<Said>,
}

struct Process {
    number: u32,
    child: Child,
    ready: bool,
    leading: bool,
    ended: bool,
    /// What it said that is no word of ours: a panic.
    words: String,
}

/// What a process said, or `None` when it will say no more.
struct Said {
    number: u32,
    at: Instant,
    line: Option<String>,
}

/// How a process ended by itself.
pub(crate) struct Exit {
    pub(crate) success: bool,
    pub(crate) words: String,
}

impl Default for Processes {
    fn default() -> Self {
        let (to_said, said) = channel();
        Self { alive: Vec::new(), started: 0, rivals: None, said, to_said }
    }
}

impl Processes {
    /// How many were started so far.
    pub(crate) fn started(&self) -> u32 {
        self.started
    }

    /// How many are alive.
    pub(crate) fn alive(&self) -> u32 {
        u32::try_from(self.alive.len()).expect("a handful")
    }

    pub(crate) fn start(&mut self, orders: &Orders) {
        let mut child = Command::new(env::current_exe().expect("the system knows"))
            .args(["--exact", "child", "--nocapture"])
            .env(ORDERS, serde_json::to_string(orders).expect("they are plain"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a process can be started");
        let number = self.started;
        self.started += 1;
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let said = self.to_said.clone();
        thread::spawn(move || {
            let lines = lines.map_while(Result::ok).map(Some);
            for line in lines.chain([None]) {
                let _ = said.send(Said { number, at: Instant::now(), line }); // the run may be over
            }
        });
        let words = String::new();
        self.alive.push(Process { number, child, ready: false, leading: false, ended: false, words });
    }

    /// Which of them leads, by its place among the living.
    pub(crate) fn leader(&self) -> Option<u32> {
        let leader = self.alive.iter().position(|process| process.leading);
        leader.map(|place| u32::try_from(place).expect("a handful"))
    }

    /// Waits until all have their store.
    pub(crate) fn wait_until_ready(&mut self, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        while let Some(process) = self.alive.iter().find(|process| !process.ready) {
            let number = process.number;
            let late = self.hear(deadline).is_none();
            self.check()?;
            if late {
                return Err(format!("process {number} is not ready after {limit:?}"));
            }
        }
        Ok(())
    }

    /// Listens for this long.
    pub(crate) fn listen(&mut self, span: Duration) {
        let deadline = Instant::now() + span;
        while self.hear(deadline).is_some() {}
    }

    /// Kills one by its place among the living. If it led, and another was ready to, waits for the other:
    /// the takeover's duration.
    pub(crate) fn kill(&mut self, place: u32) -> Result<Option<Duration>, String> {
        self.check()?;
        let mut victim = self.alive.remove(usize::try_from(place).expect("a handful"));
        let killed = Instant::now();
        victim.kill()?;
        match self.alive.first() {
            Some(heir) if victim.leading && heir.ready && !heir.leading => self.takeover(killed).map(Some),
            _ => Ok(None),
        }
    }

    fn takeover(&mut self, killed: Instant) -> Result<Duration, String> {
        loop {
            let Some(at) = self.hear(killed + TAKEOVER_LIMIT) else {
                return Err(format!("nobody leads {TAKEOVER_LIMIT:?} after the leader's death (R26)"));
            };
            self.check()?;
            if self.alive.first().is_some_and(|heir| heir.leading) {
                return Ok(at - killed);
            }
        }
    }

    /// Kills all that are alive, at once; how many those were.
    pub(crate) fn kill_all(&mut self) -> Result<u32, String> {
        self.check()?;
        let killed = self.alive();
        for process in &mut self.alive {
            process.child.kill().expect("it is a child of ours");
        }
        self.alive.drain(..).try_for_each(|mut process| process.kill())?;
        Ok(killed)
    }

    /// Waits for the only process to end by itself.
    pub(crate) fn wait_for_exit(&mut self, limit: Duration) -> Option<Exit> {
        let deadline = Instant::now() + limit;
        while !self.alive.first().expect("it was started").ended {
            self.hear(deadline)?;
        }
        let mut process = self.alive.remove(0);
        let status = process.child.wait().expect("it is a child of ours");
        Some(Exit { success: status.success(), words: std::mem::take(&mut process.words) })
    }

    /// Takes in the next thing that is said, and when it was; `None` at the deadline.
    fn hear(&mut self, deadline: Instant) -> Option<Instant> {
        let left = deadline.saturating_duration_since(Instant::now());
        let said = match self.said.recv_timeout(left) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("one sender is held here"),
        };
        if said.line.as_deref() == Some(LEADING) {
            self.look_for_rivals(said.number);
        }
        // The last words of one that was killed come after its death.
        if let Some(process) = self.alive.iter_mut().find(|process| process.number == said.number) {
            match said.line.as_deref() {
                Some(READY) => process.ready = true,
                Some(LEADING) => process.leading = true,
                Some(words) => {
                    eprintln!("process {}: {words}", process.number);
                    process.words.push_str(words);
                    process.words.push('\n');
                }
                None => process.ended = true,
            }
        }
        Some(said.at)
    }

    /// Nothing here makes a leader resign: it leads until it dies, and is no longer among the living when
    /// its heir says so.
    fn look_for_rivals(&mut self, leader: u32) {
        let alive = self.alive.iter().any(|process| process.number == leader);
        let rival = self.alive.iter().find(|process| process.leading && process.number != leader);
        if let Some(rival) = rival.filter(|_| alive) {
            self.rivals = Some((rival.number, leader));
        }
    }

    /// None may have ended by itself, and one leads at a time.
    fn check(&self) -> Result<(), String> {
        if let Some((first, second)) = self.rivals {
            return Err(format!("process {second} leads while process {first} does (R26)"));
        }
        match self.alive.iter().find(|process| process.ended) {
            Some(process) => Err(format!("process {} ended by itself:\n{}", process.number, process.words)),
            None => Ok(()),
        }
    }
}

impl Process {
    /// Kills it, and makes sure that this is what it died of.
    fn kill(&mut self) -> Result<(), String> {
        self.child.kill().expect("it is a child of ours");
        let status = self.child.wait().expect("it is a child of ours");
        if status.signal() == Some(SIGKILL) {
            return Ok(());
        }
        Err(format!("process {} had ended by itself ({status}):\n{}", self.number, self.words))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // gone already, most of the time
        let _ = self.child.wait();
    }
}
