//! R7, R32: which lanes an item is in, as args, calls and extractors name them.

use outbox::{InputError, Json, Key, MAX_KEY_BYTES, MAX_KEYS};
use proptest::prelude::*;

fn json(text: &str) -> Json {
    Json::from_text(text).unwrap()
}

#[test]
fn r7_keys_are_derived_from_id_else_ids_else_unknown() {
    for (args, key) in [
        (r#"{"id":"a"}"#, "a"),
        (r#"{"id":1}"#, "1"),
        (r#"{"id":1.0}"#, "1"),
        (r#"{"id":1e2}"#, "100"),
        (r#"{"id":-0}"#, "0"),
        (r#"{"id":-7,"ids":[8]}"#, "-7"),
        (r#"{"id":9007199254740991}"#, "9007199254740991"),
        (r#"{"id":9007199254740992}"#, "unknown"),
        (r#"{"id":-9007199254740992}"#, "unknown"),
        (r#"{"id":1.5}"#, "unknown"),
        (r#"{"id":null}"#, "unknown"),
        (r#"{"id":true}"#, "unknown"),
        (r#"{"id":{"id":1}}"#, "unknown"),
        (r#"{"id":[1,2]}"#, "1+2"),
        (r#"{"id":"A\u00e9"}"#, "Aé"),
        (r#"{"id":null,"ids":["a","b"]}"#, "a+b"),
        (r#"{"ids":["b","a","b",1,"1",1.0]}"#, "b+a+1"),
        (r#"{"ids":["a",null,1.5,{}]}"#, "a"),
        (r#"{"ids":[]}"#, "unknown"),
        (r#"{"ids":"a"}"#, "a"),
        (r#"{"id":1,"id":2}"#, "2"),
        ("{}", "unknown"),
        (r#"["id"]"#, "unknown"),
        (r#""id""#, "unknown"),
        ("null", "unknown"),
    ] {
        assert_eq!(Key::derive(&json(args)).unwrap().to_string(), key, "{args}");
    }
}

#[test]
fn r7_a_key_spelled_unknown_is_not_the_lane() {
    let spelled = Key::derive(&json(r#"{"id":"unknown"}"#)).unwrap();
    assert!(!spelled.is_unknown() && spelled != Key::UNKNOWN);
    assert_eq!(serde_json::to_string(&spelled).unwrap(), r#"["unknown"]"#);
    assert_eq!(serde_json::to_string(&Key::UNKNOWN).unwrap(), r#""unknown""#);
}

#[test]
fn r24_the_stored_form_is_read_strictly() {
    for (text, key) in
        [(r#""unknown""#, Key::UNKNOWN), ("[]", Key::UNKNOWN), (r#"["a","a"]"#, Key::one("a").unwrap())]
    {
        assert_eq!(serde_json::from_str::<Key>(text).unwrap(), key);
    }
    for text in [r#""a""#, "1", "[1]", "null", "{}"] {
        assert!(serde_json::from_str::<Key>(text).is_err(), "{text}");
    }
}

#[test]
fn r17_a_union_holds_both_and_real_keys_beat_unknown() {
    let (ab, bc) = (Key::new(["a", "b"]).unwrap(), Key::new(["b", "c"]).unwrap());
    assert_eq!(ab.union(&bc).unwrap(), Key::new(["a", "b", "c"]).unwrap());
    assert_eq!(ab.union(&Key::UNKNOWN).unwrap(), ab);
    assert_eq!(Key::UNKNOWN.union(&ab).unwrap(), ab);
    assert!(Key::UNKNOWN.union(&Key::UNKNOWN).unwrap().is_unknown());
}

#[test]
fn r32_keys_have_limits() {
    let name = |nth: usize| nth.to_string();
    assert_eq!(Key::new((0..MAX_KEYS).map(name)).unwrap().keys().len(), MAX_KEYS);
    let duplicates = (0..MAX_KEYS).chain(0..MAX_KEYS).map(name);
    assert_eq!(Key::new(duplicates).unwrap().keys().len(), MAX_KEYS, "duplicates count once");
    let too_many = Key::new((0..=MAX_KEYS).map(name)).unwrap_err();
    assert!(matches!(&too_many, InputError::TooLong { unit, .. } if unit == "keys"), "{too_many}");

    Key::one("x".repeat(MAX_KEY_BYTES)).unwrap();
    let too_long = Key::one("x".repeat(MAX_KEY_BYTES + 1)).unwrap_err();
    assert!(matches!(&too_long, InputError::TooLong { unit, .. } if unit == "bytes"), "{too_long}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r7_keys_survive_storage(names in prop::collection::vec("\\PC{0,20}", 0..10)) {
        let key = Key::new(names).unwrap();
        let text = serde_json::to_string(&key).unwrap();
        prop_assert_eq!(serde_json::from_str::<Key>(&text).unwrap(), key);
    }

    #[test]
    fn r7_an_integer_and_its_text_are_one_key(number in -(1_i64 << 53) + 1..1 << 53) {
        let key = |id: String| Key::derive(&json(&format!(r#"{{"id":{id}}}"#))).unwrap();
        prop_assert_eq!(key(number.to_string()), key(format!("\"{number}\"")));
    }
}
