//! What a page tells: replies, events, items, what it says to other replicas, and its flight recording.

use super::{Text, ToJson};
use crate::{
    before_retry::{Rewrite, Verdict},
    config::{AttemptLimit, Config, Exhausted, MutatorConfig},
    effect::{AskedItem, Event, ParkReason, Place, Reply, Sent, ViewChange},
    error::{CallError, ConfigError, HookError, InputError},
    explain::{Blocked, Reason},
    input::{AttemptOutcome, Failure, Input, Poke, Trigger},
    item::{AttemptId, Class, Draft, FailureRecord, Item, Outcome, SerializedError},
    lease::{ElectionMessage, Says},
    recording::Recording,
    storage::{Committed, Contents, FailureRow, Gone, Record, Row, Snapshot, StorageError, WriteResult},
};

/// A struct: each field by its name.
macro_rules! fields {
    ($type:ident { $($field:ident $name:literal),* $(,)? }) => {
        impl ToJson for $type {
            fn to_json(&self, text: &mut Text) {
                text.open();
                $(self.$field.to_json(text.name($name));)*
                text.close();
            }
        }
    };
}

/// An enum: each variant by its name, alone or with what it holds.
macro_rules! variants {
    ($type:ident {
        $($variant:ident $name:literal $(($inner:ident))? $({ $($field:ident),* })?),* $(,)?
    }) => {
        impl ToJson for $type {
            fn to_json(&self, text: &mut Text) {
                match self {
                    $(Self::$variant $(($inner))? $({ $($field),* })? => {
                        variants!(@ text $name $($inner)? $({ $($field),* })?);
                    })*
                }
            }
        }
    };
    (@ $text:ident $name:literal) => {
        $text.string($name)
    };
    (@ $text:ident $name:literal $inner:ident) => {
        $inner.to_json($text.open().name($name));
        $text.close();
    };
    (@ $text:ident $name:literal { $($field:ident),* }) => {
        $text.open().name($name).open();
        $($field.to_json($text.name(stringify!($field)));)*
        $text.close();
        $text.close();
    };
}

/// A field that is left out if there is none.
fn optional<T: ToJson>(text: &mut Text, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        value.to_json(text.name(name));
    }
}

/// A result that is left out if there is none, in its variant.
fn result(text: &mut Text, name: &str, result: Option<&crate::Json>) {
    text.open().name(name).open();
    optional(text, "result", result);
    text.close();
    text.close();
}

// Items.

impl ToJson for Item {
    fn to_json(&self, text: &mut Text) {
        text.open();
        self.id.to_json(text.name("id"));
        self.seq.to_json(text.name("seq"));
        self.mutator_name.to_json(text.name("mutatorName"));
        self.args.to_json(text.name("args"));
        self.key.to_json(text.name("key"));
        optional(text, "idempotencyKey", self.idempotency_key.as_ref());
        self.created_at.to_json(text.name("createdAt"));
        self.retry_count.to_json(text.name("retryCount"));
        self.next_attempt_at.to_json(text.name("nextAttemptAt"));
        optional(text, "retryAfter", self.retry_after.as_ref());
        optional(text, "lastClass", self.last_class.as_ref());
        optional(text, "lastError", self.last_error.as_ref());
        optional(text, "metadata", self.metadata.as_ref());
        self.claimed.to_json(text.name("claimed"));
        self.barrier.to_json(text.name("barrier"));
        self.rewrites.to_json(text.name("rewrites"));
        self.version.to_json(text.name("version"));
        text.close();
    }
}

fields!(Draft {
    id "id", mutator_name "mutator_name", args "args", key "key", idempotency_key "idempotency_key",
    metadata "metadata",
});
fields!(SerializedError { name "name", message "message" });
fields!(AttemptId { store "store", epoch "epoch", seq "seq", attempt "attempt" });
fields!(FailureRecord { failed_at "failedAt", error "error", item "item" });
variants!(Class { Transport "transport", Server "server", NonRetriable "non-retriable" });

impl ToJson for Outcome {
    fn to_json(&self, text: &mut Text) {
        match self {
            Self::Committed { result: of } => result(text, "committed", of.as_ref()),
            Self::Dropped { error } => {
                variants!(@ text "dropped" { error });
            }
            Self::Removed => text.string("removed"),
            Self::Squashed { into } => {
                variants!(@ text "squashed" { into });
            }
            Self::Gone => text.string("gone"),
        }
    }
}

// What an app is told.

variants!(Reply { Enqueued "enqueued" { id, seq }, Done "done" (did) });
variants!(Place { Stored "stored" (seq), Writing "writing" (local) });
variants!(ViewChange {
    Set "set" { place, item }, Moved "moved" { from, to }, Left "left" { place, outcome },
});
variants!(Sent { Never "never", Maybe "maybe" });
fields!(AskedItem { item "item", sent "sent" });
variants!(ParkReason {
    Unregistered "unregistered", NewerVersion "newerVersion" { version }, Unreadable "unreadable",
    Attempts "attempts" { attempts },
});
variants!(Event {
    Resolved "resolved" { id, outcome },
    Settled "settled" { id, seq, outcome },
    AttemptFailed "attemptFailed" { id, attempt, error, next_attempt_at },
    Stuck "stuck" { id, attempts },
    Parked "parked" { id, mutator_name, reason },
    Quarantined "quarantined" { seq, record, problem },
    FailureEvicted "failureEvicted" { id },
    HookFailed "hookFailed" (error),
    Leading "leading" (leads),
    StorageFailed "storageFailed" (error),
    StorageRecovered "storageRecovered",
    Paused "paused" { reasons },
});
fields!(Blocked { reason "reason", until "until" });
variants!(Reason {
    Writing "writing", Settling "settling", Removing "removing", InFlight "inFlight" { attempt, since },
    Claiming "claiming", Parked "parked" (reason), Follower "follower", Loading "loading",
    Paused "paused" { reasons }, Behind "behind" { id, seq, lane }, Backoff "backoff", Hook "hook",
    Offline "offline", Concurrency "concurrency", StoreFull "storeFull", Ready "ready",
});

// Errors.

variants!(InputError {
    NotJson "notJson" { cause }, Empty "empty" { field }, TooLong "tooLong" { field, len, max, unit },
    WrongType "wrongType" { field, expected }, UnknownMutator "unknownMutator" { name },
});
fields!(ConfigError { field "field", value "value", expected "expected" });
variants!(CallError {
    Input "input" (error), Config "config" (error), Duplicate "duplicate" { id }, Storage "storage" (error),
});
variants!(HookError {
    Threw "threw" { message }, Late "late" { limit_ms }, NotAsked "notAsked" { id },
    Immutable "immutable" { id, field }, SquashTarget "squashTarget" { id, into },
    Input "input" { id, cause },
});
variants!(StorageError {
    Full "full", Fenced "fenced", Unknown "unknown", Unavailable "unavailable" { cause },
});

// What other replicas are told.

variants!(Poke {
    Unknown "unknown", Committed "committed" { store, from, to, settled, changed, more },
});
fields!(ElectionMessage { from "from", nth "nth", says "says" });
variants!(Says { Ask "ask", Claim "claim", Lease "lease", Bye "bye" });

// The flight recorder.

fields!(Recording { config "config", start "start", inputs "inputs" });

impl ToJson for Config {
    fn to_json(&self, text: &mut Text) {
        text.open();
        self.replica.to_json(text.name("replica"));
        text.name("mutators").open();
        for (name, mutator) in &self.mutators {
            mutator.to_json(text.name(name));
        }
        text.close();
        self.max_concurrency.to_json(text.name("maxConcurrency"));
        self.jitter.to_json(text.name("jitter"));
        self.timeout_ms.to_json(text.name("timeoutMs"));
        self.max_args_bytes.to_json(text.name("maxArgsBytes"));
        self.before_retry.to_json(text.name("beforeRetry"));
        self.shared.to_json(text.name("shared"));
        self.ping.to_json(text.name("ping"));
        optional(text, "gather", self.gather.then_some(&true));
        text.close();
    }
}

fields!(MutatorConfig {
    timeout_ms "timeoutMs", barrier "barrier", idempotency_key "idempotencyKey", max_attempts "maxAttempts",
});
fields!(AttemptLimit { attempts "attempts", then "then" });
variants!(Exhausted { Park "park", Drop "drop" });

variants!(Input {
    Enqueue "enqueue" { call, draft },
    Remove "remove" { call, id },
    RetryFailure "retryFailure" { call, failure, id },
    DismissFailure "dismissFailure" { call, id },
    Pause "pause" { call, reason },
    Resume "resume" { call, reason },
    Register "register" { call, name, mutator },
    Online "online" (is),
    Wake "wake" (trigger),
    Tick "tick",
    Elected "elected",
    Deposed "deposed",
    Holder "holder" (holder),
    Ping "ping" { from, parked },
    Pong "pong" { from, registered },
    Poked "poked" (poke),
    Loaded "loaded" { op, result },
    Persisted "persisted" { op, result },
    Resolved "resolved" { attempt, outcome },
    Answered "answered" { ask, verdicts },
});
variants!(Trigger { Init "init", Visible "visible", Focus "focus" });
fields!(Failure { class "class", error "error", retry_after_ms "retryAfterMs" });

impl ToJson for AttemptOutcome {
    fn to_json(&self, text: &mut Text) {
        match self {
            Self::Success { result: of } => result(text, "success", of.as_ref()),
            Self::Failure(failure) => {
                variants!(@ text "failure" failure);
            }
        }
    }
}

variants!(Verdict {
    Keep "keep", Rewrite "rewrite" (rewrite), Remove "remove", SquashInto "squashInto" (into),
});
fields!(Rewrite { args "args", key "key", metadata "metadata" });
fields!(Snapshot {
    store "store", epoch "epoch", change "change", through "through", contents "contents", paused "paused",
});
variants!(Contents { Full "full" { rows, failures }, Part "part" { rows, gone, failures } });
fields!(Row { seq "seq", record "record" });

impl ToJson for Record {
    fn to_json(&self, text: &mut Text) {
        (**self).to_json(text);
    }
}

fields!(FailureRow { id "id", record "record" });
fields!(Gone { seq "seq", outcome "outcome" });
fields!(Committed { results "results", change "change" });
variants!(WriteResult { Inserted "inserted" (seq), Duplicate "duplicate", Done "done", Missing "missing" });
