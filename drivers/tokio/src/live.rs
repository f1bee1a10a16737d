//! `Live`: a [`View`] that a running executor keeps up to date (R22).

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use outbox::{Outbox, View, ViewChange};
use tokio::sync::watch;

use crate::{error::ExecutorError, run::Watcher};

/// The optimistic state of an app, kept up to date while this lives; complete from the start, before any
/// network (R22).
///
/// A mutation shows as soon as the executor has taken it in, before it is stored, and is taken back if
/// that fails.
pub struct Live<S> {
    view: Arc<Mutex<View<S>>>,
    changes: watch::Receiver<()>,
}

impl<S: Clone + Send + 'static> Live<S> {
    /// The live view, and what the run loop begins to feed it with.
    pub(crate) fn new(view: View<S>) -> (Self, impl FnOnce(&Outbox) -> Watcher + Send) {
        let (changed, changes) = watch::channel(());
        let view = Arc::new(Mutex::new(view));
        let fed = Arc::downgrade(&view);
        let watch = move |outbox: &Outbox| {
            for change in outbox.view_changes() {
                feed(&fed, change);
            }
            let watcher = move |change: &ViewChange| feed(&fed, change.clone()) && changed.send(()).is_ok();
            Box::new(watcher) as Watcher
        };
        (Self { view, changes }, watch)
    }

    /// A copy of the state: the base with every pending item folded on.
    #[must_use]
    pub fn state(&self) -> S {
        self.read(S::clone)
    }

    /// Looks at the state without copying it. The run loop waits meanwhile: be brief.
    pub fn read<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(lock(&self.view).state())
    }

    /// Replaces the base: the app learnt a newer state from its server.
    pub fn rebase(&self, base: S) {
        lock(&self.view).rebase(base);
    }

    /// Waits until the pending items have changed since the last call.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`]: there is nothing more to wait for. It is said too when a function of the
    /// projection has panicked, which ends this view and nothing else.
    pub async fn changed(&mut self) -> Result<(), ExecutorError> {
        self.changes.changed().await.map_err(|_| ExecutorError::Stopped)
    }
}

impl<S> fmt::Debug for Live<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// Whether there is still a view to feed.
fn feed<S: Clone + 'static>(view: &Weak<Mutex<View<S>>>, change: ViewChange) -> bool {
    let Some(view) = view.upgrade() else { return false };
    match catch_unwind(AssertUnwindSafe(|| lock(&view).change(change))) {
        Ok(None) => true,
        Ok(Some(unapplied)) => {
            tracing::warn!(id = %unapplied.id, mutator = &*unapplied.mutator_name, cause = unapplied.cause,
                "a pending item does not show in the view; it is sent all the same");
            true
        }
        Err(_) => {
            tracing::error!("a function of the projection panicked: its view ends");
            false
        }
    }
}

/// A view stays usable when a function of its projection panics, so a poisoned lock is as good as any.
fn lock<S>(view: &Mutex<View<S>>) -> MutexGuard<'_, View<S>> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}
