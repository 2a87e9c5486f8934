//! Keys of one process: verifying and signing tokens.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header};
use serde::Serialize;

use crate::domain::ids::TokenId;
use crate::secret_file;

use super::claims::{ClaimRules, Claims, Payload, VerifiedToken};
use super::jwks::{KeySet, OTHER_ALGORITHM, UNKNOWN_KEY};
use super::jwks_url::JwksSource;
use super::secret::{self, Secret, Secrets};
use super::settings::JwtSettings;
use super::token::{MAX_TOKEN_BYTES, Token};
use super::watched_file::WatchedFile;

/// Keys of one process, prepared because [`JwtKeys::verify`] runs for every request. They are
/// replaced while requests use them, without a lock.
#[derive(Debug)]
pub struct JwtKeys {
    pub(super) secrets: ArcSwap<Secrets>,
    pub(super) public_keys: ArcSwap<KeySet>,
    rules: ClaimRules,
    pub(super) secret_file: Option<WatchedFile>,
    pub(super) jwks_file: Option<WatchedFile>,
    pub(super) jwks_url: Option<JwksSource>,
    /// True after a token named a key that the set does not have.
    pub(super) is_key_missing: AtomicBool,
    pub(super) is_reload_requested: AtomicBool,
}

/// Token that was just signed.
#[derive(Clone, Debug)]
pub struct SignedToken {
    /// The token itself, a secret.
    pub text: String,
    /// `jti`.
    pub id: TokenId,
    /// `iss`.
    pub issuer: Option<String>,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl JwtKeys {
    /// Prepares every configured key.
    ///
    /// # Errors
    ///
    /// Every problem of the settings, one text each, which never contains a key or the secret.
    pub fn new(settings: &JwtSettings) -> Result<JwtKeys, Vec<String>> {
        let mut problems = Vec::new();
        let secrets = settings.secret.iter().chain(&settings.older_secrets);
        let secrets: Vec<Secret> = secrets.cloned().collect();
        let is_short = |secret: &Secret| secret.expose().len() < secret::MIN_SECRET_BYTES;
        if secrets.iter().any(is_short) {
            problems.push(secret::too_short());
        }
        let public_keys = match settings.jwks_json.as_deref().map(KeySet::parse) {
            None => KeySet::default(),
            Some(Ok(set)) => set,
            Some(Err(of_set)) => {
                problems.extend(of_set);
                KeySet::default()
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        public_keys.log_left_out();
        let file = |path: &Option<PathBuf>, read| {
            let path = path.clone();
            path.map(|path| WatchedFile::new(path, read))
        };
        Ok(JwtKeys {
            secrets: ArcSwap::from_pointee(Secrets::new(secrets)),
            public_keys: ArcSwap::from_pointee(public_keys),
            rules: ClaimRules {
                issuer: settings.issuer.clone(),
                audience: settings.audience.clone(),
                max_lifetime: settings.max_lifetime,
            },
            secret_file: file(&settings.secret_file, secret_file::read),
            jwks_file: file(&settings.jwks_file, |path| fs::read_to_string(path)),
            jwks_url: settings.jwks_url.clone(),
            is_key_missing: AtomicBool::new(false),
            is_reload_requested: AtomicBool::new(false),
        })
    }

    /// Returns whether a shared secret is configured.
    pub fn has_secret(&self) -> bool {
        !self.secrets.load().verifying.is_empty()
    }

    /// Returns whether public keys are configured.
    pub fn has_public_keys(&self) -> bool {
        !self.public_keys.load().keys.is_empty()
    }

    /// Checks signature, algorithm, `iss`, `aud`, `exp`, `nbf` and `iat`, and reads the claims.
    ///
    /// # Errors
    ///
    /// The reason for the refusal, without any part of the token. For the log only, because a
    /// client may only learn that the token is invalid or expired (Tether spec, 401).
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<VerifiedToken, &'static str> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err("longer than 8192 bytes");
        }
        if !self.has_secret() && !self.has_public_keys() {
            return Err("no JWT key is configured");
        }
        let token = Token::parse(token)?;
        if token.algorithm == Algorithm::HS256 {
            self.check_secret_signature(&token)?;
        } else {
            self.check_public_signature(&token)?;
        }
        token.payload::<Payload>()?.check(&self.rules, now)
    }

    fn check_secret_signature(&self, token: &Token<'_>) -> Result<(), &'static str> {
        // A token that names a public key must not be verified by the secret instead.
        if self.public_keys.load().names(token) {
            return Err(OTHER_ALGORITHM);
        }
        // All of them, because secrets have no names. There are few, and a hash is cheap.
        let mut outcome = Err(UNKNOWN_KEY);
        for key in &self.secrets.load().verifying {
            outcome = token.check_signature(key);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn check_public_signature(&self, token: &Token<'_>) -> Result<(), &'static str> {
        let set = self.public_keys.load();
        let chosen = set.choose(token);
        // The issuer may have added the key since the set was fetched.
        if chosen.is_err_and(|reason| reason == UNKNOWN_KEY) && token.kid.is_some() {
            self.is_key_missing.store(true, Ordering::Relaxed);
        }
        token.check_signature(&chosen?.key)
    }

    /// Signs a token with the shared secret. `iat` is `issued_at`, and `exp` is `ttl` later, both
    /// in whole seconds. `jti` is a new id, `iss` and `aud` are the configured values. `full_name`
    /// becomes `fullName`, which only other readers of the token use.
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
    ) -> Result<SignedToken, &'static str> {
        let secrets = self.secrets.load();
        let key = secrets.signing.as_ref();
        let key = key.ok_or("signing requires a configured secret")?;
        claims.check()?;
        if self.rules.max_lifetime.is_some_and(|longest| ttl > longest) {
            return Err("the lifetime is longer than QUIETLINE_JWT_MAX_LIFETIME");
        }
        let iat = issued_at.timestamp();
        let expires_at = iat
            .checked_add_unsigned(ttl.as_secs())
            .and_then(|exp| DateTime::from_timestamp(exp, 0))
            .ok_or("the lifetime is too long")?;
        let id = TokenId::generate();
        let payload = SignedPayload {
            sub: &claims.subject,
            organization_id: claims.organization.as_deref(),
            access_role: &claims.role,
            full_name,
            iss: self.rules.issuer.as_deref(),
            aud: self.rules.audience.as_deref(),
            jti: id.to_string(),
            iat,
            exp: expires_at.timestamp(),
        };
        let text = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, key);
        Ok(SignedToken {
            text: text.map_err(|_failed| "cannot be signed")?,
            id,
            issuer: self.rules.issuer.clone(),
            issued_at,
            expires_at,
        })
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
    jti: String,
    iat: i64,
    exp: i64,
}
