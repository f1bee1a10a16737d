//! Carries out the scenario's steps and faults.

use std::{collections::BTreeSet, rc::Rc};

use outbox::{CallId, Input, ItemId, Seq, Trigger, lease::Election};

use super::{
    WORLD_TAB, number_of,
    play::Play,
    queue::{Event, Mail, PageId},
};
use crate::{
    matrix,
    moment::Moment,
    scenario::{Action, Strange, What},
};

impl Play<'_> {
    // --- Steps.

    pub(super) fn step(&mut self, at: usize) {
        let scenario = Rc::clone(&self.world.scenario);
        let step = &scenario.steps[at];
        let tab = step.tab;
        if tab as usize >= self.world.tabs.len() {
            return;
        }
        self.see(&Moment::Step { tab, action: &step.action });
        self.act_on_tab(tab, &step.action);
        let open = self.world.page(tab).filter(|page| !page.frozen).map(|page| page.id);
        let Some(id) = open else { return };
        match &step.action {
            Action::Enqueue { item, mutator, args } => self.enqueue(id, *item, mutator, args),
            Action::Remove { item } => self.remove(id, number(*item)),
            Action::RetryFailure { item } => {
                self.world.retried += 1;
                let new = ItemId::new(format!("i{item}r{}", self.world.retried)).expect("a short id");
                self.call(id, number(*item), |call, failure| Input::RetryFailure { call, failure, id: new });
            }
            Action::DismissFailure { item } => {
                self.call(id, number(*item), |call, id| Input::DismissFailure { call, id });
            }
            Action::Pause { reason } => self.pause(id, reason),
            Action::Resume { reason } => self.resume(id, reason),
            Action::Register { build } => self.register(id, *build),
            Action::Online(online) => self.feed(id, Input::Online(*online)),
            Action::Visible => self.feed(id, Input::Wake(Trigger::Visible)),
            Action::Focus => self.feed(id, Input::Wake(Trigger::Focus)),
            Action::Close => self.end(id, false),
            Action::Freeze => self.freeze(id),
            Action::Throttle(throttled) => {
                if let Some(page) = self.page_mut(id) {
                    page.throttled = *throttled;
                }
            }
            Action::Link(_) | Action::Open { .. } | Action::Crash | Action::Thaw => {}
        }
    }

    /// What can be done to a tab that is closed or frozen.
    fn act_on_tab(&mut self, tab: u32, action: &Action) {
        let owner = &mut self.world.tabs[tab as usize];
        let id = owner.page.as_ref().map(|page| page.id);
        match (action, id) {
            (Action::Online(online), _) => owner.online = *online,
            (Action::Link(link), _) => owner.link = *link,
            (Action::Open { build }, None) => self.open(tab, *build),
            (Action::Crash, Some(id)) => self.end(id, true),
            (Action::Thaw, Some(id)) => self.thaw(id),
            _ => {}
        }
    }

    /// The app calls a mutator. What the registry refuses never becomes an item.
    fn enqueue(&mut self, id: PageId, item: u32, mutator: &str, args: &outbox::Json) {
        let Some(build) = self.page(id).map(|page| page.build) else { return };
        let Ok(draft) = self.registry(build).draft(number(item), mutator, args.clone()) else { return };
        self.call(id, number(item), |call, _| Input::Enqueue { call, draft });
    }

    fn call(&mut self, id: PageId, item: ItemId, input: impl FnOnce(CallId, ItemId) -> Input) {
        let counts = &mut self.world.tabs[id.tab as usize].counts;
        counts.calls += 1;
        let call = CallId(counts.calls);
        if let Some(page) = self.page_mut(id) {
            page.calls.insert(call, item.clone());
        }
        self.feed(id, input(call, item));
    }

    pub(super) fn remove(&mut self, id: PageId, item: ItemId) {
        self.call(id, item, |call, id| Input::Remove { call, id });
    }

    fn pause(&mut self, id: PageId, reason: &str) {
        self.call(id, number(0), |call, _| Input::Pause { call, reason: reason.into() });
    }

    pub(super) fn resume(&mut self, id: PageId, reason: &str) {
        self.call(id, number(0), |call, _| Input::Resume { call, reason: reason.into() });
    }

    /// The page's app registers what another build has; it is of that build from now on.
    fn register(&mut self, id: PageId, build: u32) {
        let mutators = self.registry(build).configs();
        let Some(page) = self.page_mut(id) else { return };
        page.build = build;
        for (name, mutator) in mutators {
            self.call(id, number(0), |call, _| Input::Register { call, name, mutator });
        }
    }

    pub(super) fn freeze(&mut self, id: PageId) {
        if let Some(page) = self.page_mut(id).filter(|page| !page.frozen) {
            page.frozen = true;
            self.see(&Moment::Frozen { tab: id.tab });
        }
    }

    /// A frozen page wakes and gets what it missed, in order.
    pub(super) fn thaw(&mut self, id: PageId) {
        let Some(page) = self.page_mut(id).filter(|page| page.frozen) else { return };
        page.frozen = false;
        let missed: Vec<Mail> = page.inbox.drain(..).collect();
        self.see(&Moment::Thawed { tab: id.tab });
        for mail in missed {
            self.deliver(id, mail);
        }
    }

    // --- Faults.

    /// A fault whose time has come.
    pub(super) fn fault(&mut self, at: usize) {
        let scenario = Rc::clone(&self.world.scenario);
        let fault = scenario.faults[at];
        let crate::scenario::When::At { tab, .. } = fault.when else { return };
        let now_ms = self.world.now_ms;
        if tab as usize >= self.world.tabs.len() {
            return;
        }
        match fault.what {
            What::UnavailableStorage { for_ms } => self.world.store.unavailable_until_ms = now_ms + for_ms,
            What::FullStorage { for_ms } => self.world.store.full_until_ms = now_ms + for_ms,
            What::StrangeRow(strange) => return self.plant(strange),
            What::PowerLoss { commits } => return self.lose_power(tab, commits),
            What::StoreMadeAnew => {
                self.world.store.make_anew();
                self.world.planted.clear();
                self.struck(tab, fault.what);
                return self.see(&Moment::MadeAnew);
            }
            What::Suspend { for_ms } => return self.suspend(tab, for_ms),
            What::StepClock { by_ms } => self.world.wall_step_ms += by_ms,
            other => {
                if let Some(id) = self.world.page(tab).map(|page| page.id) {
                    let _ended = self.page_fault(id, other);
                }
                return;
            }
        }
        self.struck(tab, fault.what);
    }

    /// A fault of a page strikes; whether it ended the page.
    pub(super) fn page_fault(&mut self, id: PageId, what: What) -> bool {
        match what {
            What::Crash { reopen_ms } => {
                self.crash(id, reopen_ms);
                return true;
            }
            What::Freeze { for_ms } => {
                self.freeze(id);
                self.world.queue.push(self.world.now_ms + for_ms, id.tab, Event::Thaw(id));
            }
            What::FalselyElected { for_ms } => {
                self.post(id, 0, Mail::Input(Box::new(Input::Elected)));
                self.world.queue.push(self.world.now_ms + for_ms, id.tab, Event::Undeceive(id));
            }
            What::Steal { told_after_ms } => {
                if self.world.locks.holder != Some(id) {
                    return false;
                }
                self.world.locks.revoke();
                if let Some(after_ms) = told_after_ms {
                    self.world.queue.push(self.world.now_ms + after_ms, id.tab, Event::Undeceive(id));
                }
                self.queue_for_lock(id);
            }
            _ => return false,
        }
        self.struck(id.tab, what);
        false
    }

    pub(super) fn crash(&mut self, id: PageId, reopen_ms: u64) {
        let build = self.page(id).map_or(0, |page| page.build);
        self.struck(id.tab, What::Crash { reopen_ms });
        self.end(id, true);
        let reopen = Event::Reopen { tab: id.tab, build };
        self.world.queue.push(self.world.now_ms + reopen_ms, id.tab, reopen);
    }

    /// A page that was told that it leads, or whose lock was taken, hears the truth.
    pub(super) fn undeceive(&mut self, id: PageId) {
        self.deliver(id, Mail::Deposed);
    }

    /// Whether a page holds the lock, or a lease.
    pub(super) fn holds_leadership(&self, id: PageId) -> bool {
        let Some(page) = self.page(id) else { return false };
        let holds_lease = |election: &Election| election.holds_lease(self.world.time_of(page));
        self.world.locks.holder == Some(id) || page.election.as_ref().is_some_and(holds_lease)
    }

    fn plant(&mut self, strange: Strange) {
        let n = self.world.plants;
        self.world.plants += 1;
        let record = match strange {
            Strange::Garbage => "not json at all".to_string(),
            Strange::NewerVersion => format!(
                r#"{{"version":9,"id":"strange{n}","key":["strange"],"barrier":false,"newArgs":[1,2]}}"#
            ),
            Strange::BrokenBody => {
                format!(r#"{{"version":1,"id":"strange{n}","key":["strange"],"mutatorName":17,"args":{{}}}}"#)
            }
        };
        let seq = self.world.store.plant(record.as_bytes());
        self.world.planted.insert(seq);
        self.struck(WORLD_TAB, What::StrangeRow(strange));
        self.see(&Moment::Planted { seq, record: record.as_bytes() });
    }

    /// Every page dies, and is opened again.
    fn lose_power(&mut self, tab: u32, commits: u32) {
        let open: Vec<PageId> =
            self.world.tabs.iter().filter_map(|tab| Some(tab.page.as_ref()?.id)).collect();
        for id in open {
            self.crash(id, 1_000);
        }
        self.world.queue.drop_storage_requests();
        let commits = self.world.store.lose_power(commits);
        let rows: BTreeSet<Seq> = self.world.store.memory().rows().map(|(seq, _)| seq).collect();
        self.world.planted.retain(|seq| rows.contains(seq));
        self.struck(tab, What::PowerLoss { commits });
        self.see(&Moment::Undone { commits });
    }

    /// Every page stands still.
    fn suspend(&mut self, tab: u32, for_ms: u64) {
        let open: Vec<PageId> =
            self.world.tabs.iter().filter_map(|tab| Some(tab.page.as_ref()?.id)).collect();
        for id in open {
            let _ended = self.page_fault(id, What::Freeze { for_ms });
        }
        self.struck(tab, What::Suspend { for_ms });
    }

    /// Counts and shows a fault that strikes.
    pub(super) fn struck(&mut self, tab: u32, what: What) {
        *self.world.struck.entry(what.name()).or_default() += 1;
        if let Some(page) = self.world.page(tab) {
            for state in matrix::states(page) {
                *self.world.cells.entry((what.name(), state)).or_default() += 1;
            }
        }
        self.see(&Moment::Fault { tab: (tab != WORLD_TAB).then_some(tab), what });
    }
}

fn number(item: u32) -> ItemId {
    let id = ItemId::new(format!("i{item}")).expect("a short id");
    debug_assert_eq!(number_of(&id), Some(item), "an id and its number belong together");
    id
}
