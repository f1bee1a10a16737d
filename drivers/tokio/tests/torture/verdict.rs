//! The verdict: what was promised, what was stored and what took effect, compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::{server::Findings, witness::Stored};

/// At most so many examples are told of each broken promise.
const EXAMPLES: usize = 5;

/// What the files and the server say at the end, after everything was sent.
pub(crate) struct Evidence {
    /// The items whose enqueue resolved.
    pub(crate) acknowledged: BTreeSet<String>,
    /// The items that were inserted, in the order of their commits.
    pub(crate) stored: Vec<Stored>,
    /// How many are still stored.
    pub(crate) left: u64,
    /// The items that left failure records.
    pub(crate) failures: BTreeSet<String>,
    /// What is wrong with the file.
    pub(crate) damage: Vec<String>,
    /// What the server has seen.
    pub(crate) findings: Findings,
}

impl Evidence {
    /// Every promise that was broken; empty: none was.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = self.damage.clone();
        if self.left > 0 {
            broken.push(format!("{} items are left in the store", self.left));
        }
        broken.extend(self.durability());
        broken.extend(self.effects());
        broken.extend(self.failure_records());
        broken.extend(self.order());
        broken
    }

    /// What was acknowledged was stored; what was sent was stored; seqs rise and are never reused.
    fn durability(&self) -> Vec<String> {
        let stored: BTreeSet<&str> = self.stored.iter().map(|item| item.order.item.as_str()).collect();
        let not_stored = |ids: &BTreeSet<String>| -> Vec<String> {
            ids.iter().filter(|id| !stored.contains(id.as_str())).cloned().collect()
        };
        let sent = self.findings.requests.iter().map(|request| request.item.clone()).collect();
        let fallen: Vec<String> = self
            .stored
            .windows(2)
            .filter(|pair| pair[1].seq <= pair[0].seq)
            .map(|pair| format!("{} after {}", pair[1].seq, pair[0].seq))
            .collect();
        [
            told("acknowledged and not stored (R1)", &not_stored(&self.acknowledged)),
            told("sent and never stored (R1)", &not_stored(&sent)),
            told("seqs that did not rise (R3)", &fallen),
        ]
        .concat()
    }

    /// What was stored took effect exactly once, and poison never.
    fn effects(&self) -> Vec<String> {
        let mut effects: BTreeMap<&str, u32> = BTreeMap::new();
        for entry in self.findings.ledger.iter().filter(|entry| entry.applied()) {
            *effects.entry(&entry.order.item).or_default() += 1;
        }
        let count = |item: &Stored| effects.get(item.order.item.as_str()).copied().unwrap_or(0);
        let those = |wrong: &dyn Fn(&Stored) -> bool| -> Vec<String> {
            self.stored.iter().filter(|item| wrong(item)).map(|item| item.order.item.clone()).collect()
        };
        let poison = |item: &Stored| item.order.refuse.is_some();
        [
            told("lost", &those(&|item| !poison(item) && count(item) == 0)),
            told("applied twice (R21)", &those(&|item| count(item) > 1)),
            told("poison applied", &those(&|item| poison(item) && count(item) > 0)),
        ]
        .concat()
    }

    /// Poison left a failure record, and nothing else did (R15).
    fn failure_records(&self) -> Vec<String> {
        let poison = self.stored.iter().filter(|item| item.order.refuse.is_some());
        let poison: BTreeSet<String> = poison.map(|item| item.order.item.clone()).collect();
        let missing: Vec<String> = poison.difference(&self.failures).cloned().collect();
        let strange: Vec<String> = self.failures.difference(&poison).cloned().collect();
        [
            told("refused and no failure record (R15)", &missing),
            told("a failure record of what was not refused (R15)", &strange),
        ]
        .concat()
    }

    /// In each lane the server decided in the order of the seqs (R3, R6), and no item came, not even again,
    /// after a later one of its lanes was decided (R5).
    fn order(&self) -> Vec<String> {
        let seqs: BTreeMap<&str, &Stored> =
            self.stored.iter().map(|item| (item.order.item.as_str(), item)).collect();
        let stored = |item: &str| seqs.get(item).copied(); // what is not is told as never stored
        let mut highest: BTreeMap<&str, i64> = BTreeMap::new();
        let (mut disorder, mut late) = (Vec::new(), Vec::new());
        let mut requests = self.findings.requests.iter().peekable();
        for decided in 0..=self.findings.ledger.len() {
            while let Some(request) = requests.next_if(|request| request.decided == decided) {
                for (item, lane) in stored(&request.item).into_iter().flat_map(lanes) {
                    let last = highest.get(lane).copied().unwrap_or(0);
                    if item.seq < last {
                        late.push(format!("{lane}: {} (seq {}) after seq {last}", request.item, item.seq));
                    }
                }
            }
            let entry = self.findings.ledger.get(decided);
            for (item, lane) in entry.and_then(|entry| stored(&entry.order.item)).into_iter().flat_map(lanes)
            {
                let last = highest.insert(lane, item.seq).unwrap_or(0);
                if item.seq <= last {
                    disorder.push(format!("{lane}: {} (seq {}) after seq {last}", item.order.item, item.seq));
                }
            }
        }
        [told("out of order (R6)", &disorder), told("sent when a later one was decided (R5)", &late)].concat()
    }
}

/// The item with each of its lanes.
fn lanes(item: &Stored) -> impl Iterator<Item = (&Stored, &str)> {
    let keys: BTreeSet<&str> = item.order.keys.iter().map(String::as_str).collect();
    let unknown = keys.is_empty().then_some("unknown");
    keys.into_iter().chain(unknown).map(move |lane| (item, lane))
}

/// One line about a broken promise, with examples; none if it was kept.
fn told(promise: &str, broken: &[String]) -> Vec<String> {
    if broken.is_empty() {
        return Vec::new();
    }
    let examples = broken.iter().take(EXAMPLES).map(String::as_str).collect::<Vec<_>>().join(", ");
    vec![format!("{promise}: {}: {examples}", broken.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Entry, Order, Request};

    fn order(item: &str, keys: &[&str]) -> Order {
        let refuse = item.starts_with("poison").then(|| String::from("poison"));
        Order { item: item.into(), keys: keys.iter().copied().map(String::from).collect(), refuse }
    }

    fn decide(evidence: &mut Evidence, order: &Order, idempotency_key: &str) {
        let decided = evidence.findings.ledger.len();
        evidence.findings.requests.push(Request { item: order.item.clone(), decided });
        evidence.findings.ledger.push(Entry {
            idempotency_key: idempotency_key.into(),
            mutator: "move".into(),
            order: order.clone(),
        });
    }

    /// Three items in two lanes, one of them poison, and all went well.
    fn good() -> Evidence {
        let orders = [order("x", &["a"]), order("poison", &["a", "b"]), order("y", &["b"])];
        let stored = (1..).zip(&orders).map(|(seq, order)| Stored { seq, order: order.clone() }).collect();
        let mut evidence = Evidence {
            acknowledged: ["x", "y"].map(String::from).into(),
            stored,
            left: 0,
            failures: [String::from("poison")].into(),
            damage: Vec::new(),
            findings: Findings::default(),
        };
        for order in &orders {
            decide(&mut evidence, order, &order.item);
        }
        evidence
    }

    #[track_caller]
    fn assert_told(harm: impl FnOnce(&mut Evidence), words: &[&str]) {
        let mut evidence = good();
        harm(&mut evidence);
        let broken = evidence.broken();
        assert_eq!(broken.len(), words.len(), "{broken:#?}");
        for (broken, words) in broken.iter().zip(words) {
            assert!(broken.contains(words), "`{broken}` does not say `{words}`");
        }
    }

    #[test]
    fn what_went_well_breaks_no_promise() {
        assert_told(|_| {}, &[]);
    }

    #[test]
    fn every_broken_promise_is_told() {
        assert_told(|e| e.damage.push("page 3 is never used".into()), &["page 3"]);
        assert_told(|e| e.left = 2, &["2 items are left"]);
        assert_told(
            |e| assert!(e.acknowledged.insert("z".into())),
            &["acknowledged and not stored (R1): 1: z"],
        );
        assert_told(|e| decide(e, &order("z", &["a"]), "z"), &["sent and never stored (R1): 1: z"]);
        assert_told(|e| e.stored[1].seq = 1, &["seqs that did not rise (R3): 1: 1 after 1", "out of order"]);
        assert_told(|e| drop(e.findings.ledger.remove(0)), &["lost: 1: x"]);
        assert_told(
            |e| decide(e, &order("y", &["b"]), "y.2"),
            &["applied twice (R21): 1: y", "out of order"],
        );
        assert_told(|e| e.findings.ledger[1].order.refuse = None, &["poison applied: 1: poison"]);
        assert_told(|e| e.failures.clear(), &["refused and no failure record (R15): 1: poison"]);
        assert_told(|e| assert!(e.failures.insert("y".into())), &["what was not refused (R15): 1: y"]);
        let again = Request { item: "x".into(), decided: 2 };
        assert_told(|e| e.findings.requests.insert(2, again), &["decided (R5): 1: a: x (seq 1) after seq 2"]);
        assert_told(|e| e.findings.ledger.swap(0, 1), &["out of order (R6): 1: a: x (seq 1) after seq 2"]);
    }
}
