//! What the store's thread does between two transactions: hands its answer in, lets those who got it come
//! back, and takes what they brought as one transaction (R4).
//!
//! Those who wait for one answer after another, and the attempts that an answer starts, come back within
//! microseconds. To go on without them would cost them a transaction of their own: a drain would write each
//! wave's results in two halves. But a transaction that is large is better begun: the rest come back while it
//! runs, and share the next.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use outbox::Input;

use super::{Engine, Running, State, later::Later, store_thread::Request};
use crate::mutators::Mutators;

/// How long the thread waits for those who come back; with what it holds up meanwhile it goes on after that.
/// It sleeps: awake it would be in their way, on few processors, and one who is alone would wait longer.
const PATIENCE: Duration = Duration::from_micros(200);

/// With so many back it goes on: a commit costs them little more than their own rows do.
const ENOUGH: u64 = 64;

/// What the store's thread sleeps for, if it does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Waits {
    #[default]
    No,
    /// Something to store.
    Work,
    /// So many arrivals.
    Arrivals(u64),
}

/// The engine has ended.
pub(crate) struct Ended;

impl Engine {
    /// For the store's thread: the next request, of all that waits for storage; `Ok(None)` if there is none
    /// within `limit`; an error when there will never be one.
    pub(crate) fn next_request(self: &Arc<Self>, limit: Option<Duration>) -> Result<Option<Request>, Ended> {
        loop {
            let take = |running: &mut Running| running.take_request(self.arrivals.load(Ordering::Relaxed));
            let request = self.with(take).ok_or(Ended)?;
            if request.is_some() {
                return Ok(request);
            }
            if !self.sleep(Waits::Work, limit, Running::has_work) {
                return Ok(None);
            }
        }
    }

    /// For the store's thread: its answer to the last request, and the mutators as of it. Returns when the
    /// replies are out, and those who got them are back or take their time.
    ///
    /// The answer is given back if those are no longer the mutators.
    pub(crate) fn answered(self: &Arc<Self>, answer: Input, as_of: &Arc<Mutators>) -> Option<Input> {
        let mut answer = Some(answer);
        let answered = self.with_later(|running| {
            let answer = answer.take_if(|_| running.mutators.are(as_of))?;
            running.step(answer);
            Some(running.parts.arrivals_taken)
        });
        let (taken, later) = answered?; // an engine that has ended wants none
        if let Some(taken) = taken {
            self.come_back(taken, later);
        }
        answer
    }

    /// Sees to it that `later` is done, and lets those who hear of it come back; `taken` had arrived before.
    fn come_back(self: &Arc<Self>, taken: u64, later: Vec<Later>) {
        let woken = later.iter().filter(|later| later.wakes_someone()).count() as u64;
        let awaited = taken + woken.min(ENOUGH);
        self.hand_on(later);
        let here = || self.arrivals.load(Ordering::Relaxed) >= awaited;
        let _ = self.sleep(Waits::Arrivals(awaited), Some(PATIENCE), |_| here());
    }

    /// Sees to it that what is left for after the lock is done. This thread is none of the runtime's: each
    /// task that it wakes may cost it a system call, and the worker that wakes up takes its processor. So it
    /// wakes one, and that one the others, which costs next to nothing.
    fn hand_on(self: &Arc<Self>, later: Vec<Later>) {
        let (engine, alone) = (Arc::clone(self), later.len() < 2);
        let carry_out = move || later.into_iter().for_each(|later| later.carry_out(&engine));
        if alone {
            carry_out();
        } else {
            drop(self.runtime.spawn(async move { carry_out() }));
        }
    }

    /// Sleeps until it is told, at most for `limit`, unless there is no reason to; whether it was told.
    fn sleep(&self, waits: Waits, limit: Option<Duration>, awake: impl Fn(&Running) -> bool) -> bool {
        let mut state = self.state();
        match &mut *state {
            State::Running(running) if !awake(running) => running.parts.store_waits = waits,
            _ => return true,
        }
        let Some(limit) = limit else {
            drop(self.asked.wait(state).unwrap_or_else(PoisonError::into_inner));
            return true;
        };
        let (mut state, waited) =
            self.asked.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner);
        if let State::Running(running) = &mut *state {
            running.parts.store_waits = Waits::No;
        }
        !waited.timed_out()
    }
}

impl Running {
    /// The next storage request, made of everything that waits for storage by now.
    fn take_request(&mut self, arrivals: u64) -> Option<Request> {
        self.parts.arrivals_taken = arrivals;
        if self.outbox.wants_storage() {
            self.step(Input::Tick);
        }
        self.parts.request.take()
    }

    /// Whether there is a request to take: one to be made, or one that a timer has brought.
    fn has_work(&self) -> bool {
        self.parts.request.is_some() || self.outbox.wants_storage()
    }

    /// Whether the store's thread sleeps for what is there now; it is to be told once.
    pub(super) fn wakes_store(&mut self, arrivals: u64) -> bool {
        let told = match self.parts.store_waits {
            Waits::No => false,
            Waits::Work => self.has_work(),
            Waits::Arrivals(awaited) => arrivals >= awaited,
        };
        if told {
            self.parts.store_waits = Waits::No;
        }
        told
    }
}
