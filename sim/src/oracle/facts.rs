//! `Facts`: what the moments so far amount to, derived once and handed to every oracle.
//!
//! Everything here comes from moments alone: what the store ran, what pages were given and asked for. The
//! core is never asked. When an oracle sees a moment, the facts include it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use outbox::{
    AttemptId, Effect, Epoch, Input, Item, ItemId, Key, Outcome, Seq, Timestamp,
    record::{self, Decoded},
    storage::{Contents, Fence, OpId, Scope, Snapshot, StoreId, Write, WriteResult},
};

use crate::{
    moment::Moment,
    world::{PageId, World},
};

/// A lane's name: a real key, or `None` for `unknown` (R7).
pub type Lane = Option<Arc<str>>;

/// What is known by now.
#[derive(Debug, Default)]
pub struct Facts {
    /// How many moments there were, this one included.
    pub moment: u64,
    /// When this one is, in simulated milliseconds.
    pub now_ms: u64,
    /// How often the store was made anew.
    pub made: u32,
    /// The epoch of the store.
    pub epoch: Epoch,
    /// The highest place that the store has given.
    pub through: Seq,
    store: Option<StoreId>,
    rows: BTreeMap<Seq, Row>,
    gone: BTreeMap<Seq, Gone>,
    places: BTreeMap<ItemId, Vec<Place>>,
    lanes: BTreeMap<Lane, BTreeSet<Seq>>,
    barriers: BTreeSet<Seq>,
    pages: Vec<Option<PageFacts>>,
    names: BTreeSet<Arc<str>>,
}

/// A row of the store as it is now.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its item; of a record whose body cannot be read, the head; `None` if not even that can be read.
    pub item: Option<Item>,
    /// Whether the whole record can be read by this build.
    pub readable: bool,
    /// Its bytes.
    pub record: Arc<[u8]>,
    /// Its insert.
    pub inserted: Stamp,
    /// Its last write, which may be its insert.
    pub written: Stamp,
    /// Its lanes are not those that it was inserted with.
    pub rekeyed: bool,
}

/// A row that the store no longer has.
#[derive(Clone, Debug)]
pub struct Gone {
    /// As it was.
    pub row: Row,
    /// How it ended.
    pub how: How,
    /// When, and by whom.
    pub ended: Stamp,
}

/// How a row ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// `Delete`, with its outcome.
    Deleted(Outcome),
    /// `Bury`: it left a failure record.
    Buried,
    /// `Remove`.
    Removed,
    /// A loss of power took its insert back.
    Undone,
}

/// When something was done to the store, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The moment's number.
    pub moment: u64,
    /// The moment's time.
    pub at_ms: u64,
    /// The page that asked; `None`: nobody in this world.
    pub by: Option<PageId>,
    /// The fence it was done under.
    pub fence: Option<Fence>,
}

/// A place that an item was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// In which store (see [`Facts::made`]).
    pub made: u32,
    /// Where.
    pub seq: Seq,
}

/// What is known of an open page.
#[derive(Debug)]
pub struct PageFacts {
    /// Which.
    pub id: PageId,
    /// What its last acquire gave it; `None` before, and once it was deposed or resigned.
    pub fence: Option<Fence>,
    /// When that answer came.
    pub acquired_ms: u64,
    /// The storage request under way.
    pub asked: Option<Asked>,
    /// Attempts that were dispatched, and neither resolved nor cancelled since.
    pub flights: BTreeMap<AttemptId, Flight>,
    /// What fenced answers of the store have said of items: the last one each, in this epoch.
    pub proofs: BTreeMap<Seq, Proof>,
}

/// A storage request under way.
#[derive(Debug)]
pub struct Asked {
    /// Which.
    pub op: OpId,
    /// When it was asked.
    pub at_ms: u64,
    /// Under which fence.
    pub fence: Option<Fence>,
    /// What kind.
    pub kind: Kind,
    /// The moment at which the store ran it.
    pub ran: Option<u64>,
    /// The items whose records it left claimed, once it was committed.
    pub claims: Vec<Claim>,
}

/// A record that says `claimed` was written under a fence (R25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The item.
    pub seq: Seq,
    /// The attempt that it claims.
    pub attempt: u32,
    /// The store did not have this claim before: it is not a repeat, nor another write about a claimed item.
    pub fresh: bool,
}

/// Kinds of storage requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Acquire`.
    Acquire,
    /// `Load` of rows by place.
    Items,
    /// `Load` of all, or of what changed.
    Changes,
    /// `Persist`.
    Persist,
}

/// A fenced answer of the store that says that an item is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// When it was asked for.
    pub asked_ms: u64,
    /// The moment at which the store ran it.
    pub ran: u64,
    /// When it came.
    pub came_ms: u64,
    /// It is the ack of the item's claim; else a read.
    pub claim: bool,
}

/// An attempt under way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// Since when.
    pub since_ms: u64,
    /// When it will be cancelled, in the page's own time.
    pub deadline: Timestamp,
    /// The item.
    pub id: ItemId,
    /// Its lanes.
    pub key: Key,
    /// Whether it is a barrier.
    pub barrier: bool,
}

impl Facts {
    /// The row at a place of the store.
    #[must_use]
    pub fn row(&self, seq: Seq) -> Option<&Row> {
        self.rows.get(&seq)
    }

    /// All rows, in seq order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (Seq, &Row)> {
        self.rows.iter().map(|(seq, row)| (*seq, row))
    }

    /// The row that was at a place of this store.
    #[must_use]
    pub fn gone(&self, seq: Seq) -> Option<&Gone> {
        self.gone.get(&seq)
    }

    /// Every place that an item was ever given, in any store; a second one means that its id was free again.
    #[must_use]
    pub fn places(&self, id: &ItemId) -> &[Place] {
        self.places.get(id).map_or(&[], Vec::as_slice)
    }

    /// Where an item is stored now.
    #[must_use]
    pub fn stored(&self, id: &ItemId) -> Option<Seq> {
        let place = self.places(id).last().filter(|place| place.made == self.made)?;
        self.rows.contains_key(&place.seq).then_some(place.seq)
    }

    /// The open page of a tab.
    #[must_use]
    pub fn page(&self, tab: u32) -> Option<&PageFacts> {
        self.pages.get(tab as usize)?.as_ref()
    }

    /// Whether nothing newer than this fence is known to the store.
    #[must_use]
    pub fn is_current(&self, fence: Fence) -> bool {
        Some(fence.store) == self.store && fence.epoch == self.epoch
    }

    /// The fence of a tab's page, if nothing newer is known to the store: the page leads, whatever it or
    /// others believe.
    #[must_use]
    pub fn current_fence(&self, tab: u32) -> Option<Fence> {
        self.page(tab)?.fence.filter(|fence| self.is_current(*fence))
    }

    /// An item stored before `seq` that shares a lane with it, or is a barrier, or anything before a
    /// barrier (R6, R7).
    #[must_use]
    pub fn ahead(&self, seq: Seq, key: &Key, barrier: bool) -> Option<Seq> {
        let earlier = |seqs: &BTreeSet<Seq>| seqs.first().copied().filter(|first| *first < seq);
        let in_lane = || lanes(key).find_map(|lane| self.lanes.get(&lane).and_then(earlier));
        let holding = || self.rows.range(..seq).find(|(_, row)| row.item.is_some()).map(|(seq, _)| *seq);
        earlier(&self.barriers).or_else(in_lane).or_else(|| if barrier { holding() } else { None })
    }

    /// Takes over what a moment says.
    pub fn note(&mut self, world: &World, moment: &Moment<'_>) {
        self.moment += 1;
        self.now_ms = world.now_ms;
        match moment {
            Moment::Opened { tab, page, .. } => {
                let at = *tab as usize;
                if self.pages.len() <= at {
                    self.pages.resize_with(at + 1, || None);
                }
                self.pages[at] = Some(PageFacts::new(PageId { tab: *tab, page: *page }));
            }
            Moment::Ended { tab, .. } => {
                if let Some(page) = self.pages.get_mut(*tab as usize) {
                    *page = None;
                }
            }
            Moment::Input { tab, input } => {
                let now_ms = self.now_ms;
                if let Some(page) = self.page_mut(*tab) {
                    page.given(now_ms, input);
                }
            }
            Moment::Effect { tab, effect } => {
                let now_ms = self.now_ms;
                if let Some(page) = self.page_mut(*tab) {
                    page.wants(now_ms, effect);
                }
            }
            Moment::Ran { tab, page, request, answer, .. } => {
                self.ran(PageId { tab: *tab, page: *page }, request, answer);
            }
            Moment::Planted { seq, record } => {
                let stamp = Stamp { moment: self.moment, at_ms: self.now_ms, by: None, fence: None };
                self.insert(*seq, Arc::from(*record), stamp);
            }
            Moment::Undone { commits } if *commits > 0 => self.undone(world),
            Moment::MadeAnew => self.made_anew(),
            _ => {}
        }
    }

    fn page_mut(&mut self, tab: u32) -> Option<&mut PageFacts> {
        self.pages.get_mut(tab as usize)?.as_mut()
    }

    // --- The store.

    fn ran(&mut self, by: PageId, request: &Effect, answer: &Input) {
        let mut claims = Vec::new();
        match (request, answer) {
            (Effect::Persist { fence, writes, .. }, Input::Persisted { result: Ok(committed), .. }) => {
                let stamp = Stamp { moment: self.moment, at_ms: self.now_ms, by: Some(by), fence: *fence };
                for (write, result) in writes.iter().zip(&committed.results) {
                    let claim = self.wrote(write, *result, stamp);
                    claims.extend(claim.filter(|_| fence.is_some()));
                }
            }
            (Effect::Acquire { .. }, Input::Loaded { result: Ok(snapshot), .. }) => {
                (self.store, self.epoch) = (Some(snapshot.store), snapshot.epoch);
            }
            _ => {}
        }
        let moment = self.moment;
        let op = op_of(request);
        let asked = self.page_mut(by.tab).filter(|page| page.id == by).and_then(|page| page.asked.as_mut());
        if let Some(asked) = asked.filter(|asked| Some(asked.op) == op) {
            asked.ran = Some(moment);
            asked.claims = claims;
        }
    }

    /// A write was committed; the claim that it left, if it did.
    fn wrote(&mut self, write: &Write, result: WriteResult, stamp: Stamp) -> Option<Claim> {
        match (write, result) {
            (
                Write::Insert { record, .. } | Write::RetryFailure { record, .. },
                WriteResult::Inserted(seq),
            ) => {
                self.insert(seq, Arc::from(Arc::clone(record)), stamp);
                self.claim(seq, None)
            }
            (Write::Put { seq, record }, WriteResult::Done) => {
                let before = self.put(*seq, Arc::from(Arc::clone(record)), stamp);
                self.claim(*seq, before)
            }
            (Write::Delete { seq, outcome }, WriteResult::Done) => {
                self.end(*seq, How::Deleted(outcome.clone()), stamp);
                None
            }
            (Write::Bury { seq, .. }, WriteResult::Done) => {
                self.end(*seq, How::Buried, stamp);
                None
            }
            (Write::Remove { id }, WriteResult::Done) => {
                if let Some(seq) = self.stored(id) {
                    self.end(seq, How::Removed, stamp);
                }
                None
            }
            _ => None,
        }
    }

    /// The claim that a row now holds; `before` is the one that it held.
    fn claim(&self, seq: Seq, before: Option<u32>) -> Option<Claim> {
        let attempt = self.rows.get(&seq)?.claimed()?;
        Some(Claim { seq, attempt, fresh: before != Some(attempt) })
    }

    fn insert(&mut self, seq: Seq, record: Arc<[u8]>, stamp: Stamp) {
        let (item, readable) = self.read(seq, &record);
        if let Some(item) = &item {
            let place = Place { made: self.made, seq };
            self.places.entry(item.id.clone()).or_default().push(place);
            self.join(seq, &item.key, item.barrier);
        }
        self.through = self.through.max(seq);
        self.rows
            .insert(seq, Row { item, readable, record, inserted: stamp, written: stamp, rekeyed: false });
    }

    /// A row is written anew; the attempt that it said was claimed before, if any.
    fn put(&mut self, seq: Seq, record: Arc<[u8]>, stamp: Stamp) -> Option<u32> {
        let (item, readable) = self.read(seq, &record);
        let row = self.rows.get_mut(&seq)?;
        let claimed = row.claimed();
        let before = std::mem::replace(&mut row.item, item);
        (row.readable, row.record, row.written) = (readable, record, stamp);
        let lanes_of = |item: &Option<Item>| item.as_ref().map(|item| (item.key.clone(), item.barrier));
        let (before, after) = (lanes_of(&before), lanes_of(&row.item));
        if before != after {
            row.rekeyed = true;
            if let Some((key, _)) = before {
                self.leave(seq, &key);
            }
            if let Some((key, barrier)) = after {
                self.join(seq, &key, barrier);
            }
        }
        claimed
    }

    fn end(&mut self, seq: Seq, how: How, ended: Stamp) {
        let Some(row) = self.rows.remove(&seq) else { return };
        if let Some(item) = &row.item {
            self.leave(seq, &item.key);
        }
        self.gone.insert(seq, Gone { row, how, ended });
    }

    fn join(&mut self, seq: Seq, key: &Key, barrier: bool) {
        for lane in lanes(key) {
            self.lanes.entry(lane).or_default().insert(seq);
        }
        if barrier {
            self.barriers.insert(seq);
        }
    }

    fn leave(&mut self, seq: Seq, key: &Key) {
        for lane in lanes(key) {
            if let Some(seqs) = self.lanes.get_mut(&lane) {
                seqs.remove(&seq);
            }
        }
        self.barriers.remove(&seq);
    }

    fn read(&mut self, seq: Seq, record: &[u8]) -> (Option<Item>, bool) {
        let names = &mut self.names;
        let intern = |name: &str| {
            names.get(name).cloned().unwrap_or_else(|| {
                let name: Arc<str> = Arc::from(name);
                names.insert(Arc::clone(&name));
                name
            })
        };
        match record::decode(seq, record, intern) {
            Decoded::Item(item) => (Some(item), true),
            Decoded::Opaque { item, .. } => (Some(item), false),
            _ => (None, false),
        }
    }

    /// Commits were undone: what is stored is what the store says, and nobody in this world wrote it.
    fn undone(&mut self, world: &World) {
        let stamp = Stamp { moment: self.moment, at_ms: self.now_ms, by: None, fence: None };
        let stored: Vec<(Seq, Arc<[u8]>)> =
            world.store.memory().rows().map(|(seq, record)| (seq, Arc::from(record))).collect();
        let there: BTreeSet<Seq> = stored.iter().map(|(seq, _)| *seq).collect();
        let lost: Vec<Seq> = self.rows.keys().filter(|seq| !there.contains(seq)).copied().collect();
        for seq in lost {
            self.end(seq, How::Undone, stamp);
        }
        for (seq, record) in stored {
            match self.rows.get(&seq) {
                Some(row) if row.record == record => {}
                Some(_) => drop(self.put(seq, record, stamp)),
                None => {
                    self.gone.remove(&seq);
                    self.insert(seq, record, stamp);
                }
            }
        }
        (self.epoch, self.through) = (world.store.memory().epoch(), world.store.memory().through());
    }

    fn made_anew(&mut self) {
        self.made += 1;
        (self.store, self.epoch, self.through) = (None, Epoch(0), Seq(0));
        self.rows.clear();
        self.gone.clear();
        self.lanes.clear();
        self.barriers.clear();
    }
}

impl Row {
    /// Whether its record says that an attempt is claimed (R25).
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.claimed().is_some()
    }

    /// The attempt that its record says is claimed, if any (R25).
    #[must_use]
    pub fn claimed(&self) -> Option<u32> {
        self.item.as_ref().filter(|item| item.claimed).map(|item| item.retry_count)
    }

    /// The id of its item.
    #[must_use]
    pub fn id(&self) -> Option<&ItemId> {
        self.item.as_ref().map(|item| &item.id)
    }
}

impl PageFacts {
    fn new(id: PageId) -> Self {
        Self {
            id,
            fence: None,
            acquired_ms: 0,
            asked: None,
            flights: BTreeMap::new(),
            proofs: BTreeMap::new(),
        }
    }

    fn given(&mut self, now_ms: u64, input: &Input) {
        match input {
            Input::Loaded { op, result } => {
                let asked = self.asked.take_if(|asked| asked.op == *op && asked.kind != Kind::Persist);
                if let (Some(asked), Ok(snapshot)) = (asked, result) {
                    self.loaded(now_ms, &asked, snapshot);
                }
            }
            Input::Persisted { op, result } => {
                let asked = self.asked.take_if(|asked| asked.op == *op && asked.kind == Kind::Persist);
                if let (Some(Asked { at_ms, ran: Some(ran), claims, .. }), Ok(_)) = (asked, result) {
                    let proof = Proof { asked_ms: at_ms, ran, came_ms: now_ms, claim: true };
                    self.proofs.extend(claims.into_iter().map(|claim| (claim.seq, proof)));
                }
            }
            Input::Resolved { attempt, .. } => drop(self.flights.remove(attempt)),
            Input::Deposed => self.fence = None,
            _ => {}
        }
    }

    fn loaded(&mut self, now_ms: u64, asked: &Asked, snapshot: &Snapshot) {
        if asked.kind == Kind::Acquire {
            self.fence = Some(Fence { store: snapshot.store, epoch: snapshot.epoch });
            self.acquired_ms = now_ms;
            self.proofs.clear();
        }
        let Some(ran) = asked.ran.filter(|_| asked.kind == Kind::Items && asked.fence.is_some()) else {
            return;
        };
        let (Contents::Full { rows, .. } | Contents::Part { rows, .. }) = &snapshot.contents;
        let proof = Proof { asked_ms: asked.at_ms, ran, came_ms: now_ms, claim: false };
        self.proofs.extend(rows.iter().map(|row| (row.seq, proof)));
    }

    fn wants(&mut self, now_ms: u64, effect: &Effect) {
        match effect {
            Effect::Acquire { op } => self.ask(now_ms, *op, None, Kind::Acquire),
            Effect::Load { op, fence, scope } => {
                let kind = if matches!(scope, Scope::Items(_)) { Kind::Items } else { Kind::Changes };
                self.ask(now_ms, *op, *fence, kind);
            }
            Effect::Persist { op, fence, .. } => self.ask(now_ms, *op, *fence, Kind::Persist),
            Effect::Dispatch { attempt, item, deadline } => {
                let flight = Flight {
                    since_ms: now_ms,
                    deadline: *deadline,
                    id: item.id.clone(),
                    key: item.key.clone(),
                    barrier: item.barrier,
                };
                self.flights.insert(*attempt, flight);
            }
            Effect::Cancel(attempt) => drop(self.flights.remove(attempt)),
            Effect::Resign => self.fence = None,
            _ => {}
        }
    }

    fn ask(&mut self, at_ms: u64, op: OpId, fence: Option<Fence>, kind: Kind) {
        self.asked = Some(Asked { op, at_ms, fence, kind, ran: None, claims: Vec::new() });
    }
}

/// The lanes that a key names (R6, R7).
pub fn lanes(key: &Key) -> impl Iterator<Item = Lane> + '_ {
    let unknown = key.is_unknown().then_some(None);
    unknown.into_iter().chain(key.keys().iter().cloned().map(Some))
}

/// Whether two items may not be under way at the same time (R6, R7).
#[must_use]
pub fn share_a_lane(a: (&Key, bool), b: (&Key, bool)) -> bool {
    let ((a, barrier_a), (b, barrier_b)) = (a, b);
    let unknown = a.is_unknown() && b.is_unknown();
    barrier_a || barrier_b || unknown || a.keys().iter().any(|key| b.keys().contains(key))
}

fn op_of(request: &Effect) -> Option<OpId> {
    match request {
        Effect::Acquire { op } | Effect::Load { op, .. } | Effect::Persist { op, .. } => Some(*op),
        _ => None,
    }
}
