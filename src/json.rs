//! `Json`: validated JSON text, cheap to clone, kept byte for byte.

use alloc::{boxed::Box, string::ToString, sync::Arc};
use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor},
    ser::Error as _,
};
use serde_json::value::RawValue;

use crate::error::InputError;

/// Validated JSON text: mutator args, metadata and results.
///
/// The text is kept as it came, so numbers and the order of fields survive; a clone is O(1). Text that
/// is not JSON, nests deeper than 127 levels, holds a lone surrogate or a number that no reader can
/// hold (`1e999`) is refused (R32).
#[derive(Clone)]
pub struct Json(Arc<str>);

impl Json {
    /// Validates `text` and keeps it.
    ///
    /// # Errors
    /// [`InputError::NotJson`] with serde's description and position.
    pub fn from_text(text: &str) -> Result<Self, InputError> {
        serde_json::from_str::<Valid>(text).map_err(InputError::not_json)?;
        Ok(Self(Arc::from(text.trim_matches([' ', '\n', '\t', '\r']))))
    }

    /// Serialises `value` and keeps its JSON text.
    ///
    /// # Errors
    /// [`InputError::NotJson`] if `value` is not representable in JSON (for example a map whose keys
    /// are not strings) or nests too deeply.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, InputError> {
        let text = serde_json::to_string(value).map_err(InputError::not_json)?;
        Self::from_text(&text)
    }

    /// The JSON value `null`.
    ///
    /// # Panics
    /// Never: `null` is JSON.
    #[must_use]
    pub fn null() -> Self {
        Self::from_text("null").expect("`null` is JSON")
    }

    /// Text that this library validated when it wrote it.
    pub(crate) fn trusted(raw: &RawValue) -> Self {
        Self(Arc::from(raw.get()))
    }

    /// The fields of an object: names and values as they are written. None if it is no object.
    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields { rest: self.0.strip_prefix('{').unwrap_or_default() }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the text as a `T`.
    ///
    /// # Errors
    /// serde's error when the text has another shape than `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl core::hash::Hash for Json {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        serde_json::from_str::<Valid>(raw.get()).map_err(|e| D::Error::custom(e.to_string()))?;
        Ok(Self::trusted(&raw))
    }
}

/// Walks over valid text; parses nothing.
pub(crate) struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.value()?;
        Some((name, self.value()?))
    }
}

impl<'a> Fields<'a> {
    fn value(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches([',', ':', ' ', '\n', '\t', '\r']);
        let (value, rest) = rest.split_at(value_len(rest));
        self.rest = rest;
        (!value.is_empty()).then_some(value)
    }
}

/// How long the value is that `text` begins with.
fn value_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at += string_len(&bytes[at..]) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b'}' | b']' | b',' | b':' | b' ' | b'\n' | b'\t' | b'\r' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// How long the string is that `bytes` begin with, quotes and all.
fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(skip) = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        at += skip;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2; // a backslash, and what it escapes
    }
    bytes.len()
}

/// Visits everything, so that serde_json checks strings, numbers and depth, and keeps nothing.
struct Valid;

impl<'de> Deserialize<'de> for Valid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValidVisitor)
    }
}

struct ValidVisitor;

impl<'de> Visitor<'de> for ValidVisitor {
    type Value = Valid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Valid, E> {
        Ok(Valid)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Valid, E> {
        Ok(Valid)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Valid, E> {
        Ok(Valid)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Valid, E> {
        Ok(Valid)
    }

    fn visit_str<E>(self, _: &str) -> Result<Valid, E> {
        Ok(Valid)
    }

    fn visit_unit<E>(self) -> Result<Valid, E> {
        Ok(Valid)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Valid, A::Error> {
        while seq.next_element::<Valid>()?.is_some() {}
        Ok(Valid)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Valid, A::Error> {
        // Keys are strings: `Valid` on them makes serde_json decode (and so check) their escapes.
        while map.next_key::<Valid>()?.is_some() {
            map.next_value::<Valid>()?;
        }
        Ok(Valid)
    }
}
