//! Errors of operations, independent of the database and of HTTP. The `envelope` of each dialect
//! chooses statuses, codes and public messages.

use std::borrow::Cow;
use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Cause of an error, for the log. Never part of a response.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Failure of an operation. `Display` is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Missing or invalid credential. The text is for the log only.
    #[error("unauthenticated: {0}")]
    Unauthenticated(&'static str),
    /// Valid credential without the permission. The text is for the log only.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// Resource that does not exist, or that the caller may not see.
    #[error("{0:?} not found")]
    NotFound(Resource),
    /// Unreadable request. The text may be part of the response.
    #[error("malformed request: {0}")]
    Malformed(Cow<'static, str>),
    /// Readable request with violations, all of them at once.
    #[error("{} invalid fields", .0.len())]
    Invalid(Vec<Violation>),
    /// Change that a business rule forbids.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// Resource whose version the preconditions of the request do not permit.
    #[error("{0:?} failed")]
    PreconditionFailed(Precondition),
    /// `Idempotency-Key` that was used with another request before.
    #[error("idempotency key reused")]
    IdempotencyKeyReused,
    /// `Idempotency-Key` whose first request has no response yet.
    #[error("idempotency key in use")]
    IdempotencyKeyInUse,
    /// Too many requests. The caller may retry after this time.
    #[error("rate limited for {0:?}")]
    RateLimited(Duration),
    /// Too many new API keys of the organization. The caller may retry after this time.
    #[error("too many new API keys, limited for {0:?}")]
    KeysLimited(Duration),
    /// Database that is unavailable for now. The caller may retry.
    #[error("database unavailable")]
    Unavailable(#[source] BoxError),
    /// Change whose commit was not confirmed. The change may have been stored.
    #[error("change not confirmed, it may have been stored")]
    OutcomeUnknown(#[source] BoxError),
    /// Shutdown of the server. The caller may retry, and reaches another server.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// Defect of the server or of its data.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

/// Kind of resource that a request can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Organization,
    ApiKey,
    /// Brand of the registry.
    Brand,
    /// Campaign of the registry.
    Campaign,
}

/// Precondition of a request (RFC 9110, section 13.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    IfMatch,
    IfNoneMatch,
}

/// Business rule that forbids an otherwise valid change (422 of the AgentMessage dialect).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Switching auto replies off requires an attestation.
    AttestationRequired,
    /// Reseller mode requires a commercial organization.
    ResellerNotEligible,
    /// Reseller mode stays on while a brand exists.
    ResellerHasBrands,
    /// A revoked key cannot be rotated.
    ApiKeyRevoked,
    /// An expired key cannot be rotated.
    ApiKeyExpired,
    /// The organization has as many live API keys as it may have.
    ApiKeyLimitReached,
}

/// Broken rule of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Dotted path of the field (`auto_replies.attestation`).
    pub path: Cow<'static, str>,
    /// Message for the caller.
    pub message: Cow<'static, str>,
}

impl Violation {
    pub fn new(path: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl Error {
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::Internal(cause.into())
    }

    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::Unavailable(cause.into())
    }

    pub fn outcome_unknown(cause: impl Into<BoxError>) -> Self {
        Self::OutcomeUnknown(cause.into())
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Invalid(vec![violation])
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Returns the messages of an error and of all its causes, in one line for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
