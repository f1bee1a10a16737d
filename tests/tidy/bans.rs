//! The ban list: what may not be written where, and what to write instead.

use super::source::{Source, is_word};

/// Where a ban holds.
#[derive(Clone, Copy)]
enum Scope {
    /// `src/`, but for its unit tests.
    Core,
    /// Everything but test code.
    NotTests,
    /// Test code only.
    Tests,
    /// Everything but test code, programs and examples.
    Libraries,
    /// Everything.
    All,
}

/// One banned word or phrase.
struct Ban {
    /// The phrase; it counts only where it does not continue an identifier.
    phrase: &'static str,
    scope: Scope,
    /// What to write instead.
    instead: &'static str,
    /// Files that may write it, each with the reason.
    except: &'static [(&'static str, &'static str)],
}

const fn ban(phrase: &'static str, scope: Scope, instead: &'static str) -> Ban {
    Ban { phrase, scope, instead, except: &[] }
}

/// Files that name floats: none of them decides by one.
const FLOATS: &[(&str, &str)] = &[
    ("src/keys.rs", "`1.0` and `1` are one key (R7)"),
    ("src/json.rs", "serde's visitor names the type; the value is not kept"),
];

/// The one file that hashes without an order.
const UNORDERED: &[(&str, &str)] =
    &[("src/index.rs", "a fixed hash, never iterated: its order cannot leak into behaviour")];

/// Tests that sleep: what they wait for has no event.
const SLEEPERS: &[(&str, &str)] = &[(
    "drivers/tokio/tests/lock_processes.rs",
    "a file that another process makes; a thread in the system's queue",
)];

/// Files that export a name to a host.
const EXPORTS: &[(&str, &str)] =
    &[("sim/wasm/src/lib.rs", "the attribute of an exported name is spelled so; no code in it is")];

const BANS: &[Ban] = &[
    ban(".unwrap()", Scope::NotTests, "`expect` with the invariant that makes it safe, or an error"),
    ban("std::", Scope::Core, "`core::` or `alloc::`: the core has no std"),
    Ban {
        phrase: "HashMap",
        scope: Scope::Core,
        instead: "`BTreeMap`, `IndexMap` for registries, or the core's `Index`",
        except: UNORDERED,
    },
    ban("HashSet", Scope::Core, "`BTreeSet`, or `IndexSet` for registries"),
    ban("SystemTime", Scope::Core, "the `now` that `handle` was given (R30)"),
    ban("Instant", Scope::Core, "the `now` that `handle` was given (R30)"),
    Ban { phrase: "f32", scope: Scope::Core, instead: "an integer or a ratio of integers", except: FLOATS },
    Ban { phrase: "f64", scope: Scope::Core, instead: "an integer or a ratio of integers", except: FLOATS },
    Ban {
        phrase: "thread::sleep",
        scope: Scope::Tests,
        instead: "an event to wait for, or virtual time",
        except: SLEEPERS,
    },
    ban("println!", Scope::Libraries, "a `tracing` event"),
    ban("print!", Scope::Libraries, "a `tracing` event"),
    ban("eprintln!", Scope::Libraries, "a `tracing` event"),
    ban("eprint!", Scope::Libraries, "a `tracing` event"),
    ban("dbg!", Scope::All, "nothing, or a `tracing` event"),
    ban("todo!", Scope::All, "the code"),
    ban("unimplemented!", Scope::All, "the code, or an error"),
    Ban {
        phrase: "unsafe",
        scope: Scope::All,
        instead: "safe code; a crate that others have reviewed",
        except: EXPORTS,
    },
    ban("#[ignore]", Scope::All, "`#[ignore = \"why, and who runs it\"]`"),
    ban("#[allow(", Scope::All, "`#[expect(…, reason = \"…\")]`"),
    ban("#![allow(", Scope::All, "`#![expect(…, reason = \"…\")]`"),
];

/// Attributes that must say why.
const EXPECT: &str = "[expect(";

/// Complains about every banned phrase and every `#[expect]` without a reason.
pub(crate) fn check(source: &Source<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, code) in source.code_lines() {
        for ban in BANS.iter().filter(|ban| ban.applies(source, line) && contains(code, ban.phrase)) {
            complaints
                .push(format!("{}:{line}: `{}`: write {} instead", source.path, ban.phrase, ban.instead));
        }
    }
    for (at, _) in source.code.match_indices(EXPECT) {
        let attribute = source.code[at..].split(")]").next().unwrap_or_default();
        if !contains(attribute, "reason =") {
            let line = super::source::line_of(&source.code, at);
            complaints.push(format!("{}:{line}: `#[expect]`: add `reason = \"…\"`", source.path));
        }
    }
    complaints
}

impl Ban {
    fn applies(&self, source: &Source<'_>, line: usize) -> bool {
        if self.except.iter().any(|(path, _)| *path == source.path) {
            return false;
        }
        match self.scope {
            Scope::Core => source.path.starts_with("src/") && !source.is_test(line),
            Scope::NotTests => !source.is_test(line),
            Scope::Tests => source.is_test(line),
            Scope::Libraries => !source.is_test(line) && !source.is_program(),
            Scope::All => true,
        }
    }
}

/// Whether `code` holds `phrase`, not as part of a longer identifier.
fn contains(code: &str, phrase: &str) -> bool {
    code.match_indices(phrase).any(|(at, _)| {
        let continues = phrase.starts_with(is_word) && code[..at].ends_with(is_word);
        let is_continued = phrase.ends_with(is_word) && code[at + phrase.len()..].starts_with(is_word);
        !continues && !is_continued
    })
}

/// One file per ban that breaks it: place and code.
#[cfg(test)]
const BROKEN: &[(&str, &str)] = &[
    ("drivers/tokio/src/x.rs", "x.unwrap();"),
    ("src/x.rs", "use std::fmt;"),
    ("src/x.rs", "x: HashMap<u8, u8>"),
    ("src/x.rs", "x: HashSet<u8>"),
    ("src/x.rs", "SystemTime::now()"),
    ("src/x.rs", "Instant::now()"),
    ("src/x.rs", "x: f32"),
    ("src/x.rs", "x as f64"),
    ("tests/x.rs", "thread::sleep(x)"),
    ("drivers/tokio/src/x.rs", "println!()"),
    ("drivers/tokio/src/x.rs", "print!()"),
    ("drivers/tokio/src/x.rs", "eprintln!()"),
    ("drivers/tokio/src/x.rs", "eprint!()"),
    ("tests/x.rs", "dbg!(x)"),
    ("sim/src/x.rs", "todo!()"),
    ("sim/src/x.rs", "unimplemented!()"),
    ("sim/src/x.rs", "unsafe { x }"),
    ("tests/x.rs", "#[ignore]"),
    ("src/x.rs", "#[allow(dead_code)]"),
    ("src/x.rs", "#![allow(dead_code)]"),
];

#[test]
fn every_ban_can_complain() {
    assert_eq!(BROKEN.len(), BANS.len(), "one broken file per ban, in order");
    for ((path, code), ban) in BROKEN.iter().zip(BANS) {
        let text = format!("//! A file.\n{code}\n");
        super::assert_one(
            &check(&Source::new(path, &text)),
            &[&format!("{path}:2"), ban.phrase, ban.instead],
        );
    }
}

#[test]
fn bans_spare_tests_programs_comments_strings_and_longer_words() {
    for (path, code) in [
        ("tests/x.rs", "x.unwrap();"),
        ("src/x.rs", "#[cfg(test)]\nmod tests { use std::fmt; }"),
        ("src/x.rs", "let mystd = x_std::y; let visit_f64 = 1; // std::fmt"),
        ("src/keys.rs", "x as f64"),
        (".ci/xtask/src/main.rs", "println!()"),
        ("drivers/tokio/src/x.rs", "thread::sleep(x); \"dbg!\""),
    ] {
        assert_eq!(check(&Source::new(path, code)), [""; 0], "{path}: {code}");
    }
}

#[test]
fn expectations_need_a_reason() {
    let bare = "//! A file.\n#[expect(dead_code)]\nfn f() {}\n";
    super::assert_one(&check(&Source::new("src/x.rs", bare)), &["src/x.rs:2", "reason"]);
    let good = "#[expect(\n    dead_code,\n    reason = \"the macro needs it\"\n)]\nfn f() {}\n";
    assert_eq!(check(&Source::new("src/x.rs", good)), [""; 0]);
}
