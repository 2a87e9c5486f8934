//! The two dialects: each implements its generated trait by translating in, calling `app`, and
//! translating out. No rule and no statement is here.

pub mod agentmessage;
pub mod tether_relay;

use quietline_api::runtime::{Operation, Rejection};

use crate::domain::access::Demand;
use crate::error::{Error, Violation};

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

fn converted(violations: Vec<quietline_api::runtime::Violation>) -> Vec<Violation> {
    violations
        .into_iter()
        .map(|violation| Violation::new(violation.path, violation.message))
        .collect()
}
