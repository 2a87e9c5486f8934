//! Reads a JWK set (RFC 7517) into public keys, each with exactly one signature algorithm.
//!
//! Strict, because it runs once at the start: every problem of the file is reported, by position
//! and `kid`. Keys for other purposes are left out (RFC 7517 §5), because issuers publish all their
//! keys in one set. Not here: choosing the key for a token, which [`super::JwtKeys`] does.

use std::collections::HashSet;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

/// Maximum number of keys. Bounds the work for a token without `kid`, which every key of its
/// algorithm tries.
const MAX_KEYS: usize = 32;

/// Minimum length of RSA keys, in bits (RFC 7518 §3.3).
const MIN_RSA_BITS: usize = 2048;

/// Maximum length of RSA keys that the cryptographic library accepts, in bits.
const MAX_RSA_BITS: usize = 8192;

/// Public key of the set that may verify tokens.
pub struct PublicKey {
    /// `kid` that a token's header may name. `None` if the set gives no `kid`.
    pub kid: Option<String>,
    /// RS256, ES256 or EdDSA.
    pub algorithm: Algorithm,
    /// Key, prepared for the library.
    pub key: DecodingKey,
}

/// Members that only private keys have (RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// JWK set whose keys are read one by one, so that each problem has a position.
#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// Reason not to use a key of the set.
enum Unfit {
    /// The key is for another purpose, or of an unknown type.
    Foreign(String),
    /// The key is invalid, or does not belong in a key set.
    Invalid(String),
}

impl Unfit {
    fn invalid(problem: &str) -> Self {
        Self::Invalid(problem.to_owned())
    }
}

/// Reads the keys of `json` that may verify tokens. Names the other keys in the log.
///
/// # Errors
///
/// Every problem of the set, one text each, or the reason why the set has no usable key. A text
/// never quotes key material.
pub fn parse(json: &str) -> Result<Vec<PublicKey>, Vec<String>> {
    let set: JwkSet = serde_json::from_str(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        vec![format!(
            "must be a JWK set {{\"keys\": […]}} (line {line}, column {column})"
        )]
    })?;
    if set.keys.is_empty() {
        return Err(vec!["must have at least one key".to_owned()]);
    }
    if set.keys.len() > MAX_KEYS {
        return Err(vec![format!("must have at most {MAX_KEYS} keys")]);
    }
    let mut keys = Vec::new();
    let (mut problems, mut left_out) = (Vec::new(), Vec::new());
    let mut kids = HashSet::new();
    for (index, value) in set.keys.iter().enumerate() {
        let (name, key) = read_key(index + 1, value);
        match key {
            Ok(key)
                if key
                    .kid
                    .as_ref()
                    .is_some_and(|kid| !kids.insert(kid.clone())) =>
            {
                problems.push(format!("{name}: an earlier key has the same kid"));
            }
            Ok(key) => keys.push(key),
            Err(Unfit::Invalid(problem)) => problems.push(format!("{name}: {problem}")),
            Err(Unfit::Foreign(reason)) => left_out.push(format!("{name}: {reason}")),
        }
    }
    // A set without a usable key would refuse every token, so the reasons become errors.
    if keys.is_empty() {
        problems.append(&mut left_out);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for reason in left_out {
        log::warn!("ignored a key of the JWK set: {reason}");
    }
    Ok(keys)
}

/// Reads one key. Also returns its name for problems: its position, and its `kid` if any.
fn read_key(position: usize, value: &Value) -> (String, Result<PublicKey, Unfit>) {
    let name = format!("key {position}");
    // Without serde's message, which could quote a value. A misplaced value may be secret.
    let (Ok(jwk), Some(_)) = (Jwk::deserialize(value), text(value, "kty")) else {
        let problem = "must be an object with `kty` and string members";
        return (name, Err(Unfit::invalid(problem)));
    };
    let name = match &jwk.common.key_id {
        Some(kid) => format!("{name} (kid {kid:?})"),
        None => name,
    };
    (name, public_key(&jwk, value))
}

/// Returns a member that is a text.
fn text<'a>(key: &'a Value, member: &str) -> Option<&'a str> {
    key.get(member)?.as_str()
}

/// Checks a key. `value` is the same key with all its members.
fn public_key(jwk: &Jwk, value: &Value) -> Result<PublicKey, Unfit> {
    if jwk.common.key_id.as_deref() == Some("") {
        return Err(Unfit::invalid("kid must not be empty"));
    }
    // A secret in a key set is a mistake, whatever its use is.
    if text(value, "kty") == Some("oct") {
        let problem = "symmetric keys are not allowed in a key set, configure the secret instead";
        return Err(Unfit::invalid(problem));
    }
    let is_private = |member: &&str| value.get(member).is_some_and(|member| !member.is_null());
    if PRIVATE_MEMBERS.iter().any(is_private) {
        let problem = "private keys are not allowed, give only the public members";
        return Err(Unfit::invalid(problem));
    }
    if let Some(intended) = &jwk.common.public_key_use
        && *intended != PublicKeyUse::Signature
    {
        let intended = text(value, "use").unwrap_or_default();
        return Err(Unfit::Foreign(format!(
            "its use is {intended:?}, not \"sig\""
        )));
    }
    if let Some(operations) = &jwk.common.key_operations
        && !operations.contains(&KeyOperations::Verify)
    {
        let reason = "its key_ops do not contain \"verify\"".to_owned();
        return Err(Unfit::Foreign(reason));
    }
    let algorithm = algorithm(&jwk.algorithm, value)?;
    let name = format!("{algorithm:?}");
    if let Some(stated) = text(value, "alg").filter(|stated| *stated != name) {
        return Err(Unfit::Foreign(format!(
            "unsupported alg {stated:?}, keys of this type are used with {name}"
        )));
    }
    Ok(PublicKey {
        kid: jwk.common.key_id.clone(),
        algorithm,
        key: decoding_key(jwk)?,
    })
}

/// Returns the only algorithm of a key of this type. A stated `alg` may only confirm it.
fn algorithm(parameters: &AlgorithmParameters, value: &Value) -> Result<Algorithm, Unfit> {
    match parameters {
        AlgorithmParameters::RSA(_) => return Ok(Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            return Ok(Algorithm::ES256);
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            return Ok(Algorithm::EdDSA);
        }
        // The library reads a key without a member of its type as a key of an unknown type.
        _ => {}
    }
    let (kty, crv) = (text(value, "kty"), text(value, "crv"));
    match (kty.unwrap_or_default(), crv) {
        ("RSA", _) => Err(Unfit::invalid("n or e is missing")),
        ("EC", Some("P-256")) => Err(Unfit::invalid("x or y is missing")),
        ("OKP", Some("Ed25519")) => Err(Unfit::invalid("x is missing")),
        ("EC" | "OKP", None) => Err(Unfit::invalid("crv is missing")),
        ("EC" | "OKP", Some(curve)) => Err(Unfit::Foreign(format!("unsupported curve {curve:?}"))),
        (other, _) => Err(Unfit::Foreign(format!("unsupported key type {other:?}"))),
    }
}

/// Converts a key to the library's type, and checks everything that the library does not.
fn decoding_key(jwk: &Jwk) -> Result<DecodingKey, Unfit> {
    let invalid = |problem: &str| Err(Unfit::invalid(problem));
    // RFC 7518 §6.2.1.2, RFC 8037 §2: each coordinate has its full length, 32 bytes or 43
    // characters.
    let has_full_length = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(point) => point.x.len() == 43 && point.y.len() == 43,
        AlgorithmParameters::OctetKeyPair(point) => point.x.len() == 43,
        _ => true,
    };
    let key = match DecodingKey::from_jwk(jwk) {
        Ok(key) if has_full_length => key,
        Ok(_) | Err(_) if matches!(jwk.algorithm, AlgorithmParameters::RSA(_)) => {
            return invalid("n and e must be base64url");
        }
        Ok(_) | Err(_) => return invalid("coordinates must be base64url of 32 bytes"),
    };
    if let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() {
        let bits = bit_length(n);
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            return invalid(&format!(
                "an RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, not {bits}"
            ));
        }
        // An exponent of 1 would make every signature valid. An RSA key cannot have an even
        // exponent.
        if bit_length(e) < 2 || e.last().is_some_and(|last| last % 2 == 0) {
            return invalid("e must be an odd number above 1");
        }
    }
    Ok(key)
}

/// Returns the length of a big-endian number without its leading zeros.
fn bit_length(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    digits
        .first()
        .map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}
