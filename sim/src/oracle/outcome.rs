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
            // What is still stored is judged by the liveness oracle, and may be who others were squashed into.
            Moment::End if facts.rows().len() == world.planted.len() => {
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
