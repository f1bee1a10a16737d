//! Cargo manifests: every dependency says why it is there, in a comment line directly above it.

/// Complains about dependencies without a reason.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut in_dependencies, mut above) = (false, "");
    for (index, line) in text.lines().enumerate() {
        let named = if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            in_dependencies = table.ends_with("dependencies");
            table.rsplit_once("dependencies.").map(|(_, name)| name) // [dependencies.name]
        } else {
            let begins_entry = line.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '"');
            (in_dependencies && begins_entry).then(|| line.split(['.', '=', ' ']).next().unwrap_or_default())
        };
        let has_reason = above.strip_prefix('#').is_some_and(|reason| reason.trim().len() >= 10);
        if let Some(name) = named.filter(|_| !has_reason) {
            complaints
                .push(format!("{path}:{}: `{name}`: say in a `#` line above why it is needed", index + 1));
        }
        above = line;
    }
    complaints
}

#[test]
fn dependencies_without_a_reason_are_told() {
    let bare = concat!(
        "[dependencies]\n# The stored form.\nserde = \"1\"\n",
        "rand = { version = \"1\", features = [\n    \"a\",\n] }\n",
    );
    super::assert_one(&check("Cargo.toml", bare), &["Cargo.toml:4", "`rand`"]);
    let target = "[target.'cfg(unix)'.dev-dependencies]\n\nlibc.workspace = true\n";
    super::assert_one(&check("sim/Cargo.toml", target), &["sim/Cargo.toml:3", "`libc`"]);
    super::assert_one(
        &check("Cargo.toml", "[dependencies.serde]\nversion = \"1\"\n"),
        &["Cargo.toml:1", "`serde`"],
    );
    assert_eq!(check("Cargo.toml", "[package]\nname = \"x\"\n[profile.release]\ndebug = 1\n"), [""; 0]);
}
