//! Credentials become a [`Caller`](crate::domain::access::Caller). What the caller may do is
//! decided in `domain::access`.

pub mod api_key;
pub mod jwt;
pub mod limits;
pub mod user;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use crate::error::{Error, Result};

/// The token of the request's one `Authorization: Bearer` header (RFC 6750, section 2.1).
fn bearer_token(request: &HttpRequest) -> Result<&str> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let value = values
        .next()
        .ok_or(Error::Unauthenticated("no credential"))?;
    // Two credentials could be read differently by what stands in front of us.
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
    match scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty() {
        true => Ok(token),
        false => Err(Error::Unauthenticated("not a bearer token")),
    }
}
