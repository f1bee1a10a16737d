//! What a page is told: its configuration, the hook's verdicts, and what other replicas say.

use alloc::{collections::BTreeMap, string::String};

use super::{FromJson, Malformed, Reader};
use crate::{
    before_retry::{Rewrite, Verdict},
    config::{AttemptLimit, Config, Exhausted, MutatorConfig},
    input::Poke,
    item::{Class, Outcome, SerializedError},
    lease::{ElectionMessage, Says},
};

/// An enum without parts.
macro_rules! words {
    ($type:ident { $($variant:ident $name:literal),* $(,)? }) => {
        impl FromJson for $type {
            fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
                match &*from.string()? {
                    $($name => Ok(Self::$variant),)*
                    other => from.unknown_variant(other),
                }
            }
        }
    };
}

words!(Class { Transport "transport", Server "server", NonRetriable "non-retriable" });
words!(Exhausted { Park "park", Drop "drop" });
words!(Says { Ask "ask", Claim "claim", Lease "lease", Bye "bye" });

impl FromJson for SerializedError {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let fields = from.fields(&["name", "message"])?;
        Ok(Self { name: fields.read(0)?, message: fields.read(1)? })
    }
}

impl FromJson for Outcome {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let (name, inner) = from.variant()?;
        match (&*name, inner) {
            ("committed", Some(inner)) => {
                // A null that is there is the value null.
                let result = inner.fields(&["result"])?.find(0).map(FromJson::from_json);
                Ok(Self::Committed { result: result.transpose()? })
            }
            ("dropped", Some(inner)) => Ok(Self::Dropped { error: inner.fields(&["error"])?.read(0)? }),
            ("removed", None) => Ok(Self::Removed),
            ("squashed", Some(inner)) => Ok(Self::Squashed { into: inner.fields(&["into"])?.read(0)? }),
            ("gone", None) => Ok(Self::Gone),
            _ => from.unknown_variant(&name),
        }
    }
}

impl FromJson for Verdict {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let (name, inner) = from.variant()?;
        match (&*name, inner) {
            ("keep", None) => Ok(Self::Keep),
            ("rewrite", Some(inner)) => Rewrite::from_json(inner).map(Self::Rewrite),
            ("remove", None) => Ok(Self::Remove),
            ("squashInto", Some(inner)) => FromJson::from_json(inner).map(Self::SquashInto),
            _ => from.unknown_variant(&name),
        }
    }
}

impl FromJson for Rewrite {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let fields = from.fields(&["args", "key", "metadata"])?;
        Ok(Self {
            args: fields.read_or_default(0)?,
            key: fields.read_or_default(1)?,
            metadata: fields.read_or_default(2)?,
        })
    }
}

impl FromJson for Poke {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let (name, inner) = from.variant()?;
        match (&*name, inner) {
            ("unknown", None) => Ok(Self::Unknown),
            ("committed", Some(inner)) => {
                let fields = inner.fields(&["store", "from", "to", "settled", "changed", "more"])?;
                Ok(Self::Committed {
                    store: fields.read(0)?,
                    from: fields.read(1)?,
                    to: fields.read(2)?,
                    settled: fields.read(3)?,
                    changed: fields.read(4)?,
                    more: fields.read(5)?,
                })
            }
            _ => from.unknown_variant(&name),
        }
    }
}

impl FromJson for ElectionMessage {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let fields = from.fields(&["from", "nth", "says"])?;
        Ok(Self { from: fields.read(0)?, nth: fields.read(1)?, says: fields.read(2)? })
    }
}

impl FromJson for Config {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let fields = from.fields(&[
            "replica",
            "mutators",
            "maxConcurrency",
            "jitter",
            "timeoutMs",
            "maxArgsBytes",
            "beforeRetry",
            "shared",
            "ping",
            "gather",
        ])?;
        let default = Self::default();
        Ok(Self {
            replica: fields.read_or(0, default.replica)?,
            mutators: fields.read_or(1, default.mutators)?,
            max_concurrency: fields.read_or(2, default.max_concurrency)?,
            jitter: fields.read_or(3, default.jitter)?,
            timeout_ms: fields.read_or(4, default.timeout_ms)?,
            max_args_bytes: fields.read_or(5, default.max_args_bytes)?,
            before_retry: fields.read_or(6, default.before_retry)?,
            shared: fields.read_or(7, default.shared)?,
            ping: fields.read_or(8, default.ping)?,
            gather: fields.read_or(9, default.gather)?,
        })
    }
}

impl FromJson for BTreeMap<String, MutatorConfig> {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let mut mutators = Self::new();
        for (name, mutator) in from.entries()? {
            mutators.insert(name.into(), MutatorConfig::from_json(mutator)?);
        }
        Ok(mutators)
    }
}

impl FromJson for MutatorConfig {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let fields = from.fields(&["timeoutMs", "barrier", "idempotencyKey", "maxAttempts"])?;
        Ok(Self {
            timeout_ms: fields.read_or_default(0)?,
            barrier: fields.read_or_default(1)?,
            idempotency_key: fields.read_or_default(2)?,
            max_attempts: fields.read_or_default(3)?,
        })
    }
}

impl FromJson for AttemptLimit {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let fields = from.fields(&["attempts", "then"])?;
        Ok(Self { attempts: fields.read(0)?, then: fields.read(1)? })
    }
}
