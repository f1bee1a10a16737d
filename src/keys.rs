//! Keys: which lanes an item is in, and how a key is derived from args (R7).

use alloc::{borrow::Cow, string::ToString, sync::Arc, vec::Vec};
use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Unexpected, Visitor},
};

use crate::{
    error::InputError,
    json::{Json, Reader},
};

/// The most keys an item may have (R32).
pub const MAX_KEYS: usize = 64;
/// The longest key in bytes (R32).
pub const MAX_KEY_BYTES: usize = 1024;

/// An item's scheduling keys: real keys, or the lane `unknown`.
///
/// Serialised as an array of strings, or the bare string `"unknown"`; so a key that is spelled
/// "unknown" does not collide with the lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Names);

/// One text is not worth a list of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Names {
    Unknown,
    One(Arc<str>),
    /// Two or more.
    Many(Arc<[Arc<str>]>),
}

impl Key {
    /// The serial lane of items without a key.
    pub const UNKNOWN: Self = Self(Names::Unknown);

    /// One key.
    ///
    /// # Errors
    /// [`InputError::TooLong`] above 1,024 bytes.
    pub fn one(key: impl Into<Arc<str>>) -> Result<Self, InputError> {
        let key = key.into();
        InputError::check_len("key", key.len(), MAX_KEY_BYTES, "bytes")?;
        Ok(Self(Names::One(key)))
    }

    /// Several keys, in order, duplicates counted once; none → `unknown`.
    ///
    /// # Errors
    /// [`InputError::TooLong`] above 64 keys or 1,024 bytes in one.
    pub fn new<K: Into<Arc<str>>>(keys: impl IntoIterator<Item = K>) -> Result<Self, InputError> {
        let mut unique: Vec<Arc<str>> = Vec::new();
        for key in keys {
            let key = key.into();
            InputError::check_len("key", key.len(), MAX_KEY_BYTES, "bytes")?;
            if !unique.contains(&key) {
                unique.push(key);
            }
            InputError::check_len("key", unique.len(), MAX_KEYS, "keys")?;
        }
        Ok(Self(match unique.len() {
            0 => Names::Unknown,
            1 => Names::One(unique.swap_remove(0)),
            _ => Names::Many(unique.into()),
        }))
    }

    /// From a JSON value as a call or a key extractor gives it: a string, an integer within ±(2^53−1),
    /// or an array of these; anything else counts as no key.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn from_json(value: &Json) -> Result<Option<Self>, InputError> {
        keys_of(Reader::at_start(value.as_str()))
    }

    /// Derives the key from `args.id`, else `args.ids`, else `unknown` (R7).
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn derive(args: &Json) -> Result<Self, InputError> {
        // The last of a repeated field counts, as in `JSON.parse`.
        let (mut id, mut ids) = (None, None);
        for (name, value) in Reader::at_start(args.as_str()).entries().unwrap_or_default() {
            match &*name {
                "id" => id = Some(value),
                "ids" => ids = Some(value),
                _ => {}
            }
        }
        for candidate in [id, ids].into_iter().flatten() {
            if let Some(key) = keys_of(candidate)? {
                return Ok(key);
            }
        }
        Ok(Self::UNKNOWN)
    }

    /// The real keys; empty for `unknown`.
    #[must_use]
    pub fn keys(&self) -> &[Arc<str>] {
        match &self.0 {
            Names::Unknown => &[],
            Names::One(key) => core::slice::from_ref(key),
            Names::Many(keys) => keys,
        }
    }

    /// Holds its one key by `text`, which says the same, so that a lane's items share it.
    pub(crate) fn share(&mut self, text: &Arc<str>) {
        if let Names::One(key) = &mut self.0 {
            key.clone_from(text);
        }
    }

    /// Whether this is the lane of items without a key.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self.0, Names::Unknown)
    }

    /// Whether the two name a lane in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let both_unknown = self.is_unknown() && other.is_unknown();
        both_unknown || self.keys().iter().any(|key| other.keys().contains(key))
    }

    /// The union of two keys, as a squash makes it (R17): real keys beat `unknown`.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn union(&self, other: &Self) -> Result<Self, InputError> {
        Self::new(self.keys().iter().chain(other.keys()).cloned())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unknown() { f.write_str("unknown") } else { f.write_str(&self.keys().join("+")) }
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_unknown() {
            serializer.serialize_str("unknown")
        } else {
            self.keys().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of strings or \"unknown\"")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Key, E> {
                if word == "unknown" {
                    Ok(Key::UNKNOWN)
                } else {
                    Err(E::invalid_value(Unexpected::Str(word), &self))
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Key, A::Error> {
                #[derive(Deserialize)]
                struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

                let mut next = || seq.next_element::<Text<'de>>().map(|key| key.map(|Text(key)| key));
                let (first, second) = (next()?, next()?);
                let key = match (first, second) {
                    (Some(key), None) => Key::one(key),
                    (first, second) => {
                        let mut keys: Vec<_> = first.into_iter().chain(second).collect();
                        while let Some(key) = next()? {
                            keys.push(key);
                        }
                        Key::new(keys)
                    }
                };
                key.map_err(serde::de::Error::custom)
            }
        }
        deserializer.deserialize_any(KeyVisitor)
    }
}

/// The key in a JSON value: a scalar, or an array of scalars of which those that are no key are left out.
fn keys_of(value: Reader<'_>) -> Result<Option<Key>, InputError> {
    if let Some(key) = scalar(value) {
        return Key::one(key).map(Some);
    }
    let Ok(list) = value.items() else { return Ok(None) };
    let key = Key::new(list.into_iter().filter_map(scalar))?;
    Ok(if key.is_unknown() { None } else { Some(key) })
}

/// A string as it is; an integer within ±(2^53−1) as its decimal text, so `1`, `1.0` and `"1"` are one key.
fn scalar(value: Reader<'_>) -> Option<Cow<'_, str>> {
    let mut end = value;
    let text = end.value().ok()?;
    if text.starts_with('"') {
        value.string().ok()
    } else {
        whole(text).map(|number| Cow::Owned(number.to_string()))
    }
}

/// The integer that a JSON number is, if it is one.
fn whole(number: &str) -> Option<i64> {
    const MAX_SAFE: i64 = (1 << 53) - 1;
    let (sign, digits) = number.strip_prefix('-').map_or((1, number), |digits| (-1, digits));
    let (digits, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    // Zeros at the end are counted, not multiplied: they may be undone by the exponent.
    let (mut integer, mut zeros) = (0_i64, 0_u32);
    for digit in before.bytes().chain(after.bytes()) {
        match digit {
            b'0' => zeros += u32::from(integer > 0),
            b'1'..=b'9' => {
                let shifted = integer.checked_mul(10_i64.checked_pow(zeros + 1)?)?;
                integer = shifted.checked_add(i64::from(digit - b'0'))?;
                zeros = 0;
            }
            _ => return None, // not a number at all
        }
    }
    if integer == 0 {
        return Some(0);
    }
    let exponent = exponent.parse::<i64>().ok()?.checked_add(i64::from(zeros))?;
    let shift = u32::try_from(exponent.checked_sub(after.len() as i64)?).ok()?;
    let integer = integer.checked_mul(10_i64.checked_pow(shift)?)?;
    (integer <= MAX_SAFE).then_some(sign * integer)
}
