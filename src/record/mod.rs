//! The stored form of items and failure records: camelCase JSON, with migration and quarantine (R23–R25).
//!
//! | field | meaning |
//! |---|---|
//! | `version`, `id`, `key`, `barrier` | keep their meaning in every version (R24); `barrier` only if true |
//! | `mutatorName`, `args`, `createdAt`, `retryCount`, `nextAttemptAt` | always there |
//! | `idempotencyKey`, `lastError`, `metadata`, `retryAfter`, `lastClass` | when known |
//! | `claimed` | only if true: a claim whose result is not recorded |
//! | `rewrites` | only if not 0: how often the hook changed the args (R21) |
//!
//! `seq` is the row's own key in every store, not part of the text.

use alloc::{
    borrow::Cow,
    boxed::Box,
    format,
    string::{String, ToString},
    sync::Arc,
};

use crate::{
    item::{Class, FailureRecord, Item, ItemId, Seq, SerializedError},
    json::{self, Json, Read, Reader},
    keys::Key,
    time::Timestamp,
    wire::{self, ToJson},
};

mod plain;

/// The version this build writes. Records of a newer one are parked, their bytes untouched (R23).
pub const VERSION: u32 = 1;

/// How every record of [`VERSION`] begins, up to the text of its id.
const HEAD: &str = "{\"version\":1,\"id\":\"";
const _: () = assert!(VERSION == 1, "HEAD names it");

/// A larger buffer is not kept: one large item must not hold its memory for ever (R31).
const MAX_BUFFER_BYTES: usize = 8 << 10;

/// What a stored row turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoded {
    /// An item of a known version.
    Item(Item),
    /// A newer version, or a body that cannot be read: the head is known, the rest stays in storage.
    Opaque {
        /// What could be read; `args` is `null` where it could not.
        item: Item,
        /// The problem with the body; `None` if only the version is newer.
        problem: Option<String>,
    },
    /// Not even the head can be read (R24).
    Unreadable {
        /// Why.
        problem: String,
    },
}

/// The text to store for `item`.
#[must_use]
pub fn encode(item: &Item) -> Arc<str> {
    encode_in(&mut String::new(), item)
}

/// As [`encode`], by way of a buffer that is empty before and after, and kept for the next record.
pub(crate) fn encode_in(buffer: &mut String, item: &Item) -> Arc<str> {
    let text = Text::of_item(core::mem::take(buffer), item);
    let record = Arc::from(text.0.as_str());
    if text.0.capacity() <= MAX_BUFFER_BYTES {
        *buffer = text.0;
        buffer.clear();
    }
    record
}

/// Reads a row. Never fails: what cannot be read is said to be so.
///
/// `intern` turns a mutator's name into shared text.
pub fn decode(seq: Seq, record: &[u8], mut intern: impl FnMut(&str) -> Arc<str>) -> Decoded {
    decode_with(seq, record, &mut intern)
}

/// Turns a mutator's name into shared text. Behind a pointer: there is one code for all who read.
type Intern<'a> = &'a mut dyn FnMut(&str) -> Arc<str>;

fn decode_with(seq: Seq, record: &[u8], intern: Intern<'_>) -> Decoded {
    let text = match core::str::from_utf8(record) {
        Ok(text) => text,
        Err(e) => return Decoded::Unreadable { problem: e.to_string() },
    };
    if let Some(v1) = plain::read(text) {
        return Decoded::Item(v1.into_item(seq, intern));
    }
    let stored = match Stored::read(text) {
        Ok(stored) => stored,
        Err(problem) => return Decoded::Unreadable { problem: problem.to_string() },
    };
    match stored.head.version {
        0 => Decoded::Unreadable { problem: "version 0 never existed".into() },
        VERSION => match stored.v1() {
            Ok(v1) => Decoded::Item(v1.into_item(seq, intern)),
            Err(problem) => {
                Decoded::Opaque { item: stored.into_item(seq, intern), problem: Some(problem.to_string()) }
            }
        },
        _ => Decoded::Opaque { item: stored.into_item(seq, intern), problem: None },
    }
}

/// The text to store for a failure record.
#[must_use]
pub fn encode_failure(failure: &FailureRecord) -> Arc<str> {
    let mut text = Text(String::with_capacity(failure.item.args.as_str().len() + 1536));
    text.number("{\"failedAt\":", failure.failed_at.as_millis());
    text.value(",\"error\":", &failure.error);
    text.value(",\"seq\":", &failure.item.seq);
    text.0.push_str(",\"item\":");
    text.0.push_str(&Text::of_item(String::new(), &failure.item).0);
    text.0.push('}');
    text.0.into()
}

/// Reads a failure record.
///
/// # Errors
/// Says why it cannot be read.
pub fn decode_failure(
    record: &[u8],
    mut intern: impl FnMut(&str) -> Arc<str>,
) -> Result<FailureRecord, String> {
    let text = core::str::from_utf8(record).map_err(|e| e.to_string())?;
    let parts = || -> Read<(Timestamp, SerializedError, Seq, &str)> {
        let fields = Reader::at_value(text)?.fields(&["failedAt", "error", "seq", "item"])?;
        Ok((fields.read(0)?, fields.read(1)?, fields.read(2)?, fields.need(3)?.value()?))
    };
    let (failed_at, error, seq, item) = parts().map_err(|problem| problem.to_string())?;
    match decode_with(seq, item.as_bytes(), &mut intern) {
        Decoded::Item(item) => Ok(FailureRecord { failed_at, error, item }),
        Decoded::Opaque { problem, item } => Err(problem
            .unwrap_or_else(|| format!("its item is of version {}, newer than {VERSION}", item.version))),
        Decoded::Unreadable { problem } => Err(problem),
    }
}

/// Replaces the args in a record's text, for a mutator's `upgrade` (R23).
#[must_use]
pub fn with_args(mut item: Item, args: Json) -> Arc<str> {
    item.args = args;
    encode(&item)
}

/// A record in the making. Every claim writes one, so what is plain is pushed as it is.
struct Text(String);

impl Text {
    /// Written into `buffer`, which is empty.
    fn of_item(buffer: String, item: &Item) -> Self {
        let mut text = Self(buffer);
        text.0.reserve(item.args.as_str().len() + 256);
        text.text(HEAD, item.id.as_str());
        text.key(&item.key);
        text.flag(",\"barrier\":true", item.barrier);
        text.text(",\"mutatorName\":\"", &item.mutator_name);
        text.json(",\"args\":", &item.args);
        if let Some(key) = &item.idempotency_key {
            text.text(",\"idempotencyKey\":\"", key);
        }
        text.number(",\"createdAt\":", item.created_at.as_millis());
        text.number(",\"retryCount\":", item.retry_count.into());
        text.number(",\"nextAttemptAt\":", item.next_attempt_at.as_millis());
        text.flag(",\"claimed\":true", item.claimed);
        if item.rewrites > 0 {
            text.number(",\"rewrites\":", item.rewrites.into());
        }
        text.optional(",\"retryAfter\":", item.retry_after.as_ref());
        text.optional(",\"lastClass\":", item.last_class.as_ref());
        text.optional(",\"lastError\":", item.last_error.as_deref());
        if let Some(metadata) = &item.metadata {
            text.json(",\"metadata\":", metadata);
        }
        text.0.push('}');
        text
    }

    fn key(&mut self, key: &Key) {
        if key.is_unknown() {
            return self.0.push_str(",\"key\":\"unknown\"");
        }
        let mut before = ",\"key\":[\"";
        for key in key.keys() {
            self.text(before, key);
            before = ",\"";
        }
        self.0.push(']');
    }

    fn flag(&mut self, text: &str, holds: bool) {
        if holds {
            self.0.push_str(text);
        }
    }

    #[inline]
    fn number(&mut self, before: &str, number: u64) {
        self.0.push_str(before);
        self.0.push_str(itoa::Buffer::new().format(number));
    }

    /// A string; `before` ends in its opening quote.
    #[inline]
    fn text(&mut self, before: &str, text: &str) {
        self.0.push_str(before);
        json::push_string(&mut self.0, text);
    }

    fn json(&mut self, before: &str, json: &Json) {
        self.0.push_str(before);
        self.0.push_str(json.as_str());
    }

    fn optional<T: ToJson>(&mut self, before: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.value(before, value);
        }
    }

    fn value<T: ToJson>(&mut self, before: &str, value: &T) {
        self.0.push_str(before);
        self.0.push_str(&wire::to_json(value));
    }
}

/// What a record of [`VERSION`] says.
struct V1<'a> {
    id: ItemId,
    key: Key,
    barrier: bool,
    mutator_name: Cow<'a, str>,
    args: &'a str,
    idempotency_key: Option<Arc<str>>,
    created_at: Timestamp,
    retry_count: u32,
    next_attempt_at: Timestamp,
    claimed: bool,
    rewrites: u32,
    retry_after: Option<Timestamp>,
    last_class: Option<Class>,
    last_error: Option<Box<SerializedError>>,
    metadata: Option<&'a str>,
}

impl V1<'_> {
    fn into_item(self, seq: Seq, intern: Intern<'_>) -> Item {
        Item {
            idempotency_key: self.idempotency_key.map(|key| share(key, &self.id)),
            id: self.id,
            seq: Some(seq),
            mutator_name: intern(&self.mutator_name),
            args: Json::trusted(self.args),
            key: self.key,
            created_at: self.created_at,
            retry_count: self.retry_count,
            next_attempt_at: self.next_attempt_at,
            retry_after: self.retry_after,
            last_class: self.last_class,
            last_error: self.last_error,
            metadata: self.metadata.map(Json::trusted),
            claimed: self.claimed,
            rewrites: self.rewrites,
            barrier: self.barrier,
            version: VERSION,
        }
    }
}

/// An idempotency key that is the item's id shares its text.
fn share(key: Arc<str>, id: &ItemId) -> Arc<str> {
    if *key == *id.as_str() { id.text() } else { key }
}

/// A record of any version, whose head could be read.
struct Stored<'a> {
    text: Reader<'a>,
    head: Head,
    /// Name and args, if they are there.
    shown: json::Fields<'a>,
}

/// What keeps its meaning in every version (R24).
struct Head {
    version: u32,
    id: ItemId,
    key: Key,
    barrier: bool,
}

impl<'a> Stored<'a> {
    fn read(text: &'a str) -> Read<Self> {
        let text = Reader::at_value(text)?;
        let shown = text.fields(&["version", "id", "key", "barrier", "mutatorName", "args"])?;
        let head = Head {
            version: shown.read(0)?,
            id: shown.read(1)?,
            key: shown.read(2)?,
            barrier: shown.read_or_default(3)?,
        };
        Ok(Self { text, head, shown })
    }

    fn v1(&self) -> Read<V1<'a>> {
        let Self { text, head, shown } = self;
        let fields = text.fields(&[
            "idempotencyKey",
            "createdAt",
            "retryCount",
            "nextAttemptAt",
            "claimed",
            "rewrites",
            "retryAfter",
            "lastClass",
            "lastError",
            "metadata",
        ])?;
        let metadata = fields.find(9).filter(|metadata| !metadata.is_null());
        Ok(V1 {
            id: head.id.clone(),
            key: head.key.clone(),
            barrier: head.barrier,
            mutator_name: shown.need(4)?.string()?,
            args: shown.need(5)?.value()?,
            idempotency_key: fields.read_or_default(0)?,
            created_at: fields.read(1)?,
            retry_count: fields.read(2)?,
            next_attempt_at: fields.read(3)?,
            claimed: fields.read_or_default(4)?,
            rewrites: fields.read_or_default(5)?,
            retry_after: fields.read_or_default(6)?,
            last_class: fields.read_or_default(7)?,
            last_error: fields.read_or_default(8)?,
            metadata: metadata.map(|mut metadata| metadata.value()).transpose()?,
        })
    }

    /// The head, and what may be shown if it happens to be readable.
    fn into_item(self, seq: Seq, intern: Intern<'_>) -> Item {
        let Self { text: _, head, shown } = self;
        let name = shown.find(4).and_then(|name| name.string().ok());
        let args = shown.find(5).and_then(|mut args| args.value().ok());
        Item {
            id: head.id,
            seq: Some(seq),
            mutator_name: intern(name.as_deref().unwrap_or_default()),
            args: args.map_or_else(Json::null, Json::trusted),
            key: head.key,
            idempotency_key: None,
            created_at: Timestamp::ZERO,
            retry_count: 0,
            next_attempt_at: Timestamp::ZERO,
            retry_after: None,
            last_class: None,
            last_error: None,
            metadata: None,
            claimed: false,
            rewrites: 0,
            barrier: head.barrier,
            version: head.version,
        }
    }
}
