//! A driver that decides itself how much gathers for one transaction (R4, `Config::gather`): storage requests
//! leave with a tick, and hold everything that came before it.

use outbox::{
    AttemptId, AttemptOutcome, CallId, Config, Draft, Effect, Input, ItemId, Json, Outbox, Timestamp,
    Trigger,
    storage::{Committed, MemoryStore, OpId, Store, StoreId, Write, WriteResult},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// One replica, and the store that it has for itself.
struct Gathering {
    outbox: Outbox,
    store: MemoryStore,
    calls: u64,
    flights: Vec<AttemptId>,
    asked: Option<Effect>,
}

impl Gathering {
    fn leading() -> Self {
        let config = Config { gather: true, shared: false, ..Config::with_mutators(["write"]) };
        let outbox = Outbox::new(config, NOW).unwrap();
        let store = MemoryStore::new(StoreId(7));
        let mut this = Self { outbox, store, calls: 0, flights: Vec::new(), asked: None };
        this.feed(Input::Wake(Trigger::Init));
        this.feed(Input::Elected);
        this.tick();
        let Some(Effect::Acquire { op }) = this.asked.take() else { panic!("an elected replica acquires") };
        let result = this.store.acquire();
        this.feed(Input::Loaded { op, result });
        assert!(this.outbox.is_leading());
        this
    }

    /// Hands an input in; it brings no storage request.
    fn feed(&mut self, input: Input) {
        self.handle(input);
        assert_eq!(self.asked, None, "a request leaves with a tick alone");
    }

    fn tick(&mut self) {
        let wanted = self.outbox.wants_storage();
        self.handle(Input::Tick);
        assert_eq!(self.asked.is_some(), wanted, "a tick brings a request if, and only if, one is wanted");
        assert!(!self.outbox.wants_storage());
    }

    fn handle(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.outbox.handle(NOW, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Dispatch { attempt, .. } => self.flights.push(attempt),
                Effect::Acquire { .. } | Effect::Load { .. } | Effect::Persist { .. } => {
                    assert_eq!(self.asked.replace(effect), None);
                }
                _ => {}
            }
        }
    }

    fn enqueue(&mut self, id: &str) {
        self.calls += 1;
        let args = Json::from_text(&format!(r#"{{"id":"{id}"}}"#)).unwrap();
        let draft = Draft::new(ItemId::new(id).unwrap(), "write", args);
        self.feed(Input::Enqueue { call: CallId(self.calls), draft });
    }

    fn succeed_all(&mut self) {
        for attempt in std::mem::take(&mut self.flights) {
            self.feed(Input::Resolved { attempt, outcome: AttemptOutcome::Success { result: None } });
        }
    }

    /// The transaction that a tick brings, and the store's answer to it.
    fn transaction(&mut self) -> (Vec<Write>, OpId, Committed) {
        self.tick();
        let Some(Effect::Persist { op, fence, writes }) = self.asked.take() else { panic!("a write waits") };
        let committed = self.store.persist(fence, &writes).unwrap();
        (writes, op, committed)
    }

    fn commit(&mut self) -> Vec<Write> {
        let (writes, op, committed) = self.transaction();
        self.feed(Input::Persisted { op, result: Ok(committed) });
        writes
    }
}

#[test]
fn what_comes_before_the_tick_is_one_transaction_r4() {
    let mut replica = Gathering::leading();
    for n in 0..6 {
        replica.enqueue(&format!("i{n}"));
    }
    assert_eq!(replica.commit().len(), 6, "six callers share one commit");
    assert_eq!(replica.flights.len(), 4, "as many as may be are sent (R8)");
    replica.succeed_all();
    let kinds: Vec<_> = replica.commit().iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 6, "four deletes and two claims share one commit (R2, R5)");
    assert!(kinds[..4].iter().all(|kind| *kind == kinds[0]) && kinds[4] != kinds[0]);
    replica.succeed_all();
    replica.commit();
    assert!(replica.outbox.is_empty());
    assert!(!replica.outbox.wants_storage());
}

#[test]
fn one_request_is_in_flight_and_what_comes_meanwhile_waits_for_its_answer_r4() {
    let mut replica = Gathering::leading();
    replica.enqueue("a");
    let (_, op, committed) = replica.transaction();
    replica.enqueue("b");
    assert!(!replica.outbox.wants_storage(), "not while one is in flight");
    replica.tick();
    assert_eq!(committed.results.len(), 1);
    assert!(matches!(committed.results[0], WriteResult::Inserted(_)));
    replica.feed(Input::Persisted { op, result: Ok(committed) });
    assert!(replica.outbox.wants_storage());
    assert_eq!(replica.commit().len(), 1);
}
