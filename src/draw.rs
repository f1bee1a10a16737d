//! `draw64`: 64 bits as a pure function of a seed, with no state between draws (R10).
//!
//! They are the first of the ChaCha8 key stream of that seed. A generator would compute a buffer of four
//! blocks for them, and every claim draws once.

/// "expand 32-byte k", as every ChaCha has it.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The first 64 bits of the ChaCha8 key stream of `seed`, block and nonce 0.
pub(crate) fn draw64(seed: &[u8; 32]) -> u64 {
    let mut state = [0; 16];
    state[..4].copy_from_slice(&CONSTANTS);
    for (word, bytes) in state[4..12].iter_mut().zip(seed.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    for _ in 0..4 {
        quarter_round(&mut state, 0, 4, 8, 12); // down the columns …
        quarter_round(&mut state, 1, 5, 9, 13);
        quarter_round(&mut state, 2, 6, 10, 14);
        quarter_round(&mut state, 3, 7, 11, 15);
        quarter_round(&mut state, 0, 5, 10, 15); // … and down the diagonals
        quarter_round(&mut state, 1, 6, 11, 12);
        quarter_round(&mut state, 2, 7, 8, 13);
        quarter_round(&mut state, 3, 4, 9, 14);
    }
    let word = |at: usize| u64::from(state[at].wrapping_add(CONSTANTS[at]));
    word(0) | word(1) << 32
}

fn quarter_round(state: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    let mut step = |to: usize, by: usize, mixed: usize, bits: u32| {
        state[to] = state[to].wrapping_add(state[by]);
        state[mixed] = (state[mixed] ^ state[to]).rotate_left(bits);
    };
    step(a, b, d, 16);
    step(c, d, b, 12);
    step(a, b, d, 8);
    step(c, d, b, 7);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };

    use super::draw64;

    #[test]
    fn a_zero_key_gives_the_published_stream() {
        // ChaCha8, 256-bit key, of draft-strombergson-chacha-test-vectors-01: TC1.
        let published = [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6];
        assert_eq!(draw64(&[0; 32]).to_le_bytes(), published);
    }

    proptest! {
        #[test]
        fn it_is_what_the_generator_gives_first(seed: [u8; 32]) {
            prop_assert_eq!(draw64(&seed), ChaCha8Rng::from_seed(seed).next_u64());
        }
    }
}
