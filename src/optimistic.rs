//! `View`: the optimistic state of a Rust app: a base with the pending items folded on (R22).
//!
//! A [`Projection`] says what each mutator does to a state; a [`View`] is fed the outbox's
//! [`ViewChange`]s and recomputes only what they touch:
//!
//! * Nothing is folded before [`View::state`] is asked for, so a wave of changes costs one refold.
//! * An item that is added at the end costs one application.
//! * A change in the middle refolds from the nearest checkpoint before it. A checkpoint is a clone of the
//!   state, so there are at most 16 of them, however long the list; for the same reason they are at
//!   least 32 items apart: a clone of any sizeable state costs more than a few applications.
//! * The oldest item's commit moves it from the list into the base: the sum, and every checkpoint, stay.

use alloc::{boxed::Box, collections::BTreeMap, string::String, sync::Arc, vec::Vec};
use core::{
    fmt,
    ops::Bound::{Excluded, Included, Unbounded},
};

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use crate::{
    effect::{Place, ViewChange},
    item::{Item, ItemId, Outcome},
    json::Json,
};

const MAX_CHECKPOINTS: usize = 16;
const MIN_SPACING: usize = 32;

/// What the mutators do to a state `S`, by name.
///
/// A mutator that is not here does not touch the state.
pub struct Projection<S> {
    mutators: IndexMap<Arc<str>, Box<Prepare<S>>, FixedState>,
}

type Prepare<S> = dyn Fn(&Json) -> Result<Box<dyn Step<S>>, serde_json::Error> + Send + Sync;

/// What one item does to a state, its args read once.
trait Step<S>: Send + Sync {
    fn apply(&self, state: &mut S);

    /// Applies the confirmed form, if there is one of its own.
    fn confirm(&self, state: &mut S, result: Option<&Json>) -> Confirmed;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Confirmed {
    /// The same that `apply` does.
    AsApplied,
    Otherwise,
}

impl<S: 'static> Projection<S> {
    /// No mutator touches the state.
    #[must_use]
    pub fn new() -> Self {
        Self { mutators: IndexMap::default() }
    }

    /// `apply` is what `mutator` does to the state, as long as its items are pending and when they are
    /// committed. A name given again is replaced.
    #[must_use]
    pub fn on<A: DeserializeOwned + Send + Sync + 'static>(
        mut self,
        mutator: impl Into<Arc<str>>,
        apply: impl Fn(&mut S, &A) + Send + Sync + 'static,
    ) -> Self {
        let apply = Arc::new(apply);
        let prepare = move |args: &Json| -> Result<Box<dyn Step<S>>, serde_json::Error> {
            Ok(Box::new(Plain { args: args.parse::<A>()?, apply: Arc::clone(&apply) }))
        };
        self.mutators.insert(mutator.into(), Box::new(prepare));
        self
    }

    /// The same, with `confirmed` for what a commit does to the base: it gets the mutator's result, if
    /// that is known in this replica (R29).
    #[must_use]
    pub fn on_confirmed<A: DeserializeOwned + Send + Sync + 'static>(
        mut self,
        mutator: impl Into<Arc<str>>,
        apply: impl Fn(&mut S, &A) + Send + Sync + 'static,
        confirmed: impl Fn(&mut S, &A, Option<&Json>) + Send + Sync + 'static,
    ) -> Self {
        let (apply, confirmed) = (Arc::new(apply), Arc::new(confirmed));
        let prepare = move |args: &Json| -> Result<Box<dyn Step<S>>, serde_json::Error> {
            let (apply, confirmed) = (Arc::clone(&apply), Arc::clone(&confirmed));
            Ok(Box::new(WithConfirmed { args: args.parse::<A>()?, apply, confirmed }))
        };
        self.mutators.insert(mutator.into(), Box::new(prepare));
        self
    }

    fn prepare(&self, item: &Item) -> Option<Result<Box<dyn Step<S>>, serde_json::Error>> {
        self.mutators.get(&*item.mutator_name).map(|prepare| prepare(&item.args))
    }
}

impl<S: 'static> Default for Projection<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for Projection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.mutators.keys()).finish()
    }
}

struct Plain<A, F> {
    args: A,
    apply: Arc<F>,
}

impl<S, A: Send + Sync, F: Fn(&mut S, &A) + Send + Sync> Step<S> for Plain<A, F> {
    fn apply(&self, state: &mut S) {
        (self.apply)(state, &self.args);
    }

    fn confirm(&self, state: &mut S, _: Option<&Json>) -> Confirmed {
        (self.apply)(state, &self.args);
        Confirmed::AsApplied
    }
}

struct WithConfirmed<A, F, C> {
    args: A,
    apply: Arc<F>,
    confirmed: Arc<C>,
}

impl<S, A, F, C> Step<S> for WithConfirmed<A, F, C>
where
    A: Send + Sync,
    F: Fn(&mut S, &A) + Send + Sync,
    C: Fn(&mut S, &A, Option<&Json>) + Send + Sync,
{
    fn apply(&self, state: &mut S) {
        (self.apply)(state, &self.args);
    }

    fn confirm(&self, state: &mut S, result: Option<&Json>) -> Confirmed {
        (self.confirmed)(state, &self.args, result);
        Confirmed::Otherwise
    }
}

/// A pending item that does not show in the state, because its args are not what its mutator's function
/// takes. It is sent all the same. Told once per item and args.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unapplied {
    /// The item.
    pub id: ItemId,
    /// Its mutator.
    pub mutator_name: Arc<str>,
    /// serde's words, with line and column in the args.
    pub cause: String,
}

/// The optimistic state: a base with the pending items folded on, in the order of their [`Place`] (R22).
///
/// ```
/// use outbox::{Projection, View};
///
/// #[derive(Clone, Default)]
/// struct Todos(Vec<String>);
///
/// let projection = Projection::new()
///     .on("addTodo", |todos: &mut Todos, text: &String| todos.0.push(text.clone()));
/// let mut view = View::new(projection, Todos::default());
/// # let effects: Vec<outbox::Effect> = Vec::new();
/// for effect in effects {
///     if let outbox::Effect::View(change) = effect {
///         if let Some(unapplied) = view.change(change) {
///             eprintln!("{} is not shown: {}", unapplied.id, unapplied.cause);
///         }
///     }
/// }
/// assert!(view.state().0.is_empty());
/// ```
pub struct View<S> {
    projection: Projection<S>,
    base: S,
    /// The items that touch the state.
    items: BTreeMap<Place, Entry<S>>,
    /// Args that could not be read, so that they are told once.
    unapplied: BTreeMap<Place, Json>,
    /// The state after everything at or before an item of `items`.
    checkpoints: BTreeMap<Place, S>,
    /// What is folded so far; `None`: to be taken up from a checkpoint or the base.
    head: Option<Head<S>>,
    folds: u64,
}

struct Entry<S> {
    mutator_name: Arc<str>,
    args: Json,
    step: Box<dyn Step<S>>,
}

struct Head<S> {
    /// The last item of `items` that is folded in; `None`: none is.
    through: Option<Place>,
    /// How many were folded since the last checkpoint.
    since_checkpoint: usize,
    state: S,
}

impl<S: Clone + 'static> View<S> {
    /// Nothing is pending: the state is `base`.
    #[must_use]
    pub fn new(projection: Projection<S>, base: S) -> Self {
        Self {
            projection,
            base,
            items: BTreeMap::new(),
            unapplied: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            head: None,
            folds: 0,
        }
    }

    /// The base with every pending item folded on.
    ///
    /// Takes `&mut self` because it folds what changed since it was last asked.
    ///
    /// # Panics
    /// Only if a function of the projection does; the view stays usable.
    pub fn state(&mut self) -> &S {
        if self.items.is_empty() {
            self.head = None;
            return &self.base;
        }
        let mut head = self.head.take().unwrap_or_else(|| self.restart());
        let spacing = MIN_SPACING.max((self.items.len() / MAX_CHECKPOINTS).next_power_of_two());
        let rest = (head.through.map_or(Unbounded, Excluded), Unbounded);
        for (place, entry) in self.items.range(rest) {
            entry.step.apply(&mut head.state);
            self.folds += 1;
            head.through = Some(*place);
            head.since_checkpoint += 1;
            if head.since_checkpoint >= spacing {
                head.since_checkpoint = 0;
                self.checkpoints.insert(*place, head.state.clone());
            }
        }
        self.thin_checkpoints();
        &self.head.insert(head).state
    }

    /// The state without the pending items.
    pub fn base(&self) -> &S {
        &self.base
    }

    /// How many times a function of the projection was called so far: the work done.
    pub fn folds(&self) -> u64 {
        self.folds
    }

    /// Takes in one change of the list of pending items.
    ///
    /// A committed item goes from the list into the base in this same step, so its effect never
    /// flickers; with any other end, its effect is taken back. Changes about places that are not known
    /// do nothing.
    pub fn change(&mut self, change: ViewChange) -> Option<Unapplied> {
        match change {
            ViewChange::Set { place, item } => return self.set(place, &item),
            ViewChange::Moved { from, to } => self.moved(from, to),
            ViewChange::Left { place, outcome: Some(Outcome::Committed { result }) } => {
                self.committed(place, result.as_ref());
            }
            ViewChange::Left { place, outcome: _ } => self.leave(place),
        }
        None
    }

    /// Replaces the base: the app learnt a newer state from its server.
    pub fn rebase(&mut self, base: S) {
        self.base = base;
        self.base_changed();
    }

    /// Replaces an item by a new base that holds its effect, in one step: instead of
    /// [`View::change`] with the [`ViewChange::Left`] of this place.
    pub fn settle_with(&mut self, place: Place, base: S) {
        self.unapplied.remove(&place);
        self.items.remove(&place);
        self.rebase(base);
    }

    fn set(&mut self, place: Place, item: &Item) -> Option<Unapplied> {
        if self
            .items
            .get(&place)
            .is_some_and(|is| is.mutator_name == item.mutator_name && is.args == item.args)
            || self.unapplied.get(&place) == Some(&item.args)
        {
            return None;
        }
        self.leave(place);
        match self.projection.prepare(item)? {
            Ok(step) => {
                let (mutator_name, args) = (Arc::clone(&item.mutator_name), item.args.clone());
                self.touch(place);
                self.items.insert(place, Entry { mutator_name, args, step });
                None
            }
            Err(cause) => {
                self.unapplied.insert(place, item.args.clone());
                let mutator_name = Arc::clone(&item.mutator_name);
                Some(Unapplied { id: item.id.clone(), mutator_name, cause: alloc::format!("{cause}") })
            }
        }
    }

    fn moved(&mut self, from: Place, to: Place) {
        if let Some(args) = self.unapplied.remove(&from) {
            self.unapplied.insert(to, args);
        }
        let Some(entry) = self.items.remove(&from) else { return };
        let passed = (Included(from.min(to)), Included(from.max(to)));
        if self.items.range(passed).next().is_none() {
            // It passed nobody: the sum is the same.
            if let Some(state) = self.checkpoints.remove(&from) {
                self.checkpoints.insert(to, state);
            }
            if let Some(head) = &mut self.head
                && head.through == Some(from)
            {
                head.through = Some(to);
            }
        } else {
            self.touch(from.min(to));
        }
        self.items.insert(to, entry);
    }

    fn committed(&mut self, place: Place, result: Option<&Json>) {
        let is_first = self.items.first_key_value().is_some_and(|(first, _)| *first == place);
        let Some(entry) = self.items.remove(&place) else {
            self.unapplied.remove(&place);
            return;
        };
        self.folds += 1;
        let confirmed = entry.step.confirm(&mut self.base, result);
        if !is_first || confirmed == Confirmed::Otherwise {
            self.base_changed();
            return;
        }
        // base + first + rest: the same sum with the brackets elsewhere.
        self.checkpoints.remove(&place);
        match &mut self.head {
            Some(head) if head.through == Some(place) => head.through = None,
            Some(head) if head.through.is_none() => self.head = None, // it holds the old base alone
            _ => (),
        }
    }

    /// Takes an item out, and its effect back.
    fn leave(&mut self, place: Place) {
        self.unapplied.remove(&place);
        if self.items.contains_key(&place) {
            self.touch(place);
            self.items.remove(&place);
        }
    }

    /// What is folded at or after `place` no longer holds.
    fn touch(&mut self, place: Place) {
        self.checkpoints.split_off(&place);
        if self.head.as_ref().is_some_and(|head| head.through >= Some(place)) {
            self.head = None;
        }
    }

    fn base_changed(&mut self) {
        self.checkpoints.clear();
        self.head = None;
    }

    /// The nearest state to fold on from. Every checkpoint that is there holds.
    fn restart(&self) -> Head<S> {
        match self.checkpoints.last_key_value() {
            Some((place, state)) => {
                debug_assert!(self.items.contains_key(place), "a checkpoint is at an item");
                Head { through: Some(*place), since_checkpoint: 0, state: state.clone() }
            }
            None => Head { through: None, since_checkpoint: 0, state: self.base.clone() },
        }
    }

    /// Keeps every second checkpoint while there are too many.
    fn thin_checkpoints(&mut self) {
        while self.checkpoints.len() > MAX_CHECKPOINTS {
            let mut keep = false;
            self.checkpoints.retain(|_, _| {
                keep = !keep;
                !keep
            });
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for View<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending: Vec<_> = self.items.keys().collect();
        f.debug_struct("View").field("base", &self.base).field("pending", &pending).finish_non_exhaustive()
    }
}
