//! View (R22): what a page shows, folded from its `View` effects alone, is the list of pending items in seq
//! order with those being written last; a new item shows in the turn of its call; and after a load the page
//! shows what was read.
//!
//! | after | compared |
//! |---|---|
//! | the end of an input with a `View` effect, and now and then | the folded list, with [`Outbox::pending`] |
//! | the end of an accepted enqueue, or retry of a failure [one up to date] | that its item was shown in it |
//! | the end of a load's answer | the folded list, with the rows that the store gave [rows that a follower asked for |
//! | | by their places, and that are gone, may go with its next load, which tells how they ended] |

use std::collections::BTreeSet;

use outbox::{
    CallId, Effect, Input, Item, ItemId, Outbox, Place, Seq, ViewChange,
    record::{self, Decoded},
    storage::{Contents, Gone, Row, Scope, Snapshot, StoreId},
};

use super::{Facts, Oracle, per_tab::PerTab};
use crate::{
    moment::Moment,
    world::{Page, World},
};

/// Shorter lists are compared whenever they change, longer ones every so many changes.
const SHORT: usize = 64;
const LONG_EVERY: u32 = 16;
/// Lists are compared now and then though they did not change.
const ALL_EVERY: u32 = 256;

/// The judge.
#[derive(Debug, Default)]
pub struct View {
    pages: PerTab<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    /// The list changed in the input under way.
    changed: bool,
    inputs: u32,
    changes: u32,
    /// The item of the input under way that must be shown, unless its call is refused.
    due: Option<(CallId, ItemId)>,
    /// What the input under way has read.
    read: Read,
    /// The last load asked for rows by their places.
    by_place: bool,
    /// What such a load said is gone, and not how it ended: the next load of what changed tells.
    untold: Vec<Seq>,
    /// The store that the page knows.
    store: Option<StoreId>,
    /// Failure records whose mutator was registered after they were read: they are read again first (R23).
    outdated: BTreeSet<ItemId>,
}

/// A load's answer, copied into buffers that are used again.
#[derive(Debug, Default)]
struct Read {
    full: bool,
    any: bool,
    /// Places, and where their bytes end.
    rows: Vec<(Seq, usize)>,
    bytes: Vec<u8>,
    gone: Vec<Seq>,
}

impl Oracle for View {
    fn name(&self) -> &'static str {
        "view"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R22"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => self.pages.opened(*tab),
            Moment::Input { tab, input } => self.pages.of(*tab).given(world.page(*tab), input),
            Moment::Effect { tab, effect: Effect::View(change) } => self.pages.of(*tab).changes(change),
            Moment::Effect { tab, effect: Effect::Load { scope, .. } } => {
                self.pages.of(*tab).by_place = matches!(scope, Scope::Items(_));
            }
            Moment::Effect { tab, effect: Effect::Reply { call, .. } } => {
                let shown = self.pages.of(*tab);
                shown.due.take_if(|(due, _)| due == call);
            }
            Moment::Handled { tab, .. } => {
                let Some(page) = world.page(*tab) else { return Ok(()) };
                let leads = facts.page(*tab).is_some_and(|page| page.fence.is_some());
                return self.pages.of(*tab).handled(page, leads);
            }
            Moment::End => {
                for page in world.tabs.iter().filter_map(|tab| tab.page.as_ref()) {
                    compare(page, &page.outbox)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Shown {
    fn given(&mut self, page: Option<&Page>, input: &Input) {
        self.changed = false;
        self.due = match input {
            Input::Enqueue { call, draft } => Some((*call, draft.id.clone())),
            // What is to be sent again is known only with its record; else a load comes first.
            Input::RetryFailure { call, failure, id } => {
                let known = failed(page).any(|item| item.id == *failure) && !self.outdated.contains(failure);
                known.then(|| (*call, id.clone()))
            }
            _ => None,
        };
        if let Input::Register { name, .. } = input {
            let of_it = failed(page).filter(|item| *item.mutator_name == **name);
            self.outdated.extend(of_it.map(|item| item.id.clone()));
        }
        if self.read.any {
            self.read.clear();
        }
        if let Input::Loaded { result: Ok(snapshot), .. } = input {
            self.loaded(snapshot);
            if !self.by_place {
                self.read.gone.append(&mut self.untold);
            } else if let Contents::Part { gone, .. } = &snapshot.contents
                && let Some(page) = page.filter(|page| !page.outbox.is_leading())
            {
                let untold = gone.iter().filter(|gone| gone.outcome.is_none()).map(|gone| gone.seq);
                self.untold.extend(untold.filter(|seq| page.view.contains_key(&Place::Stored(*seq))));
                self.read.gone.retain(|seq| !self.untold.contains(seq));
            }
        }
    }

    fn loaded(&mut self, snapshot: &Snapshot) {
        let known = self.store.is_none_or(|store| store == snapshot.store);
        if !known {
            self.untold.clear();
        }
        match &snapshot.contents {
            // Of another store than the page knows: it starts over.
            Contents::Part { .. } if !known => return,
            Contents::Part { rows, gone, .. } => self.read.fill(false, rows, gone),
            Contents::Full { rows, .. } => self.read.fill(true, rows, &[]),
        }
        if !matches!(snapshot.contents, Contents::Part { failures: None, .. }) {
            self.outdated.clear();
        }
        self.store = Some(snapshot.store);
    }

    fn changes(&mut self, change: &ViewChange) {
        self.changed = true;
        if let ViewChange::Set { item, .. } = change {
            self.due.take_if(|(_, id)| *id == item.id);
        }
    }

    fn handled(&mut self, page: &Page, leads: bool) -> Result<(), String> {
        if let Some((call, id)) = &self.due {
            return Err(format!(
                "{}: {id} of call {} was neither shown nor refused in its turn",
                page.name(),
                call.0
            ));
        }
        if self.read.any {
            self.read.compare(page, leads)?;
        }
        self.inputs = self.inputs.wrapping_add(1);
        self.changes += u32::from(self.changed);
        let often = page.view.len() <= SHORT || self.changes.is_multiple_of(LONG_EVERY);
        if (self.changed && often) || self.inputs.is_multiple_of(ALL_EVERY) {
            compare(page, &page.outbox)?;
        }
        Ok(())
    }
}

impl Read {
    fn clear(&mut self) {
        (self.full, self.any) = (false, false);
        self.rows.clear();
        self.bytes.clear();
        self.gone.clear();
    }

    fn fill(&mut self, full: bool, rows: &[Row], gone: &[Gone]) {
        (self.full, self.any) = (full, full || !(rows.is_empty() && gone.is_empty()));
        for row in rows {
            self.bytes.extend_from_slice(&row.record);
            self.rows.push((row.seq, self.bytes.len()));
        }
        self.gone.extend(gone.iter().map(|gone| gone.seq));
    }

    /// What a page shows after a load, with what it read. A leader knows better than a row what becomes of
    /// its item, but not whether there is one.
    fn compare(&self, page: &Page, leads: bool) -> Result<(), String> {
        let mut start = 0;
        let mut present = 0;
        for &(seq, end) in &self.rows {
            let record = &self.bytes[start..end];
            start = end;
            let shown = page.view.get(&Place::Stored(seq));
            present += usize::from(shown.is_some());
            let same = shown.is_some_and(|item| leads || is_of(record, item));
            if !same && !is_unreadable(seq, record, shown.map(|item| &**item)) {
                let shown = shown.map(|item| format!("{} {}", item.id, item.args));
                let record = String::from_utf8_lossy(record);
                return Err(format!("{} has read {seq} as {record} and shows {shown:?}", page.name()));
            }
        }
        for seq in &self.gone {
            if page.view.contains_key(&Place::Stored(*seq)) {
                return Err(format!("{} has read that {seq} is gone, and shows it", page.name()));
            }
        }
        let stored = Place::Stored(Seq(0))..=Place::Stored(Seq(u64::MAX));
        if self.full && page.view.range(stored).count() != present {
            return Err(format!("{} shows stored items that a full load did not have", page.name()));
        }
        Ok(())
    }
}

/// Whether a record plainly holds the id and the args that are shown.
fn is_of(record: &[u8], item: &outbox::Item) -> bool {
    let text = std::str::from_utf8(record).unwrap_or_default();
    text.contains(item.id.as_str()) && text.contains(item.args.as_str())
}

/// Whether it is right to show this, though the record does not plainly hold it.
fn is_unreadable(seq: Seq, record: &[u8], shown: Option<&outbox::Item>) -> bool {
    match (record::decode(seq, record, |name| name.into()), shown) {
        (Decoded::Unreadable { .. }, shown) => shown.is_none(),
        (Decoded::Item(item) | Decoded::Opaque { item, .. }, Some(shown)) => {
            item.id == shown.id && item.args == shown.args
        }
        _ => false,
    }
}

/// The folded list and the pending items.
fn compare(page: &Page, outbox: &Outbox) -> Result<(), String> {
    let mut pending = outbox.pending();
    for (place, shown) in &page.view {
        let Some(item) = pending.next() else {
            return Err(format!("{} shows {} at {place:?}, which is not pending", page.name(), shown.id));
        };
        let seq = match place {
            Place::Stored(seq) => Some(*seq),
            Place::Writing(_) => None,
        };
        let same = item.id == shown.id && item.args == shown.args && item.mutator_name == shown.mutator_name;
        if !same || item.seq != seq {
            let (has, shows) = ((&item.id, item.seq, &item.args), (&shown.id, seq, &shown.args));
            return Err(format!("{} has {has:?} pending where it shows {shows:?}", page.name()));
        }
    }
    match pending.next() {
        Some(item) => Err(format!("{} does not show {}, which is pending", page.name(), item.id)),
        None => Ok(()),
    }
}

/// The items of the failure records that a page knows.
fn failed(page: Option<&Page>) -> impl Iterator<Item = &Item> {
    page.into_iter().flat_map(|page| page.outbox.failures().map(|record| &record.item))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        oracle::tamper::{calm, effects, id, inputs, rang, truth},
        run_with,
        scenario::{Action, Scenario, Step},
        standard::Standard,
    };

    /// A second tab, that learns of the items by loads.
    fn follower() -> Scenario {
        let mut scenario = calm(3);
        scenario.options.tabs = 2;
        scenario.steps.insert(1, Step { at_ms: 1, tab: 1, action: Action::Open { build: 1 } });
        scenario.options.network_ms = (5_000, 5_000);
        scenario
    }

    #[test]
    fn two_pages_are_in_order() {
        assert_eq!(truth(&mut View::default(), &follower()), None);
    }

    #[test]
    fn an_item_that_is_not_shown_at_once_rings() {
        let found = effects(&mut View::default(), &calm(1), |effect| match effect {
            Effect::View(_) => Vec::new(),
            effect => vec![effect.clone()],
        });
        rang(found, "neither shown nor refused");
    }

    #[test]
    fn a_page_that_does_not_show_what_it_read_rings() {
        let lie = |lie: fn(&mut Snapshot)| {
            inputs(&mut View::default(), &follower(), move |input| {
                let mut input = input.clone();
                if let Input::Loaded { result: Ok(snapshot), .. } = &mut input {
                    lie(snapshot);
                }
                vec![input]
            })
        };
        let other_args = lie(|snapshot| {
            let (Contents::Full { rows, .. } | Contents::Part { rows, .. }) = &mut snapshot.contents;
            for row in rows {
                let other = String::from_utf8_lossy(&row.record).replace("value", "other");
                row.record = other.into_bytes().into();
            }
        });
        rang(other_args, "and shows");
        let left_out = lie(|snapshot| {
            if let Contents::Part { rows, gone, .. } = &mut snapshot.contents {
                gone.extend(rows.drain(..).map(|row| Gone { seq: row.seq, outcome: None }));
            }
        });
        rang(left_out, "is gone, and shows it");
    }

    #[test]
    fn a_list_that_is_not_the_pending_one_rings() {
        let mut found = None;
        let mut sink = |world: &World, moment: &Moment<'_>| {
            if let Moment::Handled { tab, .. } = moment
                && let Some(page) = world.page(*tab).filter(|page| !page.view.is_empty())
            {
                let mut outbox = page.outbox.clone();
                let shown = page.view.values().next().map(|item| item.args.clone());
                let args = shown.expect("it shows something");
                let draft = outbox::Draft::new(id(99), "keyed", args);
                let input = Input::Enqueue { call: CallId(99), draft };
                outbox.handle(world.time_of(page), input, &mut Vec::new());
                assert_eq!(compare(page, &page.outbox), Ok(()));
                found = compare(page, &outbox).err();
            }
        };
        let _report = run_with(&Standard, &calm(1), Some(&mut sink));
        rang(found, "does not show i99");
    }
}
