//! Random ids: of items, and of replicas.

use wasm_bindgen::prelude::*;

use crate::clock::Clock;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_with_random(bytes: &mut [u8]);
}

/// A UUID of version 7: ordered by time, so that stores keep neighbours together.
pub(crate) fn uuid(clock: &Clock) -> String {
    let mut bytes = random();
    bytes[..6].copy_from_slice(&clock.now().as_millis().to_be_bytes()[2..]);
    bytes[6] = 0x70 | bytes[6] & 0x0f;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// 128 random bits.
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    fill_with_random(&mut bytes);
    bytes
}
