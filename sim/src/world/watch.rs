//! `Watch`: shows every moment to the oracles, the hash and whoever wants a trace.

use std::hash::{Hash, Hasher};

use super::World;
use crate::{
    moment::Moment,
    oracle::{Facts, Oracle},
};

/// Who else sees every moment: a trace, say.
pub type Sink<'a> = &'a mut dyn FnMut(&World, &Moment<'_>);

/// What a run is watched with.
pub(super) struct Watch<'a> {
    pub(super) oracles: Vec<Box<dyn Oracle>>,
    pub(super) facts: Facts,
    pub(super) sink: Option<Sink<'a>>,
    pub(super) hash: RunHash,
    pub(super) moments: u64,
    /// The first find ends the run.
    pub(super) found: Option<Found>,
}

/// What an oracle found.
pub(super) struct Found {
    /// Which of the oracles.
    pub(super) oracle: usize,
    /// At which moment: the input that is being handled goes on after it.
    pub(super) moment: u64,
    pub(super) what: String,
}

impl Watch<'_> {
    pub(super) fn see(&mut self, world: &World, moment: &Moment<'_>) {
        self.moments += 1;
        (world.now_ms, moment).hash(&mut self.hash);
        if let Some(sink) = &mut self.sink {
            sink(world, moment);
        }
        if self.found.is_some() {
            return;
        }
        self.facts.note(world, moment);
        for (at, oracle) in self.oracles.iter_mut().enumerate() {
            if let Err(what) = oracle.see(world, &self.facts, moment) {
                self.found = Some(Found { oracle: at, moment: self.moments, what });
                return;
            }
        }
    }
}

/// A hash that is the same on every target: lengths and discriminants count as 64 bits.
///
/// It tells runs apart, it does not resist attack.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunHash(u64);

impl RunHash {
    fn word(&mut self, word: u64) {
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for RunHash {
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.word(u64::from_le_bytes(word.try_into().expect("chunks have eight bytes")));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.word(n.into());
    }

    fn write_u32(&mut self, n: u32) {
        self.word(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.word(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.word(n as i64 as u64);
    }
}
