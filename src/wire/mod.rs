//! The core's types as JSON text, without serde: for where every byte of code is downloaded.
//!
//! The text is the same as that of the types' serde derives, and each reads what the other wrote (but serde
//! takes a list for a struct, too). The derives are made for any format, and so for each type anew; here the
//! grammar is read and written by one piece of code ([`Reader`], [`Text`]), and a type says no more than what
//! its parts are called. That takes a quarter off what a page downloads.
//!
//! ```
//! use outbox::{Key, wire};
//!
//! let key = Key::new(["a", "b"])?;
//! assert_eq!(wire::to_json(&key), r#"["a","b"]"#);
//! assert_eq!(wire::from_json::<Key>(r#" ["a", "b"] "#), Ok(key));
//! # Ok::<(), outbox::InputError>(())
//! ```

use alloc::string::String;

pub use crate::json::{Fields, Malformed, Reader, Text};

mod from_json;
mod parts;
mod to_json;

/// A type that is written as JSON.
pub trait ToJson {
    /// Appends it.
    fn to_json(&self, text: &mut Text);
}

/// A type that is read from JSON.
pub trait FromJson: Sized {
    /// Reads the value at this place.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed>;
}

/// The JSON text of a value.
#[must_use]
pub fn to_json<T: ToJson + ?Sized>(value: &T) -> String {
    let mut text = Text::default();
    value.to_json(&mut text);
    text.into_string()
}

/// Reads JSON text.
///
/// # Errors
/// What is wrong with it, and where.
pub fn from_json<T: FromJson>(text: &str) -> Result<T, Malformed> {
    T::from_json(Reader::at_value(text)?)
}
