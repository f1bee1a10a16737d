//! R17: how what a hook returns becomes verdicts.

use outbox::{
    AskedItem, Class, HookError, Item, ItemId, Json, Key, RetryBatch, Rewrite, Sent, Seq, SerializedError,
    Timestamp, Verdict, verdicts,
};

fn id(text: &str) -> ItemId {
    ItemId::new(text).unwrap()
}

fn json(text: &str) -> Json {
    Json::from_text(text).unwrap()
}

fn asked(names: &[&str]) -> Vec<AskedItem> {
    let item = |(seq, name): (u64, &&str)| Item {
        id: id(name),
        seq: Some(Seq(seq)),
        mutator_name: "addTodo".into(),
        args: json(r#"{"id":1}"#),
        key: Key::one("1").unwrap(),
        idempotency_key: Some("idem".into()),
        created_at: Timestamp::from_millis(1),
        retry_count: 1,
        next_attempt_at: Timestamp::from_millis(2),
        retry_after: None,
        last_class: Some(Class::Server),
        last_error: None,
        metadata: Some(json("{}")),
        claimed: false,
        barrier: false,
        rewrites: 0,
        version: 1,
    };
    (1..).zip(names).map(item).map(|item| AskedItem { item, sent: Sent::Maybe }).collect()
}

fn items(names: &[&str]) -> Vec<Item> {
    let all = asked(&["a", "b", "c", "d"]);
    let find = |name: &&str| all.iter().find(|asked| asked.item.id == id(name)).unwrap().item.clone();
    names.iter().map(find).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(ItemId, ItemId)> {
    pairs.iter().map(|(into, from)| (id(into), id(from))).collect()
}

#[test]
fn r17_kept_and_left_out() {
    let asked = asked(&["a", "b", "c"]);
    let answer = verdicts(&asked, items(&["c", "a"]), &[]).unwrap();
    assert_eq!(answer, [(id("a"), Verdict::Keep), (id("b"), Verdict::Remove), (id("c"), Verdict::Keep)]);
    let answer = verdicts(&asked, Vec::new(), &[]).unwrap();
    assert!(answer.iter().all(|(_, verdict)| *verdict == Verdict::Remove) && answer.len() == 3);
    assert_eq!(verdicts(&[], Vec::new(), &[]), Ok(Vec::new()));
}

#[test]
fn r17_changed_args_key_and_metadata_are_a_rewrite() {
    let asked = asked(&["a", "b", "c"]);
    let mut returned = items(&["a", "b", "c"]);
    returned[0].args = json("[]");
    returned[1].key = Key::UNKNOWN;
    returned[2].metadata = None;
    let answer = verdicts(&asked, returned, &[]).unwrap();
    let rewrites = [
        Rewrite { args: Some(json("[]")), ..Rewrite::default() },
        Rewrite { key: Some(Key::UNKNOWN), ..Rewrite::default() },
        Rewrite { metadata: Some(None), ..Rewrite::default() },
    ];
    for ((_, verdict), rewrite) in answer.into_iter().zip(rewrites) {
        assert_eq!(verdict, Verdict::Rewrite(rewrite));
    }
}

#[test]
fn r17_new_ids_and_ids_answered_twice_are_errors() {
    let asked = asked(&["a", "b"]);
    let not_asked = |name| Err(HookError::NotAsked { id: id(name) });
    assert_eq!(verdicts(&asked, items(&["a", "c"]), &[]), not_asked("c"));
    assert_eq!(verdicts(&asked, items(&["a", "a"]), &[]), not_asked("a"));
    assert_eq!(verdicts(&asked, items(&["a"]), &pairs(&[("a", "c")])), not_asked("c"));
    assert_eq!(
        verdicts(&asked, items(&["a", "b"]), &pairs(&[("a", "b")])),
        not_asked("b"),
        "returned as well"
    );
    assert_eq!(verdicts(&asked, items(&["a"]), &pairs(&[("a", "b"), ("a", "b")])), not_asked("b"));
}

#[test]
fn r17_no_other_field_may_change() {
    type Change = fn(&mut Item);
    let changes: [(&str, Change); 12] = [
        ("seq", |item| item.seq = Some(Seq(9))),
        ("mutatorName", |item| item.mutator_name = "other".into()),
        ("idempotencyKey", |item| item.idempotency_key = None),
        ("createdAt", |item| item.created_at = Timestamp::ZERO),
        ("retryCount", |item| item.retry_count = 0),
        ("nextAttemptAt", |item| item.next_attempt_at = Timestamp::ZERO),
        ("retryAfter", |item| item.retry_after = Some(Timestamp::ZERO)),
        ("lastClass", |item| item.last_class = None),
        ("lastError", |item| item.last_error = Some(SerializedError::new("E", "").into())),
        ("claimed", |item| item.claimed = true),
        ("barrier", |item| item.barrier = true),
        ("version", |item| item.version = 2),
    ];
    for (field, change) in changes {
        let mut returned = items(&["a"]);
        change(&mut returned[0]);
        let error = HookError::Immutable { id: id("a"), field: field.into() };
        assert_eq!(verdicts(&asked(&["a"]), returned, &[]), Err(error));
    }
}

#[test]
fn r17_squashed_items_follow_their_survivor() {
    let asked = asked(&["a", "b", "c", "d"]);
    let answer = verdicts(&asked, items(&["d"]), &pairs(&[("b", "a"), ("c", "b"), ("d", "c")])).unwrap();
    let into_d = Verdict::SquashInto(id("d"));
    let expected =
        [(id("a"), into_d.clone()), (id("b"), into_d.clone()), (id("c"), into_d), (id("d"), Verdict::Keep)];
    assert_eq!(answer, expected);

    let left_out = Err(HookError::SquashTarget { id: id("a"), into: id("b") });
    assert_eq!(verdicts(&asked, items(&["d"]), &pairs(&[("b", "a")])), left_out);
    for pairs in [pairs(&[("a", "a")]), pairs(&[("a", "b"), ("b", "a")]), pairs(&[("z", "a")])] {
        assert!(
            matches!(verdicts(&asked, items(&["d"]), &pairs), Err(HookError::SquashTarget { .. })),
            "{pairs:?}"
        );
    }
}

#[test]
fn r17_a_batch_keeps_what_is_not_spoken_of() {
    let mut batch = RetryBatch::new(asked(&["a", "b", "c"]));
    batch.remove(&id("b")).unwrap();
    batch.rewrite(&id("c"), Rewrite { args: Some(json("1")), ..Rewrite::default() }).unwrap();
    batch.rewrite(&id("c"), Rewrite { metadata: Some(None), ..Rewrite::default() }).unwrap();
    assert_eq!(batch.items().map(|asked| asked.item.id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    let rewrite = Rewrite { args: Some(json("1")), key: None, metadata: Some(None) };
    assert_eq!(
        batch.into_verdicts(),
        [(id("a"), Verdict::Keep), (id("b"), Verdict::Remove), (id("c"), Verdict::Rewrite(rewrite))]
    );
}

#[test]
fn r17_a_batch_squashes_along_the_chain_and_removes_with_the_survivor() {
    let mut batch = RetryBatch::new(asked(&["a", "b", "c", "d"]));
    batch.squash(&id("b"), &id("a")).unwrap();
    batch.squash(&id("c"), &id("b")).unwrap();
    let mut removed = batch.clone();
    let into_c = Verdict::SquashInto(id("c"));
    assert_eq!(
        batch.into_verdicts(),
        [(id("a"), into_c.clone()), (id("b"), into_c), (id("c"), Verdict::Keep), (id("d"), Verdict::Keep)]
    );
    removed.remove(&id("c")).unwrap();
    let removed = removed.into_verdicts();
    assert!(removed[..3].iter().all(|(_, verdict)| *verdict == Verdict::Remove), "{removed:?}");
    assert_eq!(removed[3], (id("d"), Verdict::Keep));
}

#[test]
fn r17_a_batch_refuses_what_is_not_there() {
    let mut batch = RetryBatch::new(asked(&["a", "b"]));
    let not_asked = |name| Err(HookError::NotAsked { id: id(name) });
    assert_eq!(batch.remove(&id("z")), not_asked("z"));
    assert_eq!(batch.rewrite(&id("z"), Rewrite::default()), not_asked("z"));
    assert_eq!(batch.squash(&id("a"), &id("z")), not_asked("z"));
    let target = |into| Err(HookError::SquashTarget { id: id("a"), into: id(into) });
    assert_eq!(batch.squash(&id("z"), &id("a")), target("z"));
    assert_eq!(batch.squash(&id("a"), &id("a")), target("a"));
    batch.remove(&id("b")).unwrap();
    assert_eq!(batch.squash(&id("b"), &id("a")), target("b"));
    assert_eq!(batch.remove(&id("b")), not_asked("b"), "once is enough");
    assert_eq!(batch.rewrite(&id("b"), Rewrite::default()), not_asked("b"));
}
