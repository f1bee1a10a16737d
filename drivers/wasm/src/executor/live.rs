//! `Live`: a [`View`] that a running executor keeps up to date (R22).

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    future::poll_fn,
    rc::{Rc, Weak},
    task::{Poll, Waker},
};

use outbox::{View, ViewChange};
use outbox_driver::ExecutorError;
use wasm_bindgen::JsValue;

/// The optimistic state of an app, kept up to date while this lives; complete from the start, before any
/// network (R22).
///
/// A mutation shows as soon as the executor has taken it in, before it is stored, and is taken back if
/// that fails. Changes are applied when somebody looks.
pub struct Live<S> {
    view: RefCell<View<S>>,
    feed: Rc<Feed>,
    seen: Cell<u64>,
}

/// Changes on their way from the executor to a view.
#[derive(Default)]
pub(crate) struct Feed {
    waiting: RefCell<VecDeque<ViewChange>>,
    version: Cell<u64>,
    has_ended: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

/// All feeds.
#[derive(Default)]
pub(crate) struct Feeds(RefCell<Vec<Weak<Feed>>>);

impl<S: Clone + 'static> Live<S> {
    pub(crate) fn new(view: View<S>, feed: Rc<Feed>) -> Self {
        Self { view: RefCell::new(view), feed, seen: Cell::new(0) }
    }

    /// A copy of the state: the base with every pending item folded on.
    #[must_use]
    pub fn state(&self) -> S {
        self.read(S::clone)
    }

    /// Looks at the state without copying it. `look` must not look at this view again.
    pub fn read<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        self.apply();
        look(self.view.borrow_mut().state())
    }

    /// Replaces the base: the app learnt a newer state from its server.
    pub fn rebase(&self, base: S) {
        self.apply();
        self.view.borrow_mut().rebase(base);
    }

    /// Waits until the pending items have changed since the last call.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ExecutorError::Stopped`]: there is nothing more to wait for.
    pub async fn changed(&self) -> Result<(), ExecutorError> {
        poll_fn(|cx| {
            let version = self.feed.version.get();
            if self.seen.replace(version) != version {
                return Poll::Ready(Ok(()));
            }
            if self.feed.has_ended.get() {
                return Poll::Ready(Err(ExecutorError::Stopped));
            }
            self.feed.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }

    fn apply(&self) {
        let waiting = self.feed.waiting.take();
        let mut view = self.view.borrow_mut();
        for unapplied in waiting.into_iter().filter_map(|change| view.change(change)) {
            let (id, mutator, cause) = (unapplied.id, unapplied.mutator_name, unapplied.cause);
            let words = format!("`{id}` of `{mutator}` does not show in the view, and is sent: {cause}");
            crate::clock::report(&JsValue::from_str(&words));
        }
    }
}

impl<S> fmt::Debug for Live<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl Feed {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake(); // tasks run later, never in here
        }
    }
}

impl Feeds {
    /// A feed that begins with these changes.
    pub(crate) fn begin(&self, changes: VecDeque<ViewChange>) -> Rc<Feed> {
        let feed = Rc::new(Feed { waiting: RefCell::new(changes), ..Feed::default() });
        self.0.borrow_mut().push(Rc::downgrade(&feed));
        feed
    }

    pub(crate) fn tell(&self, change: &ViewChange) {
        self.each(|feed| {
            feed.waiting.borrow_mut().push_back(change.clone());
            feed.version.set(feed.version.get() + 1);
        });
    }

    pub(crate) fn end(&self) {
        self.each(|feed| feed.has_ended.set(true));
    }

    fn each(&self, change: impl Fn(&Feed)) {
        self.0.borrow_mut().retain(|feed| {
            let Some(feed) = feed.upgrade() else { return false };
            change(&feed);
            feed.wake();
            true
        });
    }
}
