//! Valid and invalid key settings. Not here: verification of tokens with the keys.

use serde_json::{Value, json};

use super::*;

/// Returns the problems of a key set.
fn unfit(set: &Value) -> Vec<String> {
    let jwks_json = Some(set.to_string());
    let settings = JwtSettings {
        jwks_json,
        ..with_secret()
    };
    JwtKeys::new(&settings).expect_err("the key set is unfit")
}

/// Asserts that `expected` is the only problem of a key set.
fn assert_unfit(set: &Value, expected: &str) {
    let problems = unfit(set);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = &problems[0];
    assert!(problem.contains(expected), "{problem:?}, not {expected:?}");
}

/// Returns `count` keys with different names.
fn numbered(count: usize) -> Vec<Value> {
    let key = |number| {
        let mut key = fixtures()["jwks"]["keys"][1].take();
        key["kid"] = json!(format!("ec-{number}"));
        key
    };
    (0..count).map(key).collect()
}

#[test]
fn only_keys_for_tokens_count_towards_the_limit_of_32() {
    let mut all = numbered(32);
    for mut foreign in numbered(40) {
        foreign["use"] = json!("enc");
        all.push(foreign);
    }
    let settings = JwtSettings {
        jwks_json: Some(json!({ "keys": all }).to_string()),
        ..JwtSettings::default()
    };
    assert_eq!(keys(&settings).public_keys.load().keys.len(), 32);
}

#[test]
fn unfit_key_sets_are_refused_at_the_start() {
    let set = fixtures();
    let ec = &set["jwks"]["keys"][1];
    let without_kid = &json!({"kty": "EC", "crv": "P-256", "x": ec["x"], "y": ec["y"]});
    let table = [
        (json!("not a set"), "must be a JWK set"),
        (json!({}), "must be a JWK set"),
        (json!({"keys": {}}), "must be a JWK set"),
        (json!({"keys": []}), "at least one key"),
        (json!({"keys": numbered(33)}), "at most 32 keys for tokens"),
        (json!({"keys": [5]}), "key 1: must be an object"),
        (
            json!({"keys": [ec, ec]}),
            "key 2 (kid \"ec-1\"): an earlier ES256 key has the same kid",
        ),
        (
            json!({"keys": [without_kid, without_kid]}),
            "key 2: an earlier ES256 key has the same kid, or neither has one",
        ),
        (
            json!({"keys": [{"kty": "oct", "k": "AAAA"}]}),
            "symmetric keys",
        ),
        (json!({"keys": [set["rsa_1024"]]}), "bits, not 1024"),
        (json!({"keys": [{"kty": "RSA"}]}), "n or e is missing"),
    ];
    for (set, expected) in table {
        assert_unfit(&set, expected);
    }
}

#[test]
fn unfit_keys_are_refused_at_the_start() {
    const RSA: usize = 0;
    const EC: usize = 1;
    const ED: usize = 2;
    let table = [
        (RSA, "use", json!("enc"), "its use is \"enc\""),
        (RSA, "key_ops", json!(["encrypt"]), "key_ops"),
        (RSA, "alg", json!("RS512"), "unsupported alg \"RS512\""),
        (RSA, "alg", json!("PS256"), "unsupported alg \"PS256\""),
        (RSA, "alg", json!("HS256"), "unsupported alg \"HS256\""),
        (RSA, "alg", json!("none"), "unsupported alg \"none\""),
        (RSA, "kty", json!("XYZ"), "unsupported key type \"XYZ\""),
        (RSA, "kid", json!(""), "kid must not be empty"),
        (RSA, "d", json!("AAAA"), "private keys"),
        (RSA, "p", json!("AAAA"), "private keys"),
        (RSA, "n", json!(5), "n or e is missing"),
        (RSA, "kty", json!(null), "must be an object with `kty`"),
        (RSA, "x5c", json!(5), "must be an object with `kty`"),
        (RSA, "e", json!("AQ"), "e must be an odd number"),
        (RSA, "e", json!("AQAA"), "e must be an odd number"),
        (RSA, "n", json!("+/"), "must be base64url"),
        (EC, "crv", json!("P-384"), "unsupported curve \"P-384\""),
        (
            EC,
            "x",
            json!("AAAA"),
            "coordinates must be base64url of 32 bytes",
        ),
        (EC, "y", json!(null), "x or y is missing"),
        (ED, "crv", json!("X25519"), "unsupported curve \"X25519\""),
        (ED, "crv", json!(null), "crv is missing"),
        (ED, "alg", json!("ES256"), "unsupported alg \"ES256\""),
        (ED, "x", json!("AAAA"), "base64url of 32 bytes"),
    ];
    for (index, member, value, expected) in table {
        let mut key = fixtures()["jwks"]["keys"][index].take();
        key[member] = value;
        assert_unfit(&json!({"keys": [key]}), expected);
    }
}

#[test]
fn keys_of_a_set_that_are_for_something_else_are_left_out() {
    const EC: usize = 1;
    for (member, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RSA-OAEP")),
        ("kty", json!("XYZ")),
        ("crv", json!("P-384")),
        // Without a member that a P-256 key has.
        ("alg", json!("ES512")),
    ] {
        let mut set = fixtures()["jwks"].take();
        let mut foreign = set["keys"][EC].clone();
        if value == "ES512" {
            foreign["y"] = Value::Null;
        }
        foreign[member] = value;
        foreign["kid"] = json!("foreign");
        set["keys"].as_array_mut().expect("a list").push(foreign);
        let settings = JwtSettings {
            jwks_json: Some(set.to_string()),
            ..JwtSettings::default()
        };
        let count = |settings| keys(settings).public_keys.load().keys.len();
        assert_eq!(count(&settings), count(&with_jwks()));
    }
}

#[test]
fn secrets_in_a_key_set_are_refused_whatever_they_are_for() {
    let good = &fixtures()["jwks"]["keys"][0];
    let private = |member: &str, value: &str| {
        let mut key = fixtures()["jwks"]["keys"][1].take();
        key["d"] = json!("AAAA");
        key[member] = json!(value);
        key
    };
    let members = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
    let any_type =
        members.map(|member| json!({"kty": "AKP", "alg": "ML-DSA-44", member: "canary"}));
    for secret in any_type.into_iter().chain([
        json!({"kty": "oct", "k": "AAAA", "use": "enc"}),
        private("use", "enc"),
        private("alg", "ES512"),
        private("crv", "P-384"),
    ]) {
        let problems = unfit(&json!({"keys": [good, secret]}));
        assert!(problems[0].starts_with("key 2"), "{problems:?}");
        assert!(problems[0].contains("not allowed"), "{problems:?}");
        assert!(!problems[0].contains("canary"), "{problems:?}");
    }
}

#[test]
fn all_problems_of_the_settings_are_reported_at_once_without_a_secret() {
    let settings = JwtSettings {
        secret: Some(Secret::new("canary-31-bytes-canary-31-bytes".to_owned())),
        jwks_json: Some(
            r#"{"keys":[{"kty":"oct","k":"canary"},{"kty":5,"k":"canary"}]}"#.to_owned(),
        ),
        ..JwtSettings::default()
    };
    let problems = JwtKeys::new(&settings).expect_err("three problems");
    assert_eq!(problems.len(), 3);
    assert!(!format!("{problems:?} {:?}", settings.secret).contains("canary"));
    let keys = keys(&with_both());
    assert!(!format!("{keys:?} {:?}", with_secret()).contains("horse"));
}

#[test]
fn without_any_key_everything_is_refused() {
    let keys = keys(&JwtSettings::default());
    assert!(!keys.has_secret() && !keys.has_public_keys());
    let token = hs256(&good_claims().to_string());
    assert_eq!(
        keys.claims_of(&token, at(ISSUED_AT)),
        Err("no JWT key is configured")
    );
}

#[test]
fn a_file_of_secrets_has_one_secret_per_line_and_nothing_else() {
    let (one, other) = ("1".repeat(32), "2".repeat(32));
    let parse = |text: &str| {
        let secrets = Secret::parse_lines(text)?;
        let texts = secrets.iter().map(|secret| secret.expose().to_owned());
        Ok::<_, String>(texts.collect::<Vec<_>>())
    };
    for text in [one.clone(), format!("{one}\n"), format!("{one}\r\n")] {
        assert_eq!(parse(&text), Ok(vec![one.clone()]), "{text:?}");
    }
    for end in ["\n", "\r\n"] {
        let text = [&one, &other, &one, &other].map(|line| format!("{line}{end}"));
        assert_eq!(parse(&text.concat()).map(|secrets| secrets.len()), Ok(4));
        assert_eq!(
            parse(&text[..2].concat()),
            Ok(vec![one.clone(), other.clone()])
        );
    }
    let lines = "one secret per line";
    for (text, expected) in [
        (String::new(), lines),
        ("\n".to_owned(), lines),
        (format!("{one}\n\n"), lines),
        (format!("\n{one}"), lines),
        (format!("{one}\n\n{other}\n"), lines),
        (format!(" {one}"), lines),
        (format!("{one} \n"), lines),
        (format!("{one}\t"), lines),
        (format!("{one}\u{a0}"), lines),
        (format!("{one}\n{other} \n"), lines),
        (format!("\u{feff}{one}\n"), "byte order mark"),
        (format!("{one}\n").repeat(5), "at most 4 lines"),
        (one[1..].to_owned(), "at least 32 bytes"),
        (format!("{one}\n{}", &other[1..]), "at least 32 bytes"),
    ] {
        let problem = parse(&text).expect_err(&text);
        assert!(problem.contains(expected), "{text:?}: {problem}");
        assert!(!problem.contains("11"), "{problem}");
    }
}
