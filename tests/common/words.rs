//! The words that scenarios are written with: configurations, drafts, failures, verdicts.

use outbox::{
    AttemptOutcome, Class, Config, Draft, Failure, Item, ItemId, Json, Key, MutatorConfig, SerializedError,
    Timestamp, Verdict,
};

/// One mutator, `write`; no jitter, so that times are exact; nobody else writes to the store.
pub fn config() -> Config {
    Config { jitter: false, shared: false, ..Config::with_mutators(["write"]) }
}

/// The same, with other replicas about.
pub fn shared_config() -> Config {
    Config { shared: true, ..config() }
}

/// The same, with a hook.
pub fn hook_config() -> Config {
    Config { before_retry: true, ..config() }
}

/// `config` with one more mutator.
pub fn with_mutator(mut config: Config, name: &str, mutator: MutatorConfig) -> Config {
    config.mutators.insert(name.into(), mutator);
    config
}

/// An item's id.
pub fn item_id(id: &str) -> ItemId {
    ItemId::new(id).expect("scenarios use short ids")
}

/// `""` is unknown, `"a"` one key, `"a+b"` two.
pub fn key(keys: &str) -> Key {
    Key::new(keys.split('+').filter(|key| !key.is_empty())).expect("scenarios use short keys")
}

/// JSON text.
pub fn json(text: &str) -> Json {
    Json::from_text(text).expect("scenarios write JSON")
}

/// A draft with args that say whose they are.
pub fn draft(id: &str, mutator: &str, keys: &str) -> Draft {
    Draft::new(item_id(id), mutator, json(&format!(r#"{{"of":"{id}"}}"#))).with_key(key(keys))
}

/// An item as another replica or an older session may have stored it: enqueued at `at`, never tried.
pub fn stored_item(id: &str, keys: &str, at: Timestamp) -> Item {
    let draft = draft(id, "write", keys);
    Item {
        id: draft.id,
        seq: None,
        mutator_name: "write".into(),
        args: draft.args,
        key: key(keys),
        idempotency_key: None,
        created_at: at,
        retry_count: 0,
        next_attempt_at: at,
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

/// The server has it.
pub fn success() -> AttemptOutcome {
    AttemptOutcome::Success { result: None }
}

/// The server has it and says something.
pub fn success_with(result: &str) -> AttemptOutcome {
    AttemptOutcome::Success { result: Some(json(result)) }
}

/// No answer came.
pub fn transport() -> AttemptOutcome {
    failure(Class::Transport, "ConnectError", "connection refused", None)
}

/// The server asks for a retry.
pub fn server() -> AttemptOutcome {
    failure(Class::Server, "HttpError", "503 Service Unavailable", None)
}

/// The server asks for a retry, not before `millis` from now.
pub fn server_after_ms(millis: u64) -> AttemptOutcome {
    failure(Class::Server, "HttpError", "429 Too Many Requests", Some(millis))
}

/// The server refuses it for good.
pub fn refused() -> AttemptOutcome {
    failure(Class::NonRetriable, "HttpError", "422 Unprocessable Content", None)
}

/// A failure.
pub fn failure(class: Class, name: &str, message: &str, retry_after_ms: Option<u64>) -> AttemptOutcome {
    AttemptOutcome::Failure(Failure { class, error: SerializedError::new(name, message), retry_after_ms })
}

/// The error that [`refused`] carries.
pub fn refusal() -> SerializedError {
    SerializedError::new("HttpError", "422 Unprocessable Content")
}

/// The hook merges an item into another.
pub fn squash(into: &str) -> Verdict {
    Verdict::SquashInto(item_id(into))
}

/// The hook gives new args.
pub fn new_args(args: &str) -> Verdict {
    Verdict::Rewrite(outbox::Rewrite { args: Some(json(args)), ..Default::default() })
}
