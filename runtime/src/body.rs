//! Reads a JSON request body within its limits. Not here: its content, which the schema checks.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::rt::time::timeout;
use actix_web::{HttpRequest, web};
use futures_core::Stream;

use super::Rejection;

/// Largest body that is read, in bytes.
pub(super) const MAX_BYTES: usize = 65_536;
/// Time that a client has for the whole body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the body of `request`, which has to be uncompressed JSON.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<web::Bytes, Rejection> {
    let headers = request.headers();
    if !is_json(headers) || is_encoded(headers) {
        return Err(Rejection::UnsupportedMediaType);
    }
    // Refused before the client sends it, if it announces the length.
    if announced_length(headers).is_some_and(|length| length > MAX_BYTES) {
        return Err(Rejection::BodyTooLarge);
    }
    let mut body = pin!(collect(payload));
    // Most bodies have arrived with the request head. They need no timer.
    if let Poll::Ready(body) = poll_fn(|context| Poll::Ready(body.as_mut().poll(context))).await {
        return body;
    }
    match timeout(READ_TIMEOUT, body).await {
        Ok(body) => body,
        Err(_elapsed) => Err(Rejection::BodyTimeout),
    }
}

/// Joins the chunks of a body. A single chunk, the usual case, is not copied.
pub(super) async fn collect<S>(chunks: S) -> Result<web::Bytes, Rejection>
where
    S: Stream<Item = Result<web::Bytes, PayloadError>>,
{
    let mut chunks = pin!(chunks);
    let mut first = web::Bytes::new();
    let mut joined = web::BytesMut::new();
    while let Some(chunk) = poll_fn(|context| chunks.as_mut().poll_next(context)).await {
        let chunk = chunk.map_err(|error| Rejection::BodyUnreadable(error.to_string()))?;
        // Counted while it arrives, because a chunked body announces no length.
        if first.len() + joined.len() + chunk.len() > MAX_BYTES {
            return Err(Rejection::BodyTooLarge);
        }
        if first.is_empty() && joined.is_empty() {
            first = chunk;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&chunk);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Returns whether there is exactly one `Content-Type`, for JSON in UTF-8. JSON is always UTF-8
/// (RFC 8259, section 8.1), but clients name the charset. Other parameters are ignored (RFC 2045,
/// section 5), because the media type defines none.
fn is_json(headers: &HeaderMap) -> bool {
    // Recipients differ about which of two values counts (RFC 9110, section 8.3).
    let Some(content_type) = only_value(headers, header::CONTENT_TYPE) else {
        return false;
    };
    let mut parts = content_type.split(is_outside_quotes(';'));
    let is_media_type = parts
        .next()
        // Media types are case-insensitive (RFC 9110, section 8.3.1).
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"));
    is_media_type && parts.filter_map(charset).all(is_utf_8)
}

/// Returns a pattern that finds `wanted` outside of quoted strings (RFC 9110, section 5.6.4).
fn is_outside_quotes(wanted: char) -> impl FnMut(char) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    move |found| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match found {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        found == wanted && !is_quoted
    }
}

/// Returns the value of a parameter named `charset`.
fn charset(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    let value = name
        .trim()
        .eq_ignore_ascii_case("charset")
        .then_some(value.trim())?;
    let unquoted = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    Some(unquoted.unwrap_or(value))
}

/// Returns whether `charset` is UTF-8 or its subset ASCII. `utf8` is a label of the web
/// (<https://encoding.spec.whatwg.org/#names-and-labels>) and not registered with IANA.
fn is_utf_8(charset: &str) -> bool {
    // Charsets are case-insensitive (RFC 9110, section 8.3.2).
    ["utf-8", "utf8", "us-ascii"]
        .iter()
        .any(|known| charset.eq_ignore_ascii_case(known))
}

/// Returns whether the body is compressed. Decompressing is not supported, because a small body
/// could then become a large one.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_ENCODING)
        && !only_value(headers, header::CONTENT_ENCODING)
            .is_some_and(|coding| coding.trim().eq_ignore_ascii_case("identity"))
}

fn only_value(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
