//! `draw64`: 64 bits as a pure function of a seed, with no state between draws (R10).
//!
//! They are the first of the ChaCha8 key stream of that seed. A generator would compute a buffer of four
//! blocks for them, and every claim draws once.

type Row = [u32; 4];

/// "expand 32-byte k", as every ChaCha has it.
const CONSTANTS: Row = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The first 64 bits of the ChaCha8 key stream of `seed`, block and nonce 0.
pub(crate) fn draw64(seed: &[u8; 32]) -> u64 {
    let word = |at: usize| u32::from_le_bytes([seed[at], seed[at + 1], seed[at + 2], seed[at + 3]]);
    let key = |at: usize| [word(at), word(at + 4), word(at + 8), word(at + 12)];
    let mut rows = [CONSTANTS, key(0), key(16), [0; 4]];
    for _ in 0..4 {
        rows = quarter_rounds(rows); // down the columns …
        rows[1].rotate_left(1);
        rows[2].rotate_left(2);
        rows[3].rotate_left(3);
        rows = quarter_rounds(rows); // … and down the diagonals
        rows[1].rotate_right(1);
        rows[2].rotate_right(2);
        rows[3].rotate_right(3);
    }
    let out = add(rows[0], CONSTANTS);
    u64::from(out[0]) | u64::from(out[1]) << 32
}

/// One quarter round in each of the four columns.
fn quarter_rounds([a, b, c, d]: [Row; 4]) -> [Row; 4] {
    let a = add(a, b);
    let d = mix(d, a, 16);
    let c = add(c, d);
    let b = mix(b, c, 12);
    let a = add(a, b);
    let d = mix(d, a, 8);
    let c = add(c, d);
    let b = mix(b, c, 7);
    [a, b, c, d]
}

fn add(one: Row, other: Row) -> Row {
    core::array::from_fn(|at| one[at].wrapping_add(other[at]))
}

fn mix(one: Row, other: Row, bits: u32) -> Row {
    core::array::from_fn(|at| (one[at] ^ other[at]).rotate_left(bits))
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
