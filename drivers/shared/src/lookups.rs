//! `Lookups`: handles on items that this replica does not know. Another may have stored one a moment ago: so
//! storage is read before it is said that there is no such item (R28, R29).

use outbox::{
    ItemId, Outbox, Outcome,
    storage::{OpId, Scope},
};

use crate::waiters::OutcomeSender;

/// Handles that wait for a read of storage. Whoever adds one sees to it that a read follows: by an
/// [`Input::Poked`](outbox::Input::Poked) of [`Poke::Unknown`](outbox::Poke::Unknown).
#[derive(Debug, Default)]
pub struct Lookups(Vec<Lookup>);

/// A handle that waits for a read.
#[derive(Debug)]
pub struct Lookup {
    /// The item.
    pub id: ItemId,
    /// Where its outcome is to go.
    pub tell: OutcomeSender,
    /// The read that will tell; `None`: it has not been asked for yet.
    read: Option<OpId>,
}

/// What a replica knows of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is stored, or being written.
    Pending,
    /// It has ended so.
    Ended(Outcome),
    /// Nothing.
    Nothing,
}

impl Known {
    /// What this outbox knows of the item.
    #[must_use]
    pub fn of(outbox: &Outbox, id: &ItemId) -> Self {
        if outbox.item(id).is_some() {
            return Self::Pending;
        }
        let failure = outbox.failures().find(|failure| failure.item.id == *id);
        failure
            .map_or(Self::Nothing, |failure| Self::Ended(Outcome::Dropped { error: failure.error.clone() }))
    }
}

impl Lookups {
    /// `tell` waits for the next read that begins.
    pub fn add(&mut self, id: ItemId, tell: OutcomeSender) {
        self.0.push(Lookup { id, tell, read: None });
    }

    /// A load begins. It brings what was stored before, unless it is of certain items only.
    pub fn loading(&mut self, op: OpId, scope: &Scope) {
        match scope {
            Scope::Full | Scope::Since { .. } => self.acquiring(op),
            Scope::Items(_) => {}
        }
    }

    /// An acquire begins: it brings everything.
    pub fn acquiring(&mut self, op: OpId) {
        for lookup in &mut self.0 {
            lookup.read.get_or_insert(op);
        }
    }

    /// The read has failed: the outbox will repeat it.
    pub fn failed(&mut self, op: OpId) {
        for lookup in self.0.iter_mut().filter(|lookup| lookup.read == Some(op)) {
            lookup.read = None;
        }
    }

    /// The read has ended, and the outbox has what it brought: those that waited for it.
    #[must_use]
    pub fn take(&mut self, op: OpId) -> Vec<Lookup> {
        self.0.extract_if(.., |lookup| lookup.read == Some(op)).collect()
    }
}
