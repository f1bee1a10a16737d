//! `Clock`: the wall clock at start plus monotonic time since, so that it never runs back (R30).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use outbox::Timestamp;
use tokio::time::Instant;

/// Translates between the core's time and tokio's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { wall: wall_now(), started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall.plus_ms(millis(self.started.elapsed()))
    }

    /// When `now` will be `at`; a point before the start is the start.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        // Instants have no stated end; the core asks for at most a day ahead.
        let ahead = Duration::from_millis(at.since_ms(self.wall));
        self.started.checked_add(ahead).unwrap_or_else(|| self.started + Duration::from_secs(86_400 * 365))
    }
}

/// The wall clock; the epoch if it is set to before 1970.
pub(crate) fn wall_now() -> Timestamp {
    Timestamp::from_millis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis))
}

/// Whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_instant_is_reached_exactly_when_now_says_so() {
        let clock = Clock::start();
        let at = clock.now().plus_ms(1_234);
        tokio::time::sleep_until(clock.instant(at)).await;
        assert!(clock.now() >= at);
        assert_eq!(clock.instant(Timestamp::ZERO), clock.started);
        assert!(clock.instant(Timestamp::from_millis(u64::MAX)) > clock.started);
    }
}
