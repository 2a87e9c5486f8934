//! The two dialects: each implements its generated trait by translating in, calling `app`, and
//! translating out. No rule and no statement is here.

pub mod agentmessage;
mod once;
pub mod tether_relay;

use actix_web::http::header::{ALLOW, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use quietline_api_runtime::{Operation, Rejection};

use crate::domain::access::Demand;
use crate::error::{Error, Violation};
use crate::request::whole_seconds;

/// Seconds after which a request that met no database may be repeated.
const UNAVAILABLE_RETRY_SECS: u64 = 1;

/// What the spec demands of the caller of `operation`.
fn demand(operation: &'static Operation) -> Demand {
    Demand {
        scopes: operation.scopes,
        minimum_role: operation.minimum_role,
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::UnsupportedMediaType => Self::UnsupportedMediaType,
            Rejection::BodyTooLarge => Self::PayloadTooLarge,
            Rejection::BodyTimeout => Self::RequestTimeout,
            Rejection::BodyUnreadable(why) => {
                log::debug!("request body: {why}");
                Self::Malformed("request body could not be read".into())
            }
            Rejection::MalformedJson(why) => Self::Malformed(why.into()),
            Rejection::InvalidBody(violations)
            | Rejection::InvalidQuery(violations)
            | Rejection::InvalidHeader(violations) => Self::Invalid(converted(violations)),
            Rejection::InvalidPath(violations) => Self::InvalidPath(converted(violations)),
            Rejection::MethodNotAllowed { allow } => Self::MethodNotAllowed(allow),
            Rejection::Internal(why) => Self::internal(why),
        }
    }
}

fn converted(violations: Vec<quietline_api_runtime::Violation>) -> Vec<Violation> {
    violations
        .into_iter()
        .map(|violation| Violation::new(violation.path, violation.message))
        .collect()
}

/// The header that a status calls for, the same in both dialects.
fn failure_header(error: &Error) -> Option<(HeaderName, String)> {
    match error {
        Error::Unauthenticated(_) => Some((WWW_AUTHENTICATE, "Bearer".to_owned())),
        Error::MethodNotAllowed(allow) => Some((ALLOW, allow.clone())),
        Error::RateLimited(wait) | Error::KeysLimited(wait) => {
            Some((RETRY_AFTER, whole_seconds(*wait).to_string()))
        }
        Error::Unavailable(_) => Some((RETRY_AFTER, UNAVAILABLE_RETRY_SECS.to_string())),
        _ => None,
    }
}
