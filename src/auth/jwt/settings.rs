//! Settings of the keys of tokens.

use super::secret::Secret;

/// Settings of the keys of tokens. With neither a secret nor a key set, every token is refused.
#[derive(Clone, Debug, Default)]
pub struct JwtSettings {
    /// Shared HS256 secret, at least 32 bytes long. Also signs.
    pub secret: Option<Secret>,
    /// Secrets that only verify, while `secret` replaces them.
    pub older_secrets: Vec<Secret>,
    /// Content of a JWK set (RFC 7517 §5) with RS256, ES256 and EdDSA public keys.
    pub jwks_json: Option<String>,
    /// Required `iss` of every token. `None` accepts any.
    pub issuer: Option<String>,
    /// Required `aud` of every token, alone or in a list. `None` accepts any.
    pub audience: Option<String>,
}
