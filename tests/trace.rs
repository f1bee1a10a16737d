//! The one-line form of inputs and effects: readable, bounded, on one line.

use outbox::{
    AskId, AskedItem, AttemptId, AttemptOutcome, CallError, CallId, Class, Draft, Effect, Epoch, Event,
    Failure, HookError, Input, Item, ItemId, Json, Key, Outcome, Place, Poke, Reply, Rewrite, Sent, Seq,
    SerializedError, Timestamp, Trigger, Verdict, ViewChange, record,
    storage::{
        Committed, Contents, Fence, Gone, OpId, Row, Scope, Snapshot, StorageError, StoreId, Write,
        WriteResult,
    },
};

fn id(text: &str) -> ItemId {
    ItemId::new(text).unwrap()
}

fn json(text: &str) -> Json {
    Json::from_text(text).unwrap()
}

fn item(name: &str) -> Item {
    Item {
        id: id(name),
        seq: Some(Seq(1)),
        mutator_name: "addTodo".into(),
        args: json(r#"{"id":1}"#),
        key: Key::one("1").unwrap(),
        idempotency_key: None,
        created_at: Timestamp::from_millis(0),
        retry_count: 2,
        next_attempt_at: Timestamp::from_millis(0),
        retry_after: None,
        last_class: None,
        last_error: None,
        metadata: None,
        claimed: false,
        barrier: false,
        rewrites: 0,
        version: 1,
    }
}

const ATTEMPT: AttemptId = Fence { store: StoreId(7), epoch: Epoch(3) }.attempt(Seq(1), 2);

#[test]
fn inputs_read_as_a_story() {
    let draft = Draft::new(id("a"), "addTodo", json(r#"{"id":1}"#));
    let error = SerializedError::new("TimeoutError", "no answer\nin 15 s");
    let failure = Failure { class: Class::Transport, error, retry_after_ms: Some(500) };
    let poke = Poke::Committed {
        store: StoreId(7),
        from: 3,
        to: 4,
        settled: vec![(Seq(1), id("a"), Outcome::Removed)],
        changed: vec![Seq(2), Seq(3)],
        more: true,
    };
    let verdicts = vec![
        (id("a"), Verdict::Keep),
        (id("b"), Verdict::SquashInto(id("a"))),
        (id("c"), Verdict::Rewrite(Rewrite { args: Some(json("[1]")), key: None, metadata: None })),
    ];
    for (input, line) in [
        (Input::Enqueue { call: CallId(1), draft: draft.clone() }, r#"enqueue a addTodo {"id":1} (c1)"#),
        (
            Input::Enqueue { call: CallId(1), draft: draft.with_key(Key::new(["x", "y"]).unwrap()) },
            r#"enqueue a addTodo {"id":1} [x+y] (c1)"#,
        ),
        (Input::Remove { call: CallId(2), id: id("a") }, "remove a (c2)"),
        (Input::Online(false), "offline"),
        (Input::Wake(Trigger::Init), "wake init"),
        (Input::Poked(poke), "poked 3→4, settled #1 a removed, changed #2 #3, and more"),
        (
            Input::Persisted {
                op: OpId(3),
                result: Ok(Committed {
                    results: vec![WriteResult::Done, WriteResult::Inserted(Seq(7))],
                    change: 9,
                }),
            },
            "persisted op3 as 9: done, #7",
        ),
        (Input::Persisted { op: OpId(3), result: Err(StorageError::Fenced) }, "persist op3 failed: fenced"),
        (
            Input::Resolved { attempt: ATTEMPT, outcome: AttemptOutcome::Failure(failure) },
            r"resolved #1/2@3 transport TimeoutError: no answer\nin 15 s, retry after 500 ms",
        ),
        (
            Input::Answered { ask: AskId(1), verdicts: Ok(verdicts) },
            "answered ask1: a kept, b squashed into a, c rewritten [1]",
        ),
        (
            Input::Answered { ask: AskId(2), verdicts: Err(HookError::Late { limit_ms: 10_000 }) },
            "ask2 failed: beforeRetry did not answer within 10000 ms",
        ),
    ] {
        assert_eq!(input.to_string(), line);
    }
}

#[test]
fn loads_name_the_rows() {
    let row = |seq| Row { seq: Seq(seq), record: Vec::new().into() };
    let loaded = |contents| {
        let snapshot = Snapshot {
            store: StoreId(5),
            epoch: Epoch(2),
            change: 8,
            through: Seq(9),
            contents,
            paused: vec!["auth".into()],
        };
        Input::Loaded { op: OpId(1), result: Ok(snapshot) }.to_string()
    };
    let full = Contents::Full { rows: vec![row(4), row(9)], failures: Vec::new() };
    assert_eq!(loaded(full), "loaded op1: e2, change 8, through #9, all of #4 #9, paused auth");
    let empty = Contents::Full { rows: Vec::new(), failures: Vec::new() };
    assert_eq!(loaded(empty), "loaded op1: e2, change 8, through #9, empty, paused auth");
    let gone = vec![Gone { seq: Seq(4), outcome: None }];
    let part = Contents::Part { rows: vec![row(9)], gone, failures: None };
    assert_eq!(loaded(part), "loaded op1: e2, change 8, through #9, new #9, gone #4, paused auth");
}

#[test]
fn effects_read_as_a_story() {
    let claim = record::encode(&Item { claimed: true, ..item("a") });
    let failed = record::encode(&item("a"));
    let fence = Some(Fence { store: StoreId(5), epoch: Epoch(1) });
    let writes = vec![
        Write::Put { seq: Seq(1), record: claim.clone() },
        Write::Put { seq: Seq(2), record: failed.clone() },
        Write::Insert { id: id("b"), record: claim },
        Write::Insert { id: id("c"), record: failed },
        Write::Delete { seq: Seq(3), outcome: Outcome::Committed { result: None } },
    ];
    let set = ViewChange::Set { place: Place::Writing(1), item: item("a").into() };
    for (effect, line) in [
        (
            Effect::Persist { op: OpId(3), fence, writes },
            "persist op3 e1: put #1 claim 2, put #2 after 2, insert b claimed, insert c, delete #3 committed",
        ),
        (
            Effect::Persist { op: OpId(4), fence: None, writes: vec![Write::Remove { id: id("a") }] },
            "persist op4: remove a",
        ),
        (
            Effect::Load { op: OpId(5), fence, scope: Scope::Items(vec![Seq(1), Seq(2)]) },
            "load op5 e1: #1 #2",
        ),
        (Effect::Load { op: OpId(5), fence: None, scope: Scope::Full }, "load op5: all"),
        (
            Effect::Dispatch { attempt: ATTEMPT, item: item("a").into(), deadline: Timestamp::ZERO },
            r#"dispatch #1/2@3 addTodo {"id":1}"#,
        ),
        (Effect::Cancel(ATTEMPT), "cancel #1/2@3"),
        (
            Effect::AskBeforeRetry {
                ask: AskId(1),
                items: vec![AskedItem { item: item("a"), sent: Sent::Maybe }],
            },
            "ask1 about a maybe sent",
        ),
        (Effect::Sleep { until: Some(Timestamp::from_millis(1500)) }, "sleep until 1.500"),
        (
            Effect::Reply { call: CallId(1), result: Ok(Reply::Enqueued { id: id("a"), seq: Seq(1) }) },
            "reply c1: stored a #1",
        ),
        (
            Effect::Reply { call: CallId(1), result: Err(CallError::Storage(StorageError::Full)) },
            "reply c1: storage full",
        ),
        (Effect::View(set), r#"view set w1 a addTodo {"id":1}"#),
        (
            Effect::View(ViewChange::Moved { from: Place::Writing(1), to: Place::Stored(Seq(1)) }),
            "view moved w1 to #1",
        ),
        (
            Effect::Notify(Event::Settled {
                id: id("a"),
                seq: Seq(1),
                outcome: Outcome::Committed { result: None },
            }),
            "settled a #1 committed",
        ),
        (Effect::Notify(Event::Leading(true)), "leading"),
    ] {
        assert_eq!(effect.to_string(), line);
    }
}

#[test]
fn lines_are_bounded_whatever_they_tell() {
    let long = json(&format!("\"{}\"", "é".repeat(10_000)));
    let line = Input::Enqueue { call: CallId(1), draft: Draft::new(id("a"), "addTodo", long) }.to_string();
    assert!(line.chars().count() < 90 && line.ends_with("é… (c1)"), "{line}");

    let many = vec![Write::Remove { id: id("a\nb") }; 256];
    let line = Effect::Persist { op: OpId(1), fence: None, writes: many }.to_string();
    assert!(line.ends_with(r"remove a\nb, 248 more") && !line.contains('\n'), "{line}");
}
