//! Errors of operations. They name no database type and nothing of HTTP: statuses, codes and public
//! messages are chosen in the `envelope` of each dialect.

use std::borrow::Cow;
use std::time::Duration;

/// The result of everything that can fail on behalf of a caller.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause that is logged and never answered.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation failed. `Display` is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No credential, or one that is not valid; the text is for the log only.
    #[error("unauthenticated: {0}")]
    Unauthenticated(&'static str),
    /// A valid credential that does not allow this; the text is for the log only.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// What the request names does not exist, or not for this caller.
    #[error("{0:?} not found")]
    NotFound(Resource),
    /// The request cannot be read at all; the text may be answered.
    #[error("malformed request: {0}")]
    Malformed(Cow<'static, str>),
    /// The request was understood and breaks these rules, all of them at once.
    #[error("{} invalid fields", .0.len())]
    Invalid(Vec<Violation>),
    /// A named business rule forbids the change.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The resource is no longer the one that the caller had read (RFC 9110, `If-Match`).
    #[error("precondition failed")]
    PreconditionFailed,
    /// The `Idempotency-Key` came with another request before.
    #[error("idempotency key reused")]
    IdempotencyKeyReused,
    /// The first request with this `Idempotency-Key` is not answered yet.
    #[error("idempotency key in use")]
    IdempotencyKeyInUse,
    /// Too many requests; may be repeated after this time.
    #[error("rate limited for {0:?}")]
    RateLimited(Duration),
    /// The organization has issued too many API keys; may be repeated after this time.
    #[error("too many new API keys, limited for {0:?}")]
    KeysLimited(Duration),
    /// The database cannot be had now; the request may be repeated.
    #[error("database unavailable")]
    Unavailable(#[source] BoxError),
    /// A fault of ours.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

/// What a request can name that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// An organization.
    Organization,
    /// An API key.
    ApiKey,
    /// A brand of the registry.
    Brand,
    /// A campaign of the registry.
    Campaign,
}

/// A business rule that forbids an otherwise valid change (422 of the AgentMessage dialect).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Auto replies are switched off without an attestation.
    AttestationRequired,
    /// Reseller mode needs a commercial organization.
    ResellerNotEligible,
    /// Reseller mode stays on while a brand exists.
    ResellerHasBrands,
    /// A revoked key stays dead: it cannot be rotated.
    ApiKeyRevoked,
}

/// One broken rule of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the request, dotted (`auto_replies.attestation`).
    pub path: Cow<'static, str>,
    /// What is wrong, in words that the caller may read.
    pub message: Cow<'static, str>,
}

impl Violation {
    /// The rule `message` broken at `path`.
    pub fn new(path: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl Error {
    /// A fault of ours, caused by `cause`.
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self::Internal(cause.into())
    }

    /// The database cannot be had, because of `cause`.
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::Unavailable(cause.into())
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

/// An error and everything that caused it, in one line for the log.
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
