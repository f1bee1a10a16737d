//! R7, R23: mutators by name, key functions in their order, upgrades of stored args.

use std::sync::Arc;

use outbox::{
    AttemptLimit, Config, Draft, Epoch, Exhausted, FailureRecord, InputError, Item, ItemId, Json, Key,
    Mutator, Registry, Seq, SerializedError, Timestamp,
    record::{self, Decoded},
    storage::{Contents, FailureRow, Row, Snapshot, StoreId},
};

#[derive(serde::Deserialize)]
struct AddTodo {
    list: String,
    text: Option<String>,
}

fn id(text: &str) -> ItemId {
    ItemId::new(text).unwrap()
}

fn json(text: &str) -> Json {
    Json::from_text(text).unwrap()
}

fn draft(registry: &Registry, name: &str, args: &str) -> Result<Draft, InputError> {
    registry.draft(id("a"), name, json(args))
}

fn key_of(registry: &Registry, name: &str, args: &str) -> Option<String> {
    draft(registry, name, args).unwrap().key.map(|key| key.to_string())
}

#[test]
fn r7_the_mutators_key_goes_before_the_extractor_and_that_before_the_args() {
    let mut registry = Registry::new();
    registry
        .register(Mutator::<AddTodo>::new("keyed").key(|args| args.list.clone()))
        .register(Mutator::<AddTodo>::new("sometimes").key(|args| args.text.clone()))
        .register(Mutator::<Json>::new("plain"));
    let args = r#"{"id":7,"list":"home"}"#;
    assert_eq!(key_of(&registry, "keyed", args).as_deref(), Some("home"));
    assert_eq!(key_of(&registry, "sometimes", args), None, "left for the core to derive from args.id");
    assert_eq!(key_of(&registry, "plain", args), None);

    registry.key_extractor(|name, _| (name != "plain").then(|| format!("all-{name}")));
    assert_eq!(key_of(&registry, "keyed", args).as_deref(), Some("home"));
    assert_eq!(key_of(&registry, "sometimes", args).as_deref(), Some("all-sometimes"));
    assert_eq!(key_of(&registry, "plain", args), None);
    assert_eq!(key_of(&registry, "sometimes", r#"{"list":"l","text":"t"}"#).as_deref(), Some("t"));

    let given = draft(&registry, "keyed", args).unwrap().with_key(Key::one("given").unwrap());
    assert_eq!(given.key, Some(Key::one("given").unwrap()), "the call's key goes before all");
}

#[test]
fn r7_a_key_function_may_give_text_integers_lists_and_keys() {
    fn key_from<K: outbox::IntoKey>(key: impl Fn() -> K + Send + Sync + 'static) -> Option<String> {
        let mut registry = Registry::new();
        registry.register(Mutator::<Json>::new("m").key(move |_| key()));
        key_of(&registry, "m", "{}")
    }
    assert_eq!(key_from(|| "text").as_deref(), Some("text"));
    assert_eq!(key_from(|| Arc::<str>::from("text")).as_deref(), Some("text"));
    assert_eq!(key_from(|| -7_i32).as_deref(), Some("-7"));
    assert_eq!(key_from(|| (1_u64 << 53) - 1).as_deref(), Some("9007199254740991"));
    assert_eq!(key_from(|| 1_u64 << 53), None, "no other language could tell it from its neighbour");
    assert_eq!(key_from(|| vec![3, 1, 3]).as_deref(), Some("3+1"));
    assert_eq!(key_from(|| ["a", "b"]).as_deref(), Some("a+b"));
    assert_eq!(key_from(|| vec![Some("a"), None]).as_deref(), Some("a"));
    assert_eq!(key_from(Vec::<String>::new), None);
    assert_eq!(key_from(|| None::<String>), None);
    assert_eq!(key_from(|| ()), None);
    assert_eq!(key_from(|| Key::UNKNOWN).as_deref(), Some("unknown"), "asked for by name");
}

#[test]
fn r32_a_key_beyond_its_limits_is_an_error() {
    let mut registry = Registry::new();
    registry.register(Mutator::<Json>::new("many").key(|_| (0..65).collect::<Vec<i32>>()));
    registry.register(Mutator::<Json>::new("long").key(|_| "x".repeat(1025)));
    for (name, unit) in [("many", "keys"), ("long", "bytes")] {
        let error = draft(&registry, name, "{}").unwrap_err();
        assert!(matches!(&error, InputError::TooLong { unit: u, .. } if u == unit), "{error}");
    }
}

#[test]
fn r32_args_of_another_shape_are_refused_with_the_field() {
    let mut registry = Registry::new();
    registry.register(Mutator::<AddTodo>::new("addTodo"));
    let error = draft(&registry, "addTodo", r#"{"id":1}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`args` must be what `addTodo` takes: missing field `list` at line 1 column 8"
    );
    let error = draft(&registry, "addTodo", r#"{"list":5}"#).unwrap_err().to_string();
    assert!(error.contains("invalid type: integer `5`, expected a string"), "{error}");
    let error = draft(&registry, "addToDo", "{}").unwrap_err();
    assert_eq!(error, InputError::UnknownMutator { name: "addToDo".into() });
}

#[test]
fn settings_become_the_configuration() {
    let mut registry = Registry::new();
    let limit = AttemptLimit { attempts: 5, then: Exhausted::Park };
    registry
        .register(Mutator::<Json>::new("z").timeout_ms(500).barrier())
        .register(Mutator::<Json>::new("a").idempotency_key().max_attempts(limit));
    assert_eq!(registry.names().collect::<Vec<_>>(), ["z", "a"], "in the order of registration");
    let configs = registry.configs();
    assert_eq!(configs["z"].timeout_ms, Some(500));
    assert!(configs["z"].barrier && !configs["z"].idempotency_key && configs["z"].max_attempts.is_none());
    assert_eq!(configs["a"].max_attempts, Some(limit));
    assert!(configs["a"].idempotency_key && !configs["a"].barrier);
    Config { mutators: configs, ..Config::default() }.validate().unwrap();

    registry.register(Mutator::<Json>::new("z"));
    assert_eq!(registry.names().collect::<Vec<_>>(), ["z", "a"], "replaced in its place");
    assert_eq!(registry.configs()["z"].timeout_ms, None);
    assert!(registry.contains("z") && !registry.contains("b"));
}

fn item(name: &str, args: &str) -> Item {
    Item {
        id: id(name),
        seq: Some(Seq(1)),
        mutator_name: name.into(),
        args: json(args),
        key: Key::one("k").unwrap(),
        idempotency_key: Some("idem".into()),
        created_at: Timestamp::from_millis(5),
        retry_count: 3,
        next_attempt_at: Timestamp::from_millis(9),
        retry_after: None,
        last_class: None,
        last_error: None,
        metadata: Some(json(r#"{"m":1}"#)),
        claimed: true,
        barrier: false,
        rewrites: 0,
        version: 1,
    }
}

fn row(seq: u64, record: &str) -> Row {
    Row { seq: Seq(seq), record: record.as_bytes().to_vec().into() }
}

fn snapshot(contents: Contents) -> Snapshot {
    Snapshot { store: StoreId(1), epoch: Epoch(1), change: 1, through: Seq(9), contents, paused: Vec::new() }
}

/// `title` was renamed to `text`.
fn with_upgrade() -> Registry {
    let mut registry = Registry::new();
    registry.register(Mutator::<Json>::new("plain")).register(Mutator::<Json>::new("addTodo").upgrade(
        |args| {
            if args.as_str().contains("poison") {
                return Err("cannot read poison".into());
            }
            Json::from_text(&args.as_str().replace("title", "text")).map_err(|e| e.to_string())
        },
    ));
    registry
}

#[test]
fn r23_an_upgrade_changes_the_args_and_nothing_else() {
    let old = item("addTodo", r#"{"title":"milk"}"#);
    let mut loaded =
        snapshot(Contents::Part { rows: vec![row(1, &record::encode(&old))], gone: vec![], failures: None });
    assert!(with_upgrade().upgrade(&mut loaded).is_empty());
    let Contents::Part { rows, .. } = &loaded.contents else { unreachable!() };
    let Decoded::Item(new) = record::decode(Seq(1), &rows[0].record, |name| name.into()) else {
        panic!("{rows:?}")
    };
    assert_eq!(new, Item { args: json(r#"{"text":"milk"}"#), ..old });

    let once = loaded.clone();
    assert!(with_upgrade().upgrade(&mut loaded).is_empty());
    assert_eq!(loaded, once, "it runs at every load");
}

#[test]
fn r23_rows_that_no_upgrade_is_for_keep_their_bytes() {
    let rows = vec![
        row(1, &record::encode(&item("plain", r#"{"title":1}"#))),
        row(2, &record::encode(&item("gone", r#"{"title":1}"#))),
        row(3, r#"{"version":2,"id":"n","key":["k"],"mutatorName":"addTodo","args":{"title":1}}"#),
        row(4, r#"{"version":1,"id":"h","key":["k"],"mutatorName":"addTodo","args":{"title":1}}"#),
        row(5, "garbage"),
        Row { seq: Seq(6), record: vec![0xff, 0xfe].into() },
        row(
            7,
            r#"{ "version":1,"id":"s","key":["k"],"mutatorName":"addTodo","args":{"text":1},
            "createdAt":1,"retryCount":0,"nextAttemptAt":1,"more":1}"#,
        ),
    ];
    let mut loaded = snapshot(Contents::Full { rows, failures: Vec::new() });
    let before = loaded.clone();
    assert!(with_upgrade().upgrade(&mut loaded).is_empty());
    assert_eq!(loaded, before, "up-to-date args do not rewrite a row either");
}

#[test]
fn r23_what_an_upgrade_refuses_stays_and_is_told() {
    let rows = vec![
        row(1, &record::encode(&item("addTodo", r#"{"title":"poison"}"#))),
        row(2, &record::encode(&item("addTodo", r#"{"title":"milk"}"#))),
    ];
    let mut loaded = snapshot(Contents::Full { rows: rows.clone(), failures: Vec::new() });
    let refused = with_upgrade().upgrade(&mut loaded);
    assert_eq!(refused.len(), 1);
    assert_eq!((&refused[0].id, &*refused[0].problem), (&id("addTodo"), "cannot read poison"));
    let Contents::Full { rows: after, .. } = loaded.contents else { unreachable!() };
    assert_eq!(after[0], rows[0]);
    assert_ne!(after[1], rows[1]);
}

#[test]
fn r23_failure_records_are_upgraded_because_they_can_be_retried() {
    let failure = FailureRecord {
        failed_at: Timestamp::from_millis(1),
        error: SerializedError::new("E", "refused"),
        item: item("addTodo", r#"{"title":"milk"}"#),
    };
    let stored =
        FailureRow { id: id("addTodo"), record: record::encode_failure(&failure).as_bytes().to_vec() };
    let unreadable = FailureRow { id: id("x"), record: b"{}".to_vec() };
    let mut loaded = snapshot(Contents::Full { rows: vec![], failures: vec![stored, unreadable.clone()] });
    assert!(with_upgrade().upgrade(&mut loaded).is_empty());
    let Contents::Full { failures, .. } = loaded.contents else { unreachable!() };
    let upgraded = record::decode_failure(&failures[0].record, |name| name.into()).unwrap();
    assert_eq!(
        upgraded,
        FailureRecord { item: Item { args: json(r#"{"text":"milk"}"#), ..failure.item }, ..failure }
    );
    assert_eq!(failures[1], unreadable);
}

#[test]
fn a_registry_can_be_shared_between_threads() {
    fn is_shareable<T: Send + Sync>(_: &T) {}
    is_shareable(&Registry::new());
    is_shareable(&Mutator::<AddTodo>::new("m").key(|args| args.text.clone()));
}
