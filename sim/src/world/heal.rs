//! The end of all faults, and the end of the run.

use outbox::{Input, Item, ItemId};

use super::{
    play::Play,
    queue::{Event, PageId, WORLD},
};
use crate::{moment::Moment, oracle::liveness};

/// How often it is looked whether a pause is still stored.
const RESUME_EVERY_MS: u64 = 1_000;

impl Play<'_> {
    /// All faults end. What is broken for good (a page whose storage never answers) is reloaded, as people
    /// do; a tab of the newest build is open from here on.
    pub(super) fn heal(&mut self) {
        self.world.healed = true;
        self.world.store.unavailable_until_ms = 0;
        self.world.store.full_until_ms = 0;
        self.see(&Moment::Healed);
        let open: Vec<PageId> =
            self.world.tabs.iter().filter_map(|tab| Some(tab.page.as_ref()?.id)).collect();
        let newest = self.app.newest_build();
        for tab in &mut self.world.tabs {
            (tab.link, tab.online) = (true, true);
        }
        for id in open {
            self.thaw(id);
            let Some(page) = self.page_mut(id) else { continue };
            page.throttled = false;
            let (deaf, old) = (page.deaf, id.tab == 0 && page.build != newest);
            if deaf || old {
                self.end(id, true);
            } else {
                self.feed(id, Input::Online(true));
            }
        }
        self.open(0, newest);
        self.world.queue.push(self.world.now_ms, WORLD, Event::Resume);
    }

    /// Takes back every pause that is stored, and reloads old pages that say that they can do no more.
    pub(super) fn resume_all(&mut self) {
        let newest = self.app.newest_build();
        let pages = self.world.tabs.iter().filter_map(|tab| tab.page.as_ref());
        let old: Vec<PageId> =
            pages.filter(|page| page.build != newest && page.is_exhausted()).map(|page| page.id).collect();
        for id in old {
            self.end(id, false);
            self.open(id.tab, newest);
        }
        let reasons: Vec<String> = self.world.store.memory().paused().map(String::from).collect();
        let Some(id) = self.world.page(0).map(|page| page.id) else { return };
        for reason in reasons {
            self.resume(id, &reason);
        }
        self.remove_strange(id);
        self.world.queue.push(self.world.now_ms + RESUME_EVERY_MS, WORLD, Event::Resume);
    }

    /// Takes out the rows that no build can read and that hold their lanes, and every barrier, for good.
    fn remove_strange(&mut self, id: PageId) {
        let Some(page) = self.page(id) else { return };
        let strange = |item: &&Item| item.seq.is_some_and(|seq| self.world.planted.contains(&seq));
        let ids: Vec<ItemId> = page.outbox.pending().filter(strange).map(|item| item.id.clone()).collect();
        for item in ids {
            self.remove(id, item);
        }
    }

    /// After the heal: nothing is stored but what nobody here enqueued, and every page knows it.
    pub(super) fn is_quiet(&self) -> bool {
        let world = &self.world;
        if !world.healed || !world.store.memory().rows().all(|(seq, _)| world.planted.contains(&seq)) {
            return false;
        }
        let mut pages = world.tabs.iter().filter_map(|tab| tab.page.as_ref());
        pages.clone().any(|page| page.outbox.is_leading())
            && pages.all(|page| {
                page.outbox.is_loaded()
                    && page.outbox.is_durable()
                    && page.flights.is_empty()
                    && page.calls.is_empty()
                    && page.outbox.is_empty()
            })
    }

    /// It takes longer than it may: the liveness oracle says what is missing.
    pub(super) fn is_late(&self) -> bool {
        let world = &self.world;
        world.healed && world.now_ms > world.scenario.heal_at_ms + liveness::bound_ms(&world.scenario)
    }
}
