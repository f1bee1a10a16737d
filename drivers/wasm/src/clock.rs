//! `Clock` and `Alarm`: the time, and one timer (R30, R31).

use alloc::{boxed::Box, rc::Rc};
use core::cell::{Cell, OnceCell};

use outbox::Timestamp;
use wasm_bindgen::prelude::*;

use crate::task::{at_end_of_task, in_next_task};

/// The longest delay of a timer, in milliseconds; browsers take a longer one for none.
const MAX_DELAY_MS: u64 = i32::MAX as u64;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn wall_clock() -> f64;
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic() -> f64;
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(ring: &JsValue, delay_ms: i32) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);

    /// A clock of the host's own, for tests: it says what time it is, and rings at the time it is told.
    #[derive(Clone)]
    pub type ClockPort;
    /// Milliseconds since the Unix epoch; it must not run back.
    #[wasm_bindgen(method, structural)]
    fn now(this: &ClockPort) -> f64;
    /// Calls `ring` at `until`, or later; replaces the call before it.
    #[wasm_bindgen(method, structural, js_name = wakeAt)]
    fn wake_at(this: &ClockPort, until: Option<f64>, ring: &JsValue);
}

/// Wall clock at start plus monotonic time since: never runs back (R30).
#[derive(Clone)]
pub(crate) enum Clock {
    Own {
        start_ms: f64,
    },
    #[cfg_attr(
        not(feature = "npm"),
        expect(dead_code, reason = "a test's clock comes through the npm surface")
    )]
    Host(ClockPort),
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self::Own { start_ms: wall_clock() - monotonic() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now_ms = match self {
            Self::Own { start_ms } => start_ms + monotonic(),
            Self::Host(clock) => clock.now(),
        };
        Timestamp::from_millis(now_ms as u64)
    }

    /// Runs it after the browser has had its turn. A test's clock leaves it none: the test waits for what
    /// needs no time.
    pub(crate) fn yield_to_browser(&self, run: Box<dyn FnOnce()>) {
        match self {
            Self::Own { .. } => in_next_task(run),
            Self::Host(_) => at_end_of_task(run),
        }
    }
}

/// One timer. A browser's may come early, and none is longer than 24 days: it is set again for the rest.
pub(crate) struct Alarm {
    timer: Rc<Timer>,
    ring: Closure<dyn Fn()>,
}

struct Timer {
    clock: Clock,
    until: Cell<Option<Timestamp>>,
    id: Cell<Option<JsValue>>,
}

impl Alarm {
    /// `ring` is called at the time that is set, or later.
    pub(crate) fn new(clock: Clock, ring: impl Fn() + 'static) -> Self {
        let timer = Rc::new(Timer { clock, until: Cell::new(None), id: Cell::new(None) });
        // It is set again from within: so it must find itself.
        let ringing = Rc::new(OnceCell::<JsValue>::new());
        let (state, itself) = (Rc::clone(&timer), Rc::clone(&ringing));
        let ring = Closure::new(move || {
            let Some(until) = state.until.get() else { return };
            if until <= state.clock.now() {
                state.until.set(None);
                ring();
            } else if let Some(itself) = itself.get() {
                state.arm(itself);
            }
        });
        let _ = ringing.set(JsValue::clone(ring.as_ref()));
        Self { timer, ring }
    }

    /// Rings once at `until`, and no longer at the time it was set to before.
    pub(crate) fn set(&self, until: Option<Timestamp>) {
        self.timer.until.set(until);
        self.timer.arm(self.ring.as_ref());
    }
}

impl Timer {
    fn arm(&self, ring: &JsValue) {
        let until = self.until.get();
        if let Clock::Host(clock) = &self.clock {
            return clock.wake_at(until.map(|until| until.as_millis() as f64), ring);
        }
        if let Some(id) = self.id.take() {
            clear_timeout(&id);
        }
        self.id.set(until.map(|until| {
            let delay_ms = until.since_ms(self.clock.now()).min(MAX_DELAY_MS);
            set_timeout(ring, i32::try_from(delay_ms).expect("it was clamped"))
        }));
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// Calls a function of JavaScript that may throw, and tells the console if it does.
#[cfg(feature = "npm")]
pub(crate) fn call(function: &js_sys::Function, argument: &JsValue) {
    if let Err(thrown) = function.call1(&JsValue::UNDEFINED, argument) {
        report(&thrown);
    }
}

#[wasm_bindgen]
extern "C" {
    /// Tells the console of an error that has nobody else to be told.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(crate) fn report(thrown: &JsValue);
}
