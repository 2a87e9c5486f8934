//! The JSON Web Tokens of the Tether dialect (RFC 7519).
//!
//! The algorithm comes from the key, never from the token (RFC 8725 §3.1). Not here: permissions of
//! a role, and when keys are read again, which `jobs::token_keys` decides.

mod claims;
mod jwks;
mod jwks_url;
mod keys;
mod reload;
mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod token;
mod watched_file;

pub use claims::{Claims, VerifiedToken};
pub use jwks_url::{JwksSource, JwksUrl};
pub use keys::{JwtKeys, SignedToken};
pub use secret::Secret;
pub use settings::JwtSettings;
