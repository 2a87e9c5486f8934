//! Turns credentials into a [`Caller`](crate::domain::access::Caller). Not here: permissions of the
//! caller, which `domain::access` checks, and rate limits.

pub mod api_key;
pub mod jwt;
pub mod user;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use crate::error::{Error, Result};

/// Returns the token of the only `Authorization: Bearer` header (RFC 6750, section 2.1). The scheme
/// is case-insensitive (RFC 9110, section 11.1).
fn bearer_token(request: &HttpRequest) -> Result<&str> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let value = values
        .next()
        .ok_or(Error::Unauthenticated("no credential"))?;
    // With two credentials, a proxy in front of the server could check the other credential.
    if values.next().is_some() {
        return Err(Error::Unauthenticated("two credentials"));
    }
    let value = value.as_bytes();
    let (scheme, token) = value
        .split_at_checked("Bearer ".len())
        .unwrap_or((value, b""));
    let token = std::str::from_utf8(token)
        .unwrap_or_default()
        .trim_matches(' ');
    if scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty() {
        Ok(token)
    } else {
        Err(Error::Unauthenticated("not a bearer token"))
    }
}
