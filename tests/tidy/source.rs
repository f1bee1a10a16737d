//! A Rust file as tidy sees it: the text, and the same text with comments and literals blanked.

/// One Rust file.
pub(crate) struct Source<'a> {
    /// Its path from the top of the repository, with `/`.
    pub(crate) path: &'a str,
    /// Its text.
    pub(crate) text: &'a str,
    /// The text with the insides of comments, strings and character literals turned into spaces; line
    /// breaks stay, so line numbers agree.
    pub(crate) code: String,
    /// Per line, from 0: whether it lies in an item under `#[cfg(test)]`.
    in_test: Vec<bool>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line of its `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace.
    pub(crate) lines: usize,
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        let code = blank(text);
        let mut in_test = vec![false; code.lines().count() + 1];
        for (at, _) in code.match_indices("#[cfg(test)]") {
            let end = item_end(&code, at).unwrap_or(code.len());
            in_test[line_of(&code, at) - 1..line_of(&code, end)].fill(true);
        }
        Self { path, text, code, in_test }
    }

    /// Whether `line` (from 1) is test code: by its place in the tree or by `#[cfg(test)]`.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "benches") || self.in_test[line - 1]
    }

    /// Whether the file belongs to something people run (a program or an example), which may print.
    pub(crate) fn is_program(&self) -> bool {
        self.path.ends_with("/main.rs")
            || self.path.split('/').any(|part| part == "bin" || part == "examples" || part == "xtask")
    }

    /// The file's code, line by line, numbered from 1.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// All functions with a body.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let name: String = self.code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
            let before = self.code[..at].chars().next_back();
            if name.is_empty() || before.is_some_and(is_word) {
                continue;
            }
            if let Some(end) = item_end(&self.code, at).filter(|end| self.code[*end..].starts_with('}')) {
                let line = line_of(&self.code, at);
                found.push(Function { name, line, lines: line_of(&self.code, end) - line + 1 });
            }
        }
        found
    }
}

/// Whether `c` can be part of an identifier.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The line of a byte offset, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where the item that begins at `at` ends: at its closing brace, or at its `;` if that comes first.
fn item_end(code: &str, at: usize) -> Option<usize> {
    let (mut nested, mut in_body) = (0usize, false);
    for (offset, c) in code[at..].char_indices() {
        match c {
            ';' if nested == 0 => return Some(at + offset),
            '{' if nested == 0 => (in_body, nested) = (true, 1),
            '(' | '[' | '{' => nested += 1,
            ')' | ']' | '}' => {
                nested = nested.saturating_sub(1);
                if in_body && nested == 0 {
                    return Some(at + offset);
                }
            }
            _ => {}
        }
    }
    None
}

/// What the lexer is inside of.
#[derive(Clone, Copy)]
enum Inside {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

/// Blanks comments and literals.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let (mut at, mut inside) = (0, Inside::Code);
    while at < chars.len() {
        let (len, next) = step(&chars, at, inside);
        let keep = matches!((inside, next), (Inside::Code, Inside::Code)) && len == 1;
        for &c in &chars[at..(at + len).min(chars.len())] {
            code.push(if keep || c == '\n' { c } else { ' ' });
        }
        (at, inside) = (at + len, next);
    }
    code
}

/// How many characters belong together at `at`, and what comes after them.
fn step(chars: &[char], at: usize, inside: Inside) -> (usize, Inside) {
    let peek = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    match inside {
        Inside::Code => step_code(chars, at),
        Inside::LineComment => (1, if peek(0) == '\n' { Inside::Code } else { inside }),
        Inside::BlockComment { depth } => match (peek(0), peek(1), depth) {
            ('/', '*', _) => (2, Inside::BlockComment { depth: depth + 1 }),
            ('*', '/', 1) => (2, Inside::Code),
            ('*', '/', _) => (2, Inside::BlockComment { depth: depth - 1 }),
            _ => (1, inside),
        },
        Inside::Text => match peek(0) {
            '\\' => (2, inside),
            '"' => (1, Inside::Code),
            _ => (1, inside),
        },
        Inside::RawText { hashes } => {
            let closes = peek(0) == '"' && (1..=hashes).all(|offset| peek(offset) == '#');
            if closes { (1 + hashes, Inside::Code) } else { (1, inside) }
        }
    }
}

/// As [`step`], outside of comments and strings.
fn step_code(chars: &[char], at: usize) -> (usize, Inside) {
    let peek = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    let after_word = at > 0 && is_word(chars[at - 1]) && !matches!(chars[at - 1], 'b' | 'c');
    match (peek(0), peek(1)) {
        ('/', '/') => (2, Inside::LineComment),
        ('/', '*') => (2, Inside::BlockComment { depth: 1 }),
        ('"', _) => (1, Inside::Text),
        ('r', '"' | '#') if !after_word => {
            let hashes = (1..).take_while(|offset| peek(*offset) == '#').count();
            // `r#name` is an identifier.
            if peek(1 + hashes) == '"' { (2 + hashes, Inside::RawText { hashes }) } else { (1, Inside::Code) }
        }
        ('\'', '\\') => {
            let close = (3..).find(|offset| matches!(peek(*offset), '\'' | '\0')).unwrap_or(3);
            (close + 1, Inside::Code)
        }
        ('\'', _) if peek(2) == '\'' => (3, Inside::Code),
        _ => (1, Inside::Code), // a lifetime's quote is code
    }
}

#[test]
fn comments_and_literals_are_blanked() {
    let text = concat!(
        "let a = \"x{\\\"y\"; // z{\n",
        "let b = r#\"q\"{\"#; /* { /* { */ { */ let c = '{'; let d = '\\''; let e: &'a r#type = f;",
    );
    let code = blank(text);
    assert_eq!(code.lines().count(), 2);
    assert_eq!(code.chars().count(), text.chars().count());
    assert!(!code.contains(['{', 'x', 'z', 'q']), "{code}");
    assert!(code.contains("let c =") && code.ends_with("let e: &'a r#type = f;"), "{code}");
}

#[test]
fn functions_are_found_with_their_lengths() {
    let text = concat!(
        "trait T {\n    fn declared(&self) -> [u8; 2];\n",
        "    fn given(&self) {\n        if x { '}' }\n    }\n}\n",
    );
    let source = Source::new("src/x.rs", text);
    assert_eq!(source.functions(), [Function { name: "given".into(), line: 3, lines: 3 }]);
}

#[test]
fn test_code_is_told_by_place_and_by_attribute() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nmod d;\nfn c() {}\n";
    let source = Source::new("src/x.rs", text);
    let tests: Vec<bool> = (1..=8).map(|line| source.is_test(line)).collect();
    assert_eq!(tests, [false, true, true, true, true, true, true, false]);
    assert!(Source::new("drivers/tokio/tests/x.rs", text).is_test(1));
}
