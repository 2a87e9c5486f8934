//! Failures of requests, in the form that the envelopes of both dialects render.

use actix_web::http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use quietline_api_runtime::Rejection;

use crate::error::Error;
use crate::limits::whole_seconds;

/// Seconds after which a request that failed without a database may be retried.
const UNAVAILABLE_RETRY_SECS: u64 = 1;

/// Failure of a request. `Display` is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The path belongs to no operation.
    #[error("no such path")]
    NoSuchPath,
    /// HTTP or the spec refused the request before its operation ran.
    #[error("{}", reason(.0))]
    Rejection(Rejection),
    /// The operation, or the check of the credential, failed.
    #[error(transparent)]
    Error(#[from] Error),
}

/// Result of an operation.
pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            // One variant for internal errors of both origins, so that both are rendered alike.
            Rejection::Internal(cause) => Self::Error(Error::internal(cause)),
            rejection => Self::Rejection(rejection),
        }
    }
}

/// Describes a rejection for the log.
fn reason(rejection: &Rejection) -> String {
    match rejection {
        Rejection::UnsupportedMediaType => "unsupported media type".to_owned(),
        Rejection::BodyTooLarge => "payload too large".to_owned(),
        Rejection::BodyTimeout => "request timeout".to_owned(),
        Rejection::BodyUnreadable(why) | Rejection::MalformedJson(why) => {
            format!("malformed request: {why}")
        }
        Rejection::InvalidBody(violations)
        | Rejection::InvalidQuery(violations)
        | Rejection::InvalidHeader(violations) => format!("{} invalid fields", violations.len()),
        Rejection::InvalidPath(violations) => {
            format!("{} invalid path parameters", violations.len())
        }
        Rejection::MethodNotAllowed { .. } => "method not allowed".to_owned(),
        Rejection::Internal(why) => format!("internal error: {why}"),
    }
}

impl Failure {
    /// Returns the header that the failure requires, the same in both dialects: RFC 9110, sections
    /// 10.2.1 (`Allow`), 11.6.1 (`WWW-Authenticate`) and 10.2.3 (`Retry-After`). An unknown outcome
    /// has no `Retry-After`, because not every operation may be retried then.
    pub(super) fn header(&self) -> Option<(HeaderName, String)> {
        match self {
            Self::Rejection(Rejection::MethodNotAllowed { allow }) => Some((ALLOW, allow.clone())),
            Self::Error(Error::Unauthenticated(_)) => Some((WWW_AUTHENTICATE, "Bearer".to_owned())),
            Self::Error(Error::RateLimited(wait) | Error::KeysLimited(wait)) => {
                Some((RETRY_AFTER, whole_seconds(*wait).to_string()))
            }
            Self::Error(Error::Unavailable(_) | Error::ShuttingDown) => {
                Some((RETRY_AFTER, UNAVAILABLE_RETRY_SECS.to_string()))
            }
            Self::NoSuchPath | Self::Rejection(_) | Self::Error(_) => None,
        }
    }
}
