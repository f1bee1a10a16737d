//! What comes together shares a transaction (R4): storage is asked at the end of the turn, when all that the
//! platform had ready has been heard.
//!
//! The attempts that one answer starts end in as many microtasks, as do the calls of those who waited for it.
//! Each would find storage idle: the first would be written alone, and the others behind it, and so for ever.
//! One microtask is enough to hear them all: they are queued before it.

use alloc::rc::Weak;
use core::cell::Cell;

use outbox::{Input, Outbox};
use wasm_bindgen::prelude::*;

use super::{Engine, Stage, with};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(ask: &JsValue);
}

/// Whether the end of the turn is waited for.
#[derive(Default)]
pub(super) struct Gathering(Cell<bool>);

impl Engine {
    /// Sees to it that what waits for storage is asked for at the end of this turn.
    pub(super) fn gather(&self) {
        if self.has_gathered() && !self.gathering.0.replace(true) {
            let engine = Weak::clone(&self.me);
            // Owned by the platform: the engine may have ended by then.
            queue_microtask(&Closure::once_into_js(move || with(&engine, Self::ask_for_gathered)));
        }
    }

    /// Asks storage for what has gathered.
    pub(super) fn ask_for_gathered(&self) {
        self.gathering.0.set(false);
        if self.has_gathered() {
            self.feed(Input::Tick);
        }
    }

    fn has_gathered(&self) -> bool {
        self.stage.get() != Stage::Stopped && self.look(Outbox::wants_storage)
    }
}
