//! The demo's office, and the example of **the server side of idempotency**.
//!
//! A client that loses nothing sends a write again until it is answered: when a reply is lost on its way, the server
//! sees the same write twice. What makes the second one harmless is little, and all of it is in [`office`]:
//!
//! 1. Every write carries an `Idempotency-Key`, which the client stored with the write before it was ever sent. It is
//!    the same on every attempt, from every tab, after every restart (R21). A write without one is refused.
//! 2. **The effect and the answer are stored in one transaction, the answer under the key.** Either both are there or
//!    neither: whatever dies in between, the next attempt finds out which.
//! 3. A key that is known gets its stored answer, byte for byte, and nothing else happens. Two attempts at the same
//!    time are two transactions, one after the other: the second finds the answer of the first.
//! 4. A key that comes with another request than before is the client's mistake, and is told so: it must not get an
//!    answer to a question that it did not ask.
//! 5. Only answers that *decide* are stored: done, or refused for good. "Not now" (401, 429, 503) is said before the
//!    transaction begins and stored nowhere, or the next attempt would get it for ever.
//! 6. Keys are forgotten after [`office::KEPT_DAYS`], which must be longer than any client stays offline.
//!
//! Around it: [`changes`] pushes what changed to every page, [`trouble`] makes the trouble that the demo's panel asks
//! for, [`page`] serves the built board.

pub mod changes;
mod http;
pub mod office;
pub mod page;
pub mod trouble;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::TcpListener, sync::watch, task};

use crate::{
    office::{Answer, Office, Problem, Request},
    page::Page,
    trouble::Troubles,
};

/// Where things are.
pub struct Settings {
    /// The folder of the built page.
    pub page: PathBuf,
    /// The database's file; it is made if it is not there.
    pub database: PathBuf,
}

/// What all requests share.
#[derive(Clone)]
pub(crate) struct App {
    office: Arc<Mutex<Office>>,
    /// The number of the last change: word to the event streams that there is something to read.
    newest: watch::Sender<i64>,
    pub(crate) troubles: Troubles,
    pub(crate) page: Arc<Page>,
}

/// Serves until the task is dropped. That is a safe end: what is not committed by then was never answered.
///
/// # Errors
/// The page or the database cannot be read, or the listener breaks.
pub async fn serve(listener: TcpListener, settings: &Settings) -> io::Result<()> {
    let office = Office::open(&settings.database).map_err(io::Error::other)?;
    let newest = office.newest().map_err(io::Error::other)?;
    let app = App {
        office: Arc::new(Mutex::new(office)),
        newest: watch::Sender::new(newest),
        troubles: Troubles::default(),
        page: Arc::new(Page::read(&settings.page)?),
    };
    axum::serve(listener, http::routes(app)).await
}

impl App {
    /// Does one write, or answers as it was answered before; then tells the event streams.
    pub(crate) async fn write(&self, key: String, request: Request) -> Result<Answer, Problem> {
        let answer = self.with_office(move |office| office.write(&key, &request)).await?;
        let newest = self.with_office(|office| office.newest()).await?;
        self.newest.send_if_modified(|told| {
            *told < newest && {
                *told = newest;
                true
            }
        });
        Ok(answer)
    }

    /// Runs `read` where it may block: SQLite is files.
    pub(crate) async fn with_office<R: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Office) -> Result<R, Problem> + Send + 'static,
    ) -> Result<R, Problem> {
        let office = Arc::clone(&self.office);
        let done = task::spawn_blocking(move || {
            // A panic in between has rolled its transaction back: what is stored is whole.
            run(&mut office.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.map_err(|_| Problem::Broken)?
    }
}
