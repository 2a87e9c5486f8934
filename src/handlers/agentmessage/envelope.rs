//! Errors of the AgentMessage dialect: the one place that knows its statuses, codes and wording.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use quietline_api::agentmessage::models::{ErrorBody, ErrorCode, ErrorResponse};

use crate::error::{Error, Refusal, Violation};
use crate::handlers::failure_header;
use crate::request;

const ATTESTATION_REQUIRED: &str = "disabling auto replies requires auto_replies.attestation, \
     an explicit statement that your organization will handle HELP and STOP responses itself";

/// A status, its code and its message, where they are always the same.
type Fixed = (StatusCode, ErrorCode, &'static str);

const UNAUTHORIZED: Fixed = (
    StatusCode::UNAUTHORIZED,
    ErrorCode::Unauthorized,
    "authentication failed",
);
const FORBIDDEN: Fixed = (
    StatusCode::FORBIDDEN,
    ErrorCode::Forbidden,
    "missing required scope",
);
const NOT_FOUND: Fixed = (StatusCode::NOT_FOUND, ErrorCode::NotFound, "not found");
const METHOD_NOT_ALLOWED: Fixed = (
    StatusCode::METHOD_NOT_ALLOWED,
    ErrorCode::MethodNotAllowed,
    "method not allowed",
);
const INVALID_PATH: Fixed = (
    StatusCode::BAD_REQUEST,
    ErrorCode::ValidationFailed,
    "validation failed",
);
const UNSUPPORTED_MEDIA_TYPE: Fixed = (
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    ErrorCode::UnsupportedMediaType,
    "body must be application/json, uncompressed",
);
const PAYLOAD_TOO_LARGE: Fixed = (
    StatusCode::PAYLOAD_TOO_LARGE,
    ErrorCode::PayloadTooLarge,
    "request body exceeds 64 KiB",
);
const REQUEST_TIMEOUT: Fixed = (
    StatusCode::REQUEST_TIMEOUT,
    ErrorCode::RequestTimeout,
    "request body was not received in time",
);
const INVALID: Fixed = (
    StatusCode::UNPROCESSABLE_ENTITY,
    ErrorCode::ValidationFailed,
    "validation failed",
);
const PRECONDITION_FAILED: Fixed = (
    StatusCode::PRECONDITION_FAILED,
    ErrorCode::PreconditionFailed,
    "organization has changed since it was read",
);
const IDEMPOTENCY_KEY_REUSED: Fixed = (
    StatusCode::UNPROCESSABLE_ENTITY,
    ErrorCode::IdempotencyKeyReused,
    "Idempotency-Key was used with another request",
);
const IDEMPOTENCY_KEY_IN_USE: Fixed = (
    StatusCode::CONFLICT,
    ErrorCode::IdempotencyKeyInUse,
    "the first request with this Idempotency-Key is still running",
);
const RATE_LIMITED: Fixed = (
    StatusCode::TOO_MANY_REQUESTS,
    ErrorCode::RateLimited,
    "rate limited",
);
const UNAVAILABLE: Fixed = (
    StatusCode::SERVICE_UNAVAILABLE,
    ErrorCode::Unavailable,
    "service temporarily unavailable",
);
const INTERNAL: Fixed = (
    StatusCode::INTERNAL_SERVER_ERROR,
    ErrorCode::Internal,
    "internal error",
);

/// The answer to a request that failed; the error itself is kept for the access log.
pub fn render(request: &HttpRequest, error: Error) -> HttpResponse {
    let (status, code, message) = public(&error);
    let body = ErrorResponse {
        success: false,
        error: ErrorBody {
            code,
            message: message.to_owned(),
            details: details(&error),
            request_id: request::id_of(request).to_string(),
        },
    };
    let mut response = HttpResponse::build(status);
    if let Some(header) = failure_header(&error) {
        response.insert_header(header);
    }
    let response = response.json(body);
    request::note(request, |context| {
        context.failure = Some((code.as_str(), error))
    });
    response
}

fn public(error: &Error) -> (StatusCode, ErrorCode, &str) {
    match error {
        Error::Unauthenticated(_) => UNAUTHORIZED,
        Error::Forbidden(_) => FORBIDDEN,
        Error::NotFound(_) | Error::NoSuchPath => NOT_FOUND,
        Error::MethodNotAllowed(_) => METHOD_NOT_ALLOWED,
        Error::Malformed(why) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidInput, why),
        Error::InvalidPath(_) => INVALID_PATH,
        Error::UnsupportedMediaType => UNSUPPORTED_MEDIA_TYPE,
        Error::PayloadTooLarge => PAYLOAD_TOO_LARGE,
        Error::RequestTimeout => REQUEST_TIMEOUT,
        Error::Invalid(_) => INVALID,
        Error::Refused(refusal) => {
            let (code, message) = refused(*refusal);
            (StatusCode::UNPROCESSABLE_ENTITY, code, message)
        }
        Error::PreconditionFailed => PRECONDITION_FAILED,
        Error::IdempotencyKeyReused => IDEMPOTENCY_KEY_REUSED,
        Error::IdempotencyKeyInUse => IDEMPOTENCY_KEY_IN_USE,
        Error::RateLimited(_) | Error::KeysLimited(_) => RATE_LIMITED,
        Error::Unavailable(_) => UNAVAILABLE,
        Error::Internal(_) => INTERNAL,
    }
}

fn refused(refusal: Refusal) -> (ErrorCode, &'static str) {
    match refusal {
        Refusal::AttestationRequired => (ErrorCode::AttestationRequired, ATTESTATION_REQUIRED),
        Refusal::ResellerNotEligible => (
            ErrorCode::ResellerNotEligible,
            "acting on behalf of other companies requires a commercial organization",
        ),
        Refusal::ResellerHasBrands => (
            ErrorCode::ResellerHasBrands,
            "reseller mode cannot be turned off while a brand exists",
        ),
        Refusal::ApiKeyRevoked => (
            ErrorCode::ApiKeyRevoked,
            "a revoked API key cannot be rotated",
        ),
    }
}

fn details(error: &Error) -> Option<BTreeMap<String, String>> {
    let of = |violation: &Violation| (violation.path.to_string(), violation.message.to_string());
    match error {
        Error::Invalid(violations) | Error::InvalidPath(violations) => {
            Some(violations.iter().map(of).collect())
        }
        Error::Refused(Refusal::AttestationRequired) => {
            let rule = Violation::new(
                "auto_replies.attestation",
                "required to disable auto replies",
            );
            Some(BTreeMap::from([of(&rule)]))
        }
        _ => None,
    }
}
