//! Verifies and signs the JSON Web Tokens of the Tether dialect (RFC 7519).
//!
//! The algorithm comes from the key, never from the token (RFC 8725 §3.1). Not here: permissions of
//! a role. [`Claims::role`] is the text of the token.

mod jwks;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

/// Tolerance for the issuer's clock in checks of `exp` and `nbf`, in seconds.
pub const LEEWAY_SECS: u32 = 30;

/// Maximum length of a token, in bytes. A longer token is refused before decoding, so that clients
/// cannot make the server decode megabytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Minimum length of the HS256 secret, in bytes: the length of the hash (RFC 7518 §3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// Maximum length of `sub`, in characters. RFC 7519 sets no limit, and OpenID Connect Core §2 says
/// 255.
pub const MAX_SUBJECT_CHARS: usize = 255;

const BAD_SUBJECT: &str = "sub must have 1 to 255 characters and no control characters";

/// Text that must not be printed. `Debug` shows `***`, `Display` is missing, and the memory is
/// overwritten on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// Returns the text itself, which must never reach a log or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Settings of [`JwtKeys`]. With neither a secret nor a key set, every token is refused.
#[derive(Clone, Debug, Default)]
pub struct JwtSettings {
    /// Shared HS256 secret, at least [`MIN_SECRET_BYTES`] long. Also signs.
    pub secret: Option<Secret>,
    /// Content of a JWK set (RFC 7517 §5) with RS256, ES256 and EdDSA public keys.
    pub jwks_json: Option<String>,
    /// Required `iss` of every token. `None` accepts any.
    pub issuer: Option<String>,
    /// Required `aud` of every token, alone or in a list. `None` accepts any.
    pub audience: Option<String>,
}

/// Claims of a verified token that the product uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the caller. 1 to [`MAX_SUBJECT_CHARS`] characters, no control characters.
    pub subject: String,
    /// `organizationId`: the caller's organization. `None` when absent or null.
    pub organization: Option<String>,
    /// `accessRole`, verbatim. May be the name of an unknown role.
    pub role: String,
}

/// Keys of one process, prepared once because [`JwtKeys::verify`] runs for every request.
#[derive(Debug)]
pub struct JwtKeys {
    keys: Vec<VerificationKey>,
    signing: Option<EncodingKey>,
    issuer: Option<String>,
    audience: Option<String>,
}

/// Key with its only algorithm (the only entry of `validation.algorithms`).
#[derive(Debug)]
struct VerificationKey {
    /// `None` for the shared secret and for a JWK without `kid`.
    kid: Option<String>,
    key: DecodingKey,
    algorithm: Algorithm,
    validation: Validation,
}

impl JwtKeys {
    /// Prepares every configured key.
    ///
    /// # Errors
    ///
    /// Every problem of the settings, one text each, which never contains a key or the secret.
    pub fn new(settings: &JwtSettings) -> Result<JwtKeys, Vec<String>> {
        let mut problems = Vec::new();
        let mut keys = Vec::new();
        if let Some(secret) = &settings.secret {
            let bytes = secret.expose().as_bytes();
            if bytes.len() < MIN_SECRET_BYTES {
                problems.push(format!(
                    "the secret must have at least {MIN_SECRET_BYTES} bytes"
                ));
            }
            let key = DecodingKey::from_secret(bytes);
            keys.push(VerificationKey::new(None, key, Algorithm::HS256, settings));
        }
        if let Some(json) = &settings.jwks_json {
            match jwks::parse(json) {
                Ok(public_keys) => keys.extend(public_keys.into_iter().map(|public| {
                    VerificationKey::new(public.kid, public.key, public.algorithm, settings)
                })),
                Err(of_jwks) => problems.extend(of_jwks),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let secret = settings.secret.as_ref();
        Ok(JwtKeys {
            keys,
            signing: secret.map(|secret| EncodingKey::from_secret(secret.expose().as_bytes())),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
        })
    }

    /// Returns whether [`JwtKeys::verify`] refuses every token, because no key is configured.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks signature, algorithm, `iss`, `aud`, `exp` and `nbf`, and reads the claims.
    ///
    /// # Errors
    ///
    /// The reason for the refusal, without any part of the token. For the log only, because a
    /// client may only learn that the token is invalid or expired (Tether spec, 401).
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, &'static str> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err("longer than 8192 bytes");
        }
        let verified = match self.keys.as_slice() {
            [] => Err("no JWT key is configured"),
            // With a single key that accepts any `kid`, the header need not be read first.
            [only] if only.kid.is_none() => only.decode(token),
            _ => self.decode_with_candidates(token),
        }?;
        // RFC 7515 §4.1.11: an unknown critical extension must be refused, and this server knows
        // none.
        if verified.header.crit.is_some() {
            return Err("has a critical header extension");
        }
        check_times(&verified.claims, now)?;
        verified.claims.into_claims()
    }

    /// Tries the key that the header's `kid` names. Otherwise tries the keys of the header's `alg`,
    /// except for keys with another `kid`.
    fn decode_with_candidates(&self, token: &str) -> Result<TokenData<Payload>, &'static str> {
        let header = jsonwebtoken::decode_header(token).map_err(|error| reason(&error))?;
        let kid = header.kid.as_deref();
        let is_named = |key: &&VerificationKey| kid.is_some() && key.kid.as_deref() == kid;
        if let Some(named) = self.keys.iter().find(is_named) {
            return named.decode(token);
        }
        let mut outcome = Err("no key for its kid and algorithm");
        let candidates = self
            .keys
            .iter()
            .filter(|key| kid.is_none() || key.kid.is_none());
        // Without a matching `kid`, several keys may fit, as while an issuer rotates its keys.
        for key in candidates.filter(|key| key.algorithm == header.alg) {
            outcome = key.decode(token);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Signs a token with the shared secret. `iat` is `issued_at`, and `exp` is `ttl` later, both
    /// in whole seconds. `iss` and `aud` are the configured values. `full_name` becomes `fullName`,
    /// which only other readers of the token use.
    ///
    /// # Errors
    ///
    /// A missing secret, or claims that [`JwtKeys::verify`] would refuse.
    pub fn sign(
        &self,
        claims: &Claims,
        full_name: Option<&str>,
        issued_at: DateTime<Utc>,
        ttl: Duration,
    ) -> Result<String, &'static str> {
        let key = self
            .signing
            .as_ref()
            .ok_or("signing requires a configured secret")?;
        claims.check()?;
        let iat = issued_at.timestamp();
        let exp = iat
            .checked_add_unsigned(ttl.as_secs())
            .ok_or("the lifetime is too long")?;
        let payload = SignedPayload {
            sub: &claims.subject,
            organization_id: claims.organization.as_deref(),
            access_role: &claims.role,
            full_name,
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
            iat,
            exp,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, key)
            .map_err(|error| reason(&error))
    }
}

impl VerificationKey {
    fn new(
        kid: Option<String>,
        key: DecodingKey,
        algorithm: Algorithm,
        settings: &JwtSettings,
    ) -> VerificationKey {
        let mut validation = Validation::new(algorithm);
        let mut required = vec!["exp", "sub"];
        // The library reads the system clock. `check_times` compares with the caller's `now`.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        if let Some(issuer) = &settings.issuer {
            required.push("iss");
            validation.set_issuer(&[issuer]);
        }
        // Without a configured audience, a token that carries `aud` is accepted.
        validation.validate_aud = settings.audience.is_some();
        if let Some(audience) = &settings.audience {
            required.push("aud");
            validation.set_audience(&[audience]);
        }
        validation.set_required_spec_claims(&required);
        VerificationKey {
            kid,
            key,
            algorithm,
            validation,
        }
    }

    fn decode(&self, token: &str) -> Result<TokenData<Payload>, &'static str> {
        jsonwebtoken::decode(token, &self.key, &self.validation).map_err(|error| reason(&error))
    }
}

impl Claims {
    fn check(&self) -> Result<(), &'static str> {
        // The subject reaches audit rows and log lines, and PostgreSQL cannot store a NUL in a
        // text. Bytes are compared first, because nearly every subject is short and need not be
        // counted.
        let is_long = self.subject.len() > MAX_SUBJECT_CHARS
            && self.subject.chars().count() > MAX_SUBJECT_CHARS;
        if self.subject.is_empty() || is_long || self.subject.contains(char::is_control) {
            return Err(BAD_SUBJECT);
        }
        Ok(())
    }
}

/// Claims in the token. Unknown claims are ignored (RFC 7519 §4), and a duplicate claim is refused.
/// The library checks `iss` and `aud`.
#[derive(Deserialize)]
struct Payload {
    sub: String,
    #[serde(rename = "organizationId")]
    organization_id: Option<String>,
    #[serde(rename = "accessRole")]
    access_role: String,
    /// Seconds since 1970, possibly with a fraction (RFC 7519 §2, NumericDate).
    exp: f64,
    #[serde(default, deserialize_with = "present_number")]
    nbf: Option<f64>,
}

impl Payload {
    fn into_claims(self) -> Result<Claims, &'static str> {
        let claims = Claims {
            subject: self.sub,
            organization: self.organization_id,
            role: self.access_role,
        };
        claims.check()?;
        Ok(claims)
    }
}

#[derive(Serialize)]
struct SignedPayload<'a> {
    sub: &'a str,
    #[serde(rename = "organizationId", skip_serializing_if = "Option::is_none")]
    organization_id: Option<&'a str>,
    #[serde(rename = "accessRole")]
    access_role: &'a str,
    #[serde(rename = "fullName", skip_serializing_if = "Option::is_none")]
    full_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: i64,
    exp: i64,
}

/// Reads a number. Unlike a plain `Option`, refuses null, so that an intended time limit cannot
/// vanish.
fn present_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    f64::deserialize(deserializer).map(Some)
}

/// Checks the times: a token is invalid on and after `exp`, and before `nbf` (RFC 7519 §4.1.4 and
/// §4.1.5).
fn check_times(payload: &Payload, now: DateTime<Utc>) -> Result<(), &'static str> {
    let leeway = f64::from(LEEWAY_SECS);
    let now = now.timestamp_millis() as f64 / 1000.0;
    // Named before it is negated, so that a number that cannot be compared (NaN) is refused.
    let is_current = now < payload.exp + leeway;
    if !is_current {
        return Err("expired");
    }
    let has_begun = payload.nbf.is_none_or(|nbf| now + leeway >= nbf);
    if !has_begun {
        return Err("not valid yet");
    }
    Ok(())
}

/// Returns a fixed text for the log, because the library's message may quote the token.
fn reason(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidSignature => "signature does not verify",
        ErrorKind::InvalidAlgorithm => "algorithm is not the key's",
        ErrorKind::InvalidIssuer => "wrong iss",
        ErrorKind::InvalidAudience => "wrong aud",
        ErrorKind::MissingRequiredClaim(_) => "a required claim is missing or has the wrong type",
        ErrorKind::Json(_) => "header or claims are not JSON of the expected shape",
        ErrorKind::Base64(_) | ErrorKind::Utf8(_) => "not base64url",
        ErrorKind::InvalidToken => "not three parts separated by dots",
        // The library's enum is non-exhaustive. The remaining kinds concern keys, not tokens.
        _ => "cannot be processed",
    }
}
