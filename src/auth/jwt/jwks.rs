//! Reads a JWK set (RFC 7517) into public keys, each with exactly one signature algorithm.
//!
//! Strict: every problem of a set is reported, by position and `kid`, and refuses the whole set.
//! Keys for other purposes are left out (RFC 7517 §5), because issuers publish all their keys in
//! one set.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::token::{Token, algorithm_named};

/// Maximum number of keys that verify tokens.
const MAX_KEYS: usize = 32;

/// Refusal of a token whose key is not in the set.
pub(super) const UNKNOWN_KEY: &str = "no key for its kid and algorithm";

/// Refusal of a token that names a key of another algorithm.
pub(super) const OTHER_ALGORITHM: &str = "algorithm is not the key's";

/// Minimum length of RSA keys, in bits (RFC 7518 §3.3).
const MIN_RSA_BITS: usize = 2048;

/// Maximum length of RSA keys that the cryptographic library accepts, in bits.
const MAX_RSA_BITS: usize = 8192;

/// Public key of the set that may verify tokens.
#[derive(Debug)]
pub(super) struct PublicKey {
    /// `kid` that a token's header may name. `None` if the set gives no `kid`.
    kid: Option<String>,
    /// RS256, ES256 or EdDSA.
    algorithm: Algorithm,
    /// Key, prepared for the library.
    pub(super) key: DecodingKey,
}

/// Public keys in use.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    /// Text of the set, to notice a change.
    pub(super) text: String,
    pub(super) keys: Vec<PublicKey>,
    /// Keys that are left out, with the reasons.
    left_out: Vec<String>,
}

/// Members that hold secrets: of private keys (RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2, and `priv`
/// of the key type `AKP`), and of symmetric keys (RFC 7518 §6.4.1).
const SECRET_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"];

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

impl KeySet {
    /// Reads the keys of `json` that may verify tokens.
    ///
    /// # Errors
    ///
    /// Every problem of the set, one text each, or the reason why the set has no usable key. A text
    /// never quotes key material.
    pub(super) fn parse(json: &str) -> Result<KeySet, Vec<String>> {
        let set: JwkSet = serde_json::from_str(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            vec![format!(
                "must be a JWK set {{\"keys\": […]}} (line {line}, column {column})"
            )]
        })?;
        if set.keys.is_empty() {
            return Err(vec!["must have at least one key".to_owned()]);
        }
        let mut keys = Vec::new();
        let (mut problems, mut left_out) = (Vec::new(), Vec::new());
        let mut names = HashSet::new();
        for (index, value) in set.keys.iter().enumerate() {
            let (name, key) = read_key(index + 1, value);
            match key {
                // Keys of different algorithms may share a kid (RFC 7517 §4.5).
                Ok(key) if !names.insert((key.kid.clone(), key.algorithm)) => {
                    problems.push(format!(
                        "{name}: an earlier {:?} key has the same kid, or neither has one",
                        key.algorithm
                    ));
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
        if keys.len() > MAX_KEYS {
            problems.push(format!("must have at most {MAX_KEYS} keys for tokens"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(KeySet {
            text: json.to_owned(),
            keys,
            left_out,
        })
    }

    /// Names the keys that are left out in the log.
    pub(super) fn log_left_out(&self) {
        for reason in &self.left_out {
            log::warn!("ignored a key of the JWK set: {reason}");
        }
    }

    /// Returns whether `token` names one of the keys.
    pub(super) fn names(&self, token: &Token<'_>) -> bool {
        token.kid.is_some() && self.keys.iter().any(|key| key.kid == token.kid)
    }

    /// Returns the only key that may verify `token`. Never several, because trying them would let
    /// clients without a valid token multiply the work of the server.
    ///
    /// # Errors
    ///
    /// The reason for the refusal.
    pub(super) fn choose(&self, token: &Token<'_>) -> Result<&PublicKey, &'static str> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithm == token.algorithm);
        if token.kid.is_none() {
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) => Ok(only),
                (Some(_), Some(_)) => Err("has no kid, and several keys fit"),
                (None, _) => Err(UNKNOWN_KEY),
            };
        }
        if let Some(named) = fitting.clone().find(|key| key.kid == token.kid) {
            return Ok(named);
        }
        if self.names(token) {
            return Err(OTHER_ALGORITHM);
        }
        fitting.find(|key| key.kid.is_none()).ok_or(UNKNOWN_KEY)
    }
}

/// Reads one key. Also returns its name for problems: its position, and its `kid` if any.
fn read_key(position: usize, value: &Value) -> (String, Result<PublicKey, Unfit>) {
    let name = format!("key {position}");
    if let Some(problem) = secret_in(value) {
        return (name, Err(Unfit::invalid(problem)));
    }
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

/// Returns the problem of a key that holds a secret. A secret in a key set is a mistake, whatever
/// its type and its use are.
fn secret_in(key: &Value) -> Option<&'static str> {
    if text(key, "kty") == Some("oct") {
        return Some("symmetric keys are not allowed in a key set, configure the secret instead");
    }
    let is_present = |member: &&str| key.get(member).is_some_and(|member| !member.is_null());
    let is_secret = SECRET_MEMBERS.iter().any(is_present);
    is_secret.then_some("private keys are not allowed, give only the public members")
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
    let stated = text(value, "alg");
    let unsupported = |stated: &str| Err(Unfit::Foreign(format!("unsupported alg {stated:?}")));
    // First, because a key of an unknown algorithm may have other members.
    if let Some(stated) = stated.filter(|stated| algorithm_named(stated).is_none()) {
        return unsupported(stated);
    }
    let algorithm = algorithm(&jwk.algorithm, value)?;
    // `alg` may only confirm the algorithm that follows from the key's type.
    if let Some(stated) = stated.filter(|stated| algorithm_named(stated) != Some(algorithm)) {
        return unsupported(stated);
    }
    Ok(PublicKey {
        kid: jwk.common.key_id.clone(),
        algorithm,
        key: decoding_key(jwk)?,
    })
}

/// Returns the only algorithm of a key of this type.
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
    // RFC 7518 §6.2.1.2, RFC 8037 §2: each coordinate has its full length, 32 bytes or 43
    // characters.
    let has_full_length = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(point) => point.x.len() == 43 && point.y.len() == 43,
        AlgorithmParameters::OctetKeyPair(point) => point.x.len() == 43,
        _ => true,
    };
    if let AlgorithmParameters::RSA(components) = &jwk.algorithm {
        return rsa_key(&components.n, &components.e);
    }
    match DecodingKey::from_jwk(jwk) {
        Ok(key) if has_full_length => Ok(key),
        Ok(_) | Err(_) => Err(Unfit::invalid("coordinates must be base64url of 32 bytes")),
    }
}

fn rsa_key(modulus: &str, exponent: &str) -> Result<DecodingKey, Unfit> {
    let invalid = |problem: &str| Err(Unfit::invalid(problem));
    let decode = |number| BASE64_URL_SAFE_NO_PAD.decode(number);
    let (Ok(modulus), Ok(exponent)) = (decode(modulus), decode(exponent)) else {
        return invalid("n and e must be base64url");
    };
    let (modulus, exponent) = (digits(&modulus), digits(&exponent));
    let bits = bit_length(modulus);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return invalid(&format!(
            "an RSA key must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, not {bits}"
        ));
    }
    // An exponent of 1 would make every signature valid. An RSA key cannot have an even exponent.
    if bit_length(exponent) < 2 || exponent.last().is_some_and(|last| last % 2 == 0) {
        return invalid("e must be an odd number above 1");
    }
    Ok(DecodingKey::from_rsa_raw_components(modulus, exponent))
}

/// Returns a big-endian number without its leading zeros. Java's `BigInteger` writes them (RFC
/// 7518 §6.3.1.1), and the cryptographic library verifies nothing with them.
fn digits(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// Returns the length of a big-endian number without leading zeros, in bits.
fn bit_length(digits: &[u8]) -> usize {
    digits
        .first()
        .map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}
