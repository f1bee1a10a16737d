//! The vocabulary of `beforeRetry` (R17): verdicts, and how a returned list becomes verdicts.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{
    effect::AskedItem,
    error::HookError,
    item::{Item, ItemId},
    json::Json,
    keys::Key,
};

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

/// Turns the list that a hook returned into [`Input::Answered`](crate::Input::Answered)'s verdicts, one
/// per asked item, in the order asked (R17).
///
/// An item that is not in `returned` is removed, or squashed if a pair `(into, from)` of `squashed` says
/// so; the pairs are in the order in which the hook made them, so that a survivor may be squashed
/// further. An item that is there with other args, key or metadata is rewritten. Args and metadata are
/// compared as text: a driver hands them through untouched where the hook has not touched them.
///
/// # Errors
/// [`HookError::NotAsked`] for a new id, or one answered twice (returned and squashed included);
/// [`HookError::Immutable`] if any other field changed; [`HookError::SquashTarget`] if a survivor was
/// itself left out.
pub fn verdicts(
    asked: &[AskedItem],
    returned: Vec<Item>,
    squashed: &[(ItemId, ItemId)],
) -> Result<Vec<(ItemId, Verdict)>, HookError> {
    let asked_ids: BTreeSet<&ItemId> = asked.iter().map(|asked| &asked.item.id).collect();
    let mut kept: BTreeMap<ItemId, Item> = BTreeMap::new();
    for item in returned {
        let id = item.id.clone();
        if !asked_ids.contains(&id) || kept.insert(id.clone(), item).is_some() {
            return Err(HookError::NotAsked { id });
        }
    }
    // Backwards, so that the end of a survivor that was squashed later is known already.
    let mut survivors: BTreeMap<&ItemId, &ItemId> = BTreeMap::new();
    for (into, from) in squashed.iter().rev() {
        if !asked_ids.contains(from) || kept.contains_key(from) {
            return Err(HookError::NotAsked { id: from.clone() });
        }
        let survivor = survivors.get(into).copied().unwrap_or(into);
        if !kept.contains_key(survivor) {
            return Err(HookError::SquashTarget { id: from.clone(), into: into.clone() });
        }
        if survivors.insert(from, survivor).is_some() {
            return Err(HookError::NotAsked { id: from.clone() });
        }
    }
    let verdict = |asked: &AskedItem| {
        let id = &asked.item.id;
        let verdict = match (kept.remove(id), survivors.get(id)) {
            (Some(item), _) => compare(&asked.item, item)?,
            (None, Some(survivor)) => Verdict::SquashInto((*survivor).clone()),
            (None, None) => Verdict::Remove,
        };
        Ok((id.clone(), verdict))
    };
    asked.iter().map(verdict).collect()
}

/// What the hook did to an item that it returned.
fn compare(was: &Item, is: Item) -> Result<Verdict, HookError> {
    // Every field by name: a new one must be decided here.
    let Item {
        id,
        seq,
        mutator_name,
        args,
        key,
        idempotency_key,
        created_at,
        retry_count,
        next_attempt_at,
        retry_after,
        last_class,
        last_error,
        metadata,
        claimed,
        barrier,
        rewrites,
        version,
    } = is;
    let immutable = [
        ("id", id == was.id),
        ("seq", seq == was.seq),
        ("mutatorName", mutator_name == was.mutator_name),
        ("idempotencyKey", idempotency_key == was.idempotency_key),
        ("createdAt", created_at == was.created_at),
        ("retryCount", retry_count == was.retry_count),
        ("nextAttemptAt", next_attempt_at == was.next_attempt_at),
        ("retryAfter", retry_after == was.retry_after),
        ("lastClass", last_class == was.last_class),
        ("lastError", last_error == was.last_error),
        ("claimed", claimed == was.claimed),
        ("barrier", barrier == was.barrier),
        ("rewrites", rewrites == was.rewrites),
        ("version", version == was.version),
    ];
    if let Some((field, _)) = immutable.iter().find(|(_, same)| !same) {
        return Err(HookError::Immutable { id: was.id.clone(), field: String::from(*field) });
    }
    let rewrite = Rewrite {
        args: (args != was.args).then_some(args),
        key: (key != was.key).then_some(key),
        metadata: (metadata != was.metadata).then_some(metadata),
    };
    Ok(if rewrite == Rewrite::default() { Verdict::Keep } else { Verdict::Rewrite(rewrite) })
}

/// The items that a hook is asked about, and its answer in the making (R17): what a driver hands to a
/// hook, and gets back.
///
/// Each item is kept until told otherwise. A hook that fails or gives no batch back changes nothing.
///
/// ```
/// use outbox::{AskedItem, HookError, ItemId, Json, Rewrite, RetryBatch};
///
/// /// Sends only the last draft of each text.
/// fn last_draft_only(mut batch: RetryBatch) -> Result<RetryBatch, HookError> {
///     let drafts: Vec<ItemId> = batch.items().filter(|asked| &*asked.item.mutator_name == "saveDraft")
///         .map(|asked| asked.item.id.clone()).collect();
///     if let Some((last, older)) = drafts.split_last() {
///         for id in older {
///             batch.squash(last, id)?;
///         }
///     }
///     Ok(batch)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryBatch {
    asked: Vec<AskedItem>,
    /// One per asked item; `SquashInto` names the survivor of that moment.
    said: BTreeMap<ItemId, Verdict>,
    /// What was squashed, in the order of the calls.
    squashed: Vec<ItemId>,
}

impl RetryBatch {
    /// A batch about the items of [`Effect::AskBeforeRetry`](crate::Effect::AskBeforeRetry).
    #[must_use]
    pub fn new(asked: Vec<AskedItem>) -> Self {
        let said = asked.iter().map(|asked| (asked.item.id.clone(), Verdict::Keep)).collect();
        Self { asked, said, squashed: Vec::new() }
    }

    /// The items that stay, as they were asked about, in seq order.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = &AskedItem> {
        self.asked.iter().filter(|asked| self.stays(&asked.item.id))
    }

    /// Takes an item out of the outbox; what was squashed into it goes with it.
    ///
    /// # Errors
    /// [`HookError::NotAsked`] if it is not among [`RetryBatch::items`].
    pub fn remove(&mut self, id: &ItemId) -> Result<(), HookError> {
        *self.staying(id)? = Verdict::Remove;
        Ok(())
    }

    /// Gives an item new args, a new key or new metadata; parts that are `None` stay as an earlier
    /// rewrite left them. New args get a new idempotency key (R21).
    ///
    /// # Errors
    /// [`HookError::NotAsked`] if it is not among [`RetryBatch::items`].
    pub fn rewrite(&mut self, id: &ItemId, rewrite: Rewrite) -> Result<(), HookError> {
        let verdict = self.staying(id)?;
        let earlier = match verdict {
            Verdict::Rewrite(earlier) => core::mem::take(earlier),
            _ => Rewrite::default(),
        };
        *verdict = Verdict::Rewrite(Rewrite {
            args: rewrite.args.or(earlier.args),
            key: rewrite.key.or(earlier.key),
            metadata: rewrite.metadata.or(earlier.metadata),
        });
        Ok(())
    }

    /// Merges `from` into `into`: `from` is taken out, `into` also holds its lanes, and its outcome is
    /// told to the waiters of both. Its args change by [`RetryBatch::rewrite`] only.
    ///
    /// # Errors
    /// [`HookError::NotAsked`] if `from` is not among [`RetryBatch::items`];
    /// [`HookError::SquashTarget`] if `into` is not, or is `from`.
    pub fn squash(&mut self, into: &ItemId, from: &ItemId) -> Result<(), HookError> {
        let into_stays = into != from && self.stays(into);
        let verdict = self.staying(from)?;
        if !into_stays {
            return Err(HookError::SquashTarget { id: from.clone(), into: into.clone() });
        }
        *verdict = Verdict::SquashInto(into.clone());
        self.squashed.push(from.clone());
        Ok(())
    }

    /// The answer: one verdict per item asked about, in seq order.
    #[must_use]
    pub fn into_verdicts(mut self) -> Vec<(ItemId, Verdict)> {
        // Backwards, so that the end of a survivor that was squashed later is known already.
        for from in self.squashed.iter().rev() {
            let Some(Verdict::SquashInto(into)) = self.said.get(from) else { continue };
            let end = match self.said.get(into) {
                Some(end @ (Verdict::SquashInto(_) | Verdict::Remove)) => end.clone(),
                _ => continue,
            };
            self.said.insert(from.clone(), end);
        }
        let verdict = |asked: AskedItem| {
            let verdict = self.said.remove(&asked.item.id).unwrap_or(Verdict::Keep);
            (asked.item.id, verdict)
        };
        self.asked.into_iter().map(verdict).collect()
    }

    fn stays(&self, id: &ItemId) -> bool {
        matches!(self.said.get(id), Some(Verdict::Keep | Verdict::Rewrite(_)))
    }

    fn staying(&mut self, id: &ItemId) -> Result<&mut Verdict, HookError> {
        match self.said.get_mut(id) {
            Some(verdict @ (Verdict::Keep | Verdict::Rewrite(_))) => Ok(verdict),
            _ => Err(HookError::NotAsked { id: id.clone() }),
        }
    }
}
