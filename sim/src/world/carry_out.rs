//! Carries out effects as a driver would, with the faults that are drawn for them.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use outbox::{
    AskedItem, AttemptId, AttemptOutcome, Class, Effect, Failure, HookError, Input, Item, ItemId, RetryBatch,
    SerializedError, Timestamp, Verdict,
    lease::{ElectionEffect, ElectionInput},
};

use super::{
    play::Play,
    queue::{Event, Mail, PageId, RequestPlan, StoragePlan, WORLD},
    tab::Flight,
};
use crate::{
    app::Request,
    moment::Moment,
    rng::Draw,
    scenario::{EffectKind, HookStyle, RetryAfter, What},
};

/// A refused connection is noticed after so long.
const REFUSED_MS: u64 = 2;
/// One way after the heal takes no longer: shorter than any mutator's timeout allows.
const HEALED_NETWORK_MS: u64 = 300;
/// More than any `Retry-After` may ask for.
const ABSURD_MS: u64 = 1 << 50;

impl Play<'_> {
    pub(super) fn carry_out(&mut self, id: PageId, effect: Effect) {
        match effect {
            Effect::Acquire { .. } | Effect::Load { .. } => self.ask_storage(id, EffectKind::Load, effect),
            Effect::Persist { .. } => self.ask_storage(id, EffectKind::Persist, effect),
            Effect::Dispatch { attempt, item, deadline } => self.dispatch(id, attempt, item, deadline),
            Effect::Cancel(attempt) => {
                if let Some(page) = self.page_mut(id) {
                    page.flights.remove(&attempt);
                }
            }
            Effect::AskBeforeRetry { ask, items } => self.ask_hook(id, ask, items),
            Effect::Resign => self.resign(id),
            Effect::Steal(holder) => self.steal(id, &holder),
            Effect::Ping { to, parked } => {
                let from = super::tab::name(id);
                self.send(id, to.as_deref(), &Mail::Input(Box::new(Input::Ping { from, parked })));
            }
            Effect::Pong { to, registered } => {
                let from = super::tab::name(id);
                self.send(id, Some(&to), &Mail::Input(Box::new(Input::Pong { from, registered })));
            }
            Effect::Poke(poke) => self.send(id, None, &Mail::Input(Box::new(Input::Poked(poke)))),
            Effect::Sleep { until } => self.sleep(id, until),
            Effect::Reply { call, .. } => {
                if self
                    .world
                    .faults_at(id.tab, EffectKind::Reply)
                    .iter()
                    .any(|what| self.page_fault(id, *what))
                {
                    return;
                }
                if let Some(page) = self.page_mut(id) {
                    page.calls.remove(&call);
                }
            }
            Effect::View(change) => {
                if let Some(page) = self.page_mut(id) {
                    page.fold(&change);
                }
            }
            Effect::Notify(_) => {}
        }
    }

    // --- Storage.

    fn ask_storage(&mut self, id: PageId, kind: EffectKind, request: Effect) {
        let world = &mut self.world;
        let tab = &mut world.tabs[id.tab as usize];
        tab.counts.storage += 1;
        let n = tab.counts.storage;
        let mut wait_ms =
            world.streams.within(world.scenario.options.storage_ms, id.tab.into(), Draw::StorageRun, n);
        let mut plan = StoragePlan { n, ..StoragePlan::default() };
        for what in world.faults_at(id.tab, kind) {
            match what {
                What::SlowStorage { by_ms } => wait_ms += by_ms,
                What::SilentStorage => plan.silent = true,
                What::UnknownStorage { committed } => plan.unknown = Some(committed),
                What::UnavailableStorage { .. } => plan.unavailable = true,
                What::FullStorage { .. } => plan.full = true,
                other => {
                    if self.page_fault(id, other) {
                        return;
                    }
                    continue;
                }
            }
            self.struck(id.tab, what);
        }
        if let Some(page) = self.page_mut(id) {
            page.asked_storage = true;
            page.deaf |= plan.silent;
        }
        let event = Event::RunStorage { page: id, request: Box::new(request), plan };
        self.world.queue.push(self.world.now_ms + wait_ms, id.tab, event);
    }

    pub(super) fn run_storage(&mut self, id: PageId, request: &Effect, plan: StoragePlan) {
        let (answer, told) = self.world.store.serve(self.world.now_ms, request, plan);
        let ran = Moment::Ran { tab: id.tab, page: id.page, request, answer: &answer, told: &told };
        self.watch.see(&self.world, &ran);
        if plan.silent {
            return;
        }
        let options = &self.world.scenario.options;
        let wait_ms =
            self.world.streams.within(options.storage_ms, id.tab.into(), Draw::StorageAnswer, plan.n);
        let mail = Mail::Input(Box::new(told));
        self.world.queue.push(self.world.now_ms + wait_ms, id.tab, Event::Deliver { page: id, mail });
    }

    // --- Attempts.

    fn dispatch(&mut self, id: PageId, attempt: AttemptId, item: Arc<Item>, deadline: Timestamp) {
        let mut faults = self.world.faults_at(id.tab, EffectKind::Dispatch);
        faults.extend(self.world.faults_of(&item.id));
        let world = &mut self.world;
        let (now_ms, mut network_ms) = (world.now_ms, world.scenario.options.network_ms);
        if world.healed {
            network_ms.1 = network_ms.1.min(HEALED_NETWORK_MS);
        }
        let (entity, n) = (attempt.seq.0, u64::from(attempt.attempt));
        let mut way_ms = world.streams.within(network_ms, entity, Draw::Request, n);
        let mut plan = RequestPlan {
            reply_ms: world.streams.within(network_ms, entity, Draw::Reply, n),
            even_if_cancelled: !world.scenario.options.aborts,
            ..RequestPlan::default()
        };
        let (mut lost, mut refused, mut twice_ms) = (false, !world.tabs[id.tab as usize].link, None);
        let left_ms = self.page(id).map_or(0, |page| deadline.since_ms(self.world.time_of(page)));
        for what in faults {
            match what {
                What::LoseRequest => lost = true,
                What::Refuse => refused = true,
                What::LoseReply => plan.lose_reply = true,
                What::BreakReply => plan.break_reply = true,
                What::Duplicate { after_ms } => twice_ms = Some(after_ms),
                What::SlowRequest { by_ms } => way_ms += by_ms,
                What::SlowReply { by_ms } => plan.reply_ms += by_ms,
                What::ReplyAtDeadline => plan.reply_at_ms = Some(now_ms + left_ms),
                What::ReplyAfterCancel => plan.even_if_cancelled = true,
                What::RepeatResult { after_ms } => plan.repeat_after_ms = Some(after_ms),
                What::Unavailable { status, retry_after } => plan.unavailable = Some((status, retry_after)),
                What::RefuseForGood => plan.refused = true,
                other => {
                    if self.page_fault(id, other) {
                        return;
                    }
                    continue;
                }
            }
            self.struck(id.tab, what);
        }
        let request = Rc::new(Request {
            item: item.id.clone(),
            mutator_name: item.mutator_name.clone(),
            args: item.args.clone(),
            idempotency_key: item.idempotency_key.clone(),
            attempt: attempt.attempt,
        });
        let Some(page) = self.page_mut(id) else { return };
        page.flights.insert(attempt, Flight { item, since_ms: now_ms });
        if refused {
            let outcome = transport("ConnectError", "connection refused");
            self.reply(id, attempt, outcome, now_ms + REFUSED_MS, plan);
        } else if !lost {
            let arrive = |plan| Event::Arrive { page: id, attempt, request: Rc::clone(&request), plan };
            self.world.queue.push(now_ms + way_ms, id.tab, arrive(plan));
            if let Some(after_ms) = twice_ms {
                let silent = RequestPlan { lose_reply: true, ..plan };
                self.world.queue.push(now_ms + way_ms + after_ms, id.tab, arrive(silent));
            }
        }
    }

    /// A request arrives at the server.
    pub(super) fn arrive(&mut self, id: PageId, attempt: AttemptId, request: &Request, plan: RequestPlan) {
        let answer = if let Some((status, retry_after)) = plan.unavailable {
            crate::app::Answer::failed(unavailable(status, retry_after, self.world.now_ms))
        } else if plan.refused {
            crate::app::Answer::failed(Failure {
                class: Class::NonRetriable,
                error: SerializedError::new("HttpError", "422 Unprocessable Content"),
                retry_after_ms: None,
            })
        } else {
            self.server.serve(request)
        };
        self.watch.see(&self.world, &Moment::Served { tab: id.tab, attempt, request, answer: &answer });
        if plan.lose_reply {
            return;
        }
        let outcome =
            if plan.break_reply { transport("ConnectionReset", "connection reset") } else { answer.outcome };
        let at_ms = plan.reply_at_ms.unwrap_or(self.world.now_ms + plan.reply_ms).max(self.world.now_ms);
        self.reply(id, attempt, outcome, at_ms, plan);
    }

    fn reply(
        &mut self,
        id: PageId,
        attempt: AttemptId,
        outcome: AttemptOutcome,
        at_ms: u64,
        plan: RequestPlan,
    ) {
        let even_if_cancelled = plan.even_if_cancelled;
        if let Some(after_ms) = plan.repeat_after_ms {
            let mail = Mail::Result { attempt, outcome: outcome.clone(), even_if_cancelled: true };
            self.world.queue.push(at_ms + after_ms, id.tab, Event::Deliver { page: id, mail });
        }
        let mail = Mail::Result { attempt, outcome, even_if_cancelled };
        self.world.queue.push(at_ms, id.tab, Event::Deliver { page: id, mail });
    }

    // --- The hook.

    fn ask_hook(&mut self, id: PageId, ask: outbox::AskId, items: Vec<AskedItem>) {
        let world = &mut self.world;
        let tab = &mut world.tabs[id.tab as usize];
        tab.counts.hooks += 1;
        let n = tab.counts.hooks;
        let mut wait_ms = world.streams.within(world.scenario.options.hook_ms, id.tab.into(), Draw::Hook, n);
        let (mut silent, mut throws, mut wrong) = (false, false, false);
        for what in world.faults_at(id.tab, EffectKind::Ask) {
            match what {
                What::SlowHook { by_ms } => wait_ms += by_ms,
                What::SilentHook => silent = true,
                What::ThrowingHook => throws = true,
                What::WrongHook => wrong = true,
                other => {
                    if self.page_fault(id, other) {
                        return;
                    }
                    continue;
                }
            }
            self.struck(id.tab, what);
        }
        if silent {
            return;
        }
        let verdicts = if throws {
            Err(HookError::Threw { message: "a drawn fault".into() })
        } else if wrong {
            Ok(wrong_verdicts(&items))
        } else {
            self.decide(id, n, items)
        };
        let mail = Mail::Input(Box::new(Input::Answered { ask, verdicts }));
        self.world.queue.push(self.world.now_ms + wait_ms, id.tab, Event::Deliver { page: id, mail });
    }

    fn decide(&self, id: PageId, n: u64, items: Vec<AskedItem>) -> Result<Vec<(ItemId, Verdict)>, HookError> {
        let mut batch = RetryBatch::new(items);
        // After the heal the hook keeps everything: what is pending must come to its end by itself.
        if self.world.scenario.options.hook == HookStyle::Mixed && !self.world.healed {
            let mut draws = 0;
            let mut chance = |below: u64| {
                draws += 1;
                let entity = (u64::from(id.tab) << 32) | draws;
                self.world.streams.within((0, below.max(1) - 1), entity, Draw::Verdict, n)
            };
            self.app.before_retry(&mut batch, &mut chance).map_err(|message| HookError::Threw { message })?;
        }
        Ok(batch.into_verdicts())
    }

    // --- Messages and time.

    /// To one page by its name, or to all others; each copy has a way of its own.
    pub(super) fn send(&mut self, from: PageId, to: Option<&str>, mail: &Mail) {
        let faults = self.world.faults_at(from.tab, EffectKind::Message);
        let (mut lost, mut slower_ms, mut again_ms) = (false, 0, None);
        for what in faults {
            match what {
                What::LoseMessage => lost = true,
                What::SlowMessage { by_ms } => slower_ms = by_ms,
                What::RepeatMessage { after_ms } => again_ms = Some(after_ms),
                other => {
                    if self.page_fault(from, other) {
                        return;
                    }
                    continue;
                }
            }
            self.struck(from.tab, what);
        }
        if lost {
            return;
        }
        let pages = self.world.tabs.iter().filter_map(|tab| tab.page.as_ref());
        let others: Vec<PageId> = pages
            .filter(|page| page.id != from && to.is_none_or(|name| name == page.name()))
            .map(|page| page.id)
            .collect();
        for page in others {
            let way_ms = self.message_ms(page.tab) + slower_ms;
            self.post(page, way_ms, mail.copy());
            if let Some(after_ms) = again_ms {
                self.post(page, way_ms + after_ms, mail.copy());
            }
        }
    }

    /// The next draw of a message's way to a tab.
    pub(super) fn message_ms(&mut self, to: u32) -> u64 {
        let world = &mut self.world;
        let count = &mut world.tabs[to as usize].counts.messages;
        *count += 1;
        world.streams.within(world.scenario.options.message_ms, to.into(), Draw::Message, *count)
    }

    pub(super) fn post(&mut self, page: PageId, way_ms: u64, mail: Mail) {
        self.world.queue.push(self.world.now_ms + way_ms, page.tab, Event::Deliver { page, mail });
    }

    fn sleep(&mut self, id: PageId, until: Option<Timestamp>) {
        let mut off = (0, 0);
        for what in self.world.faults_at(id.tab, EffectKind::Sleep) {
            match what {
                What::EarlyTimer { by_ms } => off.0 = by_ms,
                What::LateTimer { by_ms } => off.1 = by_ms,
                other => {
                    if self.page_fault(id, other) {
                        return;
                    }
                    continue;
                }
            }
            self.struck(id.tab, what);
        }
        let Some(page) = self.page_mut(id) else { return };
        page.timer += 1;
        let timer = page.timer;
        let Some(until) = until else { return };
        let at_ms = self.timer_at(id, until).saturating_sub(off.0).max(self.world.now_ms) + off.1;
        if off.0 > 0 {
            // An early timer is spurious; the driver sets the rest of it again.
            let again = self.timer_at(id, until);
            self.world.queue.push(again, id.tab, Event::Deliver { page: id, mail: Mail::Tick { timer } });
        }
        self.world.queue.push(at_ms, id.tab, Event::Deliver { page: id, mail: Mail::Tick { timer } });
    }

    /// When a timer of a page fires, if nothing is wrong with it.
    fn timer_at(&mut self, id: PageId, until: Timestamp) -> u64 {
        let world = &mut self.world;
        let count = &mut world.tabs[id.tab as usize].counts.timers;
        *count += 1;
        let late_ms =
            world.streams.within(world.scenario.options.timer_ms, id.tab.into(), Draw::Timer, *count);
        let page = world.page(id.tab).expect("its timer is being set");
        let at_ms = world.now_ms + until.since_ms(world.time_of(page)) + late_ms;
        if page.throttled { at_ms.div_ceil(1000) * 1000 } else { at_ms }
    }

    // --- The election.

    pub(super) fn carry_out_election(&mut self, id: PageId, effect: ElectionEffect) {
        match effect {
            ElectionEffect::Broadcast(message) => {
                self.send(id, None, &Mail::Election(ElectionInput::Message(message)));
            }
            ElectionEffect::Elected => self.feed(id, Input::Elected),
            ElectionEffect::Deposed => self.feed(id, Input::Deposed),
            ElectionEffect::Sleep { until } => {
                let Some(page) = self.page_mut(id) else { return };
                page.election_timer += 1;
                let timer = page.election_timer;
                if let Some(until) = until {
                    let at_ms = self.timer_at(id, until);
                    let mail = Mail::ElectionTick { timer };
                    self.world.queue.push(at_ms, id.tab, Event::Deliver { page: id, mail });
                }
            }
        }
    }

    // --- The lock.

    pub(super) fn queue_for_lock(&mut self, id: PageId) {
        if self.page(id).is_some_and(|page| page.election.is_none()) {
            if !(lock_if_available() && self.world.locks.holder.is_some()) {
                self.world.locks.request(id);
            }
            self.look_at_lock();
        }
    }

    pub(super) fn release_lock(&mut self, id: PageId) {
        self.world.locks.release(id);
        self.look_at_lock();
    }

    fn look_at_lock(&mut self) {
        let world = &mut self.world;
        world.lock_looks += 1;
        let wait_ms =
            world.streams.within(world.scenario.options.message_ms, 0, Draw::Lock, world.lock_looks);
        world.queue.push(world.now_ms + wait_ms, WORLD, Event::Grant);
    }

    pub(super) fn grant(&mut self) {
        if let Some(next) = self.world.locks.grant() {
            self.lock_changed(next);
        }
    }

    fn lock_changed(&mut self, holder: PageId) {
        self.see(&Moment::Lock { holder: Some(holder.tab) });
        self.post(holder, 0, Mail::Elected); // a thief's turn comes when its other effects are carried out
        self.tell_holder();
    }

    /// Everybody hears who holds the lock (R26).
    pub(super) fn tell_holder(&mut self) {
        let Some(holder) = self.world.locks.holder else { return };
        let name = super::tab::name(holder);
        let pages = self.world.tabs.iter().filter_map(|tab| tab.page.as_ref());
        let others: Vec<PageId> =
            pages.filter(|page| page.id != holder && page.election.is_none()).map(|page| page.id).collect();
        for page in others {
            let way_ms = self.message_ms(page.tab);
            self.post(page, way_ms, Mail::Input(Box::new(Input::Holder(Some(name.clone())))));
        }
    }

    fn resign(&mut self, id: PageId) {
        if self.page(id).is_some_and(|page| page.election.is_some()) {
            // Its turn comes when what is being carried out is done: the election may have asked for this.
            self.post(id, 0, Mail::Election(ElectionInput::Resign));
        } else {
            self.world.locks.release(id);
            self.queue_for_lock(id);
        }
    }

    fn steal(&mut self, id: PageId, holder: &str) {
        let held = self.world.locks.holder.is_some_and(|held| super::tab::name(held) == holder);
        if !held {
            return;
        }
        let old = self.world.locks.steal(id);
        if let Some(old) = old {
            let way_ms = self.message_ms(old.tab);
            self.post(old, way_ms, Mail::Deposed);
        }
        self.lock_changed(id);
    }
}

impl Mail {
    fn copy(&self) -> Self {
        match self {
            Self::Input(input) => Self::Input(input.clone()),
            Self::Election(input) => Self::Election(input.clone()),
            _ => unreachable!("only messages are sent to several"),
        }
    }
}

pub(super) fn transport(name: &str, message: &str) -> AttemptOutcome {
    AttemptOutcome::Failure(Failure {
        class: Class::Transport,
        error: SerializedError::new(name, message),
        retry_after_ms: None,
    })
}

fn unavailable(status: u16, retry_after: RetryAfter, now_ms: u64) -> Failure {
    let server = outbox::Timestamp::from_millis(super::WALL_START.as_millis() + now_ms);
    let retry_after_ms = match retry_after {
        RetryAfter::None => None,
        RetryAfter::Seconds(seconds) => Some(seconds * 1000),
        RetryAfter::Date(seconds) => {
            let at = UNIX_EPOCH + Duration::from_millis(server.plus_ms(seconds * 1000).as_millis());
            outbox::retry_after_ms(&httpdate::fmt_http_date(at), server)
        }
        RetryAfter::Absurd => Some(ABSURD_MS),
    };
    let error = SerializedError::new("HttpError", format!("{status}"));
    Failure { class: Class::Server, error, retry_after_ms }
}

/// An answer about an item that nobody asked about.
fn wrong_verdicts(items: &[AskedItem]) -> Vec<(ItemId, Verdict)> {
    let mut verdicts: Vec<_> = items.iter().map(|asked| (asked.item.id.clone(), Verdict::Keep)).collect();
    verdicts.push((ItemId::new("never-asked-about").expect("a short id"), Verdict::Keep));
    verdicts
}

/// A planted bug of a driver: the lock is taken if it is free, and not queued for.
fn lock_if_available() -> bool {
    #[cfg(feature = "mutants")]
    let planted = outbox::mutants::is_planted(outbox::mutants::Mutant::LockIfAvailable);
    #[cfg(not(feature = "mutants"))]
    let planted = false;
    planted
}
