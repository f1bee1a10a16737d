//! `Json`: validated JSON text, cheap to clone, kept byte for byte.

use alloc::{boxed::Box, sync::Arc};
use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
    ser::Error as _,
};
use serde_json::value::RawValue;

use crate::error::InputError;

mod read;
mod write;

pub(crate) use read::Read;
pub use read::{Fields, Malformed, Reader};
pub use write::Text;
pub(crate) use write::push_string;

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
    /// [`InputError::NotJson`] with a description and the position.
    pub fn from_text(text: &str) -> Result<Self, InputError> {
        Reader::check(text).map_err(InputError::not_json)?;
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
    pub(crate) fn trusted(text: &str) -> Self {
        Self(Arc::from(text))
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
        Reader::check(raw.get()).map_err(D::Error::custom)?;
        Ok(Self::trusted(raw.get()))
    }
}

/// For `deserialize_with` of an optional field that is left out if there is none: a `null` that is there is
/// the value `null`, which serde takes for none.
pub(crate) fn that_is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}
