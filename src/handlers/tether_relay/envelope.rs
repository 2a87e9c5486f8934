//! Errors of the Tether dialect: their statuses and messages, which only this file has.

use std::borrow::Cow;
use std::fmt::Display;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use quietline_api::tether_relay::models::OrganizationErrorResponse;
use quietline_api_runtime::Rejection;

use crate::error::{Error, Precondition};
use crate::handlers::failure::Failure;
use crate::request;

/// Renders the response to a request that failed, and notes the failure for the access log.
pub fn render(request: &HttpRequest, failure: impl Into<Failure>) -> HttpResponse {
    let failure = failure.into();
    let (status, title, details) = public(&failure, request.method());
    let body = OrganizationErrorResponse {
        error: Some(title.to_owned()),
        details: details.map(Cow::into_owned),
    };
    let mut response = HttpResponse::build(status);
    if let Some(header) = failure.header() {
        response.insert_header(header);
    }
    let response = response.json(body);
    request::note(request, |context| {
        context.failure = Some((title, failure.into()));
    });
    response
}

/// Status, title and details of a failure.
type Public<'a> = (StatusCode, &'static str, Option<Cow<'a, str>>);

fn public<'a>(failure: &'a Failure, method: &Method) -> Public<'a> {
    match failure {
        Failure::NoSuchPath => fixed(
            StatusCode::NOT_FOUND,
            "Not found",
            "No operation exists at this path",
        ),
        Failure::Rejection(rejection) => of_rejection(rejection, method),
        Failure::Error(error) => of_error(error, method),
    }
}

fn of_rejection<'a>(rejection: &'a Rejection, method: &Method) -> Public<'a> {
    match rejection {
        Rejection::UnsupportedMediaType => fixed(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type",
            "The body must be application/json in UTF-8, uncompressed",
        ),
        Rejection::BodyTooLarge => fixed(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Payload too large",
            "The request body exceeds 64 KiB",
        ),
        Rejection::BodyTimeout => fixed(
            StatusCode::REQUEST_TIMEOUT,
            "Request timeout",
            "The request body was not received in time",
        ),
        Rejection::BodyUnreadable(_) => invalid("request body could not be read"),
        Rejection::MalformedJson(why) => invalid(why.as_str()),
        Rejection::InvalidBody(violations)
        | Rejection::InvalidQuery(violations)
        | Rejection::InvalidHeader(violations)
        | Rejection::InvalidPath(violations) => invalid(joined(
            violations.iter().map(|one| (&one.path, &one.message)),
        )),
        Rejection::MethodNotAllowed { allow } => (
            StatusCode::METHOD_NOT_ALLOWED,
            "Method not allowed",
            Some(Cow::Owned(format!("Allowed methods: {allow}"))),
        ),
        Rejection::Internal(_) => internal(method),
    }
}

fn of_error<'a>(error: &'a Error, method: &Method) -> Public<'a> {
    match error {
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "Invalid or expired token", None),
        Error::Forbidden(_) => fixed(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "Requires the role ADMIN in this organization, or SUPERADMIN",
        ),
        Error::NotFound(_) => fixed(
            StatusCode::NOT_FOUND,
            "Organization not found",
            "No organization exists with the provided id",
        ),
        Error::Malformed(why) => invalid(why.as_ref()),
        Error::Invalid(violations) => invalid(joined(
            violations.iter().map(|one| (&one.path, &one.message)),
        )),
        // Not reached now, because all such rules are about settings of the other dialect.
        Error::Refused(_) => invalid("The change is not allowed"),
        Error::PreconditionFailed(precondition) => fixed(
            StatusCode::PRECONDITION_FAILED,
            "Precondition failed",
            match precondition {
                Precondition::IfMatch => "The configuration has no ETag that If-Match could name",
                Precondition::IfNoneMatch => "If-None-Match is *, and the configuration exists",
            },
        ),
        Error::IdempotencyKeyReused => invalid("Idempotency-Key: was used with another request"),
        Error::IdempotencyKeyInUse => fixed(
            StatusCode::CONFLICT,
            "Conflict",
            "The first request with this Idempotency-Key is still running",
        ),
        Error::RateLimited(_) | Error::KeysLimited(_) => fixed(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests",
            "Retry after the number of seconds in the Retry-After header",
        ),
        Error::Unavailable(_) | Error::ShuttingDown => fixed(
            StatusCode::SERVICE_UNAVAILABLE,
            "Service unavailable",
            "The service is temporarily unavailable",
        ),
        Error::OutcomeUnknown(_) => fixed(
            StatusCode::SERVICE_UNAVAILABLE,
            "Outcome unknown",
            "The change may have been stored: read the configuration, \
             or retry with the same Idempotency-Key",
        ),
        Error::Internal(_) => internal(method),
    }
}

fn fixed(status: StatusCode, title: &'static str, details: &'static str) -> Public<'static> {
    (status, title, Some(Cow::Borrowed(details)))
}

fn invalid<'a>(details: impl Into<Cow<'a, str>>) -> Public<'a> {
    (
        StatusCode::BAD_REQUEST,
        "Validation error",
        Some(details.into()),
    )
}

fn internal(method: &Method) -> Public<'static> {
    fixed(
        StatusCode::INTERNAL_SERVER_ERROR,
        failed(method),
        "Internal error",
    )
}

fn failed(method: &Method) -> &'static str {
    // The published document has the title of PUT only.
    match *method {
        Method::GET | Method::HEAD => "Failed to read configuration",
        _ => "Failed to update configuration",
    }
}

fn joined(violations: impl Iterator<Item = (impl Display, impl Display)>) -> String {
    // One text, because `details` of the published document is a string.
    let texts: Vec<String> = violations
        .map(|(path, message)| format!("{path}: {message}"))
        .collect();
    texts.join("; ")
}
