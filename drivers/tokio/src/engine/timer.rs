//! The timer: one task that sleeps until the outbox wants to be woken (R31).

use std::sync::Arc;

use outbox::Input;
use tokio::time::Instant;

use super::{Engine, State};

/// When to wake the outbox.
///
/// Almost every input moves that, nearly always to later: so the task is told only when it moves forward,
/// and looks again when it wakes too early.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    at: Option<Instant>,
    /// What the task sleeps for; `None`: until it is told.
    set_for: Option<Instant>,
    moved_forward: bool,
}

impl Alarm {
    pub(crate) fn set(&mut self, at: Option<Instant>) {
        self.at = at;
        if let Some(at) = at
            && self.set_for.is_none_or(|set_for| at < set_for)
        {
            self.set_for = Some(at);
            self.moved_forward = true;
        }
    }

    /// Whether the task is to be told; it is asked once.
    pub(crate) fn is_moved_forward(&mut self) -> bool {
        std::mem::take(&mut self.moved_forward)
    }

    fn is_due(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }

    fn begin(&mut self) -> Option<Instant> {
        self.set_for = self.at;
        self.at
    }
}

/// The task. It ends with the engine, and the engine with it: that is when the runtime ends.
pub(crate) async fn keep_time(engine: Arc<Engine>) {
    let engine = CloseOnDrop(engine);
    while let Some(at) = engine.0.alarm() {
        let moved_forward = engine.0.timer.notified();
        match at {
            None => moved_forward.await,
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at) => engine.0.ring(),
                () = moved_forward => {}
            },
        }
    }
}

struct CloseOnDrop(Arc<Engine>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Engine {
    /// What to sleep for: `Some(None)` is until told; `None`: the engine has ended.
    #[expect(clippy::option_option, reason = "whether there is a timer, and whether it is set")]
    fn alarm(&self) -> Option<Option<Instant>> {
        match &mut *self.state() {
            State::Running(running) => Some(running.parts.alarm.begin()),
            State::Ended(_) => None,
        }
    }

    fn ring(self: &Arc<Self>) {
        let _ = self.with(|running| {
            if running.parts.alarm.is_due() {
                running.step(Input::Tick);
            }
        });
    }
}
