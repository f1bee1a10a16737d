//! Idempotency (R21, R29): one idempotency key per item and args, for life; new args get a new one. At a
//! keyed server each of them takes effect at most once, and what is told committed did take effect.
//!
//! * After a dispatch: the key, with the one that the enqueue asked for, and with all keys and args that were
//!   dispatched of this item in any page.
//! * After a request is served: whether it took effect, with whether it had before.
//! * After an item is told committed: that the server has answered it, or what it was squashed into, with a
//!   success that took effect.

use std::{collections::BTreeMap, sync::Arc};

use outbox::{AttemptOutcome, Effect, Event, Input, Item, ItemId, Json, Outcome, storage::Write};

use super::{
    Facts, Oracle,
    facts::{Gone, How},
};
use crate::{
    app::{Answer, Request},
    moment::Moment,
    world::World,
};

/// The judge.
#[derive(Debug, Default)]
pub struct Idempotency {
    lives: BTreeMap<ItemId, Life>,
    /// Who was squashed into whom.
    squashed: BTreeMap<ItemId, ItemId>,
}

/// What has been sent of one item.
#[derive(Debug, Default)]
struct Life {
    /// The key of its first args, if it has one.
    key: Option<Arc<str>>,
    /// What was dispatched, by the number of its key: `K` is 1, `K.2` is 2; 0 without a key.
    sent: Vec<Sent>,
    /// The server has answered it with a success.
    succeeded: bool,
}

#[derive(Debug)]
struct Sent {
    number: u32,
    /// `None`: a loss of power may have taken back that these args were stored under this key.
    args: Option<Json>,
    /// It has taken effect.
    applied: bool,
}

impl Oracle for Idempotency {
    fn name(&self) -> &'static str {
        "idempotency"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R21", "R29"]
    }

    fn see(&mut self, world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Input { tab, input } => self.given(world, *tab, input),
            Moment::Effect { effect: Effect::Dispatch { item, .. }, .. } => return self.dispatched(item),
            Moment::Effect {
                effect:
                    Effect::Notify(
                        Event::Resolved { id, outcome: Outcome::Committed { .. } }
                        | Event::Settled { id, outcome: Outcome::Committed { .. }, .. },
                    ),
                ..
            } => return self.committed(world.scenario.options.keyed, id),
            Moment::Ran { request: Effect::Persist { writes, .. }, .. } => {
                self.taken_back(writes);
                self.squashes(facts, writes);
            }
            Moment::Served { request, answer, .. } => {
                return self.served(world.scenario.options.keyed, request, answer);
            }
            Moment::Undone { commits } if *commits > 0 => {
                let sent = self.lives.values_mut().flat_map(|life| &mut life.sent);
                sent.for_each(|sent| sent.args = None);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Idempotency {
    /// Which key an enqueue asks for.
    fn given(&mut self, world: &World, tab: u32, input: &Input) {
        let Input::Enqueue { draft, .. } = input else { return };
        let config = world.page(tab).map(|page| page.outbox.config());
        let mutator = config.and_then(|config| config.mutators.get(&draft.mutator_name));
        let asks = mutator.is_some_and(|mutator| mutator.idempotency_key);
        let own = asks.then(|| Arc::from(draft.id.as_str()));
        self.begins(&draft.id, draft.idempotency_key.as_deref().map(Arc::from).or(own));
    }

    /// Which key the retry of a failure is to have: what failed is sure once the record is taken back.
    fn taken_back(&mut self, writes: &[Write]) {
        for write in writes {
            if let Write::RetryFailure { failure, id, .. } = write {
                let keyed = self.lives.get(failure).is_some_and(|life| life.key.is_some());
                self.begins(id, keyed.then(|| Arc::from(id.as_str())));
            }
        }
    }

    fn begins(&mut self, id: &ItemId, key: Option<Arc<str>>) {
        self.lives.entry(id.clone()).or_insert_with(|| Life { key, ..Life::default() });
    }

    fn dispatched(&mut self, item: &Item) -> Result<(), String> {
        let Some(life) = self.lives.get_mut(&item.id) else {
            return Err(format!("{} is dispatched and was never enqueued", item.id));
        };
        let number = life.number(&item.id, item.idempotency_key.as_deref())?;
        if let Some(sent) = life.sent.iter_mut().find(|sent| sent.number == number) {
            let args = sent.args.get_or_insert_with(|| item.args.clone());
            if number > 0 && *args != item.args {
                let key = item.idempotency_key.as_deref().unwrap_or_default();
                return Err(format!("{}: the key {key} of {args} is sent with {}", item.id, item.args));
            }
            return Ok(());
        }
        let neighbour = |sent: &&Sent| sent.number.abs_diff(number) == 1;
        let same = |sent: &&Sent| sent.args.as_ref() == Some(&item.args);
        if life.sent.iter().filter(neighbour).any(|sent| same(&sent)) {
            let key = item.idempotency_key.as_deref().unwrap_or_default();
            return Err(format!("{}: {} got the new key {key}", item.id, item.args));
        }
        life.sent.push(Sent { number, args: Some(item.args.clone()), applied: false });
        Ok(())
    }

    fn served(&mut self, keyed: bool, request: &Request, answer: &Answer) -> Result<(), String> {
        let Some(life) = self.lives.get_mut(&request.item) else { return Ok(()) };
        life.succeeded |= matches!(answer.outcome, AttemptOutcome::Success { .. });
        if !(answer.applied && keyed) || request.idempotency_key.is_none() {
            return Ok(());
        }
        let number = life.number(&request.item, request.idempotency_key.as_deref())?;
        let Some(sent) = life.sent.iter_mut().find(|sent| sent.number == number) else {
            return Err(format!("{} is served and was never dispatched", request.item));
        };
        if std::mem::replace(&mut sent.applied, true) {
            return Err(format!("{}: {} took effect twice", request.item, request.args));
        }
        Ok(())
    }

    /// Remembers who was squashed into whom: their outcome is the survivor's. What the store did counts, as
    /// these writes may have been refused, and another leader's not.
    fn squashes(&mut self, facts: &Facts, writes: &[Write]) {
        for write in writes {
            if let Write::Delete { seq, .. } = write
                && let Some(Gone { row, how: How::Deleted(Outcome::Squashed { into }), .. }) =
                    facts.gone(*seq)
                && let Some(id) = row.id()
            {
                self.squashed.insert(id.clone(), into.clone());
            }
        }
    }

    fn committed(&self, keyed: bool, id: &ItemId) -> Result<(), String> {
        let mut at = id;
        // Squashes make no circle: a survivor is stored when the other is not.
        for _ in 0..=self.squashed.len() {
            if let Some(life) = self.lives.get(at)
                && life.succeeded
            {
                let applied = life.key.is_none() || life.sent.iter().any(|sent| sent.applied);
                if keyed && !applied {
                    return Err(format!("{id} is told committed, and took no effect"));
                }
                return Ok(());
            }
            match self.squashed.get(at) {
                Some(into) => at = into,
                None => break,
            }
        }
        Err(format!("{id} is told committed, and the server never said so"))
    }
}

impl Life {
    /// Which of this item's keys this is.
    fn number(&self, id: &ItemId, key: Option<&str>) -> Result<u32, String> {
        let (Some(first), Some(key)) = (self.key.as_deref(), key) else {
            return match (&self.key, key) {
                (None, None) => Ok(0),
                (_, key) => Err(format!("{id} has the key {key:?}, and was to have {:?}", self.key)),
            };
        };
        let rest = key.strip_prefix(first);
        let number = rest.and_then(|rest| match rest.strip_prefix('.') {
            Some(number) => number.parse().ok().filter(|number| *number >= 2),
            None => rest.is_empty().then_some(1),
        });
        number.ok_or_else(|| format!("{id} has the key {key}, which is not made of {first}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::tamper::{calm, effects, inputs, rang, told, truth, unavailable_at_first};

    /// Tells the second attempt otherwise.
    fn second(lie: fn(&mut Item)) -> impl FnMut(&Effect) -> Vec<Effect> {
        move |effect| match effect {
            Effect::Dispatch { attempt, item, deadline } if attempt.attempt == 2 => {
                let mut item = Item::clone(item);
                lie(&mut item);
                vec![Effect::Dispatch { attempt: *attempt, item: Arc::new(item), deadline: *deadline }]
            }
            effect => vec![effect.clone()],
        }
    }

    #[test]
    fn a_run_with_retries_is_in_order() {
        assert_eq!(truth(&mut Idempotency::default(), &unavailable_at_first(3)), None);
    }

    #[test]
    fn a_key_per_attempt_rings() {
        let found = effects(
            &mut Idempotency::default(),
            &unavailable_at_first(1),
            second(|item| item.idempotency_key = Some("i1.2".into())),
        );
        rang(found, "got the new key i1.2");
    }

    #[test]
    fn an_old_key_on_new_args_rings() {
        let found = effects(
            &mut Idempotency::default(),
            &unavailable_at_first(1),
            second(|item| item.args = Json::null()),
        );
        rang(found, "is sent with null");
    }

    #[test]
    fn a_key_that_is_lost_or_made_up_rings() {
        let lost = second(|item| item.idempotency_key = None);
        rang(effects(&mut Idempotency::default(), &unavailable_at_first(1), lost), "was to have");
        let made_up = second(|item| item.idempotency_key = Some("i12".into()));
        rang(effects(&mut Idempotency::default(), &unavailable_at_first(1), made_up), "not made of i1");
    }

    #[test]
    fn an_effect_that_is_had_twice_rings() {
        let found = told(&mut Idempotency::default(), &calm(1), |moment, tell| {
            tell(moment);
            if matches!(moment, Moment::Served { .. }) {
                tell(moment);
            }
        });
        rang(found, "took effect twice");
    }

    #[test]
    fn a_commit_that_no_server_made_rings() {
        let found = told(&mut Idempotency::default(), &calm(1), |moment, tell| {
            if !matches!(moment, Moment::Served { .. }) {
                tell(moment);
            }
        });
        rang(found, "the server never said so");
    }

    #[test]
    fn an_item_that_nobody_enqueued_rings() {
        let deaf = |input: &Input| {
            if matches!(input, Input::Enqueue { .. }) { Vec::new() } else { vec![input.clone()] }
        };
        rang(inputs(&mut Idempotency::default(), &calm(1), deaf), "was never enqueued");
    }
}
