//! `Lookups`: handles on items that this process does not know. Another may have stored one a moment ago: so
//! storage is read before it is said that there is no such item (R28, R29).

use futures_channel::oneshot;
use outbox::{
    Input, ItemId, Outcome, Poke,
    storage::{OpId, Scope},
};
use outbox_driver::OutcomeSender;

use super::{Running, later::Later, store_thread::Request};

/// Handles that wait for a read.
#[derive(Default)]
pub(crate) struct Lookups(Vec<Lookup>);

struct Lookup {
    id: ItemId,
    tell: OutcomeSender,
    /// The read that will tell; `None`: it has not been asked for yet.
    read: Option<OpId>,
}

impl Lookups {
    /// A read that begins now brings what was stored before.
    pub(crate) fn asked(&mut self, request: &Request) {
        let op = match request {
            Request::Acquire { op } | Request::Load { op, scope: Scope::Full | Scope::Since { .. }, .. } => {
                *op
            }
            Request::Load { scope: Scope::Items(_), .. } | Request::Persist { .. } => return,
        };
        for lookup in &mut self.0 {
            lookup.read.get_or_insert(op);
        }
    }

    /// The read has failed: the outbox will repeat it.
    fn failed(&mut self, op: OpId) {
        for lookup in self.0.iter_mut().filter(|lookup| lookup.read == Some(op)) {
            lookup.read = None;
        }
    }

    fn take(&mut self, op: OpId) -> Vec<Lookup> {
        self.0.extract_if(.., |lookup| lookup.read == Some(op)).collect()
    }
}

impl Running {
    /// The outcome to come of a pending item; for any other, what is known of it (R29).
    pub(super) fn outcome_of(&mut self, id: ItemId) -> oneshot::Receiver<Outcome> {
        let (tell, told) = oneshot::channel();
        if self.outbox.config().shared && self.known_outcome(&id).is_none() {
            self.parts.lookups.0.push(Lookup { id, tell, read: None });
            self.step(Input::Poked(Poke::Unknown));
        } else {
            self.tell_outcome(id, tell);
        }
        told
    }

    /// What a read that has ended says of the handles that waited for it. The outbox has it by now.
    pub(super) fn answer_lookups(&mut self, op: OpId) {
        for Lookup { id, tell, .. } in self.parts.lookups.take(op) {
            self.tell_outcome(id, tell);
        }
    }

    /// The read that an input ends well; one that fails lets a start fail.
    pub(super) fn note_load(&mut self, input: &Input) -> Option<OpId> {
        let Input::Loaded { op, result } = input else { return None };
        let Err(error) = result else { return Some(*op) };
        self.parts.lookups.failed(*op);
        if let Some(first_load) = self.first_load.take() {
            let _ = first_load.send(Err(error.clone())); // a start that was given up
        }
        None
    }

    fn tell_outcome(&mut self, id: ItemId, tell: OutcomeSender) {
        match self.known_outcome(&id) {
            Some(None) => self.parts.waiters.item(id, tell),
            Some(Some(outcome)) => self.parts.later.push(Later::Outcome(tell, outcome)),
            None => self.parts.later.push(Later::Outcome(tell, Outcome::Gone)),
        }
    }

    /// What this replica knows of an item: `Some(None)` if it is pending, `None` if nothing.
    #[expect(clippy::option_option, reason = "whether the item is known, and whether it has ended")]
    fn known_outcome(&self, id: &ItemId) -> Option<Option<Outcome>> {
        if self.outbox.item(id).is_some() {
            return Some(None);
        }
        let failure = self.outbox.failures().find(|failure| failure.item.id == *id)?;
        Some(Some(Outcome::Dropped { error: failure.error.clone() }))
    }
}
