//! Errors of the AgentMessage dialect: their statuses, codes and messages, which only this file
//! has.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use quietline_api::agentmessage::models::{ErrorBody, ErrorCode, ErrorResponse};
use quietline_api_runtime::Rejection;

use crate::error::{Error, Precondition, Refusal, Violation};
use crate::handlers::failure::Failure;
use crate::request;

const ATTESTATION_REQUIRED: &str = "disabling auto replies requires auto_replies.attestation, \
     an explicit statement that your organization will handle HELP and STOP responses itself";

const NOT_FOUND: &str = "not found";
const INVALID: &str = "validation failed";
const INTERNAL: Public<'static> = (
    StatusCode::INTERNAL_SERVER_ERROR,
    ErrorCode::Internal,
    "internal error",
);

/// Renders the response to a request that failed, and notes the failure for the access log.
pub fn render(request: &HttpRequest, failure: impl Into<Failure>) -> HttpResponse {
    let failure = failure.into();
    let (status, code, message) = public(&failure);
    let body = ErrorResponse {
        success: false,
        error: ErrorBody {
            code,
            message: message.to_owned(),
            details: details(&failure),
            request_id: request::id_of(request).to_string(),
        },
    };
    let mut response = HttpResponse::build(status);
    if let Some(header) = failure.header() {
        response.insert_header(header);
    }
    let response = response.json(body);
    request::note(request, |context| {
        context.failure = Some((code.as_str(), failure.into()));
    });
    response
}

/// Status, code and public message of a failure.
type Public<'a> = (StatusCode, ErrorCode, &'a str);

fn public(failure: &Failure) -> Public<'_> {
    match failure {
        Failure::NoSuchPath => (StatusCode::NOT_FOUND, ErrorCode::NotFound, NOT_FOUND),
        Failure::Rejection(rejection) => of_rejection(rejection),
        Failure::Error(error) => of_error(error),
    }
}

fn of_rejection(rejection: &Rejection) -> Public<'_> {
    match rejection {
        Rejection::UnsupportedMediaType => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::UnsupportedMediaType,
            "body must be application/json in UTF-8, uncompressed",
        ),
        Rejection::BodyTooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::PayloadTooLarge,
            "request body exceeds 64 KiB",
        ),
        Rejection::BodyTimeout => (
            StatusCode::REQUEST_TIMEOUT,
            ErrorCode::RequestTimeout,
            "request body was not received in time",
        ),
        Rejection::BodyUnreadable(_) => (
            StatusCode::BAD_REQUEST,
            ErrorCode::InvalidInput,
            "request body could not be read",
        ),
        Rejection::MalformedJson(why) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidInput, why),
        Rejection::InvalidBody(_) | Rejection::InvalidQuery(_) | Rejection::InvalidHeader(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::ValidationFailed,
            INVALID,
        ),
        Rejection::InvalidPath(_) => (
            StatusCode::BAD_REQUEST,
            ErrorCode::ValidationFailed,
            INVALID,
        ),
        Rejection::MethodNotAllowed { .. } => (
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::MethodNotAllowed,
            "method not allowed",
        ),
        // The cause is for the log only, because it may reveal internals.
        Rejection::Internal(_) => INTERNAL,
    }
}

fn of_error(error: &Error) -> Public<'_> {
    match error {
        // One message for every cause, so that it does not tell a revoked key from an unknown one.
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
        Error::NotFound(_) => (StatusCode::NOT_FOUND, ErrorCode::NotFound, NOT_FOUND),
        Error::Malformed(why) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidInput, why),
        Error::Invalid(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::ValidationFailed,
            INVALID,
        ),
        Error::Refused(refusal) => {
            let (code, message) = refused(*refusal);
            (StatusCode::UNPROCESSABLE_ENTITY, code, message)
        }
        Error::PreconditionFailed(precondition) => (
            StatusCode::PRECONDITION_FAILED,
            ErrorCode::PreconditionFailed,
            failed(*precondition),
        ),
        Error::IdempotencyKeyReused => (
            StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::IdempotencyKeyReused,
            "Idempotency-Key was used with another request",
        ),
        Error::IdempotencyKeyInUse => (
            StatusCode::CONFLICT,
            ErrorCode::IdempotencyKeyInUse,
            "the first request with this Idempotency-Key is still running",
        ),
        Error::RateLimited(_) | Error::KeysLimited(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::RateLimited,
            "rate limited",
        ),
        Error::Unavailable(_) | Error::ShuttingDown => (
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "service temporarily unavailable",
        ),
        Error::OutcomeUnknown(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::OutcomeUnknown,
            "the change may have been stored: read the resource, \
             or retry if the request had an Idempotency-Key",
        ),
        Error::Internal(_) => INTERNAL,
    }
}

fn failed(precondition: Precondition) -> &'static str {
    match precondition {
        // True of stale, weak and malformed tags, and of a resource without tags.
        Precondition::IfMatch => {
            "If-Match does not match the present version (weak entity tags never match)"
        }
        Precondition::IfNoneMatch => "If-None-Match matches the present version",
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
        Refusal::ApiKeyExpired => (
            ErrorCode::ApiKeyExpired,
            "an expired API key cannot be rotated",
        ),
        Refusal::ApiKeyLimitReached => (
            ErrorCode::ApiKeyLimitReached,
            "the organization has 1,000 API keys that are neither revoked nor expired",
        ),
    }
}

fn details(failure: &Failure) -> Option<BTreeMap<String, String>> {
    let of_ours = |one: &Violation| (one.path.to_string(), one.message.to_string());
    match failure {
        Failure::Rejection(
            Rejection::InvalidBody(violations)
            | Rejection::InvalidQuery(violations)
            | Rejection::InvalidHeader(violations)
            | Rejection::InvalidPath(violations),
        ) => {
            let details = violations.iter();
            Some(
                details
                    .map(|one| (one.path.clone(), one.message.clone()))
                    .collect(),
            )
        }
        Failure::Error(Error::Invalid(violations)) => {
            Some(violations.iter().map(of_ours).collect())
        }
        Failure::Error(Error::Refused(Refusal::AttestationRequired)) => {
            let rule = Violation::new(
                "auto_replies.attestation",
                "required to disable auto replies",
            );
            Some(BTreeMap::from([of_ours(&rule)]))
        }
        Failure::NoSuchPath | Failure::Rejection(_) | Failure::Error(_) => None,
    }
}
