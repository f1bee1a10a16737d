//! `Text`: JSON text in the making.

use alloc::string::String;

/// JSON text in the making. Commas come by themselves.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// Text that is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.0.push_str(json);
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.raw("\"");
        push_string(&mut self.0, text);
    }

    fn comma(&mut self) {
        if !self.0.ends_with(['{', '[']) {
            self.raw(",");
        }
    }

    /// The name of the next value of an object.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.string(name);
        self.raw(":");
        self
    }

    /// The next value of a list.
    pub(crate) fn item(&mut self) -> &mut Self {
        self.comma();
        self
    }

    /// Begins an object.
    pub fn open(&mut self) -> &mut Self {
        self.raw("{");
        self
    }

    /// Ends it.
    pub fn close(&mut self) {
        self.raw("}");
    }
}

/// A string after its opening quote.
#[inline]
pub(crate) fn push_string(json: &mut String, text: &str) {
    let needs_escape = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    // Without an early end, so that it looks at many bytes at once.
    if text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        push_escaped(json, text);
    } else {
        json.push_str(text);
    }
    json.push('"');
}

#[cold]
fn push_escaped(json: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                json.push('\\');
                json.push(char);
            }
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\0'..=' ' if char != ' ' => {
                json.push_str("\\u00");
                json.push(char::from(HEX[char as usize >> 4]));
                json.push(char::from(HEX[char as usize & 15]));
            }
            _ => json.push(char),
        }
    }
}
