//! Fencing (R27): no bookkeeping is committed under any pair of store and epoch but the current one, each
//! acquire raises the epoch by one, and nobody dispatches but a page that was elected and has acquired
//! since, until it is deposed, resigns, or is told that it is fenced.
//!
//! | after | compared |
//! |---|---|
//! | a commit | its fence, with the pair that the last acquire made current |
//! | an acquire | its epoch, with the one before it |
//! | a dispatch | its epoch, with what this page was given since it was last elected |

use outbox::{
    Effect, Epoch, Input,
    storage::{Fence, OpId, StorageError, Write, WriteResult},
};

use super::{Facts, Oracle, per_tab::PerTab};
use crate::{moment::Moment, world::World};

/// The judge.
#[derive(Debug, Default)]
pub struct Fencing {
    reigns: PerTab<Reign>,
    /// The epoch before this moment.
    epoch: Epoch,
}

/// How far a page has come to lead.
#[derive(Debug, Default)]
struct Reign {
    /// It was elected, and neither deposed nor fenced since; it has not resigned.
    elected: bool,
    /// The acquire that was asked since then.
    acquiring: Option<OpId>,
    /// What that acquire gave.
    fence: Option<Fence>,
}

impl Oracle for Fencing {
    fn name(&self) -> &'static str {
        "fencing"
    }

    fn rules(&self) -> &'static [&'static str] {
        &["R27"]
    }

    fn see(&mut self, _world: &World, facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        match moment {
            Moment::Opened { tab, .. } => self.reigns.opened(*tab),
            Moment::Input { tab, input } => self.reigns.of(*tab).given(input),
            Moment::Effect { tab, effect } => return self.reigns.of(*tab).wants(*tab, effect),
            Moment::Ran { request, answer, .. } => return self.ran(facts, request, answer),
            Moment::MadeAnew => self.epoch = Epoch(0),
            // What a loss of power took back is nobody's doing.
            Moment::Undone { .. } => self.epoch = facts.epoch,
            _ => {}
        }
        Ok(())
    }
}

impl Reign {
    fn given(&mut self, input: &Input) {
        match input {
            Input::Elected => self.elected = true,
            Input::Deposed => *self = Self::default(),
            Input::Loaded { result: Err(StorageError::Fenced), .. }
            | Input::Persisted { result: Err(StorageError::Fenced), .. } => {
                if self.fence.take().is_some() {
                    self.elected = false;
                }
            }
            Input::Loaded { op, result } if self.acquiring == Some(*op) => {
                self.acquiring = None;
                if let Ok(snapshot) = result {
                    self.fence = Some(Fence { store: snapshot.store, epoch: snapshot.epoch });
                }
            }
            _ => {}
        }
    }

    fn wants(&mut self, tab: u32, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Resign => *self = Self::default(),
            Effect::Acquire { op } if self.elected => self.acquiring = Some(*op),
            Effect::Acquire { .. } => return Err(format!("t{tab} acquires and was not elected")),
            Effect::Dispatch { attempt, .. } => match self.fence {
                Some(fence) if fence.epoch == attempt.epoch => {}
                Some(fence) => {
                    return Err(format!("t{tab} dispatches {attempt}; it acquired epoch {}", fence.epoch.0));
                }
                None => {
                    let why = if self.elected { "has not acquired" } else { "does not lead" };
                    return Err(format!("t{tab} dispatches {attempt} and {why}"));
                }
            },
            _ => {}
        }
        Ok(())
    }
}

impl Fencing {
    fn ran(&mut self, facts: &Facts, request: &Effect, answer: &Input) -> Result<(), String> {
        match (request, answer) {
            (Effect::Acquire { .. }, Input::Loaded { result: Ok(snapshot), .. }) => {
                let before = std::mem::replace(&mut self.epoch, snapshot.epoch);
                if snapshot.epoch.0 != before.0 + 1 {
                    return Err(format!("an acquire made epoch {} of {}", snapshot.epoch.0, before.0));
                }
            }
            (Effect::Persist { fence: Some(fence), .. }, Input::Persisted { result: Ok(_), .. })
            | (Effect::Load { fence: Some(fence), .. }, Input::Loaded { result: Ok(_), .. })
                if !facts.is_current(*fence) =>
            {
                return Err(format!("{request} was not refused in epoch {}", facts.epoch.0));
            }
            (Effect::Persist { fence: None, writes, .. }, Input::Persisted { result: Ok(done), .. }) => {
                for (write, result) in writes.iter().zip(&done.results) {
                    unfenced(facts, write, *result)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// What may be committed by anybody: new items that nobody has claimed, removals, and the app's calls.
fn unfenced(facts: &Facts, write: &Write, result: WriteResult) -> Result<(), String> {
    match (write, result) {
        (Write::Delete { .. } | Write::Bury { .. } | Write::Put { .. }, _) => {
            Err(format!("bookkeeping was committed without a fence: {write:?}"))
        }
        (_, WriteResult::Inserted(seq)) if facts.row(seq).is_some_and(super::facts::Row::is_claimed) => {
            Err(format!("{seq} was claimed without a fence"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use outbox::storage::StoreId;

    use super::*;
    use crate::oracle::tamper::{calm, inputs, rang, told, truth};

    #[test]
    fn a_calm_run_is_in_order() {
        assert_eq!(truth(&mut Fencing::default(), &calm(3)), None);
    }

    #[test]
    fn who_was_not_elected_does_not_acquire() {
        let deaf = |input: &Input| {
            if matches!(input, Input::Elected) { Vec::new() } else { vec![input.clone()] }
        };
        rang(inputs(&mut Fencing::default(), &calm(1), deaf), "was not elected");
    }

    #[test]
    fn who_is_deposed_or_fenced_dispatches_no_more() {
        let deposed = |input: &Input| {
            let mut told = vec![input.clone()];
            told.extend(matches!(input, Input::Enqueue { .. }).then_some(Input::Deposed));
            told
        };
        rang(inputs(&mut Fencing::default(), &calm(1), deposed), "does not lead");
        let fenced = |input: &Input| match input {
            Input::Enqueue { .. } => {
                let refused = Input::Persisted { op: OpId(999), result: Err(StorageError::Fenced) };
                vec![input.clone(), refused]
            }
            _ => vec![input.clone()],
        };
        rang(inputs(&mut Fencing::default(), &calm(1), fenced), "does not lead");
    }

    #[test]
    fn a_commit_under_another_fence_rings() {
        for wrong in [None, Some(Fence { store: StoreId(1), epoch: Epoch(1) })] {
            let found = told(&mut Fencing::default(), &calm(1), |moment, tell| match moment {
                Moment::Ran { tab, page, request: Effect::Persist { op, writes, .. }, answer, told } => {
                    let request = Effect::Persist { op: *op, fence: wrong, writes: writes.clone() };
                    tell(&Moment::Ran { tab: *tab, page: *page, request: &request, answer, told });
                }
                moment => tell(moment),
            });
            rang(found, if wrong.is_some() { "was not refused" } else { "without a fence" });
        }
    }

    #[test]
    fn an_epoch_that_is_skipped_rings() {
        let found = told(&mut Fencing::default(), &calm(1), |moment, tell| match moment {
            Moment::Ran { tab, page, request, answer, told } => {
                let mut answer = (*answer).clone();
                if let Input::Loaded { result: Ok(snapshot), .. } = &mut answer {
                    snapshot.epoch = Epoch(snapshot.epoch.0 * 2);
                }
                tell(&Moment::Ran { tab: *tab, page: *page, request, answer: &answer, told });
            }
            moment => tell(moment),
        });
        rang(found, "made epoch 2 of 0");
    }
}
