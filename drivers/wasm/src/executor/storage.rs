//! What the Rust API adds to a storage port: its requests as futures.

use js_sys::Promise;
use outbox::{Input, storage::StorageError};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::store::{Request, StoragePort, failure};

impl StoragePort {
    /// Opens it for the outbox of this name.
    ///
    /// # Errors
    /// As the storage fails.
    pub async fn open(&self, name: &str) -> Result<(), StorageError> {
        settled(self.js_open(name)).await.map(drop).map_err(failure)
    }

    /// Deletes everything that is stored under this name: for a logout. Executors of that name begin anew.
    ///
    /// # Errors
    /// As the storage fails.
    pub async fn destroy(&self, name: &str) -> Result<(), StorageError> {
        settled(self.js_destroy(name)).await.map(drop).map_err(failure)
    }

    /// Asks it one thing, as an outbox does: for tests of a storage with the conformance suite of
    /// [`outbox::storage`].
    pub async fn answer(&self, request: &Request) -> Input {
        match settled(request.send(self)).await {
            Ok(value) => request.answered(value),
            Err(thrown) => request.failed(thrown),
        }
    }

    /// Closes it; nothing may be asked after that.
    pub fn close(&self) {
        if let Err(thrown) = self.js_close() {
            crate::clock::report(&thrown);
        }
    }
}

async fn settled(asked: Result<JsValue, JsValue>) -> Result<JsValue, JsValue> {
    JsFuture::from(Promise::resolve(&asked?)).await
}
