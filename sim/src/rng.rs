//! Counter streams: every draw is a pure function of (seed, entity, operation, n).
//!
//! No draw depends on how many others were made, so that deleting one step of a scenario disturbs no
//! other step: what makes shrinking converge.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// What a draw is for. A new one goes at the end: the numbers are part of what a seed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Draw {
    /// How long a storage request waits before it runs.
    StorageRun = 1,
    /// How long its answer takes.
    StorageAnswer,
    /// A request's way to the server.
    Request,
    /// A reply's way back.
    Reply,
    /// A message's way to another tab.
    Message,
    /// How long a lock takes to be granted.
    Lock,
    /// How long the hook takes.
    Hook,
    /// What the hook decides.
    Verdict,
    /// How late a timer fires.
    Timer,
    /// What a swarm scenario is made of.
    Swarm,
    /// The store's id.
    Store,
    /// The seed of an election.
    Election,
    /// When a client of a herd enqueues.
    Herd,
}

/// The streams of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams(u64);

impl Streams {
    /// The streams of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The `n`-th draw of `entity` for `draw`.
    #[must_use]
    pub fn draw(self, entity: u64, draw: Draw, n: u64) -> u64 {
        self.rng(entity, draw, n).next_u64()
    }

    /// The same, uniform in `[min, max]`.
    ///
    /// By remainder: the bias is under 2⁻³⁰ for ranges below 2³⁴.
    #[must_use]
    pub fn within(self, (min, max): (u64, u64), entity: u64, draw: Draw, n: u64) -> u64 {
        if min >= max { min } else { min + self.draw(entity, draw, n) % (max - min + 1) }
    }

    /// A generator of its own, for who draws many.
    #[must_use]
    pub fn rng(self, entity: u64, draw: Draw, n: u64) -> ChaCha8Rng {
        let mut key = [0u8; 32];
        for (at, word) in [self.0, entity, draw as u64, n].into_iter().enumerate() {
            key[at * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_nothing_but_its_name() {
        let streams = Streams::new(7);
        assert_eq!(streams.draw(1, Draw::Reply, 2), Streams::new(7).draw(1, Draw::Reply, 2));
        let others = [
            streams.draw(2, Draw::Reply, 2),
            streams.draw(1, Draw::Request, 2),
            Streams::new(8).draw(1, Draw::Reply, 2),
        ];
        assert!(!others.contains(&streams.draw(1, Draw::Reply, 2)));
    }

    #[test]
    fn a_range_is_inclusive_and_an_empty_one_is_its_start() {
        let streams = Streams::new(7);
        let mut seen = [false; 3];
        for n in 0..100 {
            seen[streams.within((4, 6), 1, Draw::Lock, n) as usize - 4] = true;
        }
        assert_eq!(seen, [true; 3]);
        assert_eq!(streams.within((4, 4), 1, Draw::Lock, 0), 4);
    }
}
