//! Reads a record in exactly the form that [`encode`](super::encode) gives most items: every field in its
//! place, no space between, no escape, nothing after `claimed`.
//!
//! A restart reads every record, and nearly all are of that form; a [`Reader`] reads any other, several times
//! slower. What is read here, it reads alike.

use alloc::{borrow::Cow, vec::Vec};

use super::{HEAD, V1};
use crate::{item::ItemId, json::Reader, keys::Key, time::Timestamp};

/// The record, if it is of that form.
pub(super) fn read(text: &str) -> Option<V1<'_>> {
    let mut rest = Rest(text);
    rest.skip(HEAD)?;
    let id = ItemId::new(rest.text()?).ok()?;
    rest.skip(",\"key\":")?;
    let key = rest.key()?;
    let barrier = rest.skip(",\"barrier\":true").is_some();
    rest.skip(",\"mutatorName\":\"")?;
    let mutator_name = Cow::Borrowed(rest.text()?);
    rest.skip(",\"args\":")?;
    let args = rest.json()?;
    let idempotency_key = match rest.skip(",\"idempotencyKey\":\"") {
        Some(()) => Some(rest.text()?.into()),
        None => None,
    };
    rest.skip(",\"createdAt\":")?;
    let created_at = Timestamp::from_millis(rest.number()?);
    rest.skip(",\"retryCount\":")?;
    let retry_count = rest.number()?;
    rest.skip(",\"nextAttemptAt\":")?;
    let next_attempt_at = Timestamp::from_millis(rest.number()?);
    let claimed = rest.skip(",\"claimed\":true").is_some();
    (rest.0 == "}").then_some(V1 {
        id,
        key,
        barrier,
        mutator_name,
        args,
        idempotency_key,
        created_at,
        retry_count: u32::try_from(retry_count).ok()?,
        next_attempt_at,
        claimed,
        rewrites: 0,
        retry_after: None,
        last_class: None,
        last_error: None,
        metadata: None,
    })
}

/// Numbers of as many digits may be above `u64::MAX`.
const MAX_DIGITS: usize = 20;

/// What is still to be read. Each method takes what it names from the front, or says that it is not there.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    fn take(&mut self, len: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// A string without escapes, after its opening quote.
    fn text(&mut self) -> Option<&'a str> {
        let len = self.0.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
        let text = self.take(len)?;
        self.skip("\"")?;
        Some(text)
    }

    /// A whole number as JSON has it: no sign, no leading zero.
    fn number(&mut self) -> Option<u64> {
        let len = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.take(len)?.as_bytes();
        let plain = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.len() < MAX_DIGITS;
        plain.then(|| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    fn key(&mut self) -> Option<Key> {
        if self.skip("\"unknown\"").is_some() {
            return Some(Key::UNKNOWN);
        }
        self.skip("[\"")?;
        let first = self.text()?;
        if self.skip("]").is_some() {
            return Key::one(first).ok();
        }
        let mut keys = Vec::from([first]);
        while self.skip(",\"").is_some() {
            keys.push(self.text()?);
        }
        self.skip("]")?;
        Key::new(keys).ok()
    }

    /// Any JSON.
    fn json(&mut self) -> Option<&'a str> {
        if let Some(b' ' | b'\n' | b'\t' | b'\r') = self.0.bytes().next() {
            return None; // not as it is written here
        }
        let value = Reader::at_start(self.0).value().ok()?;
        self.take(value.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{
        format,
        string::{String, ToString},
    };

    use proptest::prelude::*;

    use super::{
        super::{Stored, VERSION, encode},
        *,
    };
    use crate::{
        item::{Class, Item, Seq},
        json::Json,
    };

    /// What a reader makes of it, as an item; `None` if it cannot be read.
    fn by_name(text: &str) -> Option<Item> {
        let stored = Stored::read(text).ok().filter(|stored| stored.head.version == VERSION)?;
        Some(stored.v1().ok()?.into_item(Seq(7), &mut |name| name.into()))
    }

    fn by_place(text: &str) -> Option<Item> {
        read(text).map(|v1| v1.into_item(Seq(7), &mut |name| name.into()))
    }

    fn keys() -> impl Strategy<Value = Key> {
        prop::collection::vec(".{0,8}", 0..4).prop_map(|keys| Key::new(keys).unwrap())
    }

    fn args() -> impl Strategy<Value = Json> {
        let string = ".{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap());
        let number = any::<i64>().prop_map(|number| number.to_string());
        let list =
            prop::collection::vec(string.clone(), 0..3).prop_map(|list| format!("[{}]", list.join(" , ")));
        let object =
            (string.clone(), number.clone()).prop_map(|(name, value)| format!("{{{name}: {value}}}"));
        prop_oneof![string, number, list, object].prop_map(|text: String| Json::from_text(&text).unwrap())
    }

    fn items() -> impl Strategy<Value = Item> {
        let texts = (".{1,20}", ".{0,9}", prop::option::of(".{1,9}"));
        let numbers = (any::<u64>(), any::<u32>(), any::<u64>(), 0..2u32, prop::option::of(any::<u64>()));
        let flags = (any::<bool>(), any::<bool>(), any::<bool>());
        (texts, keys(), args(), numbers, flags).prop_map(|(texts, key, args, numbers, flags)| Item {
            id: ItemId::new(texts.0).unwrap(),
            seq: Some(Seq(7)),
            mutator_name: texts.1.into(),
            args: args.clone(),
            key,
            idempotency_key: texts.2.map(Into::into),
            created_at: Timestamp::from_millis(numbers.0),
            retry_count: numbers.1,
            next_attempt_at: Timestamp::from_millis(numbers.2),
            retry_after: numbers.4.map(Timestamp::from_millis),
            last_class: flags.2.then_some(Class::Server),
            last_error: None,
            metadata: None,
            claimed: flags.0,
            barrier: flags.1,
            rewrites: numbers.3,
            version: VERSION,
        })
    }

    #[test]
    fn what_is_written_of_a_new_item_is_of_the_plain_form() {
        let text = concat!(
            r#"{"version":1,"id":"a","key":["k","l"],"barrier":true,"mutatorName":"write","#,
            r#""args":{"of": [1]},"idempotencyKey":"a","createdAt":0,"#,
            r#""retryCount":1,"nextAttemptAt":1000,"claimed":true}"#,
        );
        let item = by_place(text).expect("it is plain");
        assert_eq!(*encode(&item), *text);
        for end in 0..text.len() {
            assert_eq!(by_place(&text[..end]), None, "a record that was cut off");
        }
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_a_reader_reads_it(item in items()) {
            let text = encode(&item);
            prop_assert_eq!(by_name(&text), Some(item.clone()));
            if let Some(read) = by_place(&text) {
                prop_assert_eq!(read, item);
            }
        }

        #[test]
        fn what_a_reader_refuses_is_refused(item in items(), at: prop::sample::Index, byte in 0..128u8) {
            let mut bytes = encode(&item).as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = core::str::from_utf8(&bytes)
                && let Some(read) = by_place(text)
            {
                prop_assert_eq!(Some(read), by_name(text));
            }
        }
    }
}
