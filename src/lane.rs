//! Lanes: who is next for each key (R6). An item with several keys holds a place in several lanes.

use alloc::{
    boxed::Box,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use crate::{index::Index, item::Seq, keys::Key, mutants::mutant, sorted::Sorted};

/// All lanes that hold an item. A lane is made by its first item and goes with its last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct LaneSet {
    lanes: Vec<Lane>,
    free: Vec<LaneId>,
    by_key: Index<Arc<str>, LaneId>,
    unknown: Option<LaneId>,
    /// Those that are busy in a lane beside its `busy`: a rewritten key can bring one before another (R17).
    also_busy: Vec<(LaneId, Seq)>,
}

/// A real key, or `None` for the lane `unknown`.
pub(crate) type LaneKey<'a> = Option<&'a Arc<str>>;

pub(crate) type LaneId = u32;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Lane {
    /// `None` for the lane `unknown`, and while the lane is free.
    key: Option<Arc<str>>,
    queue: Sorted<Seq>,
    /// The item of this lane that is claimed, in flight or settling.
    busy: Option<Seq>,
}

/// The lanes of one item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Places {
    One(LaneId),
    Many(Box<[LaneId]>),
}

impl Places {
    /// These and those, each once.
    pub(crate) fn and(&self, others: &Self) -> Self {
        let more = others.ids().iter().filter(|id| !self.ids().contains(id));
        let ids: Vec<LaneId> = self.ids().iter().chain(more).copied().collect();
        if let [id] = ids[..] { Self::One(id) } else { Self::Many(ids.into()) }
    }

    pub(crate) fn ids(&self) -> &[LaneId] {
        match self {
            Self::One(id) => core::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }
}

/// The lanes that a key names.
pub(crate) fn lane_keys(key: &Key) -> impl Iterator<Item = LaneKey<'_>> {
    let unknown = key.is_unknown().then_some(None);
    let count = if mutant!(FirstKeyOnly) { 1 } else { usize::MAX };
    unknown.into_iter().chain(key.keys().iter().map(Some)).take(count)
}

impl LaneSet {
    /// Takes a place in every lane of `key`, which then shares its text with the lane.
    pub(crate) fn join(&mut self, key: &mut Key, seq: Seq) -> Places {
        let mut ids = lane_keys(key).map(|key| self.lane_for(key));
        let first = ids.next().expect("a key names at least one lane");
        let rest: Vec<LaneId> = ids.collect();
        let places = if rest.is_empty() {
            Places::One(first)
        } else {
            Places::Many(core::iter::once(first).chain(rest).collect())
        };
        for &id in places.ids() {
            self.lanes[id as usize].queue.insert(seq);
        }
        if let Places::One(id) = places
            && let Some(text) = &self.lanes[id as usize].key
        {
            key.share(text);
        }
        places
    }

    fn find(&self, key: LaneKey<'_>) -> Option<LaneId> {
        key.map_or(self.unknown, |key| self.by_key.find(key).copied())
    }

    fn lane_for(&mut self, key: LaneKey<'_>) -> LaneId {
        if let Some(id) = self.find(key) {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.lanes.push(Lane::default());
            LaneId::try_from(self.lanes.len() - 1).expect("fewer than 2^32 lanes fit in memory")
        });
        self.lanes[id as usize].key = key.cloned();
        match key {
            Some(key) => drop(self.by_key.insert(Arc::clone(key), id)),
            None => self.unknown = Some(id),
        }
        id
    }

    /// Gives up every place.
    pub(crate) fn leave(&mut self, places: &Places, seq: Seq) {
        for &id in places.ids() {
            self.release(id, seq);
            let lane = &mut self.lanes[id as usize];
            lane.queue.remove(&seq);
            if lane.queue.is_empty() {
                lane.busy = None;
                match lane.key.take() {
                    Some(key) => self.by_key.remove(&key, &id),
                    None => self.unknown = None,
                }
                self.free.push(id); // with the memory of its queue
            }
        }
    }

    /// As [`LaneSet::leave`], but the lanes stay to be left again.
    #[cfg(feature = "mutants")]
    pub(crate) fn withdraw(&mut self, places: &Places, seq: Seq) {
        for &id in places.ids() {
            let lane = &mut self.lanes[id as usize];
            lane.queue.remove(&seq);
            lane.busy = None;
        }
    }

    /// Whether `seq` is first in all its lanes, and no other item of them is busy.
    pub(crate) fn is_next(&self, places: &Places, seq: Seq) -> bool {
        places.ids().iter().all(|&id| {
            let lane = &self.lanes[id as usize];
            lane.queue.first() == Some(&seq) && lane.busy.is_none_or(|busy| busy == seq)
        })
    }

    /// Marks all lanes of `seq` busy with it.
    pub(crate) fn occupy(&mut self, places: &Places, seq: Seq) {
        for &id in places.ids() {
            let busy = &mut self.lanes[id as usize].busy;
            match *busy {
                Some(other) if other != seq => self.also_busy.push((id, seq)),
                _ => *busy = Some(seq),
            }
        }
    }

    /// Ends that.
    pub(crate) fn vacate(&mut self, places: &Places, seq: Seq) {
        for &id in places.ids() {
            self.release(id, seq);
        }
    }

    fn release(&mut self, id: LaneId, seq: Seq) {
        let busy = &mut self.lanes[id as usize].busy;
        if *busy == Some(seq) {
            let next = self.also_busy.iter().position(|&(lane, _)| lane == id);
            *busy = next.map(|at| self.also_busy.swap_remove(at).1);
        } else if !self.also_busy.is_empty() {
            self.also_busy.retain(|also| *also != (id, seq));
        }
    }

    /// The item that `seq` waits for, and the lane's name: `unknown` or the key.
    pub(crate) fn blocker(&self, places: &Places, seq: Seq) -> Option<(Seq, String)> {
        places.ids().iter().find_map(|&id| {
            let lane = &self.lanes[id as usize];
            let earlier = lane.queue.first().copied().filter(|&head| head < seq);
            let busy = lane.busy.filter(|&busy| busy != seq);
            let name = || lane.key.as_deref().map_or_else(|| "unknown".to_string(), ToString::to_string);
            earlier.or(busy).map(|blocker| (blocker, name()))
        })
    }

    /// Whether any item is in a lane of `key`.
    pub(crate) fn is_occupied(&self, key: LaneKey<'_>) -> bool {
        self.find(key).is_some()
    }

    /// The first item of a lane.
    pub(crate) fn head(&self, lane: LaneId) -> Option<Seq> {
        self.lanes[lane as usize].queue.first().copied()
    }

    /// The first item of every lane, some repeatedly.
    pub(crate) fn heads(&self) -> impl Iterator<Item = Seq> + '_ {
        self.lanes.iter().filter_map(|lane| lane.queue.first().copied())
    }

    /// Forgets that any item is busy: the leader that made them so is gone.
    pub(crate) fn vacate_all(&mut self) {
        self.also_busy.clear();
        for lane in &mut self.lanes {
            lane.busy = None;
        }
    }
}
