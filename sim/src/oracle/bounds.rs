//! Bounds (R4, R31, R32): a timer is later than now, effects are bounded by their input, one storage request
//! is in flight per page, a transaction keeps its limits and its order, and no page spins.
//!
//! | after | compared |
//! |---|---|
//! | a `Sleep` | its time, with the page's own |
//! | a storage request | that the one before it was answered; its writes, with R4's limits and order |
//! | an input's end | how many effects it had, with what it names, the slots it may free, and who was squashed |
//! | each input | how many there were at this very instant |
//! | a transaction in doubt | how often one of its writes was in doubt within a second |

use std::collections::BTreeSet;

use outbox::{
    Effect, Event, Input, ItemId, Outcome, Poke, Seq, Timestamp,
    storage::{Contents, StorageError, Write},
};

use super::{Facts, Oracle, per_tab::PerTab};
use crate::{
    moment::Moment,
    scenario::{Action, Scenario},
    world::World,
};

/// A transaction's limits (R4).
const MAX_WRITES: usize = 256;
const MAX_BYTES: usize = 1 << 20;
/// Timers that may fire at one instant: the one in force, its early double, and those that a frozen page
/// missed.
const TICKS_PER_INSTANT: u32 = 64;
/// How often a write may be in doubt within a second: at once again after the first time, and the same for a
/// leader that came back.
const DOUBTS_A_SECOND: usize = 4;

/// The judge.
#[derive(Debug)]
pub struct Bounds {
    pages: PerTab<Busy>,
    /// Inputs that a page may get at one instant: where nothing takes time, all that happens to all items.
    inputs_per_instant: u32,
    /// A buffer that is used again.
    puts: Vec<Seq>,
}

#[derive(Debug, Default)]
struct Busy {
    /// A storage request is under way.
    asked: bool,
    /// Effects that the input under way may have.
    effects: usize,
    /// Items that were squashed, and whose outcome is to be told with the survivor's (R17).
    squashed: BTreeSet<ItemId>,
    at_ms: u64,
    inputs: u32,
    ticks: u32,
    /// The places of the transaction under way.
    writing: Vec<Seq>,
    /// Which places were written in doubt, and when by the page's clock, since a transaction went well.
    doubts: Vec<(Seq, Timestamp)>,
}

impl Bounds {
    /// For a scenario with so many items and tabs.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let makes = |action: &Action| matches!(action, Action::Enqueue { .. } | Action::RetryFailure { .. });
        let items = scenario.steps.iter().filter(|step| makes(&step.action)).count() as u32;
        let inputs_per_instant = 1_000 + 20 * items + 20 * scenario.steps.len() as u32;
        Self { pages: PerTab::default(), inputs_per_instant, puts: Vec::new() }
    }
}

impl Oracle for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R4", "R31", "R32"]
    }

    fn see(&mut self, world: &World, _facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => self.pages.opened(*tab),
            Moment::Input { tab, input } => return self.given(world, *tab, input),
            Moment::Effect { tab, effect } => return self.wants(world, *tab, effect),
            Moment::Handled { tab, effects } => {
                let bound = self.pages.of(*tab).effects;
                if *effects as usize > bound {
                    return Err(format!("t{tab}: {effects} effects of one input that may have {bound}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Bounds {
    fn given(&mut self, world: &World, tab: u32, input: &Input) -> Result<(), String> {
        let busy = self.pages.of(tab);
        if matches!(input, Input::Loaded { .. } | Input::Persisted { .. }) {
            busy.asked = false;
        }
        let shown = world.page(tab).map_or(0, |page| page.view.len());
        busy.effects = effects_bound(input, world.scenario.options.max_concurrency, shown);
        if matches!(input, Input::Loaded { .. }) {
            // It may clear a doubt about every insert of a transaction (R4).
            busy.effects += 6 * MAX_WRITES.min(shown);
        }
        if std::mem::replace(&mut busy.at_ms, world.now_ms) != world.now_ms {
            (busy.inputs, busy.ticks) = (0, 0);
        }
        if let Input::Persisted { result, .. } = input {
            let now = world.page(tab).map_or(Timestamp::ZERO, |page| world.time_of(page));
            busy.written(tab, result.as_ref().err(), now)?;
        }
        busy.inputs += 1;
        busy.ticks += u32::from(matches!(input, Input::Tick));
        if busy.inputs > self.inputs_per_instant || busy.ticks > TICKS_PER_INSTANT {
            return Err(format!("t{tab}: {} inputs at one instant, {} timers", busy.inputs, busy.ticks));
        }
        Ok(())
    }

    fn wants(&mut self, world: &World, tab: u32, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Sleep { until: Some(until) } => {
                let now = world.page(tab).map(|page| world.time_of(page));
                if now.is_none_or(|now| *until <= now) {
                    return Err(format!("t{tab}: a timer at {until:?}, and it is {now:?}"));
                }
            }
            Effect::Acquire { .. } | Effect::Load { .. } | Effect::Persist { .. } => {
                if std::mem::replace(&mut self.pages.of(tab).asked, true) {
                    return Err(format!("t{tab}: a second storage request is in flight: {effect}"));
                }
                if let Effect::Persist { writes, .. } = effect {
                    self.pages.of(tab).writing = writes.iter().filter_map(place).collect();
                    return self.transaction(tab, writes);
                }
            }
            Effect::Notify(Event::Settled { id, outcome: Outcome::Squashed { .. }, .. }) => {
                self.pages.of(tab).squashed.insert(id.clone());
            }
            Effect::Notify(Event::Resolved { id, .. }) => {
                let busy = self.pages.of(tab);
                busy.effects += usize::from(busy.squashed.remove(id));
            }
            _ => {}
        }
        Ok(())
    }

    fn transaction(&mut self, tab: u32, writes: &[Write]) -> Result<(), String> {
        if writes.is_empty() || writes.len() > MAX_WRITES {
            return Err(format!("t{tab}: a transaction of {} writes", writes.len()));
        }
        let bytes: usize = writes.iter().map(bytes).sum();
        if bytes > MAX_BYTES && writes.len() > 1 {
            return Err(format!("t{tab}: a transaction of {bytes} bytes"));
        }
        if !writes.iter().filter_map(rank).is_sorted() {
            return Err(format!("t{tab}: not deletes, then puts, then inserts: {writes:?}"));
        }
        self.puts.clear();
        self.puts.extend(writes.iter().filter_map(put_at));
        self.puts.sort_unstable();
        if let Some(twice) = self.puts.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("t{tab}: {} is put twice in one transaction", twice[0]));
        }
        Ok(())
    }
}

impl Busy {
    /// The transaction under way was answered. One in doubt may be repeated, but not again and again at once.
    fn written(&mut self, tab: u32, error: Option<&StorageError>, now: Timestamp) -> Result<(), String> {
        let places = std::mem::take(&mut self.writing);
        match error {
            None => self.doubts.clear(),
            Some(StorageError::Unknown) => self.doubts.extend(places.iter().map(|&seq| (seq, now))),
            Some(_) => {}
        }
        self.doubts.retain(|&(_, at)| now.since_ms(at) < 1_000);
        let often = |seq: &&Seq| self.doubts.iter().filter(|(at, _)| at == *seq).count() > DOUBTS_A_SECOND;
        match places.iter().find(often) {
            Some(seq) => Err(format!("t{tab}: {seq} was written in doubt again and again within a second")),
            None => Ok(()),
        }
    }
}

/// The most effects that `input` may cause: a share for each thing it names, for each slot it may free, and
/// for each item shown if it can change them all.
fn effects_bound(input: &Input, slots: u32, shown: usize) -> usize {
    let named = match input {
        Input::Loaded { result: Ok(snapshot), .. } => match &snapshot.contents {
            Contents::Full { rows, failures } => shown + rows.len() + failures.len(),
            Contents::Part { rows, gone, failures } => {
                rows.len() + gone.len() + failures.as_ref().map_or(0, Vec::len)
            }
        },
        Input::Persisted { .. } => MAX_WRITES,
        Input::Answered { .. } => shown,
        Input::Poked(Poke::Committed { settled, changed, .. }) => settled.len() + changed.len(),
        _ => 1,
    };
    16 + 6 * (named + slots as usize)
}

/// Where a write belongs in its transaction; `None`: anywhere.
fn rank(write: &Write) -> Option<u8> {
    match write {
        Write::Delete { .. } | Write::Bury { .. } => Some(0),
        Write::Put { .. } => Some(1),
        Write::Insert { .. } | Write::RetryFailure { .. } => Some(2),
        Write::Remove { .. } | Write::DismissFailure { .. } | Write::Pause { .. } | Write::Resume { .. } => {
            None
        }
    }
}

/// The place of a leader's write.
fn place(write: &Write) -> Option<Seq> {
    match write {
        Write::Put { seq, .. } | Write::Delete { seq, .. } | Write::Bury { seq, .. } => Some(*seq),
        _ => None,
    }
}

fn put_at(write: &Write) -> Option<Seq> {
    if let Write::Put { seq, .. } = write { Some(*seq) } else { None }
}

fn bytes(write: &Write) -> usize {
    match write {
        Write::Put { record, .. } | Write::Insert { record, .. } | Write::RetryFailure { record, .. } => {
            record.len()
        }
        Write::Bury { failure, .. } => failure.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::tamper::{calm, effects, id, inputs, rang, told, truth};

    fn judged(liar: impl FnMut(&Effect) -> Vec<Effect>) -> Option<String> {
        effects(&mut Bounds::new(&calm(2)), &calm(2), liar)
    }

    /// Tells the writes of transactions otherwise.
    fn writes(mut lie: impl FnMut(&mut Vec<Write>)) -> impl FnMut(&Effect) -> Vec<Effect> {
        move |effect| {
            let mut effect = effect.clone();
            if let Effect::Persist { writes, .. } = &mut effect {
                lie(writes);
            }
            vec![effect]
        }
    }

    #[test]
    fn a_calm_run_is_in_order() {
        assert_eq!(truth(&mut Bounds::new(&calm(3)), &calm(3)), None);
    }

    #[test]
    fn a_timer_that_is_due_rings() {
        let found = judged(|effect| match effect {
            Effect::Sleep { .. } => vec![Effect::Sleep { until: Some(Timestamp::from_millis(1)) }],
            effect => vec![effect.clone()],
        });
        rang(found, "a timer at");
    }

    #[test]
    fn two_requests_in_flight_ring() {
        let found = judged(|effect| match effect {
            Effect::Persist { .. } => vec![effect.clone(), effect.clone()],
            effect => vec![effect.clone()],
        });
        rang(found, "a second storage request");
    }

    #[test]
    fn a_transaction_out_of_its_limits_rings() {
        rang(judged(writes(Vec::clear)), "a transaction of 0 writes");
        rang(judged(writes(|writes| *writes = vec![writes[0].clone(); MAX_WRITES + 1])), "of 257 writes");
        let large: std::sync::Arc<str> = "x".repeat(MAX_BYTES / 2 + 1).into();
        let put = |seq| Write::Put { seq: Seq(seq), record: large.clone() };
        rang(judged(writes(|writes| *writes = vec![put(1), put(2)])), "bytes");
        let put = |seq| Write::Put { seq: Seq(seq), record: "{}".into() };
        rang(judged(writes(|writes| *writes = vec![put(1), put(1)])), "put twice");
        let delete = Write::Delete { seq: Seq(1), outcome: outbox::Outcome::Removed };
        rang(judged(writes(|writes| *writes = vec![put(1), delete.clone()])), "not deletes, then puts");
    }

    #[test]
    fn too_many_effects_ring() {
        let found = told(&mut Bounds::new(&calm(1)), &calm(1), |moment, tell| match moment {
            Moment::Handled { tab, effects } => {
                tell(&Moment::Handled { tab: *tab, effects: effects + 1_000 });
            }
            moment => tell(moment),
        });
        rang(found, "effects of one input");
    }

    /// A hundred items were squashed into one; at the first input their outcomes are told, each so often.
    fn squashed(times: u32) -> Option<String> {
        let mut untold: Vec<ItemId> = (1..=100).map(id).collect();
        told(&mut Bounds::new(&calm(1)), &calm(1), move |moment, tell| {
            let Moment::Handled { tab, effects } = *moment else { return tell(moment) };
            let told = untold.len() as u32 * times;
            for id in untold.drain(..) {
                let (into, seq) = (id.clone(), Seq(1));
                let settled = Event::Settled { id: id.clone(), seq, outcome: Outcome::Squashed { into } };
                tell(&Moment::Effect { tab, effect: &Effect::Notify(settled) });
                let resolved = Effect::Notify(Event::Resolved { id, outcome: Outcome::Gone });
                (0..times).for_each(|_| tell(&Moment::Effect { tab, effect: &resolved }));
            }
            tell(&Moment::Handled { tab, effects: effects + told });
        })
    }

    #[test]
    fn outcomes_of_the_squashed_ring_only_if_they_are_told_again() {
        assert_eq!(squashed(1), None);
        rang(squashed(2), "effects of one input");
    }

    #[test]
    fn a_page_that_spins_rings() {
        let spinning = |input: &Input| match input {
            Input::Enqueue { .. } => vec![Input::Tick; TICKS_PER_INSTANT as usize + 1],
            input => vec![input.clone()],
        };
        rang(inputs(&mut Bounds::new(&calm(1)), &calm(1), spinning), "at one instant");
    }
}
