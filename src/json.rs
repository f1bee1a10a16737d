//! `Json`: validated JSON text, cheap to clone, kept byte for byte.

use alloc::{boxed::Box, string::ToString, sync::Arc};
use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::error::InputError;

/// Validated JSON text: mutator args, metadata and results.
///
/// The text is kept as it came, so numbers and the order of fields survive; a clone is O(1). Text that
/// is not JSON, nests deeper than 127 levels, holds a lone surrogate or a number that no reader can
/// hold (`1e999`) is refused (R32).
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// Validates `text` and keeps it.
    ///
    /// # Errors
    /// [`InputError::NotJson`] with serde's description and position.
    pub fn from_text(text: &str) -> Result<Self, InputError> {
        serde_json::from_str::<Valid>(text).map_err(InputError::not_json)?;
        let raw: Box<RawValue> = serde_json::from_str(text).map_err(InputError::not_json)?;
        Ok(Self(Arc::from(raw)))
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
    pub(crate) fn trusted(raw: Box<RawValue>) -> Self {
        Self(Arc::from(raw))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
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
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        serde_json::from_str::<Valid>(raw.get()).map_err(|e| D::Error::custom(e.to_string()))?;
        Ok(Self(Arc::from(raw)))
    }
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
