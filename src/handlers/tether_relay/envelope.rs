//! Errors of the Tether dialect: the one place that knows its statuses and wording.

use std::borrow::Cow;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use quietline_api::tether_relay::models::OrganizationErrorResponse;

use crate::error::{Error, Violation};
use crate::handlers::failure_header;
use crate::request;

const VALIDATION_ERROR: &str = "Validation error";

/// The answer to a request that failed; the error itself is kept for the access log.
pub fn render(request: &HttpRequest, error: Error) -> HttpResponse {
    let (status, title, details) = public(&error, request.method());
    let body = OrganizationErrorResponse {
        error: Some(title.to_owned()),
        details: details.map(Cow::into_owned),
    };
    let mut response = HttpResponse::build(status);
    if let Some(header) = failure_header(&error) {
        response.insert_header(header);
    }
    let response = response.json(body);
    request::note(request, |context| context.failure = Some((title, error)));
    response
}

/// A status, its title and its details, where they are always the same.
type Fixed = (StatusCode, &'static str, &'static str);

const FORBIDDEN: Fixed = (
    StatusCode::FORBIDDEN,
    "Forbidden",
    "Requires the role ADMIN in this organization, or SUPERADMIN",
);
const NOT_FOUND: Fixed = (
    StatusCode::NOT_FOUND,
    "Organization not found",
    "No organization exists with the provided id",
);
const NO_SUCH_PATH: Fixed = (
    StatusCode::NOT_FOUND,
    "Not found",
    "No operation exists at this path",
);
const REFUSED: Fixed = (
    StatusCode::BAD_REQUEST,
    VALIDATION_ERROR,
    "The change is not allowed",
);
const UNSUPPORTED_MEDIA_TYPE: Fixed = (
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "Unsupported media type",
    "The body must be application/json, uncompressed",
);
const PAYLOAD_TOO_LARGE: Fixed = (
    StatusCode::PAYLOAD_TOO_LARGE,
    "Payload too large",
    "The request body exceeds 64 KiB",
);
const REQUEST_TIMEOUT: Fixed = (
    StatusCode::REQUEST_TIMEOUT,
    "Request timeout",
    "The request body was not received in time",
);
const PRECONDITION_FAILED: Fixed = (
    StatusCode::PRECONDITION_FAILED,
    "Precondition failed",
    "The organization has changed since it was read",
);
const IDEMPOTENCY_KEY_REUSED: Fixed = (
    StatusCode::BAD_REQUEST,
    VALIDATION_ERROR,
    "Idempotency-Key: was used with another request",
);
const IDEMPOTENCY_KEY_IN_USE: Fixed = (
    StatusCode::CONFLICT,
    "Conflict",
    "The first request with this Idempotency-Key is still running",
);
const RATE_LIMITED: Fixed = (
    StatusCode::TOO_MANY_REQUESTS,
    "Too many requests",
    "Retry after the number of seconds in the Retry-After header",
);
const UNAVAILABLE: Fixed = (
    StatusCode::SERVICE_UNAVAILABLE,
    "Service unavailable",
    "The service is temporarily unavailable",
);

fn public<'a>(
    error: &'a Error,
    method: &Method,
) -> (StatusCode, &'static str, Option<Cow<'a, str>>) {
    let fixed = |(status, title, details): Fixed| (status, title, Some(Cow::Borrowed(details)));
    let invalid = |details| (StatusCode::BAD_REQUEST, VALIDATION_ERROR, Some(details));
    match error {
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "Invalid or expired token", None),
        Error::Forbidden(_) => fixed(FORBIDDEN),
        Error::NotFound(_) => fixed(NOT_FOUND),
        Error::NoSuchPath => fixed(NO_SUCH_PATH),
        Error::MethodNotAllowed(allow) => (
            StatusCode::METHOD_NOT_ALLOWED,
            "Method not allowed",
            Some(Cow::Owned(format!("Allowed methods: {allow}"))),
        ),
        Error::Malformed(why) => invalid(Cow::Borrowed(why.as_ref())),
        Error::Invalid(violations) | Error::InvalidPath(violations) => {
            invalid(Cow::Owned(joined(violations)))
        }
        Error::Refused(_) => fixed(REFUSED),
        Error::UnsupportedMediaType => fixed(UNSUPPORTED_MEDIA_TYPE),
        Error::PayloadTooLarge => fixed(PAYLOAD_TOO_LARGE),
        Error::RequestTimeout => fixed(REQUEST_TIMEOUT),
        Error::PreconditionFailed => fixed(PRECONDITION_FAILED),
        Error::IdempotencyKeyReused => fixed(IDEMPOTENCY_KEY_REUSED),
        Error::IdempotencyKeyInUse => fixed(IDEMPOTENCY_KEY_IN_USE),
        Error::RateLimited(_) | Error::KeysLimited(_) => fixed(RATE_LIMITED),
        Error::Unavailable(_) => fixed(UNAVAILABLE),
        Error::Internal(_) => fixed((
            StatusCode::INTERNAL_SERVER_ERROR,
            failed(method),
            "Internal error",
        )),
    }
}

fn failed(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "Failed to read configuration",
        _ => "Failed to update configuration",
    }
}

fn joined(violations: &[Violation]) -> String {
    let faults: Vec<String> = violations
        .iter()
        .map(|violation| format!("{}: {}", violation.path, violation.message))
        .collect();
    faults.join("; ")
}
