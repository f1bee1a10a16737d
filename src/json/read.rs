//! `Reader`: JSON text, read value by value. One piece of code reads each shape, whatever it means.
//!
//! What is read is looked at twice: once for the grammar, then for the meaning. That is slower than serde and
//! several times smaller, and nothing that is read often is read here (see [`record`](crate::record)).

use alloc::{
    borrow::Cow,
    boxed::Box,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;

/// How deep text may nest that an app gives (R32).
const MAX_DEPTH: usize = 127;
/// The first digits of the largest number that a reader can hold, and its exponent.
const LARGEST: (&[u8], i64) = (b"17976931348623157", 308);

/// Text that is not what it should be: what is wrong with it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(Box<Problem>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    said: String,
    line: usize,
    column: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { said, line, column } = &*self.0;
        write!(f, "{said} at line {line} column {column}")
    }
}

impl core::error::Error for Malformed {}

pub(crate) type Read<T> = Result<T, Malformed>;

/// A place in JSON text.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// How much is asked of text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// That it is JSON.
    Grammar,
    /// And that every reader can hold it: no lone surrogate, no endless number, no endless nesting (R32).
    Values,
}

impl<'a> Reader<'a> {
    /// At the one value that `text` holds.
    pub(crate) fn at_value(text: &'a str) -> Read<Self> {
        let start = Self { text, at: 0 };
        let mut end = start;
        end.value()?;
        end.end()?;
        Ok(start)
    }

    /// At what follows in longer text.
    pub(crate) fn at_start(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Checks text that an app gives: one value, which every reader can hold (R32).
    pub(crate) fn check(text: &'a str) -> Read<()> {
        let mut reader = Self { text, at: 0 };
        reader.pass(Asked::Values)?;
        reader.end()
    }

    /// An error at this place.
    ///
    /// # Errors
    /// Always.
    pub fn fail<T>(&self, said: &dyn fmt::Display) -> Read<T> {
        let before = &self.text.as_bytes()[..self.at.min(self.text.len())];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        Err(Malformed(Box::new(Problem { said: said.to_string(), line, column })))
    }

    /// The error that an enum has no variant of this name.
    ///
    /// # Errors
    /// Always.
    pub fn unknown_variant<T>(&self, name: &str) -> Read<T> {
        self.fail(&format_args!("unknown variant `{name}`"))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The first byte of what comes next.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn end(&mut self) -> Read<()> {
        if self.peek().is_none() { Ok(()) } else { self.fail(&"expected the end") }
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    // What is in it.

    /// Any value, as it is written.
    pub(crate) fn value(&mut self) -> Read<&'a str> {
        self.pass(Asked::Grammar)
    }

    pub(crate) fn is_null(mut self) -> bool {
        self.take_word("null")
    }

    pub(crate) fn bool(mut self) -> Read<bool> {
        if self.take_word("true") {
            return Ok(true);
        }
        if self.take_word("false") { Ok(false) } else { self.fail(&"expected true or false") }
    }

    /// A whole number that is not negative.
    pub(crate) fn number(mut self) -> Read<u64> {
        self.peek();
        let mut end = self;
        end.value()?;
        let number = self.text[self.at..end.at].parse();
        number.or_else(|_| self.fail(&"expected a whole number, not negative and not too large"))
    }

    pub(crate) fn string(mut self) -> Read<Cow<'a, str>> {
        self.take_string()
    }

    fn take_string(&mut self) -> Read<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return self.fail(&"expected a string");
        }
        let start = self.at + 1;
        let has_escapes = self.pass_string(Asked::Values)?;
        let text = &self.text[start..self.at - 1];
        Ok(if has_escapes { Cow::Owned(unescaped(text)) } else { Cow::Borrowed(text) })
    }

    /// The values of a list.
    pub(crate) fn items(mut self) -> Read<Vec<Self>> {
        let mut items = Vec::new();
        if !self.take(b'[') {
            return self.fail(&"expected a list");
        }
        while !self.take(b']') {
            self.take(b',');
            items.push(self);
            self.value()?;
        }
        Ok(items)
    }

    /// The names and values of an object.
    pub(crate) fn entries(mut self) -> Read<Vec<(Cow<'a, str>, Self)>> {
        let mut entries = Vec::new();
        if !self.take(b'{') {
            return self.fail(&"expected an object");
        }
        while !self.take(b'}') {
            self.take(b',');
            let name = self.take_string()?;
            self.take(b':');
            entries.push((name, self));
            self.value()?;
        }
        Ok(entries)
    }

    /// The fields of these names; others are passed over.
    ///
    /// # Errors
    /// If this is no object, or one of them is there twice.
    pub fn fields(self, names: &'static [&'static str]) -> Read<Fields<'a>> {
        let mut found = vec![None; names.len()];
        for (name, value) in self.entries()? {
            if let Some(at) = names.iter().position(|known| *known == name)
                && found[at].replace(value).is_some()
            {
                return value.fail(&format_args!("`{name}` is there twice"));
            }
        }
        Ok(Fields { of: self, names, found })
    }

    /// A variant of an enum: its name, and what it holds.
    ///
    /// # Errors
    /// If this is neither a name nor an object of one field.
    pub fn variant(mut self) -> Read<(Cow<'a, str>, Option<Self>)> {
        if self.peek() == Some(b'"') {
            return Ok((self.string()?, None));
        }
        let mut entries = self.entries()?;
        match entries.pop() {
            Some((name, value)) if entries.is_empty() => Ok((name, Some(value))),
            _ => self.fail(&"expected one variant"),
        }
    }

    // The grammar.

    /// Passes a value.
    fn pass(&mut self, asked: Asked) -> Read<&'a str> {
        self.peek();
        let start = self.at;
        let mut ends: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(begin @ (b'[' | b'{')) => {
                    self.at += 1;
                    let end = begin + 2;
                    if asked == Asked::Values && ends.len() == MAX_DEPTH {
                        return self.fail(&format_args!("nests deeper than {MAX_DEPTH} levels"));
                    }
                    ends.push(end);
                    if self.peek() != Some(end) {
                        self.pass_name(end, asked)?;
                        continue;
                    }
                }
                Some(b'"') => drop(self.pass_string(asked)?),
                Some(b'-' | b'0'..=b'9') => self.pass_number(asked)?,
                _ if self.take_word("null") || self.take_word("true") || self.take_word("false") => {}
                _ => return self.fail(&"expected a value"),
            }
            loop {
                let Some(&end) = ends.last() else { return Ok(&self.text[start..self.at]) };
                if self.take(b',') {
                    self.pass_name(end, asked)?;
                    break;
                }
                if !self.take(end) {
                    return self.fail(&"expected `,` or an end");
                }
                ends.pop();
            }
        }
    }

    /// In an object, what precedes each value.
    fn pass_name(&mut self, end: u8, asked: Asked) -> Read<()> {
        if end == b']' {
            return Ok(());
        }
        if self.peek() != Some(b'"') {
            return self.fail(&"expected a name");
        }
        self.pass_string(asked)?;
        if self.take(b':') { Ok(()) } else { self.fail(&"expected `:`") }
    }

    /// Passes a string; whether there is an escape in it.
    fn pass_string(&mut self, asked: Asked) -> Read<bool> {
        self.at += 1;
        let mut has_escapes = false;
        loop {
            self.at += plain_len(&self.text.as_bytes()[self.at..]);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                Some(b'\\') => self.pass_escape(asked)?,
                Some(_) => return self.fail(&"a control character must be escaped"),
                None => return self.fail(&"the string does not end"),
            }
            has_escapes = true;
        }
    }

    fn pass_escape(&mut self, asked: Asked) -> Read<()> {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let units = [self.unit(self.at), self.unit(self.at + 6)];
                let [Some(first), second] = units else { return self.fail(&"expected four hex digits") };
                let is_pair = matches!((first, second), (0xd800..0xdc00, Some(0xdc00..0xe000)));
                if asked == Asked::Values && (0xd800..0xe000).contains(&first) && !is_pair {
                    return self.fail(&"a lone surrogate");
                }
                self.at += if is_pair { 12 } else { 6 };
            }
            _ => return self.fail(&"no such escape"),
        }
        Ok(())
    }

    /// The unit of UTF-16 that is escaped there.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_hex { u16::from_str_radix(digits, 16).ok() } else { None }
    }

    fn digits(&mut self) -> Read<&'a [u8]> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        let digits = &self.text.as_bytes()[start..self.at];
        if digits.is_empty() { self.fail(&"expected a digit") } else { Ok(digits) }
    }

    fn pass_number(&mut self, asked: Asked) -> Read<()> {
        self.at += usize::from(self.byte() == Some(b'-'));
        let whole = self.digits()?;
        if let [b'0', _, ..] = whole {
            return self.fail(&"a number begins with 0");
        }
        let (mut fraction, mut exponent) = (&[][..], 0);
        if self.byte() == Some(b'.') {
            self.at += 1;
            fraction = self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            let is_negative = self.byte() == Some(b'-');
            self.at += usize::from(is_negative || self.byte() == Some(b'+'));
            let step = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            exponent = self.digits()?.iter().fold(0, step);
            exponent = if is_negative { -exponent } else { exponent };
        }
        if asked == Asked::Values && is_endless(whole, fraction, exponent) {
            return self.fail(&"no reader can hold the number");
        }
        Ok(())
    }
}

/// Some fields of an object.
pub struct Fields<'a> {
    of: Reader<'a>,
    names: &'static [&'static str],
    found: Vec<Option<Reader<'a>>>,
}

impl<'a> Fields<'a> {
    /// The n-th, which must be there.
    pub(crate) fn need(&self, n: usize) -> Read<Reader<'a>> {
        match self.found[n] {
            Some(value) => Ok(value),
            None => self.of.fail(&format_args!("`{}` is missing", self.names[n])),
        }
    }

    /// The n-th, if it is there, even as null.
    pub(crate) fn find(&self, n: usize) -> Option<Reader<'a>> {
        self.found[n]
    }
}

/// How many bytes of a string come before its end or an escape. It looks at eight at once.
fn plain_len(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGHS;
    let (words, _) = bytes.as_chunks::<8>();
    let is_plain = |word: &&[u8; 8]| {
        let word = u64::from_le_bytes(**word);
        let found = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        below(word, 0x20) | found(b'"') | found(b'\\') == 0
    };
    let whole = words.iter().take_while(is_plain).count() * 8;
    let rest = bytes[whole..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20));
    whole + rest.count()
}

/// Whether a number is beyond what a float holds.
fn is_endless(whole: &[u8], fraction: &[u8], exponent: i64) -> bool {
    let mut digits = whole.iter().chain(fraction).copied().skip_while(|&digit| digit == b'0').peekable();
    if digits.peek().is_none() {
        return false; // zero, whatever its exponent
    }
    let zeros = whole.iter().chain(fraction).take_while(|&&digit| digit == b'0').count();
    let place = exponent.saturating_add(whole.len() as i64 - 1 - zeros as i64);
    place > LARGEST.1 || place == LARGEST.1 && digits.take(LARGEST.0.len()).gt(LARGEST.0.iter().copied())
}

/// What a string says whose escapes are in order.
fn unescaped(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        said.push_str(plain);
        let at_escape = Reader { text: rest, at: plain.len() };
        let mut len = 1;
        said.push(match escape.as_bytes().first() {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let units = [at_escape.unit(at_escape.at), at_escape.unit(at_escape.at + 6)];
                let mut chars = char::decode_utf16(units.into_iter().flatten());
                let char = chars.next().and_then(Result::ok).expect("no surrogate is alone");
                len = if char.len_utf16() == 2 { 11 } else { 5 };
                char
            }
            Some(&other) => char::from(other),
            None => break,
        });
        rest = &escape[len..];
    }
    said.push_str(rest);
    said
}
