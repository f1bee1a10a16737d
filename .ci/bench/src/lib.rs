//! What the benchmarks share: a host that acknowledges everything at once, and items to feed it.
//!
//! The host carries out effects in memory and at no cost worth naming, so that what is measured is the core.

use std::{collections::VecDeque, mem};

use outbox::{
    AttemptId, AttemptOutcome, CallId, Config, Draft, Effect, Epoch, Input, Item, ItemId, Json,
    MutatorConfig, Outbox, Seq, Timestamp, Trigger, record,
    storage::{Committed, Contents, OpId, Row, Snapshot, StoreId, Write, WriteResult},
};

/// The one mutator.
pub const MUTATOR: &str = "addTodo";
/// Lanes that items are spread over.
pub const LANES: u64 = 10_000;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const STORE: StoreId = StoreId(7);

/// A leader and the storage, network and clock around it.
#[derive(Debug)]
pub struct Host {
    outbox: Outbox,
    now: Timestamp,
    effects: Vec<Effect>,
    acquire: Option<OpId>,
    inbox: VecDeque<Input>,
    flights: VecDeque<AttemptId>,
    through: u64,
    change: u64,
    calls: u64,
}

impl Host {
    /// A leader of an empty store, ready to dispatch.
    ///
    /// # Panics
    /// If an elected replica does not acquire.
    #[must_use]
    pub fn leading() -> Self {
        let mut host = Self::elected();
        let acquire = host.acquire_op();
        host.loaded(acquire, snapshot(Vec::new()));
        host
    }

    /// A replica that was just elected and waits for the answer to its acquire.
    ///
    /// # Panics
    /// Never: its configuration is within its limits.
    #[must_use]
    pub fn elected() -> Self {
        let mutators = [(MUTATOR.to_owned(), MutatorConfig::default())].into();
        // No attempt times out, and nobody else writes: neither is what is measured.
        let config =
            Config { mutators, timeout_ms: outbox::MAX_TIMEOUT_MS, shared: false, ..Config::default() };
        let outbox = Outbox::new(config, START).expect("the configuration is within its limits");
        let mut host = Self {
            outbox,
            now: START,
            effects: Vec::new(),
            acquire: None,
            inbox: VecDeque::new(),
            flights: VecDeque::new(),
            through: 0,
            change: 0,
            calls: 0,
        };
        host.feed(Input::Wake(Trigger::Init));
        host.feed(Input::Elected);
        host
    }

    /// The acquire that an [`elected`](Self::elected) host waits for.
    ///
    /// # Panics
    /// If it waits for none.
    #[must_use]
    pub fn acquire_op(&self) -> OpId {
        self.acquire.expect("an elected replica acquires (R27)")
    }

    /// Answers the acquire.
    pub fn loaded(&mut self, op: OpId, snapshot: Snapshot) {
        self.acquire = None;
        self.through = snapshot.through.0;
        self.feed(Input::Loaded { op, result: Ok(snapshot) });
    }

    /// Enqueues `draft` and acknowledges it.
    pub fn enqueue(&mut self, draft: Draft) {
        self.calls += 1;
        self.feed(Input::Enqueue { call: CallId(self.calls), draft });
    }

    /// The server has the item that has been in flight longest.
    ///
    /// # Panics
    /// If nothing is in flight.
    pub fn succeed(&mut self) {
        let attempt = self.flights.pop_front().expect("an attempt is in flight");
        self.now = self.now.plus_ms(1);
        self.feed(Input::Resolved { attempt, outcome: AttemptOutcome::Success { result: None } });
    }

    /// How many attempts are in flight, as the host saw them go.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Leaves the attempts that are in flight now without an answer, for ever.
    pub fn hang_flights(&mut self) {
        self.flights.clear();
    }

    /// The replica.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Gives back what buffers hold, so that only the replica is left to be weighed.
    pub fn shrink(&mut self) {
        (self.effects, self.inbox) = (Vec::new(), VecDeque::new());
    }

    /// Handles `input` and all that it causes.
    fn feed(&mut self, input: Input) {
        self.inbox.push_back(input);
        while let Some(input) = self.inbox.pop_front() {
            let mut effects = mem::take(&mut self.effects);
            self.outbox.handle(self.now, input, &mut effects);
            for effect in &effects {
                self.carry_out(effect);
            }
            effects.clear();
            self.effects = effects;
        }
    }

    /// Carries `effect` out; an acquire is kept for [`acquire_op`](Self::acquire_op).
    fn carry_out(&mut self, effect: &Effect) {
        match effect {
            Effect::Persist { op, writes, .. } => {
                let committed = self.commit(writes);
                self.inbox.push_back(Input::Persisted { op: *op, result: Ok(committed) });
            }
            Effect::Load { op, .. } => {
                self.inbox.push_back(Input::Loaded { op: *op, result: Ok(snapshot(Vec::new())) });
            }
            Effect::Dispatch { attempt, .. } => self.flights.push_back(*attempt),
            Effect::Cancel(attempt) => self.flights.retain(|flight| flight != attempt),
            Effect::Acquire { op } => self.acquire = Some(*op),
            _ => {}
        }
    }

    fn commit(&mut self, writes: &[Write]) -> Committed {
        self.change += 1;
        let results = writes.iter().map(|write| match write {
            Write::Insert { .. } => {
                self.through += 1;
                WriteResult::Inserted(Seq(self.through))
            }
            _ => WriteResult::Done,
        });
        Committed { results: results.collect(), change: self.change }
    }
}

/// The `n`-th draft, in one of [`LANES`] lanes; its key is derived from its args (R7).
///
/// # Panics
/// Never: id and args are well formed.
#[must_use]
pub fn draft(n: u64) -> Draft {
    draft_in(n, &lane(n))
}

/// The `n`-th draft, in the lane `lane`.
///
/// # Panics
/// If `lane` is not fit for a JSON string as it is.
#[must_use]
pub fn draft_in(n: u64, lane: &str) -> Draft {
    let args = format!(r#"{{"id":"{lane}","text":"Buy milk","done":false}}"#);
    let args = Json::from_text(&args).expect("the args are JSON");
    Draft::new(id(n), MUTATOR, args)
}

/// Bytes of what the app gave for `draft`: id, mutator name, key and args.
#[must_use]
pub fn payload_bytes(n: u64, draft: &Draft) -> usize {
    draft.id.as_str().len() + draft.mutator_name.len() + lane(n).len() + draft.args.as_str().len()
}

/// A store of `rows`, acquired for the first time.
#[must_use]
pub fn snapshot(rows: Vec<Row>) -> Snapshot {
    let through = rows.last().map_or(Seq(0), |row| row.seq);
    let contents = Contents::Full { rows, failures: Vec::new() };
    Snapshot { store: STORE, epoch: Epoch(1), change: 0, through, contents, paused: Vec::new() }
}

/// `count` stored rows, as [`draft`]s become when they are enqueued.
///
/// # Panics
/// Never: the drafts are well formed.
#[must_use]
pub fn rows(count: u64) -> Vec<Row> {
    (1..=count)
        .map(|n| Row { seq: Seq(n), record: record::encode(&item(n)).as_bytes().to_vec().into() })
        .collect()
}

/// The `n`-th [`draft`] as an item that was just stored.
///
/// # Panics
/// Never: the draft is well formed.
#[must_use]
pub fn item(n: u64) -> Item {
    item_in(n, &lane(n))
}

/// As [`item`], in the lane `lane`.
///
/// # Panics
/// As [`draft_in`].
#[must_use]
pub fn item_in(n: u64, lane: &str) -> Item {
    let draft = draft_in(n, lane);
    Item {
        key: outbox::Key::derive(&draft.args).expect("the lane's name is a key"),
        id: draft.id,
        seq: Some(Seq(n)),
        mutator_name: MUTATOR.into(),
        args: draft.args,
        idempotency_key: None,
        created_at: START,
        retry_count: 0,
        next_attempt_at: START,
        retry_after: None,
        last_class: None,
        last_error: None,
        metadata: None,
        claimed: false,
        barrier: false,
        rewrites: 0,
        version: record::VERSION,
    }
}

fn id(n: u64) -> ItemId {
    ItemId::new(format!("item-{n:012}")).expect("the id is short")
}

fn lane(n: u64) -> String {
    format!("lane-{:05}", n % LANES)
}
