//! Tests of `auth::jwt`, as tables. Not here: HTTP responses to a refused token.
//!
//! `fixtures.json` was made with another implementation (Python `cryptography`): public keys and
//! tokens signed at 2026-02-02T02:40:00Z for one hour. Their private keys were not kept.

mod claims;
mod keys;
mod settings;

use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::crypto;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::token::MAX_TOKEN_BYTES;
use super::{Claims, JwtKeys, JwtSettings, Secret};

const SECRET: &str = "correct horse battery staple, 32+";
const ISSUED_AT: i64 = 1_770_000_000;
const EXPIRES_AT: i64 = ISSUED_AT + 3600;

fn at(timestamp: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(timestamp, 0).expect("a valid time")
}

fn fixtures() -> Value {
    serde_json::from_str(include_str!("fixtures.json")).expect("fixtures are JSON")
}

fn fixture(pointer: &str) -> String {
    let fixtures = fixtures();
    let value = fixtures.pointer(pointer).expect("the fixture exists");
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn with_secret() -> JwtSettings {
    JwtSettings {
        secret: Some(Secret::new(SECRET.to_owned())),
        ..JwtSettings::default()
    }
}

fn with_jwks() -> JwtSettings {
    JwtSettings {
        jwks_json: Some(fixture("/jwks")),
        ..JwtSettings::default()
    }
}

fn with_both() -> JwtSettings {
    JwtSettings {
        jwks_json: Some(fixture("/jwks")),
        ..with_secret()
    }
}

fn keys(settings: &JwtSettings) -> JwtKeys {
    JwtKeys::new(settings).expect("the settings are good")
}

/// Encodes base64url without padding. Written here so that the tests need no further crate.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|i| char::from(DIGITS[bits >> (18 - 6 * i) & 63]));
        text.extend(digits);
    }
    text
}

/// Returns a token with exactly these texts as header and claims, signed by HMAC with `secret`.
fn hmac_token(header: &str, claims: &str, secret: &[u8], algorithm: Algorithm) -> String {
    hmac_of_bytes(header.as_bytes(), claims.as_bytes(), secret, algorithm)
}

fn hmac_of_bytes(header: &[u8], claims: &[u8], secret: &[u8], algorithm: Algorithm) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = crypto::sign(message.as_bytes(), &key, algorithm).expect("signs");
    format!("{message}.{signature}")
}

fn hs256(claims: &str) -> String {
    hmac_token(
        r#"{"alg":"HS256","typ":"JWT"}"#,
        claims,
        SECRET.as_bytes(),
        Algorithm::HS256,
    )
}

fn good_claims() -> Value {
    json!({"sub": "user-1", "organizationId": "org-1", "accessRole": "ADMIN",
        "fullName": "Jane Doe", "iat": ISSUED_AT, "exp": EXPIRES_AT})
}

/// Returns the good claims with one changed. `Value::Null` as `value` means null, not absent.
fn with_claim(name: &str, value: Value) -> String {
    let mut claims = good_claims();
    claims[name] = value;
    hs256(&claims.to_string())
}

fn without_claim(name: &str) -> String {
    let mut claims = good_claims();
    claims
        .as_object_mut()
        .expect("an object")
        .remove(name)
        .expect("the claim was there");
    hs256(&claims.to_string())
}

trait Verify {
    /// Verifies a token and returns its claims.
    fn claims_of(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, &'static str>;
}

impl Verify for JwtKeys {
    fn claims_of(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, &'static str> {
        self.verify(token, now).map(|verified| verified.claims)
    }
}

fn jane() -> Claims {
    Claims {
        subject: "user-1".to_owned(),
        organization: Some("org-1".to_owned()),
        role: "ADMIN".to_owned(),
    }
}

fn assert_refused_by_all(name: &str, token: &str) {
    for settings in [with_secret(), with_jwks(), with_both()] {
        let outcome = keys(&settings).claims_of(token, at(ISSUED_AT));
        assert!(outcome.is_err(), "{name} was accepted by {settings:?}");
    }
}

#[test]
fn signed_claims_come_back_verified() {
    let settings = JwtSettings {
        issuer: Some("https://issuer.example".to_owned()),
        audience: Some("quietline".to_owned()),
        ..with_secret()
    };
    let bare = Claims {
        organization: None,
        ..jane()
    };
    for settings in [with_secret(), with_both(), settings] {
        let keys = keys(&settings);
        for claims in [jane(), bare.clone()] {
            let token = keys
                .sign(&claims, None, at(ISSUED_AT), Duration::from_secs(60))
                .expect("signs")
                .text;
            assert_eq!(keys.claims_of(&token, at(ISSUED_AT)), Ok(claims.clone()));
            assert_eq!(keys.claims_of(&token, at(ISSUED_AT + 90)), Err("expired"));
        }
    }
}

#[test]
fn signing_refuses_what_verifying_would_refuse() {
    let minute = Duration::from_secs(60);
    let without_secret = keys(&with_jwks()).sign(&jane(), None, at(ISSUED_AT), minute);
    let refused = without_secret.map(|signed| signed.text);
    assert_eq!(refused, Err("signing requires a configured secret"));
    let keys = keys(&with_secret());
    assert!(
        keys.sign(&jane(), None, at(ISSUED_AT), Duration::MAX)
            .is_err()
    );
    for subject in [String::new(), "a\nb".to_owned(), "ä".repeat(256)] {
        let claims = Claims { subject, ..jane() };
        assert!(keys.sign(&claims, None, at(ISSUED_AT), minute).is_err());
    }
}

#[test]
fn tokens_of_another_implementation_verify_with_and_without_kid() {
    for settings in [with_jwks(), with_both()] {
        let keys = keys(&settings);
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            for kid in ["with_kid", "without_kid"] {
                let token = fixture(&format!("/tokens/{algorithm}/{kid}"));
                assert_eq!(
                    keys.claims_of(&token, at(ISSUED_AT)),
                    Ok(jane()),
                    "{algorithm} {kid}"
                );
                assert_eq!(keys.claims_of(&token, at(EXPIRES_AT + 30)), Err("expired"));
            }
            let token = fixture(&format!("/tokens/{algorithm}/unknown_kid"));
            let refused = keys.claims_of(&token, at(ISSUED_AT));
            assert_eq!(
                refused,
                Err("no key for its kid and algorithm"),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn the_algorithm_comes_from_the_key() {
    let claims = good_claims().to_string();
    let (pem, modulus) = (fixture("/rsa_public_pem"), fixture("/jwks/keys/0/n"));
    let other = "another secret of more than 32 bytes";
    let table = [
        ("no alg", r#"{"typ":"JWT"}"#, SECRET),
        ("none, but signed", r#"{"alg":"none"}"#, SECRET),
        ("HMAC by the RSA key", r#"{"alg":"HS256"}"#, &pem),
        ("the same, named", r#"{"alg":"HS256","kid":"rsa-1"}"#, &pem),
        (
            "by its modulus",
            r#"{"alg":"HS256","kid":"rsa-1"}"#,
            &modulus,
        ),
        (
            "passed off as RS256",
            r#"{"alg":"RS256","kid":"rsa-1"}"#,
            &pem,
        ),
        ("RS256 by the secret", r#"{"alg":"RS256"}"#, SECRET),
        ("other spelling", r#"{"alg":"hs256"}"#, SECRET),
        ("other secret", r#"{"alg":"HS256"}"#, other),
        ("empty secret", r#"{"alg":"HS256"}"#, ""),
        ("extension", r#"{"alg":"HS256","crit":["x"],"x":1}"#, SECRET),
        ("no extension", r#"{"alg":"HS256","crit":[]}"#, SECRET),
        ("null extension", r#"{"alg":"HS256","crit":null}"#, SECRET),
        ("kid is not a text", r#"{"alg":"HS256","kid":1}"#, SECRET),
        ("two algs", r#"{"alg":"HS256","alg":"HS256"}"#, SECRET),
    ];
    for (name, header, secret) in table {
        let token = hmac_token(header, &claims, secret.as_bytes(), Algorithm::HS256);
        assert_refused_by_all(name, &token);
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let header = format!(r#"{{"alg":"{algorithm:?}"}}"#);
        let token = hmac_token(&header, &claims, SECRET.as_bytes(), algorithm);
        assert_refused_by_all(&header, &token);
    }
    for name in ["RS384", "PS256", "RS256_naming_ec", "embedded_jwk"] {
        assert_refused_by_all(name, &fixture(&format!("/tokens/{name}")));
    }
}

#[test]
fn unsigned_tokens_are_refused() {
    let claims = base64url(good_claims().to_string().as_bytes());
    for alg in ["none", "None", "NONE", "", "HS256", "RS256", "EdDSA"] {
        for kid in ["", r#","kid":"rsa-1""#] {
            let header = format!(r#"{{"alg":"{alg}"{kid}}}"#);
            let message = format!("{}.{claims}", base64url(header.as_bytes()));
            assert_refused_by_all(&header, &format!("{message}."));
            assert_refused_by_all(&header, &message);
        }
    }
}

#[test]
fn the_secret_does_not_stand_in_for_a_named_public_key() {
    let header = r#"{"alg":"HS256","kid":"rsa-1"}"#;
    let claims = good_claims().to_string();
    let token = hmac_token(header, &claims, SECRET.as_bytes(), Algorithm::HS256);
    let refused = keys(&with_both()).claims_of(&token, at(ISSUED_AT));
    assert_eq!(refused, Err("algorithm is not the key's"));
}

#[test]
fn another_key_does_not_verify() {
    let jwks_json = json!({"keys": [fixtures()["other_rsa"]]}).to_string();
    let keys = keys(&JwtSettings {
        jwks_json: Some(jwks_json),
        ..JwtSettings::default()
    });
    let without_kid = fixture("/tokens/RS256/without_kid");
    let refused = keys.claims_of(&without_kid, at(ISSUED_AT));
    assert_eq!(refused, Err("signature does not verify"));
    assert!(
        keys.claims_of(&fixture("/tokens/RS256/with_kid"), at(ISSUED_AT))
            .is_err()
    );
    assert!(
        keys.claims_of(&fixture("/tokens/ES256/without_kid"), at(ISSUED_AT))
            .is_err()
    );
}

#[test]
fn damaged_tokens_are_refused() {
    let good = hs256(&good_claims().to_string());
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (header, claims) = message.split_once('.').expect("three parts");
    let tokens = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "not a token".to_owned(),
        message.to_owned(),
        format!("{message}."),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}A"),
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{good} trailing"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}A.{signature}"),
        format!("{claims}.{header}.{signature}"),
        hs256(&format!("{} trailing", good_claims())),
        hs256("[]"),
        hs256(r#""sub""#),
        hs256("{"),
        hs256(&format!(
            r#"{{"sub":"other",{}"#,
            &good_claims().to_string()[1..]
        )),
        hs256(&format!(
            r#"{{"exp":9999999999,{}"#,
            &good_claims().to_string()[1..]
        )),
    ];
    for settings in [with_secret(), with_both()] {
        let keys = keys(&settings);
        assert!(keys.claims_of(&good, at(ISSUED_AT)).is_ok());
        for token in &tokens {
            assert!(keys.claims_of(token, at(ISSUED_AT)).is_err(), "{token:?}");
        }
    }
}

#[test]
fn every_changed_character_of_a_signature_is_refused() {
    let keys = keys(&with_secret());
    let good = hs256(&good_claims().to_string());
    let start = good.rfind('.').expect("three parts") + 1;
    for position in start..good.len() {
        for other in ["A", "B", "_", "9"] {
            let mut token = good.clone();
            token.replace_range(position..=position, other);
            assert_eq!(keys.claims_of(&token, at(ISSUED_AT)).is_ok(), token == good);
        }
    }
}

#[test]
fn tokens_over_8_kib_are_refused() {
    let keys = keys(&with_secret());
    let padded = |length: usize| with_claim("unknown", json!("x".repeat(length)));
    let longest = (5800..6100)
        .map(padded)
        .rfind(|token| token.len() <= MAX_TOKEN_BYTES);
    let fits = longest.expect("one of them fits");
    assert!(fits.len() > MAX_TOKEN_BYTES - 3, "{}", fits.len());
    assert!(keys.claims_of(&fits, at(ISSUED_AT)).is_ok());
    let refused = keys.claims_of(&padded(6100), at(ISSUED_AT));
    assert_eq!(refused, Err("longer than 8192 bytes"));
}
