//! Valid and invalid claims of a token. Not here: signatures, which are valid in every test.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;

#[test]
fn times_are_checked_against_the_given_clock_with_30_seconds_of_leeway() {
    let millis = |seconds: i64, millis: i64| at(seconds) + TimeDelta::milliseconds(millis);
    let expired = Err("expired");
    let early = Err("not valid yet");
    let fraction = ISSUED_AT as f64 + 0.5;
    let table = [
        ("exp", json!(ISSUED_AT), at(ISSUED_AT), Ok(())),
        ("exp", json!(ISSUED_AT), millis(ISSUED_AT + 29, 999), Ok(())),
        ("exp", json!(ISSUED_AT), at(ISSUED_AT + 30), expired),
        ("exp", json!(fraction), millis(ISSUED_AT + 30, 499), Ok(())),
        ("exp", json!(fraction), millis(ISSUED_AT + 30, 500), expired),
        ("exp", json!(0), at(ISSUED_AT), expired),
        ("exp", json!(253_402_300_799_i64), at(ISSUED_AT), Ok(())),
        ("nbf", json!(ISSUED_AT + 30), at(ISSUED_AT), Ok(())),
        ("nbf", json!(ISSUED_AT + 31), at(ISSUED_AT), early),
        ("nbf", json!(ISSUED_AT + 31), at(ISSUED_AT + 1), Ok(())),
        ("nbf", json!(fraction), millis(ISSUED_AT - 30, 499), early),
        ("nbf", json!(fraction), millis(ISSUED_AT - 30, 500), Ok(())),
        ("nbf", json!(0), at(ISSUED_AT), Ok(())),
        ("nbf", json!(-5), at(ISSUED_AT), Ok(())),
        ("nbf", json!(1e300), at(ISSUED_AT), early),
    ];
    for settings in [with_secret(), with_both()] {
        let keys = keys(&settings);
        for (claim, value, now, expected) in &table {
            let outcome = keys
                .claims_of(&with_claim(claim, value.clone()), *now)
                .map(|_| ());
            assert_eq!(outcome, *expected, "{claim} {value} at {now}");
        }
    }
}

#[test]
fn claims_of_the_wrong_type_are_refused() {
    let keys = keys(&with_secret());
    let times = [
        json!("1770003600"),
        json!(null),
        json!(true),
        json!([1]),
        json!({}),
    ];
    let texts = [json!(5), json!(true), json!(["a"]), json!({"a": "b"})];
    let mut refused: Vec<(&str, Value)> = Vec::new();
    refused.extend(
        times
            .iter()
            .flat_map(|time| ["exp", "nbf"].map(|name| (name, time.clone()))),
    );
    let names = ["sub", "organizationId", "accessRole"];
    refused.extend(
        texts
            .iter()
            .flat_map(|text| names.map(|name| (name, text.clone()))),
    );
    refused.extend([
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("sub", json!(null)),
        ("accessRole", json!(null)),
        ("sub", json!("")),
        ("sub", json!("a".repeat(256))),
        ("sub", json!("tab\there")),
        ("sub", json!("\u{85}")),
    ]);
    for (name, value) in refused {
        let token = with_claim(name, value.clone());
        assert!(
            keys.claims_of(&token, at(ISSUED_AT)).is_err(),
            "{name} = {value}"
        );
    }
    for name in ["sub", "accessRole", "exp"] {
        assert!(
            keys.claims_of(&without_claim(name), at(ISSUED_AT)).is_err(),
            "no {name}"
        );
    }
    let infinite = good_claims()
        .to_string()
        .replace(&EXPIRES_AT.to_string(), "1e999");
    assert!(keys.claims_of(&hs256(&infinite), at(ISSUED_AT)).is_err());
}

#[test]
fn claims_within_the_limits_are_accepted_verbatim() {
    let keys = keys(&with_secret());
    let claims = |token: String| keys.claims_of(&token, at(ISSUED_AT)).expect("accepted");
    assert_eq!(
        claims(with_claim("sub", json!("ä".repeat(255)))).subject,
        "ä".repeat(255)
    );
    assert_eq!(
        claims(with_claim("sub", json!("a\"b\\c 😀"))).subject,
        "a\"b\\c 😀"
    );
    assert_eq!(
        claims(with_claim("accessRole", json!("Nobody "))).role,
        "Nobody "
    );
    for token in [
        without_claim("organizationId"),
        with_claim("organizationId", Value::Null),
    ] {
        assert_eq!(claims(token).organization, None);
    }
    let control = "tab\there\0";
    assert_eq!(
        claims(with_claim("accessRole", json!(control))).role,
        control
    );
    let named = claims(with_claim("organizationId", json!(control)));
    assert_eq!(named.organization.as_deref(), Some(control));
    for unused in [json!("Ada\0"), json!(5), Value::Null] {
        assert_eq!(claims(with_claim("fullName", unused)), jane());
    }
    assert_eq!(
        claims(with_claim("unknown", json!({"any": ["thing"]}))),
        jane()
    );
    assert_eq!(claims(with_claim("iat", json!("ignored"))), jane());
}

#[test]
fn issuer_and_audience_are_required_and_compared_once_configured() {
    let settings = JwtSettings {
        issuer: Some("right".to_owned()),
        audience: Some("us".to_owned()),
        ..with_secret()
    };
    let (open, strict) = (keys(&with_secret()), keys(&settings));
    let table = [
        (json!("right"), json!("us"), true),
        (json!("right"), json!(["them", "us"]), true),
        (json!("wrong"), json!("us"), false),
        (json!("RIGHT"), json!("us"), false),
        (json!("right"), json!("them"), false),
        (json!("right"), json!(["them"]), false),
        (json!("right"), json!([]), false),
        (json!("right"), json!(5), false),
        (json!(5), json!("us"), false),
        (json!(["right"]), json!("us"), false),
        (json!(["wrong", "right"]), json!("us"), false),
        (json!(""), json!("us"), false),
        (json!("right"), json!(["us", 5]), false),
        (json!(null), json!("us"), false),
        (json!("right"), json!(null), false),
    ];
    for (iss, aud, expected) in table {
        let mut claims = good_claims();
        claims["iss"] = iss;
        claims["aud"] = aud;
        let token = hs256(&claims.to_string());
        assert_eq!(
            strict.claims_of(&token, at(ISSUED_AT)).is_ok(),
            expected,
            "{claims}"
        );
        let is_name = claims["iss"].is_null()
            || claims["iss"]
                .as_str()
                .is_some_and(|issuer| !issuer.is_empty());
        let outcome = open.claims_of(&token, at(ISSUED_AT));
        assert_eq!(outcome.is_ok(), is_name, "{claims}");
    }
    for (present, value) in [("iss", "right"), ("aud", "us")] {
        let token = with_claim(present, json!(value));
        assert!(
            strict.claims_of(&token, at(ISSUED_AT)).is_err(),
            "only {present}"
        );
    }
}

#[test]
fn a_token_that_is_not_utf_8_is_refused() {
    let latin_1 = |text: &str| -> Vec<u8> { text.chars().map(|c| c as u8).collect() };
    let keys = keys(&with_secret());
    let sign = |header: &[u8], claims: &[u8]| {
        hmac_of_bytes(header, claims, SECRET.as_bytes(), Algorithm::HS256)
    };
    let (header, mut claims) = (r#"{"alg":"HS256"}"#, good_claims());
    claims["fullName"] = json!("Jos\u{e9}");
    let claims = claims.to_string();
    let good = sign(header.as_bytes(), claims.as_bytes());
    assert_eq!(keys.claims_of(&good, at(ISSUED_AT)), Ok(jane()));
    let in_claims = sign(header.as_bytes(), &latin_1(&claims));
    let in_header = sign(
        &latin_1("{\"alg\":\"HS256\",\"x\":\"\u{e9}\"}"),
        claims.as_bytes(),
    );
    for token in [in_claims, in_header] {
        assert_eq!(keys.claims_of(&token, at(ISSUED_AT)), Err("not UTF-8"));
    }
}

#[test]
fn a_longest_lifetime_is_counted_from_iat_and_from_now() {
    let settings = JwtSettings {
        max_lifetime: Some(Duration::from_secs(3600)),
        ..with_secret()
    };
    let (open, strict) = (keys(&with_secret()), keys(&settings));
    let table = [
        (json!(ISSUED_AT), ISSUED_AT + 3600, true),
        (json!(ISSUED_AT), ISSUED_AT + 3601, false),
        (json!(ISSUED_AT - 1), ISSUED_AT + 3600, false),
        (json!(ISSUED_AT + 30), ISSUED_AT + 3630, true),
        (json!(ISSUED_AT + 31), ISSUED_AT + 3631, false),
        (json!(ISSUED_AT + 1_000_000), ISSUED_AT + 1_000_001, false),
        (json!(ISSUED_AT.to_string()), ISSUED_AT + 60, false),
        (json!(null), ISSUED_AT + 60, false),
    ];
    for (iat, exp, expected) in table {
        let mut claims = good_claims();
        claims["iat"] = iat;
        claims["exp"] = json!(exp);
        let token = hs256(&claims.to_string());
        let outcome = strict.claims_of(&token, at(ISSUED_AT));
        assert_eq!(outcome.is_ok(), expected, "{claims}");
        assert!(open.claims_of(&token, at(ISSUED_AT)).is_ok(), "{claims}");
    }
    let without_iat = without_claim("iat");
    assert!(strict.claims_of(&without_iat, at(ISSUED_AT)).is_err());
    let longer = strict.sign(&jane(), None, at(ISSUED_AT), Duration::from_secs(3601));
    assert!(longer.is_err(), "a server would refuse it");
}

#[test]
fn issuer_and_time_of_issue_are_read() {
    let keys = keys(&with_secret());
    let verified = |claims: &Value| {
        let verified = keys.verify(&hs256(&claims.to_string()), at(ISSUED_AT));
        verified.map(|token| (token.issuer, token.issued_at))
    };
    let mut claims = good_claims();
    assert_eq!(verified(&claims), Ok((None, Some(at(ISSUED_AT)))));
    claims["iss"] = json!("https://issuer.example");
    for (iat, expected) in [
        (
            json!(ISSUED_AT as f64 + 0.25),
            Some(at(ISSUED_AT) + TimeDelta::milliseconds(250)),
        ),
        (json!(-1), Some(at(-1))),
        (json!(1e300), None),
        (json!(-1e300), None),
        (json!("x"), None),
        (json!(null), None),
    ] {
        claims["iat"] = iat;
        let issuer = Some("https://issuer.example".to_owned());
        assert_eq!(verified(&claims), Ok((issuer, expected)), "{claims}");
    }
    for issuer in [json!("a\nb"), json!("a\0"), json!("a".repeat(256))] {
        claims["iss"] = issuer;
        assert!(verified(&claims).is_err(), "{claims}");
    }
}
