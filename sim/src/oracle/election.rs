//! Election (R26): each epoch of a store is given to one page; with leases no two overlap, and with locks no
//! two pages lead, unless something is drawn that lets them.
//!
//! | after | compared |
//! |---|---|
//! | an acquire's answer | its page, with those that were given the same epoch |
//! | `Elected` of an election | that no other page holds a lease by its own clock |
//! | a page begins to lead by a lock | that no other page leads |
//!
//! Leases may overlap if messages are lost or late, or pages frozen; leaders by locks if those are, if the
//! lock is stolen, or if a tab is told falsely that it leads.

use std::collections::BTreeMap;

use outbox::{Effect, Event, Input, lease::ElectionEffect, storage::Fence};

use super::{Facts, Oracle, per_tab::PerTab};
use crate::{
    moment::Moment,
    scenario::{Action, EffectKind, Leadership, Scenario, What, When},
    world::{PageId, World},
};

/// The judge.
#[derive(Debug)]
pub struct Election {
    /// Who was given which epoch of which store.
    given: BTreeMap<(u128, u64), PageId>,
    /// Which tabs lead, as their pages have told.
    leading: PerTab<bool>,
    /// Nothing is drawn that lets leases overlap.
    calm_leases: bool,
    /// Nothing is drawn that lets two lead by locks.
    calm_locks: bool,
}

impl Election {
    /// For a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let frozen = |action: &Action| matches!(action, Action::Freeze);
        let freezes = scenario.steps.iter().any(|step| frozen(&step.action))
            || scenario
                .faults
                .iter()
                .any(|fault| matches!(fault.what, What::Freeze { .. } | What::Suspend { .. }));
        let messages = scenario.faults.iter().any(|fault| {
            let lost = matches!(fault.what, What::LoseMessage | What::SlowMessage { .. });
            lost || matches!(fault.when, When::Nth { kind: EffectKind::Message, .. })
        });
        let lies = scenario
            .faults
            .iter()
            .any(|fault| matches!(fault.what, What::FalselyElected { .. } | What::Steal { .. }));
        let calm = !freezes && !messages;
        let leases = scenario.options.leadership == Leadership::Leases;
        Self {
            given: BTreeMap::new(),
            leading: PerTab::default(),
            calm_leases: leases && calm,
            calm_locks: !leases && calm && !lies,
        }
    }

    fn acquired(&mut self, fence: Fence, page: PageId) -> Result<(), String> {
        let first = *self.given.entry((fence.store.0, fence.epoch.0)).or_insert(page);
        if first == page {
            return Ok(());
        }
        Err(format!("epoch {} was given to t{} and to t{}", fence.epoch.0, first.tab, page.tab))
    }
}

impl Oracle for Election {
    fn name(&self) -> &'static str {
        "election"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R26", "R27"]
    }

    fn see(&mut self, world: &World, _facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } | Moment::Ended { tab, .. } => self.leading.opened(*tab),
            Moment::Ran {
                tab,
                page,
                request: Effect::Acquire { .. },
                answer: Input::Loaded { result: Ok(snapshot), .. },
                ..
            } => {
                let fence = Fence { store: snapshot.store, epoch: snapshot.epoch };
                return self.acquired(fence, PageId { tab: *tab, page: *page });
            }
            // What a loss of power took back may be given again.
            Moment::Undone { .. } => self.given.clear(),
            Moment::Effect { tab, effect: Effect::Notify(Event::Leading(leads)) } => {
                *self.leading.of(*tab) = *leads;
                if *leads && self.calm_locks {
                    let other = |other: &u32| other != tab && *self.leading.of(*other);
                    if let Some(other) = (0..world.tabs.len() as u32).find(other) {
                        return Err(format!("t{tab} leads, and t{other} does"));
                    }
                }
            }
            Moment::ElectionEffect { tab, effect: ElectionEffect::Elected } if self.calm_leases => {
                let holds = |page: &&crate::world::Page| {
                    let now = world.time_of(page);
                    page.election.as_ref().is_some_and(|election| election.holds_lease(now))
                };
                let mut others = world.tabs.iter().filter_map(|other| other.page.as_ref());
                if let Some(other) = others.find(|page| page.id.tab != *tab && holds(page)) {
                    return Err(format!("t{tab} is elected, and {} holds a lease", other.name()));
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
    use crate::{
        oracle::tamper::{calm, rang, told, truth},
        scenario::Step,
    };

    fn two_tabs(leadership: Leadership) -> Scenario {
        let mut scenario = calm(2);
        scenario.options.tabs = 2;
        scenario.options.leadership = leadership;
        scenario.steps.insert(1, Step { at_ms: 1, tab: 1, action: Action::Open { build: 1 } });
        // Later, so that a leader by lease has been found.
        scenario.steps[2].at_ms = 12_000;
        scenario
    }

    #[test]
    fn two_tabs_are_in_order() {
        for leadership in [Leadership::Locks, Leadership::Leases] {
            let scenario = two_tabs(leadership);
            assert_eq!(truth(&mut Election::new(&scenario), &scenario), None);
        }
    }

    #[test]
    fn an_epoch_that_two_are_given_rings() {
        let scenario = two_tabs(Leadership::Locks);
        let found = told(&mut Election::new(&scenario), &scenario, |moment, tell| {
            tell(moment);
            if let Moment::Ran { page, request, answer, told, .. } = moment {
                tell(&Moment::Ran { tab: 1, page: *page, request, answer, told });
            }
        });
        rang(found, "was given to t0 and to t1");
    }

    #[test]
    fn two_leaders_by_a_lock_ring() {
        let scenario = two_tabs(Leadership::Locks);
        let found = told(&mut Election::new(&scenario), &scenario, |moment, tell| {
            tell(moment);
            if let Moment::Effect { effect: effect @ Effect::Notify(Event::Leading(true)), .. } = moment {
                tell(&Moment::Effect { tab: 1, effect });
            }
        });
        rang(found, "t1 leads, and t0 does");
    }

    #[test]
    fn two_leases_ring() {
        let scenario = two_tabs(Leadership::Leases);
        let found = told(&mut Election::new(&scenario), &scenario, |moment, tell| {
            tell(moment);
            if let Moment::ElectionEffect { tab, effect: effect @ ElectionEffect::Elected } = moment {
                tell(&Moment::ElectionEffect { tab: 1 - tab, effect });
            }
        });
        rang(found, "holds a lease");
    }
}
