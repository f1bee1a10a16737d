//! What this replica knows of storage: loads, pokes and the change counter (R3, R22–R24, R28).

use alloc::{string::String, sync::Arc, vec::Vec};

use super::{
    Effects, Known, Outbox,
    entry::{Entry, Flags, Stage},
    failures::FailureRetry,
    journal::{Kind, Request, Want},
    leadership::Role,
    schedule::STALE_MS,
};
use crate::{
    backoff,
    config::Exhausted,
    effect::{Event, ParkReason, Place, Reply, ViewChange},
    error::CallError,
    input::Poke,
    item::{Item, Outcome, Seq},
    marks::sometimes,
    mutants::mutant,
    record::{self, Decoded},
    sorted::Sorted,
    storage::{Contents, Fence, Gone, OpId, Row, Snapshot, StorageError},
    time::Timestamp,
};

/// The leader compares the change counter this often while others may write (R28) …
const LEADER_CHECK_MS: u64 = 5_000;
/// … any other replica this often.
const FOLLOWER_CHECK_MS: u64 = 30_000;

impl Outbox {
    pub(super) fn loaded(&mut self, op: OpId, result: Result<Snapshot, StorageError>, fx: &mut Effects) {
        let asked = |request: &mut Request| request.op == op && request.is_read();
        let Some(request) = self.journal.in_flight.take_if(asked) else { return };
        match (request.kind, result) {
            (Kind::Acquire(want), Ok(snapshot)) => self.acquired(want, snapshot, fx),
            (Kind::Load(want), Ok(snapshot)) => self.load_done(want, snapshot, request.since, fx),
            (Kind::Load(want), Err(StorageError::Fenced)) => {
                self.journal.want.join(want);
                self.fenced_out(Vec::new(), fx);
            }
            (kind, Err(error)) => {
                self.storage_failed(&error, fx);
                self.journal.retry.read.failed(self.now);
                if let Kind::Acquire(mut want) | Kind::Load(mut want) = kind {
                    for retry in core::mem::take(&mut want.retries) {
                        Self::reply(fx, retry.call, Err(error.clone().into()));
                    }
                    self.journal.want.join(want);
                }
                self.journal.want.acquire = self.role == Role::Elected;
            }
            (Kind::Persist { .. }, Ok(_)) => {} // no read
        }
    }

    /// The epoch is raised and everything is read: this replica leads, if it still holds the lock (R27).
    fn acquired(&mut self, want: Want, snapshot: Snapshot, fx: &mut Effects) {
        self.read_works(fx);
        let fence = Fence { store: snapshot.store, epoch: snapshot.epoch };
        // Elected anew since it was asked: the acquire that is still wanted is the one that counts.
        let leads = self.role == Role::Elected && !self.journal.want.acquire;
        self.apply(snapshot, leads, fx);
        self.clear_doubt(fx);
        self.retry_failures(want.retries, fx);
        if !leads {
            sometimes!(AcquireStale);
            return;
        }
        self.role = Role::Leading { fence };
        self.slots.reset();
        self.check_at = self.config.shared.then(|| self.now.plus_ms(LEADER_CHECK_MS));
        Self::notify(fx, Event::Leading(true));
        mutant!(UnknownDeleted => {
            self.delete_unknown();
        });
        self.reconsider_every_head();
        self.trigger_init();
        self.ask_about_parked(fx);
    }

    fn load_done(&mut self, want: Want, snapshot: Snapshot, since: Timestamp, fx: &mut Effects) {
        self.read_works(fx);
        let other_store = self.known.is_some_and(|known| known.store != snapshot.store);
        if other_store && matches!(snapshot.contents, Contents::Part { .. }) {
            sometimes!(OtherStore);
            self.journal.want.full = true; // the store was made anew: start over
            return self.journal.want.join(Want { verify: Sorted::default(), ..want });
        }
        let part = !want.verify.is_empty() || !want.items.is_empty();
        if part {
            self.apply_items(snapshot, fx);
        } else {
            self.apply(snapshot, false, fx);
        }
        if want.doubt {
            self.clear_doubt(fx);
        }
        self.retry_failures(want.retries, fx);
        self.arm_check();
        for seq in want.verify {
            self.verified(seq, since, fx);
        }
    }

    /// The failure records that the store has are known: what waited for them can be decided (R15).
    fn retry_failures(&mut self, retries: Vec<FailureRetry>, fx: &mut Effects) {
        for retry in retries {
            self.retry_known_failure(retry, fx);
        }
    }

    /// A fenced read still finds the item: its claim may be acted on, unless this answer is late too.
    fn verified(&mut self, seq: Seq, since: Timestamp, fx: &mut Effects) {
        if !matches!(self.entries.get(seq), Some(entry) if entry.stage == Stage::Verifying) {
            return;
        }
        if self.now.since_ms(since) > STALE_MS {
            self.journal.want.verify.insert(seq);
        } else {
            sometimes!(ClaimVerified);
            self.dispatch_or_hold(seq, fx);
        }
    }

    // Applying what was read.

    /// Takes over a full load, or one of all changes since `known`.
    fn apply(&mut self, snapshot: Snapshot, acquiring: bool, fx: &mut Effects) {
        let Snapshot { store, epoch: _, change, through, contents, paused } = snapshot;
        let before = self.through();
        let (rows, gone, failures) = match contents {
            Contents::Part { rows, gone, failures } => (rows, gone, failures),
            Contents::Full { rows, failures } => {
                let gone = self.absent(&rows);
                (rows, gone, Some(failures))
            }
        };
        if let Some(failures) = failures {
            let names = &self.names;
            self.failures.replace(failures, |record| {
                record::decode_failure(record, |name| Self::intern(names, name)).ok()
            });
        }
        self.pauses = paused.into_iter().map(Arc::from).collect();
        self.pauses_changed(fx);
        self.known = Some(Known { store, change, through });
        let new = rows.len().saturating_sub(self.entries.len());
        self.ids.reserve(new);
        fx.reserve(new);
        // Both are stored: who was known first stays.
        for row in self.merge_all(rows, gone, acquiring, fx) {
            self.quarantine(row, String::from("another item has its id"), fx);
        }
        self.reconsider_above(before);
    }

    /// Takes over the rows that were asked for by place.
    fn apply_items(&mut self, snapshot: Snapshot, fx: &mut Effects) {
        let Contents::Part { rows, mut gone, .. } = snapshot.contents else {
            return self.apply(snapshot, false, fx);
        };
        let before = self.through();
        let mut seen: Sorted<Seq> = rows.iter().map(|row| row.seq).collect();
        seen.extend(gone.iter().map(|gone| gone.seq));
        if !self.is_leading() {
            // A failure record may tell how these ended, and comes with what changed since (R15, R29).
            let all = gone.len();
            gone.retain(|gone| gone.outcome.is_some() || !self.entries.contains(gone.seq));
            self.journal.want.since |= gone.len() < all;
        }
        // Has the other item of that id ended? A full load tells.
        self.journal.want.full |= !self.merge_all(rows, gone, false, fx).is_empty();
        for seq in seen {
            if seq > self.through() {
                self.advance_through(seq);
            }
        }
        self.reconsider_above(before);
    }

    /// The stored places that a full load no longer has.
    fn absent(&self, rows: &[Row]) -> Vec<Gone> {
        if self.entries.is_empty() && self.quarantined.is_empty() {
            return Vec::new();
        }
        let present: Sorted<Seq> = rows.iter().map(|row| row.seq).collect();
        let known = self.entries.seqs().chain(self.quarantined.iter().copied());
        known.filter(|seq| !present.contains(seq)).map(|seq| Gone { seq, outcome: None }).collect()
    }

    /// Items above `before` may be sent now that everything up to them is known (R3).
    fn reconsider_above(&mut self, before: Seq) {
        let through = self.through();
        if self.is_leading() && through > before {
            let newly: Vec<Seq> = self.entries.range(before..=through).map(|(seq, _)| seq).collect();
            for seq in newly {
                self.reconsider(seq);
            }
        }
    }

    /// Takes over the rows, and that others are gone. A row whose id another item has comes last, as that one
    /// may have ended by then; if it has not, the row is given back.
    fn merge_all(&mut self, rows: Vec<Row>, gone: Vec<Gone>, acquiring: bool, fx: &mut Effects) -> Vec<Row> {
        let mut namesakes = Vec::new();
        for row in rows {
            namesakes.extend(self.merge(row, acquiring, fx));
        }
        for Gone { seq, outcome } in gone {
            self.lost(seq, outcome, fx);
        }
        let again = namesakes.into_iter();
        again.filter_map(|row| self.merge(row, acquiring, fx)).collect()
    }

    /// One row as it is stored. What a leader knows of an item is newer than any row, unless it was parked
    /// for want of a mutator and is no longer. A row whose id another item has is given back.
    fn merge(&mut self, mut row: Row, acquiring: bool, fx: &mut Effects) -> Option<Row> {
        let seq = row.seq;
        let mut known = self.entries.contains(seq);
        let leads = self.is_leading() && !acquiring;
        let released = leads && self.entries.get(seq).is_some_and(|entry| self.is_outdated(entry));
        if known && leads && !released {
            return None;
        }
        let unwritten =
            if released && self.journal.puts.contains(&seq) { self.entries.get(seq) } else { None };
        let read = match unwritten {
            // Its last failure is not stored yet, and may have set a floor (R11).
            Some(entry) => Ok((Arc::clone(&entry.item), self.why_parked(&entry.item, true))),
            None => self.read(&mut row, acquiring || leads),
        };
        let (mut shared, parked) = match read {
            Ok(read) => read,
            Err(problem) => {
                self.quarantine(row, problem, fx);
                return None;
            }
        };
        let item = Arc::make_mut(&mut shared);
        self.clamp(item);
        if known && self.entries.get(seq).is_some_and(|entry| entry.item.id != item.id) {
            self.lost(seq, None, fx); // the store was made anew, and gave its place to another
            known = false;
        }
        if !known && self.seq_of(&item.id).is_some() {
            return Some(row);
        }
        self.quarantined.remove(&seq);
        self.claim_writing(seq, item, fx);
        let acquired = Flags { must_ask: true, ..Flags::default() };
        if known {
            if self.entries.get(seq).is_some_and(|entry| entry.parked != parked) {
                self.tell_parked(item, parked, fx);
            }
            self.replace_item(seq, shared, parked, fx);
            if acquiring && let Some(entry) = self.entries.get_mut(seq) {
                entry.flags = acquired;
                entry.first_attempt = 1;
            }
            sometimes!(ReleasedLate, released);
        } else {
            let places = self.lanes.join(&mut item.key, seq);
            Self::view(fx, ViewChange::Set { place: Place::Stored(seq), item: Arc::clone(&shared) });
            self.tell_parked(&shared, parked, fx);
            let flags = if acquiring { acquired } else { Flags::default() };
            self.insert_entry(seq, Entry { flags, ..Entry::new(shared, places, parked) });
        }
        if leads {
            self.reconsider(seq); // released, or new: perhaps one that could not be read before (R24)
        }
        None
    }

    /// The item of a row, and why it is held back; else why nothing can be read of it (R24).
    fn read(&self, row: &mut Row, decides: bool) -> Result<(Arc<Item>, Option<ParkReason>), String> {
        let item = match row.record.take_item() {
            Some(mut ahead) => {
                let item = Arc::make_mut(&mut ahead);
                item.seq = Some(row.seq);
                if let Some(name) = self.names.get(&item.mutator_name) {
                    item.mutator_name = Arc::clone(name);
                }
                ahead
            }
            None => match record::decode(row.seq, &row.record, |name| Self::intern(&self.names, name)) {
                Decoded::Item(item) => Arc::new(item),
                Decoded::Opaque { item, problem } => {
                    let version = item.version;
                    let parked =
                        problem.map_or(ParkReason::NewerVersion { version }, |_| ParkReason::Unreadable);
                    return Ok((Arc::new(item), Some(parked)));
                }
                Decoded::Unreadable { problem } => return Err(problem),
            },
        };
        let parked = self.why_parked(&item, decides);
        Ok((item, parked))
    }

    /// An insert of ours that was in doubt turns out to be stored (R4).
    fn claim_writing(&mut self, seq: Seq, item: &Item, fx: &mut Effects) {
        if self.writing.is_empty() {
            return;
        }
        let Some(&Place::Writing(local)) = self.ids.find(&item.id) else { return };
        if !self.writing.get(local).is_some_and(|writing| writing.in_doubt) {
            return;
        }
        let Some(writing) = self.take_writing(local) else { return };
        sometimes!(DoubtStored);
        self.slots.release(Place::Writing(local));
        Self::view(fx, ViewChange::Moved { from: Place::Writing(local), to: Place::Stored(seq) });
        let id = item.id.clone();
        Self::reply(fx, writing.call, Ok(Reply::Enqueued { id: id.clone(), seq }));
        for call in writing.removals {
            self.remove(call, id.clone(), fx);
        }
    }

    /// Inserts in doubt that a load did not find: they may have been stored, and settled since (R4).
    fn clear_doubt(&mut self, fx: &mut Effects) {
        self.what_is_there_was_not_deleted();
        let in_doubt = self.writing.iter().filter(|(_, writing)| writing.in_doubt);
        let locals: Vec<u64> = in_doubt.map(|(local, _)| local).collect();
        for local in locals {
            sometimes!(DoubtRefused);
            self.refuse(local, Err(CallError::Storage(StorageError::Unknown)), fx);
        }
        self.storage_works(&[], fx); // what was found done is not repeated
    }

    fn quarantine(&mut self, row: Row, problem: String, fx: &mut Effects) {
        if self.entries.contains(row.seq) {
            self.finish(row.seq, Outcome::Gone, fx); // the store was made anew, or the row was damaged
        }
        if self.quarantined.insert(row.seq) {
            sometimes!(Quarantined);
            Self::notify(fx, Event::Quarantined { seq: row.seq, record: row.record.into_bytes(), problem });
        }
    }

    /// An item that became known as it is stored.
    pub(super) fn add_entry(&mut self, seq: Seq, mut shared: Arc<Item>, fx: &mut Effects) {
        let item = Arc::make_mut(&mut shared);
        item.seq = Some(seq);
        let places = self.lanes.join(&mut item.key, seq);
        let parked = self.why_parked(&shared, false);
        self.tell_parked(&shared, parked, fx);
        self.insert_entry(seq, Entry::new(shared, places, parked));
    }

    fn insert_entry(&mut self, seq: Seq, entry: Entry) {
        if entry.item.barrier {
            self.barriers.insert(seq);
        }
        self.ids.insert(entry.item.id.clone(), Place::Stored(seq));
        let removing = self.is_being_removed(&entry.item.id);
        self.entries.insert(seq, entry);
        if removing {
            sometimes!(RemovedUnknown);
            self.set_stage(seq, Stage::Removing); // asked for before it was known here (R18)
        }
    }

    fn replace_item(&mut self, seq: Seq, item: Arc<Item>, parked: Option<ParkReason>, fx: &mut Effects) {
        let entry = self.entries.get_mut(seq).expect("only a known item is replaced");
        entry.parked = parked;
        if entry.item == item {
            return;
        }
        let rekeyed = entry.item.key != item.key;
        let shown = entry.item.args != item.args || entry.item.mutator_name != item.mutator_name;
        let was_barrier = core::mem::replace(&mut entry.item, item).barrier;
        let is_barrier = entry.item.barrier;
        if shown {
            Self::view(fx, ViewChange::Set { place: Place::Stored(seq), item: Arc::clone(&entry.item) });
        }
        if rekeyed {
            self.rekey(seq);
        }
        if is_barrier && !was_barrier {
            self.barriers.insert(seq);
        } else if was_barrier && !is_barrier {
            self.barriers.remove(&seq);
            self.reconsider_every_head();
        }
    }

    /// Takes the places of a rewritten key, and keeps those it has until the rewrite is durable: after a
    /// crash before that, who waits behind it must not have been sent (R6, R17).
    pub(super) fn begin_rekey(&mut self, seq: Seq) {
        let Some(entry) = self.entries.get_mut(seq) else { return };
        let joined = self.lanes.join(&mut Arc::make_mut(&mut entry.item).key, seq);
        entry.places = entry.places.and(&joined);
        entry.flags.rekeyed = true;
    }

    /// Those that were being rewritten are where their keys are.
    pub(super) fn end_rekeys(&mut self, seqs: impl Iterator<Item = Seq>) {
        for seq in seqs {
            if self.entries.get(seq).is_some_and(|entry| entry.flags.rekeyed) {
                self.rekey(seq);
            }
        }
    }

    /// Moves an item to the lanes of its key.
    fn rekey(&mut self, seq: Seq) {
        self.dequeue(seq);
        let Some(entry) = self.entries.get_mut(seq) else { return };
        entry.flags.rekeyed = false;
        self.lanes.leave(&entry.places, seq);
        let joined = self.lanes.join(&mut Arc::make_mut(&mut entry.item).key, seq);
        if entry.stage.is_busy() {
            self.lanes.occupy(&joined, seq);
        }
        let left = core::mem::replace(&mut entry.places, joined);
        self.reconsider_heads(&left);
        self.reconsider(seq);
    }

    /// Why an item of a known version is held back (R16, R23). Whether its attempts are used up is for a
    /// new leader to say: for others the last one may be under way.
    pub(super) fn why_parked(&self, item: &Item, acquiring: bool) -> Option<ParkReason> {
        let Some(mutator) = self.mutator(&item.mutator_name) else { return Some(ParkReason::Unregistered) };
        let limit = mutator.max_attempts.filter(|limit| limit.then == Exhausted::Park)?;
        let exhausted = acquiring && item.retry_count >= limit.attempts;
        exhausted.then_some(ParkReason::Attempts { attempts: limit.attempts })
    }

    /// Whether a mutator that was registered late has changed why it is held back (R16, R23).
    pub(super) fn is_outdated(&self, entry: &Entry) -> bool {
        let by_mutator = matches!(entry.parked, Some(ParkReason::Unregistered | ParkReason::Attempts { .. }));
        by_mutator && self.why_parked(&entry.item, true) != entry.parked
    }

    /// One event per mutator name (R23), and one for each item whose attempts are used up: its last one may
    /// have ended with its page, so that nobody was told (R16).
    fn tell_parked(&mut self, item: &Item, parked: Option<ParkReason>, fx: &mut Effects) {
        let Some(reason) = parked else { return };
        let exhausted = matches!(reason, ParkReason::Attempts { .. });
        sometimes!(ParkedExhausted, exhausted);
        sometimes!(ParkedUnregistered, reason == ParkReason::Unregistered);
        sometimes!(ParkedNewer, matches!(reason, ParkReason::NewerVersion { .. }));
        if exhausted || self.told_parked.insert(item.mutator_name.clone()) {
            let (id, mutator_name) = (item.id.clone(), (&*item.mutator_name).into());
            Self::notify(fx, Event::Parked { id, mutator_name, reason });
        }
    }

    /// Deadlines from storage are no later than the longest wait that their rule allows (R30).
    fn clamp(&self, item: &mut Item) {
        let longest = self.now.plus_ms(backoff::RETRY_AFTER_CAP_MS);
        sometimes!(Clamped, item.retry_after.is_some_and(|at| at > longest));
        item.retry_after = item.retry_after.map(|at| at.min(longest));
        let longest = self.now.plus_ms(backoff::CAP_MS).max(item.retry_after.unwrap_or(Timestamp::ZERO));
        sometimes!(Clamped, item.next_attempt_at > longest);
        item.next_attempt_at = item.next_attempt_at.min(longest);
    }

    /// An item is stored no more, and it was not this replica's delete that ended it (as far as known).
    pub(super) fn lost(&mut self, seq: Seq, outcome: Option<Outcome>, fx: &mut Effects) {
        self.quarantined.remove(&seq);
        let Some(entry) = self.entries.get(seq) else { return };
        let by_record = || {
            let record = self.failures.find(&entry.item.id)?;
            Some(Outcome::Dropped { error: record.error.clone() })
        };
        let by_us = || match &entry.stage {
            Stage::Settling(settlement) if entry.flags.in_doubt => Some(settlement.outcome.clone()),
            _ => None,
        };
        // Others can end a leader's item by removal alone.
        let unknown = if self.is_leading() { Outcome::Removed } else { Outcome::Gone };
        let outcome = outcome.or_else(by_record).or_else(by_us).unwrap_or(unknown);
        self.finish(seq, outcome, fx);
    }

    // How far knowledge reaches.

    /// Storage allocated `seq`: known up to there, or a gap to load (R3).
    pub(super) fn advance_through(&mut self, seq: Seq) {
        let Some(known) = &mut self.known else { return };
        if seq.0 == known.through.0.saturating_add(1) {
            known.through = seq;
        } else if seq > known.through {
            sometimes!(GapLoaded);
            self.journal.want.since = true;
        }
    }

    /// Our transaction made the change counter `change`: others wrote meanwhile if it leapt (R28).
    pub(super) fn note_own_change(&mut self, change: u64) {
        let Some(known) = &mut self.known else { return };
        if change == known.change.saturating_add(1) {
            known.change = change;
        } else if change > known.change {
            self.journal.want.since = true;
        } else {
            self.journal.want.full = true; // another store answers under the same name
        }
    }

    pub(super) fn poked(&mut self, poke: Poke, fx: &mut Effects) {
        self.presence.heard(self.now);
        let Some(known) = self.known else {
            self.journal.want.since |= self.journal.is_reading(); // the first load may be older than this
            return;
        };
        let Poke::Committed { store, from, to, settled, changed, more } = poke else {
            self.journal.want.since = true;
            return;
        };
        if store != known.store {
            self.journal.want.since = true; // one of the two was made anew
            return;
        }
        if to <= known.change {
            sometimes!(PokeStale);
            return; // late or repeated
        }
        let loading = self.journal.is_reading() || self.journal.want.is_broad();
        if (from != known.change && !mutant!(PokeFromAnywhere)) || more || loading {
            sometimes!(PokeGap, from > known.change);
            self.journal.want.since = true;
            return;
        }
        sometimes!(PokeApplied);
        self.known = Some(Known { change: to, ..known });
        for (seq, _, outcome) in settled {
            self.lost(seq, Some(outcome), fx);
        }
        self.journal.want.items.extend(changed);
    }

    fn arm_check(&mut self) {
        if self.config.shared && self.check_at.is_none() {
            self.check_at = Some(self.now.plus_ms(self.check_interval_ms()));
        }
    }

    pub(super) fn check_interval_ms(&self) -> u64 {
        if self.is_leading() { LEADER_CHECK_MS } else { FOLLOWER_CHECK_MS }
    }

    /// A lost poke costs no more than this interval (R28).
    pub(super) fn check_counter(&mut self, fx: &mut Effects) {
        self.check_at = Some(self.now.plus_ms(self.check_interval_ms()));
        self.journal.want.since = true;
        self.ask_about_parked(fx);
    }
}
