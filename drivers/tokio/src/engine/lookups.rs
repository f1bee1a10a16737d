//! Handles had again by id: of items that this process knows, and of such as another may have stored a moment
//! ago (R28, R29).

use futures_channel::oneshot;
use outbox::{Input, ItemId, Outcome, Poke, storage::OpId};
use outbox_driver::{Known, OutcomeSender};

use super::{Running, later::Later, store_thread::Request};

impl Running {
    /// The outcome to come of a pending item; for any other, what is known of it (R29).
    pub(super) fn outcome_of(&mut self, id: ItemId) -> oneshot::Receiver<Outcome> {
        let (tell, told) = oneshot::channel();
        if self.outbox.config().shared && Known::of(&self.outbox, &id) == Known::Nothing {
            self.parts.lookups.add(id, tell);
            self.step(Input::Poked(Poke::Unknown));
        } else {
            self.tell_outcome(id, tell);
        }
        told
    }

    /// A read that begins now brings what was stored before.
    pub(super) fn note_request(&mut self, request: &Request) {
        match request {
            Request::Acquire { op } => self.parts.lookups.acquiring(*op),
            Request::Load { op, scope, .. } => self.parts.lookups.loading(*op, scope),
            Request::Persist { .. } => {}
        }
    }

    /// What a read that has ended says of the handles that waited for it. The outbox has it by now.
    pub(super) fn answer_lookups(&mut self, op: OpId) {
        for lookup in self.parts.lookups.take(op) {
            self.tell_outcome(lookup.id, lookup.tell);
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
        match Known::of(&self.outbox, &id) {
            Known::Pending => self.parts.waiters.item(id, tell),
            Known::Ended(outcome) => self.parts.later.push(Later::Outcome(tell, outcome)),
            Known::Nothing => self.parts.later.push(Later::Outcome(tell, Outcome::Gone)),
        }
    }
}
