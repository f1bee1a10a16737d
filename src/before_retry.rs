//! The vocabulary of `beforeRetry` (R17): verdicts, and how a returned list becomes verdicts.

use serde::{Deserialize, Serialize};

use crate::{item::ItemId, json::Json, keys::Key};

/// What the hook says of one item. An item with no verdict is removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// As it is; it may be sent once without a further ask.
    Keep,
    /// With new args, key or metadata.
    Rewrite(Rewrite),
    /// Take it out.
    Remove,
    /// Take it out; the survivor holds the union of both keys unless it names its own, and its outcome
    /// is told to this item's waiters.
    SquashInto(ItemId),
}

/// New parts of an item; `None`: as it was. New args get a new idempotency key (R21).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rewrite {
    /// New args.
    pub args: Option<Json>,
    /// A new key.
    pub key: Option<Key>,
    /// New metadata; `Some(None)` takes it away.
    pub metadata: Option<Option<Json>>,
}
