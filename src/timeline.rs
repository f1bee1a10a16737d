//! `Timeline`: a large ordered set of places, each at a time.
//!
//! Every item may wait in one, and they come in any order. So it is kept in runs of bounded length: a change
//! moves at most what is behind it in its run. That is as fast as a tree, in a tenth of the code.

use alloc::{collections::VecDeque, vec::Vec};
use core::hash::{Hash, Hasher};

use crate::{item::Seq, time::Timestamp};

/// A place, and its time; zero if only the place counts.
type Due = (Timestamp, Seq);

/// The longest run. Above it, changes in a run would cost more than changes of the list of runs.
const RUN: usize = 128;

#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// In order; none is empty.
    runs: VecDeque<Vec<Due>>,
}

impl Timeline {
    /// The run that holds `due`, if it is there, and would if not.
    fn run_of(&self, due: &Due) -> usize {
        match self.runs.back() {
            Some(last) if last[0] <= *due => self.runs.len() - 1,
            _ => self.runs.partition_point(|run| run[0] <= *due).saturating_sub(1),
        }
    }

    /// Whether it was not in the set yet.
    pub(crate) fn insert(&mut self, due: Due) -> bool {
        let at = self.run_of(&due);
        let Some(run) = self.runs.get_mut(at) else {
            self.runs.push_back(Vec::from([due]));
            return true;
        };
        let Err(place) = run.binary_search(&due) else { return false };
        run.insert(place, due);
        if run.len() > RUN {
            // What comes in order leaves full runs behind.
            let rest = run.split_off(if place == RUN { RUN } else { RUN / 2 });
            self.runs.insert(at + 1, rest);
        }
        true
    }

    /// Whether it was in the set.
    pub(crate) fn remove(&mut self, due: &Due) -> bool {
        let at = self.run_of(due);
        let Some(run) = self.runs.get_mut(at) else { return false };
        let Ok(place) = run.binary_search(due) else { return false };
        run.remove(place);
        if run.is_empty() {
            self.runs.remove(at);
        } else if run.len() * 4 < run.capacity() {
            run.shrink_to(run.len() * 2);
        }
        true
    }

    pub(crate) fn contains(&self, due: &Due) -> bool {
        self.runs.get(self.run_of(due)).is_some_and(|run| run.binary_search(due).is_ok())
    }

    pub(crate) fn first(&self) -> Option<&Due> {
        self.runs.front()?.first()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Due> {
        self.runs.iter().flatten()
    }
}

impl IntoIterator for Timeline {
    type Item = Due;
    type IntoIter = core::iter::Flatten<alloc::collections::vec_deque::IntoIter<Vec<Due>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.runs.into_iter().flatten()
    }
}

// How it is cut into runs is no part of what it is.

impl PartialEq for Timeline {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Timeline {}

impl Hash for Timeline {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for due in self.iter() {
            due.hash(state);
        }
        u8::MAX.hash(state); // where it ends
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn due() -> impl Strategy<Value = Due> {
        (0..40_u64, 0..40_u64).prop_map(|(at, seq)| (Timestamp::from_millis(at), Seq(seq)))
    }

    proptest! {
        #[test]
        fn it_is_an_ordered_set(steps in prop::collection::vec((due(), 0..5_u8), 0..2000)) {
            let (mut timeline, mut model) = (Timeline::default(), BTreeSet::new());
            for (due, kind) in steps {
                match kind {
                    0 => prop_assert_eq!(timeline.remove(&due), model.remove(&due)),
                    1 => {
                        let first = timeline.first().copied();
                        prop_assert_eq!(first, model.pop_first());
                        first.map(|first| timeline.remove(&first));
                    }
                    _ => prop_assert_eq!(timeline.insert(due), model.insert(due)),
                }
                prop_assert!(timeline.iter().eq(&model));
                prop_assert!(timeline.runs.iter().all(|run| (1..=RUN).contains(&run.len())));
            }
            let in_order = model.iter().fold(Timeline::default(), |mut fresh, due| {
                fresh.insert(*due);
                fresh
            });
            prop_assert_eq!(timeline, in_order);
        }
    }

    #[test]
    fn what_comes_in_order_fills_its_runs() {
        let mut timeline = Timeline::default();
        for seq in 0..RUN as u64 * 10 {
            timeline.insert((Timestamp::ZERO, Seq(seq)));
        }
        assert_eq!(timeline.runs.len(), 10);
    }
}
