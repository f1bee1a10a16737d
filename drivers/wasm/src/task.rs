//! What is done later: at the end of this task, or in a task of its own, after the browser has had its turn.

use alloc::boxed::Box;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    type MessageChannel;
    #[wasm_bindgen(constructor)]
    fn new() -> MessageChannel;
    #[wasm_bindgen(method, getter, structural)]
    fn port1(this: &MessageChannel) -> MessagePort;
    #[wasm_bindgen(method, getter, structural)]
    fn port2(this: &MessageChannel) -> MessagePort;

    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(run: &JsValue);

    type MessagePort;
    #[wasm_bindgen(method, setter, structural, js_name = onmessage)]
    fn set_onmessage(this: &MessagePort, hear: &JsValue);
    #[wasm_bindgen(method, structural, js_name = postMessage)]
    fn post_message(this: &MessagePort, message: &JsValue);
    #[wasm_bindgen(method, structural)]
    fn close(this: &MessagePort);
}

/// Runs it at the end of this task.
pub(crate) fn at_end_of_task(run: Box<dyn FnOnce()>) {
    // Owned by the platform, as in `in_next_task`: who asked may have ended by then.
    queue_microtask(&Closure::once_into_js(run));
}

/// Runs it in this task too, but after the app has gone on that waited for what was answered just now: its
/// `await`s, through our functions and one of its own, are so many microtasks away.
pub(crate) fn after_awaits(run: Box<dyn FnOnce()>) {
    at_end_of_task(Box::new(move || at_end_of_task(Box::new(move || at_end_of_task(run)))));
}

/// Runs it in a task of its own, by a message: those of a hidden page are not throttled, as its timers are.
pub(crate) fn in_next_task(run: Box<dyn FnOnce()>) {
    let channel = MessageChannel::new();
    let heard = channel.port1();
    let hear: Box<dyn FnOnce()> = Box::new(move || {
        heard.close();
        run();
    });
    channel.port1().set_onmessage(&Closure::once_into_js(hear));
    channel.port2().post_message(&JsValue::NULL);
}
