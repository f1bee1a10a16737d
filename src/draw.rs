//! `draw64`: 64 bits as a pure function of a seed, with no state between draws (R10).

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// The first 64 bits of the ChaCha8 key stream of `seed`, block and nonce 0: the same on every target.
pub(crate) fn draw64(seed: &[u8; 32]) -> u64 {
    ChaCha8Rng::from_seed(*seed).next_u64()
}

#[cfg(test)]
mod tests {
    use super::draw64;

    #[test]
    fn a_zero_key_gives_the_published_stream() {
        // ChaCha8, 256-bit key, of draft-strombergson-chacha-test-vectors-01: TC1.
        let published = [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6];
        assert_eq!(draw64(&[0; 32]).to_le_bytes(), published);
    }
}
