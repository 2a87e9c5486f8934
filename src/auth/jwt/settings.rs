//! Settings of the keys of tokens.

use std::path::PathBuf;
use std::time::Duration;

use super::jwks_url::JwksSource;
use super::secret::Secret;

/// Settings of the keys of tokens. With neither a secret nor a key set, every token is refused.
#[derive(Clone, Debug, Default)]
pub struct JwtSettings {
    /// Shared HS256 secret, at least 32 bytes long. Also signs.
    pub secret: Option<Secret>,
    /// Secrets that only verify, while `secret` replaces them.
    pub older_secrets: Vec<Secret>,
    /// File of all secrets above, read again when it changes.
    pub secret_file: Option<PathBuf>,
    /// Content of a JWK set (RFC 7517 §5) with RS256, ES256 and EdDSA public keys.
    pub jwks_json: Option<String>,
    /// File of the set, read again when it changes.
    pub jwks_file: Option<PathBuf>,
    /// Address of the set, instead of a file.
    pub jwks_url: Option<JwksSource>,
    /// Required `iss` of every token. `None` accepts any.
    pub issuer: Option<String>,
    /// Required `aud` of every token, alone or in a list. `None` accepts any.
    pub audience: Option<String>,
    /// Longest time from `iat` to `exp`, and from now to `exp`. `None` is unlimited.
    pub max_lifetime: Option<Duration>,
}
