//! Backoff with jitter, and every other drawn wait: pure functions of a seed (R10, R13).

use crate::{draw::draw64, item::Seq, mutants::mutant, storage::StoreId};

/// The longest backoff (R10).
pub(crate) const CAP_MS: u64 = 60_000;
/// The longest wait that `Retry-After` can ask for (R11): one day.
pub(crate) const RETRY_AFTER_CAP_MS: u64 = 24 * 60 * 60 * 1000;

/// What a draw is for, so that two draws about one attempt are independent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Draw {
    /// The backoff after an attempt.
    Backoff,
    /// Where in the second after a trigger an item is tried again.
    Spread,
    /// How long a silent leader is waited for.
    Patience,
}

/// The backoff window after the n-th attempt, n from 1: 1, 2, 4, 8, 16, 32, 60, 60 … seconds (R10).
pub(crate) fn window_ms(attempt: u32) -> u64 {
    let doublings = attempt.saturating_sub(1).min(6);
    (1000u64 << doublings).min(CAP_MS)
}

/// The delay after the n-th attempt: uniform in [window/2, window], or the window without jitter (R10).
pub(crate) fn delay_ms(seed: StoreId, seq: Seq, attempt: u32, jitter: bool) -> u64 {
    let window = window_ms(attempt);
    mutant!(JitterAboveCap => {
        return window + uniform(seed, seq, attempt, Draw::Backoff, window / 2);
    });
    if jitter { window - uniform(seed, seq, attempt, Draw::Backoff, window / 2) } else { window }
}

/// Uniform in [0, `max`].
///
/// Drawn from 64 random bits by remainder: for the small ranges used here the bias is under 2⁻⁴⁰.
pub(crate) fn uniform(seed: StoreId, seq: Seq, attempt: u32, draw: Draw, max: u64) -> u64 {
    let mut key = [0u8; 32];
    key[..16].copy_from_slice(&seed.0.to_le_bytes());
    key[16..24].copy_from_slice(&seq.0.to_le_bytes());
    key[24..28].copy_from_slice(&attempt.to_le_bytes());
    key[28] = match draw {
        Draw::Backoff => 0,
        Draw::Spread => 1,
        Draw::Patience => 2,
    };
    draw64(&key) % (max + 1)
}
