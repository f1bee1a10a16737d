//! Deleted (R14, R18): what has ended is not dispatched by a page that knows, or could.
//!
//! A page knows that an item has ended
//! - from the call to remove it on, unless that fails or finds nothing;
//! - once its own transaction that deleted, buried or removed it is acknowledged;
//! - once an answer of the store comes that was read after the end: a load of what changed, or an answer
//!   about that very item.
//!
//! Between an end by another replica and the first of these, a dispatch is nobody's mistake (R29).

use std::collections::{BTreeMap, BTreeSet};

use outbox::{
    AttemptId, CallId, Effect, Input, Item, ItemId, Reply, Seq,
    storage::{Contents, Scope, Write, WriteResult},
};

use super::{Facts, Oracle, facts::Gone};
use crate::{moment::Moment, world::World};

/// The judge.
#[derive(Debug, Default)]
pub struct Deleted {
    tabs: BTreeMap<u32, Tab>,
}

/// What one page knows.
#[derive(Debug, Default)]
struct Tab {
    /// Items that it was told have ended.
    told: BTreeSet<ItemId>,
    /// Its calls to remove.
    calls: BTreeMap<CallId, ItemId>,
    /// Items that its transaction under way has ended.
    ending: Vec<ItemId>,
    /// The moment at which its load of what changed was read; and of the last that was answered.
    reading: Option<u64>,
    read: u64,
}

impl Oracle for Deleted {
    fn name(&self) -> &'static str {
        "deleted"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R14", "R18"]
    }

    fn see(&mut self, _world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Ended { tab, .. } => drop(self.tabs.remove(tab)),
            Moment::MadeAnew => self.tabs.clear(),
            Moment::Ran { tab, page, request, answer, .. } => {
                if facts.page(*tab).is_some_and(|open| open.id.page == *page) {
                    self.tabs.entry(*tab).or_default().ran(facts, request, answer);
                }
            }
            Moment::Input { tab, input } => self.given(*tab, facts, input),
            Moment::Effect { tab, effect: Effect::Reply { call, result } } => {
                let Some(tab) = self.tabs.get_mut(tab) else { return Ok(()) };
                if let Some(id) = tab.calls.remove(call)
                    && *result != Ok(Reply::Done(true))
                {
                    tab.told.remove(&id);
                }
            }
            Moment::Effect { tab, effect: Effect::Dispatch { attempt, item, .. } } => {
                return self.dispatched(facts, *tab, *attempt, item);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Deleted {
    fn given(&mut self, tab: u32, facts: &Facts, input: &Input) {
        match input {
            Input::Remove { call, id } => {
                let tab = self.tabs.entry(tab).or_default();
                tab.calls.insert(*call, id.clone());
                tab.told.insert(id.clone());
            }
            Input::Persisted { result, .. } => {
                let Some(tab) = self.tabs.get_mut(&tab) else { return };
                let ended = std::mem::take(&mut tab.ending);
                if result.is_ok() {
                    tab.told.extend(ended);
                }
            }
            Input::Loaded { result, .. } => {
                let Some(tab) = self.tabs.get_mut(&tab) else { return };
                let reading = tab.reading.take();
                let Ok(snapshot) = result else { return };
                tab.read = reading.unwrap_or(tab.read);
                if let Contents::Part { gone, .. } = &snapshot.contents {
                    tab.told.extend(gone.iter().filter_map(|gone| ended_id(facts, gone.seq)));
                }
            }
            _ => {}
        }
    }

    fn dispatched(&self, facts: &Facts, tab: u32, attempt: AttemptId, item: &Item) -> Result<(), String> {
        let id = &item.id;
        let knows = self.tabs.get(&tab);
        if knows.is_some_and(|tab| tab.told.contains(id)) {
            return Err(format!("{attempt} dispatches {id}, whose end this page was told"));
        }
        let ended = facts.gone(attempt.seq).filter(|gone| gone.row.id() == Some(id));
        let Some(Gone { ended, how, .. }) = ended else { return Ok(()) };
        let about_it = facts.page(tab).and_then(|page| page.proofs.get(&attempt.seq));
        let read = knows.map_or(0, |tab| tab.read).max(about_it.map_or(0, |proof| proof.ran));
        if read > ended.moment {
            let at_ms = ended.at_ms;
            return Err(format!(
                "{attempt} dispatches {id}, which had ended ({how:?} at {at_ms} ms) when this page last read"
            ));
        }
        Ok(())
    }
}

impl Tab {
    fn ran(&mut self, facts: &Facts, request: &Effect, answer: &Input) {
        match (request, answer) {
            (Effect::Persist { writes, .. }, Input::Persisted { result: Ok(committed), .. }) => {
                self.ending.clear();
                for (write, result) in writes.iter().zip(&committed.results) {
                    if *result != WriteResult::Done {
                        continue;
                    }
                    match write {
                        Write::Delete { seq, .. } => self.ending.extend(ended_id(facts, *seq)),
                        Write::Bury { id, .. } | Write::Remove { id } => self.ending.push(id.clone()),
                        _ => {}
                    }
                }
            }
            (Effect::Acquire { .. }, _) => self.reading = Some(facts.moment),
            (Effect::Load { scope, .. }, _) => {
                self.reading = (!matches!(scope, Scope::Items(_))).then_some(facts.moment);
            }
            _ => {}
        }
    }
}

/// The item whose row at a place has ended.
fn ended_id(facts: &Facts, seq: Seq) -> Option<ItemId> {
    if facts.row(seq).is_some() {
        return None;
    }
    facts.gone(seq)?.row.id().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::tamper::{story, told, truth};

    #[test]
    fn a_quiet_run_is_in_order() {
        assert_eq!(truth(&mut Deleted::default(), &story(&[(100, "a"), (100, "a")])), None);
    }

    #[test]
    fn a_dispatch_after_the_end_rings() {
        let mut sent = None;
        let found = told(&mut Deleted::default(), &story(&[(100, "a")]), |moment, tell| {
            tell(moment);
            match moment {
                Moment::Effect { effect: effect @ Effect::Dispatch { .. }, .. } => {
                    sent = Some((*effect).clone());
                }
                Moment::Input { tab, input: Input::Persisted { .. } } => {
                    if let Some(effect) = &sent {
                        tell(&Moment::Effect { tab: *tab, effect });
                    }
                }
                _ => {}
            }
        });
        assert_eq!(found.as_deref(), Some("#1/1@1 dispatches i1, whose end this page was told"));
    }

    #[test]
    fn a_dispatch_after_the_call_to_remove_rings() {
        let found = told(&mut Deleted::default(), &story(&[(100, "a")]), |moment, tell| {
            if let Moment::Effect { tab, effect: Effect::Dispatch { item, .. } } = moment {
                let input = Input::Remove { call: CallId(77), id: item.id.clone() };
                tell(&Moment::Input { tab: *tab, input: &input });
            }
            tell(moment);
        });
        assert_eq!(found.as_deref(), Some("#1/1@1 dispatches i1, whose end this page was told"));
    }
}
