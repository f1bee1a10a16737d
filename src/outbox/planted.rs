//! What planted bugs do that takes more than a condition (see [`crate::mutants`]).

use alloc::{boxed::Box, vec::Vec};

use super::{
    Effects, Outbox,
    entry::{Entry, Settlement, Stage},
    journal::Job,
};
use crate::{
    effect::ParkReason,
    item::{Outcome, Seq},
    lane::lane_keys,
    storage::{Fence, StorageError},
};

impl Outbox {
    /// Whether no item of its lanes is older by the clock.
    pub(super) fn is_oldest(&self, entry: &Entry) -> bool {
        let shares = |other: &Entry| {
            lane_keys(&other.item.key).any(|lane| lane_keys(&entry.item.key).any(|own| own == lane))
        };
        let mut others =
            self.entries.values().filter(|other| other.item.id != entry.item.id && shares(other));
        others.all(|other| !other.stage.is_busy() && other.item.created_at > entry.item.created_at)
    }

    /// The item leaves its lanes although its delete is not durable.
    pub(super) fn release_early(&mut self, seq: Seq) {
        let Some(entry) = self.entries.get(seq) else { return };
        let places = entry.places.clone();
        self.lanes.withdraw(&places, seq);
        self.reconsider_heads(&places);
    }

    /// All inserts of a transaction fail.
    pub(super) fn fail_all(
        &mut self,
        jobs: Vec<Job>,
        error: &StorageError,
        fence: Option<Fence>,
        fx: &mut Effects,
    ) {
        for job in jobs.into_iter().rev() {
            match job {
                Job::Insert(local) => self.refuse(local, Err(error.clone().into()), fx),
                job => self.requeue(job, false, fence),
            }
        }
    }

    /// Items of unknown mutators are deleted.
    pub(super) fn delete_unknown(&mut self) {
        let unknown = self.entries.iter().filter(|(_, entry)| entry.parked == Some(ParkReason::Unregistered));
        let unknown: Vec<Seq> = unknown.map(|(seq, _)| seq).collect();
        for seq in unknown {
            let settlement = Settlement { outcome: Outcome::Removed, failure: None };
            self.set_stage(seq, Stage::Settling(Box::new(settlement)));
            self.journal.deletes.insert(seq);
        }
    }
}
