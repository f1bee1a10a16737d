//! The demo's office, and the example of the server side of idempotency.
#![doc = include_str!("../README.md")]

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
