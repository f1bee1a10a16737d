//! The technician: goes through the day, line by line, at the pace of the clock.

use std::{error::Error, path::Path, time::Duration};

use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    day::{Happening, Line, TimeOfDay, What},
    office::Office,
    phone::{Phone, Seen},
    progress::Progress,
};

/// How often the progress is shown while nothing else happens.
const TICK: Duration = Duration::from_millis(100);
/// By when all should be sent after the day.
const EVENING: Duration = Duration::from_secs(120);

/// A technician at work, phone in hand.
pub(crate) struct Technician<'a> {
    office: &'a Office,
    day: &'a [Line],
    phone: Phone,
    progress: Progress,
    now: TimeOfDay,
}

impl<'a> Technician<'a> {
    /// Starts the app on a database that is not there yet.
    pub(crate) async fn begin(
        database: &Path,
        office: &'a Office,
        day: &'a [Line],
    ) -> Result<Self, Box<dyn Error>> {
        let now = day.first().ok_or("the day has no lines")?.at;
        let phone = Phone::start(database, office.url()).await?;
        let records = day.iter().filter(|line| line.record().is_some()).count();
        let progress = Progress::new(records);
        progress.say(now, &format!("the day begins: {records} records; the office is at {}", office.url()));
        Ok(Self { office, day, phone, progress, now })
    }

    /// Goes through the day, which lasts `whole` here, and what is left to do in the evening.
    pub(crate) async fn live(mut self, whole: Duration) -> Result<Seen, Box<dyn Error>> {
        let all = async {
            self.work(whole).await?;
            self.go_home().await
        };
        timeout(whole + EVENING, all).await.map_err(|_| "not all is sent two minutes after the day")?
    }

    async fn work(&mut self, whole: Duration) -> Result<(), Box<dyn Error>> {
        let (begun, day) = (Instant::now(), self.day);
        let (Some(first), Some(last)) = (day.first(), day.last()) else { return Ok(()) };
        for (index, line) in day.iter().enumerate() {
            sleep_until(begun + line.at.scaled(first.at, last.at, whole)).await;
            self.now = line.at;
            match &line.what {
                What::Record(record) => self.record(line.text, &record.id).await?,
                What::Phone { phone: Happening::Dies } => self.kill(&day[index..]).await?,
                What::Phone { phone } => self.happens(*phone, line.text).await?,
            }
            self.show();
        }
        Ok(())
    }

    /// Taps, and goes on when the app says that it is stored. After the app was killed this repeats the tap
    /// that it had not answered.
    async fn record(&mut self, tap: &str, id: &str) -> Result<(), Box<dyn Error>> {
        if !self.phone.seen().stored.contains(id) {
            self.phone.tap(tap).await?;
            self.phone.wait(|seen| seen.stored.contains(id)).await?;
        }
        Ok(())
    }

    /// Kills the app right after the next tap, so that nobody can tell whether that was stored.
    async fn kill(&mut self, ahead: &[Line]) -> Result<(), Box<dyn Error>> {
        let next = ahead.iter().find_map(|line| Some((line.text, &line.record()?.id)));
        let (tap, id) = next.ok_or("the app is to be killed after the last record")?;
        self.phone.tap(tap).await?;
        let waiting = self.waiting();
        self.say(&format!("{id} is tapped and the app killed before it answers, {waiting} waiting"));
        let status = self.phone.kill_and_restart().await?;
        let found = self.phone.seen().started.unwrap_or_default();
        self.say(&format!("it ended by {status}; started again, it finds {found} waiting"));
        Ok(())
    }

    /// Something happens that the app is told of.
    async fn happens(&mut self, what: Happening, line: &str) -> Result<(), Box<dyn Error>> {
        let words = match what {
            Happening::NoSignal => {
                self.office.set_signal(false);
                "no signal"
            }
            Happening::Signal => {
                self.office.set_signal(true);
                "signal again"
            }
            Happening::Dies => "the app dies",
            Happening::DayEnds => "the day ends",
        };
        self.say(&format!("{words}, {} waiting", self.waiting()));
        Ok(self.phone.tap(line).await?)
    }

    /// Waits until the app has sent everything, and closes it.
    async fn go_home(mut self) -> Result<Seen, Box<dyn Error>> {
        loop {
            match timeout(TICK, self.phone.wait(|seen| seen.done.is_some())).await {
                Ok(done) => break done?,
                Err(_elapsed) => self.show(),
            }
        }
        self.show();
        self.progress.end();
        self.phone.close().await
    }

    /// Shows what came of the taps so far.
    fn show(&mut self) {
        for (id, reason) in self.phone.take_refused() {
            self.say(&format!("the office refuses {id}: {reason}"));
        }
        let stored = self.phone.seen().stored.len();
        self.progress.show(self.now, stored, self.office.answered());
    }

    fn say(&self, what: &str) {
        self.progress.say(self.now, what);
    }

    /// Stored and not at the office yet.
    fn waiting(&self) -> usize {
        self.phone.seen().stored.len().saturating_sub(self.office.answered())
    }
}
