//! `Row`: one stored item as it is, and what was read of it ahead of time.

use alloc::{sync::Arc, vec::Vec};
use core::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
};

use serde::{Deserialize, Serialize};

use crate::{
    item::{Item, Seq},
    record::{self, Decoded},
};

/// One stored row, as it is: the core decides whether it can be read (R24).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// The row's place.
    pub seq: Seq,
    /// The record, untouched.
    pub record: Record,
}

impl Row {
    /// Reads the item now, so that [`Outbox::handle`](crate::Outbox::handle) need not when it is loaded.
    ///
    /// That changes nothing but when the time is spent. A driver whose thread has other things to do reads
    /// the rows of a large answer in parts, each in its turn; any other needs this not at all. `None`: it is
    /// no item of a known version, and what it is, the core decides.
    ///
    /// `intern` turns a mutator's name into shared text.
    ///
    /// ```
    /// use outbox::{Draft, ItemId, Json, Seq, storage::Row};
    ///
    /// let record = r#"{"version":1,"id":"a","key":["k"],"mutatorName":"add","args":1,"createdAt":0,
    ///     "retryCount":0,"nextAttemptAt":0}"#;
    /// let mut row = Row { seq: Seq(1), record: record.as_bytes().to_vec().into() };
    /// let item = row.read_ahead(|name| name.into()).expect("it is of version 1");
    /// assert_eq!((item.id.as_str(), item.seq), ("a", Some(Seq(1))));
    /// ```
    pub fn read_ahead(&mut self, intern: impl FnMut(&str) -> Arc<str>) -> Option<&Item> {
        let Record { bytes, item } = &mut self.record;
        if item.is_none()
            && let Decoded::Item(read) = record::decode(self.seq, bytes, intern)
        {
            *item = Some(Arc::new(read));
        }
        item.as_deref()
    }
}

/// The bytes of a stored record. What was [read ahead](Row::read_ahead) of them is no part of its value, nor
/// of a copy.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record {
    bytes: Vec<u8>,
    #[serde(skip)]
    item: Option<Arc<Item>>,
}

impl Record {
    /// The bytes alone.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What was read ahead; it is nobody else's.
    pub(crate) fn take_item(&mut self) -> Option<Arc<Item>> {
        self.item.take()
    }
}

impl From<Vec<u8>> for Record {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, item: None }
    }
}

impl Deref for Record {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Clone for Record {
    fn clone(&self) -> Self {
        self.bytes.clone().into()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Record {}

impl Hash for Record {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}
