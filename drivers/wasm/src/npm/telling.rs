//! `Telling`: when the host is told which change of the list of pending items.
//!
//! A call for each would cost more than all else, and one for ten thousand would block the page. So the
//! changes of an input are told together, and what a large load brings is held back: it is told in parts,
//! each in a task of its own. No other change waits for that: one of an item that is held back brings that
//! item forward.

use alloc::{sync::Arc, vec::Vec};

use outbox::{Item, Place, Seq, ViewChange};

/// So many changes are told in one task, but for those that cannot wait.
const PART: usize = 1_000;

#[derive(Default)]
pub(super) struct Telling {
    due: Vec<ViewChange>,
    /// Items that storage had, in order.
    held: Vec<(Seq, Arc<Item>)>,
}

impl Telling {
    /// One more change, to be told with the others of its input.
    pub(super) fn add(&mut self, change: ViewChange) {
        let (ViewChange::Set { place, .. }
        | ViewChange::Moved { from: place, .. }
        | ViewChange::Left { place, .. }) = &change;
        self.bring_forward(*place);
        self.due.push(change);
    }

    /// Something is to be told of the item at this place: the host must know it.
    pub(super) fn bring_forward(&mut self, place: Place) {
        let Place::Stored(seq) = place else { return }; // only what is stored is held back
        if let Ok(at) = self.find(seq) {
            let (_, item) = self.held.remove(at);
            self.due.push(ViewChange::Set { place, item });
        }
    }

    /// Where it is held back; else where it would be.
    fn find(&self, seq: Seq) -> Result<usize, usize> {
        match self.held.last() {
            Some((last, _)) if *last < seq => Err(self.held.len()),
            _ => self.held.binary_search_by_key(&seq, |(seq, _)| *seq),
        }
    }

    /// What is to be told in this task, in order; of many changes those that cannot wait.
    pub(super) fn take_due(&mut self) -> Vec<ViewChange> {
        let due = core::mem::take(&mut self.due);
        if due.len() <= PART {
            return due;
        }
        for change in due {
            match change {
                ViewChange::Set { place: Place::Stored(seq), item } => self.hold(seq, item),
                change => self.add(change),
            }
        }
        core::mem::take(&mut self.due)
    }

    /// What is said of an item last, is all that is to be said of it.
    fn hold(&mut self, seq: Seq, item: Arc<Item>) {
        match self.find(seq) {
            Ok(at) => self.held[at].1 = item,
            Err(at) => self.held.insert(at, (seq, item)),
        }
    }

    /// The next part of what is held back.
    pub(super) fn take_part(&mut self) -> Vec<ViewChange> {
        let part = self.held.drain(..self.held.len().min(PART));
        let part = part.map(|(seq, item)| ViewChange::Set { place: Place::Stored(seq), item }).collect();
        if self.held.is_empty() {
            self.held = Vec::new(); // a large load is rare: its memory is not kept
        }
        part
    }

    /// Whether something is held back.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Nothing is told any more.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use outbox::{ItemId, Json, Key, Timestamp};

    use super::*;

    const MANY: u64 = 2 * PART as u64 + 1;

    fn item(id: u64) -> Arc<Item> {
        Arc::new(Item {
            id: ItemId::new(alloc::format!("{id}")).unwrap(),
            seq: Some(Seq(id)),
            mutator_name: "write".into(),
            args: Json::null(),
            key: Key::UNKNOWN,
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
            barrier: false,
            version: 1,
        })
    }

    fn set(seq: u64) -> ViewChange {
        ViewChange::Set { place: Place::Stored(Seq(seq)), item: item(seq) }
    }

    fn left(seq: u64) -> ViewChange {
        ViewChange::Left { place: Place::Stored(Seq(seq)), outcome: None }
    }

    /// Many items, held back but for none.
    fn loaded() -> Telling {
        let mut telling = Telling::default();
        (1..=MANY).for_each(|seq| telling.add(set(seq)));
        assert_eq!(telling.take_due(), []);
        telling
    }

    /// All parts that are still to come.
    fn parts(mut telling: Telling) -> Vec<Vec<ViewChange>> {
        core::iter::from_fn(|| telling.holds().then(|| telling.take_part())).collect()
    }

    #[test]
    fn few_changes_are_told_at_once_in_their_order() {
        let mut telling = Telling::default();
        let changes = [set(2), set(1), left(2)];
        changes.iter().for_each(|change| telling.add(change.clone()));
        assert_eq!(telling.take_due(), changes);
        assert!(!telling.holds());
        assert_eq!(telling.take_due(), []);
    }

    #[test]
    fn many_items_are_told_in_parts_each_once_and_in_order() {
        let parts = parts(loaded());
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [PART, PART, 1]);
        assert_eq!(parts.concat(), (1..=MANY).map(set).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_or_moved_waits_for_no_part() {
        let mut telling = Telling::default();
        let writing = ViewChange::Set { place: Place::Writing(1), item: item(1) };
        let moved = ViewChange::Moved { from: Place::Writing(1), to: Place::Stored(Seq(MANY)) };
        telling.add(writing.clone());
        (1..MANY).for_each(|seq| telling.add(set(seq)));
        telling.add(moved.clone());
        assert_eq!(telling.take_due(), [writing, moved]);
        assert_eq!(parts(telling).concat().len(), MANY as usize - 1);
    }

    #[test]
    fn a_change_of_an_item_that_is_held_back_brings_it_forward() {
        let mut telling = loaded();
        telling.add(left(MANY));
        assert_eq!(telling.take_due(), [set(MANY), left(MANY)]);
        telling.bring_forward(Place::Stored(Seq(7)));
        telling.bring_forward(Place::Stored(Seq(7)));
        assert_eq!(telling.take_due(), [set(7)], "once");
        assert_eq!(parts(telling).concat().len(), MANY as usize - 2);
    }

    #[test]
    fn an_item_that_is_loaded_again_meanwhile_is_told_once() {
        let mut telling = loaded();
        (1..=MANY).rev().for_each(|seq| telling.add(set(seq)));
        assert_eq!(telling.take_due(), []);
        assert_eq!(parts(telling).concat(), (1..=MANY).map(set).collect::<Vec<_>>());
    }

    #[test]
    fn at_the_end_nothing_is_held() {
        let mut telling = loaded();
        telling.add(left(1));
        telling.end();
        assert!(!telling.holds());
        assert_eq!(telling.take_due(), []);
    }
}
