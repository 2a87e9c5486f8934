//! The JSON Web Tokens of the Tether dialect (RFC 7519).
//!
//! The algorithm comes from the key, never from the token (RFC 8725 §3.1). Not here: permissions of
//! a role.

mod claims;
mod jwks;
mod keys;
mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod token;

pub use claims::{Claims, VerifiedToken};
pub use keys::{JwtKeys, SignedToken};
pub use secret::Secret;
pub use settings::JwtSettings;
