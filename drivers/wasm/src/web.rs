//! The crate's own ports: the modules of `js/`.

use js_sys::{Function, Object};
use wasm_bindgen::prelude::*;

use crate::{channel::ChannelPort, leadership::ElectionPort, store::StoragePort};

#[wasm_bindgen(module = "/js/indexeddb.js")]
extern "C" {
    #[wasm_bindgen(extends = StoragePort)]
    type IndexedDbStorage;
    #[wasm_bindgen(constructor)]
    fn new(options: &Options) -> IndexedDbStorage;
}

// What a module imports must be named, or it is not shipped.
#[wasm_bindgen(module = "/js/plan.js")]
extern "C" {
    #[wasm_bindgen(js_name = Plan)]
    type _Plan;
}

#[wasm_bindgen(module = "/js/rounds.js")]
extern "C" {
    #[wasm_bindgen(js_name = checkGuess)]
    fn _check_guess();
}

#[wasm_bindgen(module = "/js/packs.js")]
extern "C" {
    #[wasm_bindgen(js_name = Kept)]
    type _Kept;
}

#[wasm_bindgen(module = "/js/spare.js")]
extern "C" {
    #[wasm_bindgen(js_name = Spare)]
    type _Spare;
}

#[wasm_bindgen(module = "/js/failure.js")]
extern "C" {
    #[wasm_bindgen(js_name = storageFailure)]
    fn _storage_failure();
}

#[wasm_bindgen(module = "/js/weblocks.js")]
extern "C" {
    #[wasm_bindgen(extends = ElectionPort)]
    type WebLocksElection;
    #[wasm_bindgen(constructor)]
    fn new() -> WebLocksElection;
    /// Whether this context has Web Locks.
    #[wasm_bindgen(js_name = hasWebLocks)]
    pub(crate) fn has_web_locks() -> bool;
}

#[wasm_bindgen(module = "/js/channel.js")]
extern "C" {
    /// The channel of this name, where there is BroadcastChannel.
    #[wasm_bindgen(js_name = openChannel)]
    pub(crate) fn open_channel(name: &str) -> Option<ChannelPort>;
}

#[wasm_bindgen(module = "/js/page.js")]
extern "C" {
    /// Watches the page; returns what ends that.
    #[wasm_bindgen(js_name = watchPage)]
    pub(crate) fn watch_page(on: &JsValue) -> Function;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = Object)]
    type Options;
    #[wasm_bindgen(method, setter, structural)]
    fn set_durability(this: &Options, durability: &str);
}

/// When a transaction counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is on disk, as far as browser and disk tell the truth.
    #[default]
    Strict,
    /// When the operating system has it: it survives a crash of the browser, perhaps not a loss of power.
    Relaxed,
}

/// The storage in IndexedDB.
#[must_use]
pub fn indexed_db(durability: Durability) -> StoragePort {
    let options: Options = Object::new().unchecked_into();
    options.set_durability(match durability {
        Durability::Strict => "strict",
        Durability::Relaxed => "relaxed",
    });
    IndexedDbStorage::new(&options).into()
}

/// Leadership by Web Locks.
pub(crate) fn web_locks() -> ElectionPort {
    WebLocksElection::new().into()
}
