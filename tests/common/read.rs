//! What a scenario can ask the world.

use outbox::{
    AskedItem, AttemptId, Blocked, CallError, CallId, Effect, Event, Item, ItemId, Outbox, Outcome, Reason,
    Recording, Reply, Seq, Timestamp,
    record::{self, Decoded},
    storage::{StorageError, Write},
};

use super::{START, World, item_id, success};

/// The most rounds that [`World::drain`] plays server.
const MAX_ROUNDS: usize = 10_000;

impl World {
    /// The time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Milliseconds since the story began.
    pub fn elapsed_ms(&self) -> u64 {
        self.now.since_ms(START)
    }

    /// Writes a comment into the trace.
    pub fn note(&mut self, text: &str) {
        self.trace.push_str(&format!("// {text}\n"));
    }

    /// The story so far.
    pub fn trace(&self) -> &str {
        &self.trace
    }

    /// The story from here on: the trace before this point is dropped.
    pub fn begin_trace(&mut self) {
        self.trace.clear();
    }

    /// The state machine of a running replica.
    pub fn outbox(&self, r: usize) -> &Outbox {
        self.replicas[r].outbox.as_ref().expect("the replica is running")
    }

    /// The configuration that a replica starts with the next time.
    pub fn config_mut(&mut self, r: usize) -> &mut outbox::Config {
        &mut self.replicas[r].config
    }

    // --- Calls.

    /// What a call came to; `None`: not replied yet.
    pub fn reply(&self, call: CallId) -> Option<&Result<Reply, CallError>> {
        self.replies.get(&call)
    }

    /// The place that an enqueue resolved with.
    pub fn seq(&self, call: CallId) -> Seq {
        match self.reply(call) {
            Some(Ok(Reply::Enqueued { seq, .. })) => *seq,
            other => panic!("the enqueue came to {other:?}"),
        }
    }

    /// Whether the store had it to do; panics if the call is not replied, or failed.
    pub fn done(&self, call: CallId) -> bool {
        match self.reply(call) {
            Some(Ok(Reply::Done(done))) => *done,
            other => panic!("the call came to {other:?}"),
        }
    }

    /// The error that a call came to.
    pub fn error(&self, call: CallId) -> &CallError {
        match self.reply(call) {
            Some(Err(error)) => error,
            other => panic!("the call came to {other:?}"),
        }
    }

    /// The storage error that a call came to.
    pub fn storage_error(&self, call: CallId) -> &StorageError {
        match self.error(call) {
            CallError::Storage(error) => error,
            other => panic!("the call failed with {other:?}"),
        }
    }

    // --- The store.

    /// The ids of the stored items that can be read, in order.
    pub fn stored(&self) -> Vec<String> {
        self.stored_items().iter().map(|item| item.id.to_string()).collect()
    }

    /// The stored items that can be read, in order.
    pub fn stored_items(&self) -> Vec<Item> {
        let rows = self.store.rows().map(|(seq, bytes)| record::decode(seq, bytes, |name| name.into()));
        rows.filter_map(|row| if let Decoded::Item(item) = row { Some(item) } else { None }).collect()
    }

    /// The place that storage gave an item, which may be gone by now.
    pub fn place_of(&self, id: &str) -> Option<Seq> {
        self.ever.iter().find(|(_, of)| of.as_str() == id).map(|(seq, _)| *seq)
    }

    /// A stored item.
    pub fn stored_item(&self, id: &str) -> Item {
        let found = self.stored_items().into_iter().find(|item| item.id.as_str() == id);
        found.unwrap_or_else(|| panic!("{id} is not stored"))
    }

    /// The text of a stored item's record.
    pub fn record(&self, id: &str) -> String {
        let seq = self.stored_item(id).seq;
        let row = self.store.rows().find(|(at, _)| Some(*at) == seq);
        String::from_utf8(row.expect("it is stored").1.to_vec()).expect("records are text")
    }

    /// The ids of the stored failure records, oldest first.
    pub fn stored_failures(&self) -> Vec<String> {
        self.store.failures().map(|(id, _)| id.to_string()).collect()
    }

    // --- A replica.

    /// The ids that a replica shows as pending, in order.
    pub fn shown(&self, r: usize) -> Vec<String> {
        self.outbox(r).pending().map(|item| item.id.to_string()).collect()
    }

    /// The ids of the items in flight in a replica, in seq order.
    pub fn in_flight(&self, r: usize) -> Vec<String> {
        self.replicas[r].flights.values().map(|item| item.id.to_string()).collect()
    }

    /// The attempt of an item that is in flight, and where.
    pub(super) fn flight_of(&self, id: &str) -> Option<(usize, AttemptId)> {
        let flights =
            self.replicas.iter().enumerate().flat_map(|(r, replica)| {
                replica.flights.iter().map(move |(attempt, item)| (r, *attempt, item))
            });
        let mut of_id = flights.filter(|(_, _, item)| item.id.as_str() == id);
        of_id.next_back().map(|(r, attempt, _)| (r, attempt))
    }

    /// The attempt of an item that is in flight.
    pub fn attempt(&self, id: &str) -> AttemptId {
        self.flight_of(id).unwrap_or_else(|| panic!("{id} is not in flight")).1
    }

    /// Everything that a replica dispatched, in order: ids.
    pub fn dispatched(&self, r: usize) -> Vec<String> {
        self.replicas[r].dispatched.iter().map(|(_, _, item)| item.id.to_string()).collect()
    }

    /// Everything that a replica dispatched, as it was.
    pub fn dispatched_items(&self, r: usize) -> Vec<&Item> {
        self.replicas[r].dispatched.iter().map(|(_, _, item)| &**item).collect()
    }

    /// When an item was dispatched, in milliseconds since the story began.
    pub fn dispatch_times_ms(&self, r: usize, id: &str) -> Vec<u64> {
        let all = self.replicas[r].dispatched.iter();
        all.filter(|(_, _, item)| item.id.as_str() == id).map(|(at, _, _)| at.since_ms(START)).collect()
    }

    /// What a replica cancelled.
    pub fn cancelled(&self, r: usize) -> &[AttemptId] {
        &self.replicas[r].cancelled
    }

    /// What a replica told since the story began.
    pub fn events(&self, r: usize) -> &[Event] {
        &self.replicas[r].events
    }

    /// The outcomes that waiters for an item were told, in order.
    pub fn resolved(&self, r: usize, id: &str) -> Vec<Outcome> {
        let told = self.events(r).iter().filter_map(|event| match event {
            Event::Resolved { id: of, outcome } if of.as_str() == id => Some(outcome.clone()),
            _ => None,
        });
        told.collect()
    }

    /// The outcomes that an item was told to be durably gone with, in order.
    pub fn settled(&self, r: usize, id: &str) -> Vec<Outcome> {
        let told = self.events(r).iter().filter_map(|event| match event {
            Event::Settled { id: of, outcome, .. } if of.as_str() == id => Some(outcome.clone()),
            _ => None,
        });
        told.collect()
    }

    /// How often a replica told something.
    pub fn told(&self, r: usize, what: impl Fn(&Event) -> bool) -> usize {
        self.events(r).iter().filter(|event| what(event)).count()
    }

    /// Why an item is not being sent.
    pub fn explain(&self, r: usize, id: &str) -> Blocked {
        let why = self.outbox(r).explain(&item_id(id));
        why.unwrap_or_else(|| panic!("{id} is not pending"))
    }

    /// The reason alone.
    pub fn reason(&self, r: usize, id: &str) -> Reason {
        self.explain(r, id).reason
    }

    /// When an item may change by itself, in milliseconds from now.
    pub fn until_ms(&self, r: usize, id: &str) -> Option<u64> {
        self.explain(r, id).until.map(|at| at.since_ms(self.now))
    }

    /// When the replica's timer is due, in milliseconds from now.
    pub fn next_wake_ms(&self, r: usize) -> Option<u64> {
        self.replicas[r].sleep.map(|at| at.since_ms(self.now))
    }

    /// What the hook was asked last and has not answered.
    pub fn asked(&self, r: usize) -> Option<Vec<String>> {
        let (_, items) = self.replicas[r].ask.as_ref()?;
        Some(items.iter().map(|asked| asked.item.id.to_string()).collect())
    }

    /// All questions to the hook so far, with their times in milliseconds since the story began.
    pub fn asks(&self, r: usize) -> Vec<(u64, &[AskedItem])> {
        self.replicas[r].asks.iter().map(|(at, items)| (at.since_ms(START), &items[..])).collect()
    }

    /// The question that waits, taken: it will not be answered through the world.
    pub fn take_ask(&mut self, r: usize) -> outbox::AskId {
        self.replicas[r].ask.take().expect("the hook was asked").0
    }

    /// How often the replica asked to resign.
    pub fn resigned(&self, r: usize) -> usize {
        self.replicas[r].resigned
    }

    /// Whether the replica has asked to resign and has not led since.
    pub fn resigned_since(&self, r: usize) -> bool {
        self.replicas[r].resigned > 0 && !self.outbox(r).is_leading()
    }

    /// Whether nothing waits for storage, in any replica.
    pub fn all_durable(&self) -> bool {
        self.replicas.iter().all(|replica| {
            replica.request.is_none() && replica.outbox.as_ref().is_none_or(Outbox::is_durable)
        })
    }

    /// Whether a call still waits for its reply; not if its replica has crashed.
    pub fn is_open(&self, call: CallId) -> bool {
        self.replicas.iter().any(|replica| replica.open.contains(&call))
    }

    /// The storage request that waits for its answer.
    pub fn request(&self, r: usize) -> Option<&Effect> {
        self.replicas[r].request.as_ref().map(|(effect, _)| effect)
    }

    /// The writes of the storage request that waits for its answer.
    pub fn writing(&self, r: usize) -> &[Write] {
        match self.request(r) {
            Some(Effect::Persist { writes, .. }) => writes,
            other => panic!("no transaction is in flight: {other:?}"),
        }
    }

    /// All transactions that a replica asked for since it started.
    pub fn persists(&self, r: usize) -> &[Vec<Write>] {
        &self.replicas[r].persists
    }

    /// How often a replica loaded or acquired since it started.
    pub fn loads(&self, r: usize) -> usize {
        self.replicas[r].loads
    }

    /// The recording of a replica since it started.
    pub fn recording(&self, r: usize) -> Recording {
        let replica = &self.replicas[r];
        let mut recording = Recording::new(replica.config.clone(), replica.started_at);
        for (now, input) in &replica.inputs {
            recording.push(*now, input);
        }
        recording
    }

    /// What those inputs caused.
    pub fn effects(&self, r: usize) -> &[Effect] {
        &self.replicas[r].effects
    }

    /// Calls that have not been replied.
    pub fn open_calls(&self) -> usize {
        self.replicas.iter().map(|replica| replica.open.len()).sum()
    }

    /// A server that takes everything: plays until nothing is stored. Returns the ids in the order in which
    /// the server took them. The hook, if asked, keeps everything.
    pub fn drain(&mut self) -> Vec<String> {
        let mut taken = Vec::new();
        for _ in 0..MAX_ROUNDS {
            self.settle();
            if let Some((r, attempt, id)) = self.oldest_flight() {
                taken.push(id.to_string());
                self.resolve(r, attempt, success());
            } else if let Some(r) = self.replicas.iter().position(|replica| replica.ask.is_some()) {
                self.hook_keeps_all(r);
            } else if self.store.rows().len() == 0 {
                assert_eq!(self.open_calls(), 0, "calls without a reply");
                return taken;
            } else {
                let next = self.replicas.iter().filter_map(|replica| replica.sleep).min();
                let next = next.unwrap_or_else(|| panic!("stuck with {:?}\n{}", self.stored(), self.trace));
                self.advance_ms(next.since_ms(self.now));
            }
        }
        panic!("not drained: {:?}\n{}", self.stored(), self.trace);
    }

    fn oldest_flight(&self) -> Option<(usize, AttemptId, ItemId)> {
        let flights = self.replicas.iter().enumerate().flat_map(|(r, replica)| {
            replica.flights.iter().map(move |(attempt, item)| (r, *attempt, item.id.clone()))
        });
        flights.min_by_key(|(_, attempt, _)| attempt.seq)
    }
}
