//! Headers of every response: rules for browsers, and the state of a rate limit.

use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CROSS_ORIGIN_RESOURCE_POLICY, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

use crate::request::{RateLimit, RequestContext};

static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Default headers, unless the handler set its own.
///
/// Settings and errors of one organization must not be cached. A response that a browser opens as a
/// page loads nothing, runs nothing and cannot be framed. A page of another origin cannot embed one
/// as an image or a script. That leaves CORS as it is, because the policy concerns `no-cors`
/// requests only (<https://fetch.spec.whatwg.org/#cross-origin-resource-policy-header>).
static DEFAULTS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
];

/// Adds the headers of every response to `response`. Keeps headers that the handler set.
pub(super) fn add<B>(response: &mut ServiceResponse<B>) {
    let limit = rate_limit(response);
    let headers = response.headers_mut();
    for (name, value) in &DEFAULTS {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if let Some(limit) = limit {
        let (policy, left) = fields(&limit);
        headers.insert(RATE_LIMIT_POLICY.clone(), policy);
        headers.insert(RATE_LIMIT.clone(), left);
    }
}

fn rate_limit<B>(response: &ServiceResponse<B>) -> Option<RateLimit> {
    let extensions = response.request().extensions();
    extensions.get::<RequestContext>()?.rate_limit
}

/// Formats `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
fn fields(limit: &RateLimit) -> (HeaderValue, HeaderValue) {
    let RateLimit {
        policy,
        quota,
        window_secs,
        remaining,
        seconds,
    } = limit;
    let policy_field = format!("\"{policy}\";q={quota};w={window_secs}");
    let limit_field = format!("\"{policy}\";r={remaining};t={seconds}");
    let value = |text| HeaderValue::try_from(text).expect("names and numbers are visible ASCII");
    (value(policy_field), value(limit_field))
}
