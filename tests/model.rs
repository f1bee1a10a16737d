//! Random stories against an obvious model: two sets of ids. The model predicts what is stored, that nothing
//! acknowledged is lost, the order in each lane, and that everything drains once the faults stop
//! (R1, R3, R5, R6, R15, R18, R27).

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::*;
use outbox::{AttemptOutcome, CallId, Reply, storage::StorageError};
use proptest::prelude::*;

const REPLICAS: usize = 2;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Op {
    Enqueue {
        r: usize,
        key: &'static str,
    },
    /// Removes one of the ids there ever were.
    Remove {
        r: usize,
        nth: usize,
    },
    Online(bool),
    Pause(usize),
    Resume(usize),
    /// One of the attempts in flight ends.
    Resolve {
        nth: usize,
        how: usize,
    },
    Advance {
        ms: u64,
    },
    Focus(usize),
    Crash(usize),
    /// Another replica gets the lock; the old leader is told, or crashes.
    Takeover {
        crash: bool,
    },
    /// The next storage requests fail.
    StoreFails {
        times: usize,
        how: usize,
    },
    /// Messages between replicas are lost from now on, or arrive again.
    Mail {
        held: bool,
    },
    /// Storage answers only when told to from now on, or at once again.
    Storage {
        held: bool,
    },
    /// Held storage commits what a replica asked for; its answer may arrive as well.
    Commit {
        r: usize,
        answer: bool,
    },
    /// Everything stands still for a while: no timer fires in between.
    Suspend {
        ms: u64,
    },
    /// Another replica gets the lock too; the old leader has not heard of it.
    SecondClaimant,
}

fn op() -> impl Strategy<Value = Op> {
    let key = prop::sample::select(vec!["a", "b", "c", "a+b", "b+c", ""]);
    let r = 0..REPLICAS;
    prop_oneof![
        8 => (r.clone(), key).prop_map(|(r, key)| Op::Enqueue { r, key }),
        2 => (r.clone(), any::<usize>()).prop_map(|(r, nth)| Op::Remove { r, nth }),
        1 => any::<bool>().prop_map(Op::Online),
        1 => r.clone().prop_map(Op::Pause),
        2 => r.clone().prop_map(Op::Resume),
        8 => (any::<usize>(), 0_usize..6).prop_map(|(nth, how)| Op::Resolve { nth, how }),
        4 => (1_u64..40_000).prop_map(|ms| Op::Advance { ms }),
        1 => r.clone().prop_map(Op::Focus),
        1 => r.prop_map(Op::Crash),
        1 => any::<bool>().prop_map(|crash| Op::Takeover { crash }),
        2 => (1_usize..4, 0_usize..4).prop_map(|(times, how)| Op::StoreFails { times, how }),
        1 => any::<bool>().prop_map(|held| Op::Mail { held }),
        2 => any::<bool>().prop_map(|held| Op::Storage { held }),
        6 => (0..REPLICAS, any::<bool>()).prop_map(|(r, answer)| Op::Commit { r, answer }),
        1 => (1_u64..20_000).prop_map(|ms| Op::Suspend { ms }),
        1 => Just(Op::SecondClaimant),
    ]
}

/// What the outbox ought to hold.
#[derive(Default)]
struct Model {
    /// Every id there ever was, with its key.
    ids: Vec<(String, &'static str)>,
    /// Enqueues and removals whose outcome is not known yet.
    asked: BTreeMap<String, CallId>,
    removing: Vec<(String, CallId)>,
    /// Acknowledged and not ended.
    live: BTreeSet<String>,
    /// The server has answered; the delete may not be durable.
    ended: BTreeSet<String>,
    /// How items ended for good.
    gone: BTreeMap<String, &'static str>,
    /// Successes, in order.
    served: Vec<String>,
    /// Whether the store has ever been unable to tell: a removal that is repeated and finds nothing is done,
    /// whether or not it was the one that removed.
    unknown: bool,
}

struct Story {
    world: World,
    model: Model,
    leader: usize,
}

impl Story {
    fn new() -> Self {
        Self { world: World::shared(REPLICAS), model: Model::default(), leader: 0 }
    }

    fn apply(&mut self, op: &Op) {
        let (world, model) = (&mut self.world, &mut self.model);
        match *op {
            Op::Enqueue { r, key } => {
                let id = format!("i{}", model.ids.len());
                model.ids.push((id.clone(), key));
                let call = world.enqueue(r, &id, key);
                model.asked.insert(id, call);
            }
            Op::Remove { r, nth } if !model.ids.is_empty() => {
                let id = model.ids[nth % model.ids.len()].0.clone();
                let call = world.remove(r, &id);
                model.removing.push((id, call));
            }
            Op::Online(online) => (0..REPLICAS).for_each(|r| world.online(r, online)),
            Op::Pause(r) => {
                world.pause(r, "auth");
            }
            Op::Resume(r) => {
                world.resume(r, "auth");
            }
            Op::Resolve { nth, how } => self.resolve(nth, how),
            Op::Advance { ms } => world.advance_ms(ms),
            Op::Focus(r) => world.focus(r),
            Op::Crash(r) => {
                world.crash(r);
                world.restart(r);
                if r == self.leader {
                    world.elect(r);
                }
            }
            Op::Takeover { crash } => {
                let old = self.leader;
                self.leader = (old + 1) % REPLICAS;
                if crash {
                    world.crash(old);
                    world.restart(old);
                } else {
                    world.depose(old);
                }
                world.elect(self.leader);
            }
            Op::StoreFails { times, how } => {
                model.unknown |= how >= 2;
                for _ in 0..times {
                    match how {
                        0 => world.store_fails(StorageError::Unavailable { cause: "locked".into() }),
                        1 => world.store_fails(StorageError::Full),
                        2 => world.store_fails(StorageError::Unknown),
                        _ => world.store_commits_then_unknown(),
                    }
                }
            }
            Op::Mail { held: true } => world.hold_mail(),
            Op::Mail { held: false } => world.lose_mail(),
            Op::Storage { held: true } => world.hold_storage(),
            Op::Storage { held: false } => world.release_storage(),
            Op::Commit { r, answer } => world.commit_held(r, answer),
            Op::Suspend { ms } => world.suspend_ms(ms),
            Op::SecondClaimant => {
                self.leader = (self.leader + 1) % REPLICAS;
                world.elect(self.leader);
            }
            Op::Remove { .. } => {}
        }
        self.lead_again();
        self.reconcile();
        self.check();
    }

    /// Who resigned queues for the lock again, and gets it: nobody else wants it now.
    fn lead_again(&mut self) {
        let leads = |world: &World, r: usize| world.outbox(r).is_leading() || world.request(r).is_some();
        if self.world.resigned_since(self.leader) && !leads(&self.world, self.leader) {
            self.world.elect(self.leader);
        }
    }

    fn resolve(&mut self, nth: usize, how: usize) {
        let flying: Vec<String> = (0..REPLICAS).flat_map(|r| self.world.in_flight(r)).collect();
        let Some(id) = flying.get(nth % flying.len().max(1)).cloned() else { return };
        let outcome: AttemptOutcome = match how {
            0 | 1 => success(),
            2 => transport(),
            3 => server(),
            4 => server_after_ms(30_000),
            _ => refused(),
        };
        if how < 2 || how == 5 {
            self.model.live.remove(&id);
            self.model.ended.insert(id.clone());
            self.model.gone.insert(id.clone(), if how == 5 { "refused" } else { "served" });
            if how < 2 && self.world.attempt(&id).epoch == self.world.store.epoch() {
                self.model.served.push(id.clone()); // what a fenced leader sent may overlap its successor
            }
        }
        self.world.fail(&id, outcome);
    }

    /// Learns from replies, and from the store what a crash or a takeover left of unfinished business.
    fn reconcile(&mut self) {
        let (world, model) = (&self.world, &mut self.model);
        let stored: BTreeSet<String> = world.stored().into_iter().collect();
        model.asked.retain(|id, call| match world.reply(*call) {
            Some(Ok(_)) => {
                if !model.ended.contains(id) && !model.gone.contains_key(id) {
                    model.live.insert(id.clone());
                }
                false
            }
            Some(Err(_)) => {
                assert!(!stored.contains(id), "{id} failed to its caller and is stored");
                false
            }
            None if !world.is_open(*call) => {
                if stored.contains(id) {
                    model.live.insert(id.clone()); // the caller died with its replica
                }
                false
            }
            None => true,
        });
        model.removing.retain(|(id, call)| {
            let (reply, dead) = (world.reply(*call), !world.is_open(*call));
            let done =
                matches!(reply, Some(Ok(Reply::Done(true)))) && !(model.unknown && stored.contains(id));
            let removed = done || (dead && !stored.contains(id));
            let ended = removed && (model.live.remove(id) | model.ended.remove(id));
            // It may be removed before the ack of its enqueue comes.
            let was_stored = done || world.place_of(id).is_some();
            if ended || (removed && was_stored && model.asked.contains_key(id)) {
                model.gone.insert(id.clone(), "removed");
            }
            reply.is_none() && !dead
        });
        if world.all_durable() {
            // What ended and is stored all the same was forgotten by a crash or a takeover: it is sent again.
            for id in std::mem::take(&mut model.ended) {
                if stored.contains(&id) {
                    model.gone.remove(&id);
                    model.live.insert(id);
                }
            }
        }
    }

    fn check(&self) {
        let (world, model) = (&self.world, &self.model);
        let stored: BTreeSet<String> = world.stored().into_iter().collect();
        let removing: BTreeSet<&String> = model.removing.iter().map(|(id, _)| id).collect();
        for id in &model.live {
            assert!(stored.contains(id) || removing.contains(id), "{id} was acknowledged and is lost");
        }
        for id in &stored {
            let known = model.live.contains(id) || model.ended.contains(id) || model.asked.contains_key(id);
            assert!(known, "{id} is stored, though it ended as {:?}", model.gone.get(id));
        }
    }

    /// The faults stop: everything drains, and nothing was lost.
    fn finish(mut self) {
        self.world.note("the faults stop");
        self.world.lose_mail();
        self.world.faults_stop();
        self.world.release_storage();
        for r in 0..REPLICAS {
            self.world.online(r, true);
            self.world.resume(r, "auth");
        }
        self.world.advance_ms(120_000);
        self.lead_again();
        self.world.advance_ms(30_000);
        self.reconcile();
        self.check();
        let left = self.model.live.clone();
        for id in self.world.drain() {
            self.model.gone.insert(id.clone(), "served");
            self.model.served.push(id);
        }
        for id in &left {
            assert!(self.model.gone.contains_key(id), "{id} never came to an end");
        }
        self.check_order();
        self.world.advance_ms(30_000);
        for r in 0..REPLICAS {
            assert_eq!(self.world.shown(r), [""; 0], "r{r} still shows something");
        }
    }

    /// Whatever was served last in a lane was created last: per lane, last services are in creation order.
    fn check_order(&self) {
        for lane in ["a", "b", "c", ""] {
            let in_lane = |id: &&String| {
                let (_, key) =
                    self.model.ids.iter().find(|(of, _)| of == *id).expect("served what was enqueued");
                if lane.is_empty() { key.is_empty() } else { key.split('+').any(|part| part == lane) }
            };
            let mut last = BTreeMap::new();
            for (at, id) in self.model.served.iter().enumerate().filter(|(_, id)| in_lane(id)) {
                last.insert(self.world.place_of(id), at);
            }
            let order: Vec<usize> = last.into_values().collect();
            assert!(order.is_sorted(), "lane {lane:?} was served out of order: {:?}", self.model.served);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_everything_drains(ops in prop::collection::vec(op(), 1..80)) {
        let mut story = Story::new();
        for op in &ops {
            story.apply(op);
        }
        story.finish();
    }
}
