//! Reads a JWK set (RFC 7517) into public keys, each with exactly one signature algorithm.
//!
//! Strict, because it runs once at the start: every fault of the file is reported, by position
//! and `kid`. Keys for other purposes are left out, as RFC 7517 §5 has it: issuers publish all of
//! theirs in one set. Not here: choosing the key for a token; that is [`super::JwtKeys`].

use std::collections::HashSet;

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Bounds the work for a token without `kid`, which is tried with every key of its algorithm.
const MAX_KEYS: usize = 32;

/// RFC 7518 §3.3: RSA keys have 2048 bits or more.
const MIN_RSA_BITS: usize = 2048;

/// The cryptographic library verifies no longer modulus.
const MAX_RSA_BITS: usize = 8192;

/// A public key of the set that may verify tokens.
pub struct PublicKey {
    /// The `kid` that a token's header may name; `None`: the set gives none.
    pub kid: Option<String>,
    /// RS256, ES256 or EdDSA.
    pub algorithm: Algorithm,
    /// The key, prepared for the library.
    pub key: DecodingKey,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

/// The members that matter of all key types together (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    intended_use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<IgnoredAny>,
}

/// Why a key of the set is not used.
enum Unfit {
    /// It is for something else, or of a kind that this server does not know.
    Foreign(String),
    /// It is wrong, or has no business in a key set.
    Faulty(String),
}

impl From<String> for Unfit {
    fn from(fault: String) -> Self {
        Self::Faulty(fault)
    }
}

/// Reads the keys of `json` that may verify tokens; others are named in the log.
///
/// # Errors
///
/// Every fault found, or why no key is left, one text each; a text never quotes key material.
pub fn parse(json: &str) -> Result<Vec<PublicKey>, Vec<String>> {
    let set: JwkSet = serde_json::from_str(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        vec![format!(
            "not a JWK set {{\"keys\": […]}} (line {line}, column {column})"
        )]
    })?;
    if set.keys.is_empty() {
        return Err(vec!["the list of keys is empty".to_owned()]);
    }
    if set.keys.len() > MAX_KEYS {
        return Err(vec![format!("more than {MAX_KEYS} keys")]);
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
            Err(Unfit::Faulty(problem)) => problems.push(format!("{name}: {problem}")),
            Err(Unfit::Foreign(reason)) => left_out.push(format!("{name}: {reason}")),
        }
    }
    if keys.is_empty() {
        problems.append(&mut left_out);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for reason in left_out {
        log::warn!("a key of the JWK set is not used: {reason}");
    }
    Ok(keys)
}

/// One key and the name that problems give it: its place in the list, and its `kid` if any.
fn read_key(position: usize, value: &serde_json::Value) -> (String, Result<PublicKey, Unfit>) {
    let name = format!("key {position}");
    // serde's own message could quote a value; a misplaced one may be secret.
    let Ok(jwk) = Jwk::deserialize(value) else {
        return (
            name,
            Err(Unfit::Faulty(
                "not an object with `kty` and string members".to_owned(),
            )),
        );
    };
    let name = match &jwk.kid {
        Some(kid) => format!("{name} (kid {kid:?})"),
        None => name,
    };
    (name, public_key(jwk))
}

fn public_key(jwk: Jwk) -> Result<PublicKey, Unfit> {
    if jwk.kid.as_deref() == Some("") {
        return Err("kid is empty".to_owned().into());
    }
    // Whatever they are for, secrets stop the start.
    if jwk.kty == "oct" {
        let fault = "symmetric keys do not belong in a key set; set the secret";
        return Err(fault.to_owned().into());
    }
    if jwk.d.is_some() {
        let fault = "it is a private key; give only its public members";
        return Err(fault.to_owned().into());
    }
    if let Some(other) = jwk
        .intended_use
        .as_deref()
        .filter(|intended| *intended != "sig")
    {
        return Err(Unfit::Foreign(format!("its use is {other:?}, not \"sig\"")));
    }
    if jwk
        .key_ops
        .as_ref()
        .is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
    {
        return Err(Unfit::Foreign(
            "its key_ops do not contain \"verify\"".to_owned(),
        ));
    }
    let algorithm = algorithm(&jwk)?;
    let key = match algorithm {
        Algorithm::RS256 => rsa_key(jwk.n.as_deref(), jwk.e.as_deref())?,
        Algorithm::ES256 => p256_key(jwk.x.as_deref(), jwk.y.as_deref())?,
        _ => ed25519_key(jwk.x.as_deref())?,
    };
    Ok(PublicKey {
        kid: jwk.kid,
        algorithm,
        key,
    })
}

/// The one algorithm of a key of this type; a stated `alg` may only confirm it.
fn algorithm(jwk: &Jwk) -> Result<Algorithm, Unfit> {
    let (algorithm, name) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => (Algorithm::RS256, "RS256"),
        ("EC", Some("P-256")) => (Algorithm::ES256, "ES256"),
        ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA"),
        ("EC" | "OKP", Some(curve)) => {
            return Err(Unfit::Foreign(format!("unsupported curve {curve:?}")));
        }
        ("EC" | "OKP", None) => return Err("crv is missing".to_owned().into()),
        (other, _) => return Err(Unfit::Foreign(format!("unsupported key type {other:?}"))),
    };
    match jwk.alg.as_deref() {
        Some(stated) if stated != name => Err(Unfit::Foreign(format!(
            "unsupported alg {stated:?}; a key of this type is used with {name}"
        ))),
        Some(_) | None => Ok(algorithm),
    }
}

fn rsa_key(n: Option<&str>, e: Option<&str>) -> Result<DecodingKey, String> {
    let (Some(n), Some(e)) = (n, e) else {
        return Err("n or e is missing".to_owned());
    };
    let Ok(key) = DecodingKey::from_rsa_components(n, e) else {
        return Err("n or e is not base64url".to_owned());
    };
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else {
        return Err("n and e make no RSA key".to_owned());
    };
    let bits = bit_length(n);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err(format!(
            "an RSA key of {bits} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} allowed"
        ));
    }
    // An exponent of 1 would make every signature valid; even ones make no RSA key.
    if bit_length(e) < 2 || e.last().is_some_and(|last| last % 2 == 0) {
        return Err("e is not an odd number above 1".to_owned());
    }
    Ok(key)
}

/// The length of a big-endian number without its leading zeros.
fn bit_length(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    digits
        .first()
        .map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}

fn p256_key(x: Option<&str>, y: Option<&str>) -> Result<DecodingKey, String> {
    let (Some(x), Some(y)) = (x, y) else {
        return Err("x or y is missing".to_owned());
    };
    // RFC 7518 §6.2.1.2: each coordinate has its full length, 32 bytes or 43 characters.
    match DecodingKey::from_ec_components(x, y) {
        Ok(key) if x.len() == 43 && y.len() == 43 => Ok(key),
        Ok(_) | Err(_) => Err("x or y is not base64url of 32 bytes".to_owned()),
    }
}

fn ed25519_key(x: Option<&str>) -> Result<DecodingKey, String> {
    let x = x.ok_or("x is missing")?;
    match DecodingKey::from_ed_components(x) {
        Ok(key) if x.len() == 43 => Ok(key),
        Ok(_) | Err(_) => Err("x is not base64url of 32 bytes".to_owned()),
    }
}
