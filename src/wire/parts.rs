//! What the types are made of: numbers, texts, lists, and what may be missing.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

use super::{FromJson, Malformed, Reader, Text, ToJson};
use crate::{
    input::{AskId, CallId},
    item::{Epoch, ItemId, Seq},
    json::{Fields, Json},
    keys::Key,
    storage::{OpId, StoreId},
    time::Timestamp,
};

/// Integers.
macro_rules! integers {
    ($($type:ty),*) => {$(
        impl ToJson for $type {
            fn to_json(&self, text: &mut Text) {
                text.number(*self as u64);
            }
        }

        impl FromJson for $type {
            fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
                from.number()?.try_into().or_else(|_| from.fail(&"the number is too large"))
            }
        }
    )*};
}
integers!(u8, u32, u64, usize);

/// Numbers that mean something.
macro_rules! numbers {
    ($($type:ident),*) => {$(
        impl ToJson for $type {
            fn to_json(&self, text: &mut Text) {
                text.number(self.0);
            }
        }

        impl FromJson for $type {
            fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
                from.number().map(Self)
            }
        }
    )*};
}
numbers!(AskId, CallId, Epoch, OpId, Seq);

impl ToJson for Timestamp {
    fn to_json(&self, text: &mut Text) {
        text.number(self.as_millis());
    }
}

impl FromJson for Timestamp {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        from.number().map(Self::from_millis)
    }
}

impl ToJson for bool {
    fn to_json(&self, text: &mut Text) {
        text.raw(if *self { "true" } else { "false" });
    }
}

impl FromJson for bool {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        from.bool()
    }
}

impl ToJson for str {
    fn to_json(&self, text: &mut Text) {
        text.string(self);
    }
}

impl ToJson for String {
    fn to_json(&self, text: &mut Text) {
        text.string(self);
    }
}

impl FromJson for String {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        from.string().map(Into::into)
    }
}

impl FromJson for Arc<str> {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        from.string().map(Into::into)
    }
}

impl ToJson for StoreId {
    fn to_json(&self, text: &mut Text) {
        text.string(&String::from(*self));
    }
}

impl FromJson for StoreId {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        Self::try_from(String::from_json(from)?).or_else(|_| from.fail(&"expected 32 hex digits"))
    }
}

impl ToJson for ItemId {
    fn to_json(&self, text: &mut Text) {
        text.string(self.as_str());
    }
}

impl FromJson for ItemId {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        Self::new(from.string()?).or_else(|error| from.fail(&error))
    }
}

impl ToJson for Key {
    fn to_json(&self, text: &mut Text) {
        if self.is_unknown() { text.string("unknown") } else { self.keys().to_json(text) }
    }
}

impl FromJson for Key {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        if from.string().is_ok_and(|word| word == "unknown") {
            return Ok(Self::UNKNOWN);
        }
        Self::new(Vec::<Arc<str>>::from_json(from)?).or_else(|error| from.fail(&error))
    }
}

impl ToJson for Json {
    fn to_json(&self, text: &mut Text) {
        text.raw(self.as_str());
    }
}

impl FromJson for Json {
    fn from_json(mut from: Reader<'_>) -> Result<Self, Malformed> {
        let text = from.value()?;
        Self::from_text(text).or_else(|error| from.fail(&error))
    }
}

impl<T: ToJson + ?Sized> ToJson for Arc<T> {
    fn to_json(&self, text: &mut Text) {
        (**self).to_json(text);
    }
}

impl<T: ToJson> ToJson for Box<T> {
    fn to_json(&self, text: &mut Text) {
        (**self).to_json(text);
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        T::from_json(from).map(Self::new)
    }
}

/// None is null.
impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self, text: &mut Text) {
        match self {
            Some(value) => value.to_json(text),
            None => text.raw("null"),
        }
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        if from.is_null() { Ok(None) } else { T::from_json(from).map(Some) }
    }
}

impl<T: ToJson, E: ToJson> ToJson for Result<T, E> {
    fn to_json(&self, text: &mut Text) {
        match self {
            Ok(value) => value.to_json(text.open().name("Ok")),
            Err(error) => error.to_json(text.open().name("Err")),
        }
        text.close();
    }
}

impl<T: ToJson> ToJson for [T] {
    fn to_json(&self, text: &mut Text) {
        text.raw("[");
        for item in self {
            item.to_json(text.item());
        }
        text.raw("]");
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self, text: &mut Text) {
        self.as_slice().to_json(text);
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        from.items()?.into_iter().map(T::from_json).collect()
    }
}

impl<A: ToJson, B: ToJson> ToJson for (A, B) {
    fn to_json(&self, text: &mut Text) {
        text.raw("[");
        self.0.to_json(text.item());
        self.1.to_json(text.item());
        text.raw("]");
    }
}

impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        match from.items()?[..] {
            [a, b] => Ok((A::from_json(a)?, B::from_json(b)?)),
            _ => from.fail(&"expected a pair"),
        }
    }
}

impl<A: ToJson, B: ToJson, C: ToJson> ToJson for (A, B, C) {
    fn to_json(&self, text: &mut Text) {
        text.raw("[");
        self.0.to_json(text.item());
        self.1.to_json(text.item());
        self.2.to_json(text.item());
        text.raw("]");
    }
}

impl<A: FromJson, B: FromJson, C: FromJson> FromJson for (A, B, C) {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        match from.items()?[..] {
            [a, b, c] => Ok((A::from_json(a)?, B::from_json(b)?, C::from_json(c)?)),
            _ => from.fail(&"expected three values"),
        }
    }
}

impl Fields<'_> {
    /// Reads the n-th, which must be there.
    ///
    /// # Errors
    /// If it is not, or is not a `T`.
    pub fn read<T: FromJson>(&self, n: usize) -> Result<T, Malformed> {
        T::from_json(self.need(n)?)
    }

    pub(crate) fn read_or<T: FromJson>(&self, n: usize, default: T) -> Result<T, Malformed> {
        self.find(n).map_or(Ok(default), T::from_json)
    }

    /// Reads the n-th if it is there.
    ///
    /// # Errors
    /// If it is no `T`.
    pub fn read_or_default<T: FromJson + Default>(&self, n: usize) -> Result<T, Malformed> {
        self.read_or(n, T::default())
    }
}
