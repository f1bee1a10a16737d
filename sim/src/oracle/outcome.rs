//! Outcomes (R29): whoever enqueued an item hears what became of it, as long as the page lives.
//!
//! At the end, when nothing is stored any more: every item that an open page was told is stored, with those
//! whose outcome that page has told.

use std::collections::BTreeSet;

use outbox::{Effect, Event, ItemId, Reply};

use super::{Facts, Oracle, per_tab::PerTab};
use crate::{moment::Moment, world::World};

/// The judge.
#[derive(Debug, Default)]
pub struct Outcomes {
    pages: PerTab<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    enqueued: BTreeSet<ItemId>,
    resolved: BTreeSet<ItemId>,
}

impl Oracle for Outcomes {
    fn name(&self) -> &'static str {
        "outcomes"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R29"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => self.pages.opened(*tab),
            Moment::Effect { tab, effect: Effect::Reply { result: Ok(Reply::Enqueued { id, .. }), .. } } => {
                self.pages.of(*tab).enqueued.insert(id.clone());
            }
            Moment::Effect { tab, effect: Effect::Notify(Event::Resolved { id, .. }) } => {
                self.pages.of(*tab).resolved.insert(id.clone());
            }
            // What is still stored, and may be who others were squashed into, is for the liveness oracle.
            Moment::End if facts.rows().all(|(seq, _)| world.planted.contains(&seq)) => {
                for tab in world.tabs.iter().filter(|tab| tab.page.is_some()) {
                    let heard = self.pages.of(tab.number);
                    if let Some(id) = heard.enqueued.difference(&heard.resolved).next() {
                        return Err(format!("t{} enqueued {id}, and its outcome was never told", tab.number));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::tamper::{calm, effects, rang, truth};

    #[test]
    fn a_calm_run_is_in_order() {
        assert_eq!(truth(&mut Outcomes::default(), &calm(3)), None);
    }

    #[test]
    fn a_waiter_that_hears_nothing_rings() {
        let found = effects(&mut Outcomes::default(), &calm(2), |effect| match effect {
            Effect::Notify(Event::Resolved { .. }) => Vec::new(),
            effect => vec![effect.clone()],
        });
        rang(found, "its outcome was never told");
    }
}
