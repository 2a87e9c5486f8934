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
        Error::Unauthenticated(_) => (
            StatusCode::UNAUTHORIZED,
            ErrorCode::Unauthorized,
            "authentication failed",
        ),
        Error::Forbidden(_) => (
            StatusCode::FORBIDDEN,
            ErrorCode::Forbidden,
            "missing required scope",
        ),
        Error::NotFound(_) | Error::NoSuchPath => {
            (StatusCode::NOT_FOUND, ErrorCode::NotFound, "not found")
        }
        Error::MethodNotAllowed(_) => (
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::MethodNotAllowed,
            "method not allowed",
        ),
        Error::Malformed(why) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidInput, why),
        Error::InvalidPath(_) => (
            StatusCode::BAD_REQUEST,
            ErrorCode::ValidationFailed,
            "validation failed",
        ),
        Error::UnsupportedMediaType => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::UnsupportedMediaType,
            "content type must be application/json",
        ),
        Error::PayloadTooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::PayloadTooLarge,
            "request body exceeds 64 KiB",
        ),
        Error::RequestTimeout => (
            StatusCode::REQUEST_TIMEOUT,
            ErrorCode::RequestTimeout,
            "request body was not received in time",
        ),
        Error::Invalid(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::ValidationFailed,
            "validation failed",
        ),
        Error::Refused(refusal) => {
            let (code, message) = refused(*refusal);
            (StatusCode::UNPROCESSABLE_ENTITY, code, message)
        }
        Error::PreconditionFailed => (
            StatusCode::PRECONDITION_FAILED,
            ErrorCode::PreconditionFailed,
            "organization has changed since it was read",
        ),
        Error::RateLimited(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::RateLimited,
            "rate limited",
        ),
        Error::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "service temporarily unavailable",
        ),
        Error::Internal(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Internal,
            "internal error",
        ),
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
