//! A token's parts (RFC 7515, compact serialization). The library's header type accepts more than
//! this server: another encoding than UTF-8, and `crit: null`. It does not know `Ed25519`.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// Maximum length of a token, in bytes. A longer token is refused before decoding, so that clients
/// cannot make the server decode megabytes.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Token whose signature is not verified yet.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    /// `kid`: name of the key.
    pub(super) kid: Option<String>,
    /// Signed text: header and payload.
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// Header parameters that matter here. Unknown parameters are ignored (RFC 7515 §4).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present", rename = "crit")]
    has_crit: bool,
}

/// Returns `true` for a member of any value, also null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Returns the algorithm of this name, if this server supports it. `Ed25519` is the name of RFC
/// 9864 for the only curve of `EdDSA` that is supported here.
pub(super) fn algorithm_named(name: &str) -> Option<Algorithm> {
    match name {
        "HS256" => Some(Algorithm::HS256),
        "RS256" => Some(Algorithm::RS256),
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" | "Ed25519" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

impl<'a> Token<'a> {
    /// Splits a token and reads its header.
    ///
    /// # Errors
    ///
    /// The reason for the refusal, without any part of the token. The same below.
    pub(super) fn parse(token: &'a str) -> Result<Self, &'static str> {
        const NOT_THREE: &str = "not three parts separated by dots";
        let (message, signature) = token.rsplit_once('.').ok_or(NOT_THREE)?;
        let (header, payload) = message.split_once('.').ok_or(NOT_THREE)?;
        if payload.contains('.') {
            return Err(NOT_THREE);
        }
        let header: Header = decode(header)?;
        // RFC 7515 §4.1.11: an unknown critical extension must be refused, and this server knows
        // none.
        if header.has_crit {
            return Err("has a critical header extension");
        }
        Ok(Self {
            algorithm: algorithm_named(&header.alg).ok_or("unsupported algorithm")?,
            kid: header.kid,
            message,
            payload,
            signature,
        })
    }

    /// Checks the signature by `key`, a key of the token's algorithm.
    pub(super) fn check_signature(&self, key: &DecodingKey) -> Result<(), &'static str> {
        let message = self.message.as_bytes();
        match crypto::verify(self.signature, message, key, self.algorithm) {
            Ok(true) => Ok(()),
            Ok(false) => Err("signature does not verify"),
            // The key fits, so that only the signature's encoding can be wrong.
            Err(_) => Err("not base64url"),
        }
    }

    /// Reads the payload. Call it after the signature is verified.
    pub(super) fn payload<T: DeserializeOwned>(&self) -> Result<T, &'static str> {
        decode(self.payload)
    }
}

/// Decodes a part, which must be JSON in UTF-8 (RFC 7519 §7.2).
fn decode<T: DeserializeOwned>(part: &str) -> Result<T, &'static str> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(part);
    let bytes = decoded.map_err(|_invalid| "not base64url")?;
    // All of it, because serde_json does not check texts that it skips.
    let text = String::from_utf8(bytes).map_err(|_invalid| "not UTF-8")?;
    // Without the message, which may quote the token.
    let parsed = serde_json::from_str(&text);
    parsed.map_err(|_unlike| "header or claims are not JSON of the expected shape")
}
