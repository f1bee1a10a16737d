//! `Page`: what the page or the worker goes through.

use alloc::rc::Weak;

use js_sys::{Function, Object};
use outbox::{Input, Trigger};
use wasm_bindgen::prelude::*;

use crate::engine::Engine;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = Object)]
    type Callbacks;
    #[wasm_bindgen(method, setter, structural)]
    fn set_online(this: &Callbacks, online: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_wake(this: &Callbacks, wake: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_leave(this: &Callbacks, leave: &JsValue);
    #[wasm_bindgen(method, setter, structural)]
    fn set_back(this: &Callbacks, back: &JsValue);
}

/// The page's events, until it is dropped.
pub(crate) struct Page {
    unwatch: Function,
    _online: Closure<dyn Fn(bool)>,
    _wake: Closure<dyn Fn(u32)>,
    _leave: Closure<dyn Fn()>,
    _back: Closure<dyn Fn()>,
}

impl Page {
    /// `watch` is `watchPage` of `js/page.js`, or what does the same.
    ///
    /// # Errors
    /// What it threw.
    pub(crate) fn watch(watch: &Function, engine: &Weak<Engine>) -> Result<Self, JsValue> {
        let engine = || Weak::clone(engine);
        let (to_online, to_wake, to_leave, to_back) = (engine(), engine(), engine(), engine());
        let online = Closure::new(move |online| feed(&to_online, Input::Online(online)));
        let wake = Closure::new(move |kind| feed(&to_wake, Input::Wake(trigger(kind))));
        let leave = Closure::new(move || with(&to_leave, Engine::leave));
        let back = Closure::new(move || with(&to_back, Engine::back));
        let callbacks: Callbacks = Object::new().unchecked_into();
        callbacks.set_online(online.as_ref());
        callbacks.set_wake(wake.as_ref());
        callbacks.set_leave(leave.as_ref());
        callbacks.set_back(back.as_ref());
        let unwatch = watch.call1(&JsValue::UNDEFINED, &callbacks)?.unchecked_into();
        Ok(Self { unwatch, _online: online, _wake: wake, _leave: leave, _back: back })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Err(thrown) = self.unwatch.call0(&JsValue::UNDEFINED) {
            crate::clock::report(&thrown);
        }
    }
}

/// 0: the page became visible; else it was focused.
fn trigger(kind: u32) -> Trigger {
    if kind == 0 { Trigger::Visible } else { Trigger::Focus }
}

fn feed(engine: &Weak<Engine>, input: Input) {
    with(engine, |engine| engine.feed(input));
}

fn with(engine: &Weak<Engine>, act: impl FnOnce(&Engine)) {
    if let Some(engine) = engine.upgrade() {
        act(&engine);
    }
}
