//! Calls of the app: enqueue, remove, failures, pause (R1, R15, R18, R20, R21, R32).

use alloc::{string::String, sync::Arc, vec::Vec};

use super::{
    Effects, Outbox,
    entry::Stage,
    failures::FailureRetry,
    journal::{CallKind, CallWrite},
    writing::Writing,
};
use crate::{
    backoff,
    config::{MAX_NAME_BYTES, MutatorConfig},
    effect::{Effect, Event, Place, Reply, ViewChange},
    error::{CallError, InputError},
    input::CallId,
    item::{Draft, Item, ItemId, MAX_ID_BYTES, Seq},
    json::Json,
    keys::Key,
    marks::sometimes,
    mutants::mutant,
    record,
};

impl Outbox {
    pub(super) fn enqueue(&mut self, call: CallId, draft: Draft, fx: &mut Effects) {
        if self.ids.find(&draft.id).is_some() {
            return Self::reply(fx, call, Err(CallError::Duplicate { id: draft.id }));
        }
        match self.item_of(draft) {
            Ok(item) => self.write_item(call, item, None, fx),
            Err(error) => Self::reply(fx, call, Err(error.into())),
        }
    }

    /// The item that a draft asks for, if it is within the limits (R32).
    fn item_of(&self, draft: Draft) -> Result<Item, InputError> {
        InputError::check_text("mutatorName", &draft.mutator_name, MAX_NAME_BYTES)?;
        let Some(mutator) = self.mutator(&draft.mutator_name) else {
            return Err(InputError::UnknownMutator { name: draft.mutator_name });
        };
        self.check_json(&draft.args, draft.metadata.as_ref())?;
        if let Some(key) = &draft.idempotency_key {
            InputError::check_text("idempotencyKey", key, MAX_ID_BYTES)?;
        }
        let idempotency_key = match draft.idempotency_key {
            Some(key) => Some(Arc::from(key)),
            None => mutator.idempotency_key.then(|| draft.id.text()),
        };
        Ok(Item {
            key: match draft.key {
                Some(key) => key,
                None => Key::derive(&draft.args)?,
            },
            barrier: mutator.barrier,
            mutator_name: Self::intern(&self.names, &draft.mutator_name),
            id: draft.id,
            seq: None,
            args: draft.args,
            idempotency_key,
            created_at: self.now,
            retry_count: 0,
            next_attempt_at: self.now,
            retry_after: None,
            last_class: None,
            last_error: None,
            metadata: draft.metadata,
            claimed: false,
            rewrites: 0,
            version: record::VERSION,
        })
    }

    /// Args and metadata within their limits; metadata an object (R32).
    pub(super) fn check_json(&self, args: &Json, metadata: Option<&Json>) -> Result<(), InputError> {
        let max = self.config.max_args_bytes;
        InputError::check_len("args", args.as_str().len(), max, "bytes")?;
        let Some(metadata) = metadata else { return Ok(()) };
        InputError::check_len("metadata", metadata.as_str().len(), max, "bytes")?;
        if !metadata.as_str().starts_with('{') {
            return Err(InputError::WrongType { field: "metadata".into(), expected: "an object".into() });
        }
        Ok(())
    }

    /// Shows the item at once and queues its insert (R1), claimed if it can be sent at once (R2).
    fn write_item(&mut self, call: CallId, mut item: Item, failure: Option<ItemId>, fx: &mut Effects) {
        mutant!(FollowerNotStored => {
            if self.is_follower() && self.known.is_some() {
                let seq = Seq(self.through().0.saturating_add(1));
                return Self::reply(fx, call, Ok(Reply::Enqueued { id: item.id, seq }));
            }
        });
        let local = self.writing.next();
        let place = Place::Writing(local);
        let born_claimed = self.can_be_born_claimed(&item).then_some(self.now);
        if born_claimed.is_some() {
            sometimes!(BornClaimed);
            // Its seq, and so its jitter, is not known yet: the whole first window.
            item.retry_count = 1;
            item.claimed = true;
            item.next_attempt_at = self.now.plus_ms(backoff::window_ms(1));
            self.slots.take(place, self.now, false, false);
        }
        self.ids.insert(item.id.clone(), place);
        let item = Arc::new(item);
        Self::view(fx, ViewChange::Set { place, item: Arc::clone(&item) });
        let removals = Vec::new();
        let writing =
            Writing { call, item, born_claimed, failure, removals, in_doubt: false, in_flight: false };
        self.writing.push(writing);
        self.journal.inserts.push_back(local);
    }

    /// Forgets a writing item and its id; the caller decides what becomes of it.
    pub(super) fn take_writing(&mut self, local: u64) -> Option<Writing> {
        let writing = self.writing.remove(local)?;
        self.ids.remove(&writing.item.id, &Place::Writing(local));
        Some(writing)
    }

    /// The insert failed: the call fails and leaves no trace (R1).
    pub(super) fn refuse(&mut self, local: u64, result: Result<Reply, CallError>, fx: &mut Effects) {
        let Some(writing) = self.take_writing(local) else { return };
        self.slots.release(Place::Writing(local));
        Self::view(fx, ViewChange::Left { place: Place::Writing(local), outcome: None });
        Self::reply(fx, writing.call, result);
        for call in writing.removals {
            Self::reply(fx, call, Ok(Reply::Done(false)));
        }
    }

    pub(super) fn remove(&mut self, call: CallId, id: ItemId, fx: &mut Effects) {
        match self.place_of(&id) {
            Some(Place::Writing(local)) => {
                let writing = self.writing.get_mut(local).expect("ids points at a writing item");
                return writing.removals.push(call);
            }
            Some(Place::Stored(seq)) => {
                let entry = self.entries.get(seq).expect("ids points at an entry");
                if !entry.stage.is_decided() {
                    sometimes!(RemovedInFlight, matches!(entry.stage, Stage::InFlight { .. }));
                    self.cancel_if_in_flight(seq, fx);
                    self.set_stage(seq, Stage::Removing);
                    self.void_ask_about(seq);
                }
            }
            None => {}
        }
        self.journal.calls.push_back(CallWrite::new(Some(call), CallKind::Remove(id)));
    }

    /// Whether the app asked to remove this item, and that is not decided yet.
    pub(super) fn is_being_removed(&self, id: &ItemId) -> bool {
        self.journal.calls_under_way().any(|call| matches!(&call.kind, CallKind::Remove(of) if of == id))
    }

    /// A record that is not known here may be stored all the same: a load comes first (R15). So it does if
    /// what is known may be outdated, because its mutator has just been registered (R23).
    pub(super) fn retry_failure(&mut self, retry: FailureRetry, fx: &mut Effects) {
        if self.failures.is_current(&retry.failure) {
            self.retry_known_failure(retry, fx);
        } else {
            self.journal.want.retries.push(retry);
        }
    }

    /// The store was asked, and what it knows is known here.
    pub(super) fn retry_known_failure(&mut self, retry: FailureRetry, fx: &mut Effects) {
        let FailureRetry { call, failure, id } = retry;
        let Some(record) = self.failures.find(&failure) else {
            return Self::reply(fx, call, Ok(Reply::Done(false)));
        };
        let draft = Draft {
            key: Some(record.item.key.clone()),
            metadata: record.item.metadata.clone(),
            idempotency_key: record.item.idempotency_key.as_ref().map(|_| String::from(id.as_str())),
            ..Draft::new(id, &*record.item.mutator_name, record.item.args.clone())
        };
        if self.ids.find(&draft.id).is_some() {
            return Self::reply(fx, call, Err(CallError::Duplicate { id: draft.id }));
        }
        match self.item_of(draft) {
            Ok(item) => self.write_item(call, item, Some(failure), fx),
            Err(error) => Self::reply(fx, call, Err(error.into())),
        }
    }

    pub(super) fn dismiss_failure(&mut self, call: CallId, id: ItemId) {
        self.journal.calls.push_back(CallWrite::new(Some(call), CallKind::Dismiss(id)));
    }

    pub(super) fn pause(&mut self, call: CallId, reason: String, fx: &mut Effects) {
        self.change_pauses(call, reason, CallKind::Pause, fx);
    }

    pub(super) fn resume(&mut self, call: CallId, reason: String, fx: &mut Effects) {
        self.change_pauses(call, reason, CallKind::Resume, fx);
    }

    fn change_pauses(
        &mut self,
        call: CallId,
        reason: String,
        kind: fn(Arc<str>) -> CallKind,
        fx: &mut Effects,
    ) {
        if let Err(error) = InputError::check_text("reason", &reason, MAX_NAME_BYTES) {
            return Self::reply(fx, call, Err(error.into()));
        }
        self.journal.calls.push_back(CallWrite::new(Some(call), kind(Arc::from(reason))));
        self.pauses_changed(fx);
    }

    /// The pause reasons, as stored, or what is being written about them, changed.
    pub(super) fn pauses_changed(&mut self, fx: &mut Effects) {
        let mut reasons = self.pauses.clone();
        for write in self.journal.calls_under_way() {
            write.apply_to_pauses(&mut reasons);
        }
        if reasons != self.paused {
            self.paused = reasons;
            Self::notify(fx, Event::Paused { reasons: self.paused().map(String::from).collect() });
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    /// A mutator registered late (R23): what waits for it is read again, for the driver to upgrade.
    pub(super) fn register(&mut self, call: CallId, name: String, mutator: MutatorConfig, fx: &mut Effects) {
        if let Err(error) = mutator.validate(&name) {
            return Self::reply(fx, call, Err(error.into()));
        }
        self.journal.want.full |= self.failures.outdate(&name);
        self.names.insert(Arc::from(&*name));
        self.told_parked.forget(&name);
        self.config.mutators.insert(name, mutator);
        self.journal.want.full |= self.entries.values().any(|entry| self.is_outdated(entry));
        Self::reply(fx, call, Ok(Reply::Done(true)));
    }

    pub(super) fn reply(fx: &mut Effects, call: CallId, result: Result<Reply, CallError>) {
        fx.push(Effect::Reply { call, result });
    }

    /// Ends the attempt of an item that is in flight; its result, should it come, finds its stage changed.
    pub(super) fn cancel_if_in_flight(&mut self, seq: Seq, fx: &mut Effects) {
        if let Some(attempt) = self.attempt_in_flight(seq) {
            fx.push(Effect::Cancel(attempt));
        }
    }
}
