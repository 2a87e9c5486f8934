//! Choosing the key of a token, and replacing keys. Not here: refused key sets.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::*;

/// Returns settings with these public keys.
fn with_keys(keys: &[&Value]) -> JwtSettings {
    JwtSettings {
        jwks_json: Some(json!({ "keys": keys }).to_string()),
        ..JwtSettings::default()
    }
}

/// Returns a key of the fixtures with changed members. Null removes a member.
fn fixture_key(index: usize, changes: Value) -> Value {
    let mut key = fixtures()["jwks"]["keys"][index].take();
    for (member, value) in changes.as_object().expect("an object") {
        key[member] = value.clone();
    }
    let members = key.as_object_mut().expect("a key");
    members.retain(|_, value| !value.is_null());
    key
}

/// Returns an Ed25519 key that states `alg`, and a token whose header does.
fn ed25519(alg_of_key: &str, alg_of_token: &str) -> (Value, String) {
    let pair = Ed25519KeyPair::generate().expect("a key");
    let x = base64url(pair.public_key().as_ref());
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "alg": alg_of_key});
    let header = json!({ "alg": alg_of_token }).to_string();
    let parts = [header, good_claims().to_string()].map(|part| base64url(part.as_bytes()));
    let message = parts.join(".");
    let signature = base64url(pair.sign(message.as_bytes()).as_ref());
    (key, format!("{message}.{signature}"))
}

#[test]
fn a_key_without_kid_verifies_tokens_with_any_kid() {
    let mut set = fixtures()["jwks"].clone();
    for key in set["keys"].as_array_mut().expect("a list") {
        key.as_object_mut()
            .expect("a key")
            .remove("kid")
            .expect("has a kid");
    }
    let settings = JwtSettings {
        jwks_json: Some(set.to_string()),
        ..JwtSettings::default()
    };
    let keys = keys(&settings);
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let token = fixture(&format!("/tokens/{algorithm}/unknown_kid"));
        assert_eq!(
            keys.claims_of(&token, at(ISSUED_AT)),
            Ok(jane()),
            "{algorithm}"
        );
    }
    let header = r#"{"alg":"HS256","kid":"any"}"#;
    let claims = good_claims().to_string();
    let token = hmac_token(header, &claims, SECRET.as_bytes(), Algorithm::HS256);
    let keys = self::keys(&with_both());
    assert_eq!(keys.claims_of(&token, at(ISSUED_AT)), Ok(jane()));
}

#[test]
fn a_single_key_with_a_kid_does_not_verify_tokens_with_another_kid() {
    let jwks_json = json!({"keys": [fixtures()["jwks"]["keys"][0]]}).to_string();
    let keys = keys(&JwtSettings {
        jwks_json: Some(jwks_json),
        ..JwtSettings::default()
    });
    let verify = |kid| keys.claims_of(&fixture(&format!("/tokens/RS256/{kid}")), at(ISSUED_AT));
    assert_eq!(verify("with_kid"), Ok(jane()));
    assert_eq!(verify("without_kid"), Ok(jane()));
    assert_eq!(
        verify("unknown_kid"),
        Err("no key for its kid and algorithm")
    );
}

#[test]
fn a_token_without_kid_is_refused_when_several_keys_fit_its_algorithm() {
    let (right, other) = (fixture_key(0, json!({})), fixtures()["other_rsa"].take());
    let ec = fixture_key(1, json!({}));
    let token = fixture("/tokens/RS256/without_kid");
    let refused = Err("has no kid, and several keys fit");
    for (set, expected) in [
        (vec![&right, &other], refused.clone()),
        (vec![&other, &right], refused),
        (vec![&right, &ec], Ok(jane())),
    ] {
        let keys = keys(&with_keys(&set));
        assert_eq!(keys.claims_of(&token, at(ISSUED_AT)), expected);
        let named = fixture("/tokens/RS256/with_kid");
        assert_eq!(keys.claims_of(&named, at(ISSUED_AT)), Ok(jane()));
    }
}

#[test]
fn keys_of_different_algorithms_may_share_a_kid() {
    let (rsa, ec) = (
        fixture_key(0, json!({})),
        fixture_key(1, json!({"kid": "rsa-1"})),
    );
    for set in [[&rsa, &ec], [&ec, &rsa]] {
        let keys = keys(&with_keys(&set));
        let token = fixture("/tokens/RS256/with_kid");
        assert_eq!(keys.claims_of(&token, at(ISSUED_AT)), Ok(jane()));
    }
}

/// RFC 7518 §6.3.1.1: some libraries prefix an extra zero octet.
#[test]
fn leading_zero_octets_of_an_rsa_key_change_nothing() {
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(fixture("/jwks/keys/0/n"));
    let modulus = modulus.expect("base64url");
    for zeros in 1..=3 {
        let longer = [vec![0; zeros], modulus.clone()].concat();
        let e = base64url(&[vec![0; zeros], vec![1, 0, 1]].concat());
        let key = fixture_key(0, json!({"n": base64url(&longer), "e": e}));
        let keys = keys(&with_keys(&[&key]));
        let token = fixture("/tokens/RS256/with_kid");
        assert_eq!(keys.claims_of(&token, at(ISSUED_AT)), Ok(jane()));
    }
}

/// RFC 9864 replaces `EdDSA` by `Ed25519`.
#[test]
fn ed25519_and_eddsa_are_names_of_one_algorithm() {
    for of_key in ["EdDSA", "Ed25519"] {
        for of_token in ["EdDSA", "Ed25519"] {
            let (key, token) = ed25519(of_key, of_token);
            let keys = keys(&with_keys(&[&key]));
            assert_eq!(keys.claims_of(&token, at(ISSUED_AT)), Ok(jane()));
        }
    }
    let (key, token) = ed25519("EdDSA", "Ed448");
    let refused = keys(&with_keys(&[&key])).claims_of(&token, at(ISSUED_AT));
    assert_eq!(refused, Err("unsupported algorithm"));
}

#[test]
fn every_secret_of_a_rotation_verifies_and_the_first_signs() {
    let (old, new) = (keys(&with_secret()), "a new secret, longer than 32 bytes");
    let minute = Duration::from_secs(60);
    let signed = |keys: &JwtKeys| {
        let signed = keys.sign(&jane(), None, at(ISSUED_AT), minute);
        signed.expect("signs").text
    };
    let both = keys(&JwtSettings {
        secret: Some(Secret::new(new.to_owned())),
        older_secrets: vec![Secret::new(SECRET.to_owned())],
        ..JwtSettings::default()
    });
    assert_eq!(both.claims_of(&signed(&old), at(ISSUED_AT)), Ok(jane()));
    assert_eq!(both.claims_of(&signed(&both), at(ISSUED_AT)), Ok(jane()));
    let refused = old.claims_of(&signed(&both), at(ISSUED_AT));
    assert_eq!(refused, Err("signature does not verify"));
}

#[test]
fn changed_files_replace_the_keys_and_unusable_files_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (secret_file, jwks_file) = (folder.path().join("secret"), folder.path().join("jwks"));
    let write = |file, text: &str| std::fs::write(file, text).expect("written");
    let set_mode = |mode| {
        let mode = Permissions::from_mode(mode);
        std::fs::set_permissions(&secret_file, mode).expect("its mode");
    };
    write(&secret_file, SECRET);
    set_mode(0o600);
    write(&jwks_file, &fixture("/jwks"));
    let keys = keys(&JwtSettings {
        secret_file: Some(secret_file.clone()),
        jwks_file: Some(jwks_file.clone()),
        ..with_both()
    });
    let hs256 = hs256(&good_claims().to_string());
    let rs256 = fixture("/tokens/RS256/with_kid");
    let accepted = || {
        keys.reload_files(false);
        [&hs256, &rs256].map(|token| keys.verify(token, at(ISSUED_AT)).is_ok())
    };
    assert_eq!(accepted(), [true, true]);
    for unusable in ["", "short", "\n", "{}"] {
        write(&secret_file, unusable);
        write(&jwks_file, unusable);
        assert_eq!(accepted(), [true, true], "{unusable:?}");
    }
    std::fs::remove_file(&secret_file).expect("removed");
    std::fs::remove_file(&jwks_file).expect("removed");
    assert_eq!(accepted(), [true, true]);
    write(&secret_file, "another secret of more than 32 bytes");
    set_mode(0o644);
    assert_eq!(accepted(), [true, true], "others may read it");
    set_mode(0o600);
    assert_eq!(accepted(), [false, true], "a mended mode counts at once");
    let other = json!({"keys": [fixtures()["other_rsa"]]}).to_string();
    write(&jwks_file, &other);
    assert_eq!(accepted(), [false, false]);
    write(
        &secret_file,
        &format!("another secret of more than 32 bytes\n{SECRET}\n"),
    );
    write(&jwks_file, &fixture("/jwks"));
    assert_eq!(accepted(), [true, true]);
}
