//! `Live`: a [`View`] that a running executor keeps up to date (R22).

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use outbox::{Outbox, View, ViewChange};
use outbox_driver::ExecutorError;
use tokio::sync::{Notify, watch};

use crate::engine::Watcher;

/// The optimistic state of an app, kept up to date while this lives; complete from the start, before any
/// network (R22).
///
/// A mutation shows as soon as the executor has taken it in, before it is stored, and is taken back if
/// that fails. Changes are applied by whoever looks first, or by a task in the background: the executor
/// never waits for the app's projection.
pub struct Live<S> {
    view: Arc<Mutex<View<S>>>,
    queue: Arc<Queue>,
    changes: watch::Receiver<()>,
}

/// Changes on their way from the executor to the view.
struct Queue {
    changes: Mutex<Changes>,
    /// Told when there are changes, or no more will come.
    fed: Notify,
}

struct Changes {
    waiting: VecDeque<ViewChange>,
    /// Tells of changes; `None` once there will be no more.
    changed: Option<watch::Sender<()>>,
}

impl<S: Clone + Send + 'static> Live<S> {
    /// The live view, what the executor begins to feed it with, and the task that keeps it up to date.
    pub(crate) fn new(
        view: View<S>,
    ) -> (Self, impl FnOnce(&Outbox) -> Watcher, impl Future<Output = ()> + Send + 'static) {
        let (changed, changes) = watch::channel(());
        let waiting = Changes { waiting: VecDeque::new(), changed: Some(changed) };
        let queue = Arc::new(Queue { changes: Mutex::new(waiting), fed: Notify::new() });
        let view = Arc::new(Mutex::new(view));
        let feed = Feed(Arc::clone(&queue));
        let watch = |outbox: &Outbox| {
            lock(&feed.0.changes).waiting.extend(outbox.view_changes());
            Box::new(move |change: &ViewChange| feed.0.push(change)) as Watcher
        };
        let (fed, watched) = (Arc::clone(&queue), Arc::downgrade(&view));
        let keep_up = async move {
            while fed.is_open() {
                fed.fed.notified().await;
                let Some(view) = watched.upgrade() else { return };
                drop(apply(&view, &fed));
            }
        };
        (Self { view, queue, changes }, watch, keep_up)
    }

    /// A copy of the state: the base with every pending item folded on.
    #[must_use]
    pub fn state(&self) -> S {
        self.read(S::clone)
    }

    /// Looks at the state without copying it.
    pub fn read<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(apply(&self.view, &self.queue).state())
    }

    /// Replaces the base: the app learnt a newer state from its server.
    pub fn rebase(&self, base: S) {
        apply(&self.view, &self.queue).rebase(base);
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

impl<S> Drop for Live<S> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl<S> fmt::Debug for Live<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl Queue {
    /// Whether there is still a view to feed.
    fn push(&self, change: &ViewChange) -> bool {
        let mut changes = lock(&self.changes);
        let Some(changed) = &changes.changed else { return false };
        let _ = changed.send(()); // an error: nobody waits
        changes.waiting.push_back(change.clone());
        drop(changes);
        self.fed.notify_one();
        true
    }

    fn is_open(&self) -> bool {
        lock(&self.changes).changed.is_some()
    }

    fn close(&self) {
        lock(&self.changes).changed = None;
        self.fed.notify_one();
    }
}

/// The executor's end of the queue.
struct Feed(Arc<Queue>);

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The view with all changes so far. Only its holder takes changes, so they are applied in order.
fn apply<'a, S: Clone + 'static>(view: &'a Mutex<View<S>>, queue: &Queue) -> MutexGuard<'a, View<S>> {
    let mut view = lock(view);
    let waiting = std::mem::take(&mut lock(&queue.changes).waiting);
    for change in waiting {
        match catch_unwind(AssertUnwindSafe(|| view.change(change))) {
            Ok(None) => {}
            Ok(Some(unapplied)) => {
                tracing::warn!(
                    id = %unapplied.id, mutator = &*unapplied.mutator_name, cause = unapplied.cause,
                    "a pending item does not show in the view; it is sent all the same"
                );
            }
            Err(_) => {
                tracing::error!("a function of the projection panicked: its view ends");
                queue.close();
                break;
            }
        }
    }
    view
}

/// Nothing panics in these locks but the app's projection, and a view stays usable when that does.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
