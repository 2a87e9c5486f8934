//! What is known of a request while it is answered; it travels in the request's extensions.

use std::fmt;
use std::time::Duration;

use actix_web::{HttpMessage, HttpRequest};

use crate::domain::ids::{ApiKeyId, RequestId};
use crate::error::Error;

/// The time that the quota of every rate limit is for, in seconds.
pub const LIMIT_WINDOW_SECS: u64 = 60;

/// How much a rate limit leaves to the caller of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The limit's name.
    pub policy: &'static str,
    /// Requests in [`LIMIT_WINDOW_SECS`].
    pub quota: u32,
    /// Requests that are left.
    pub remaining: u32,
    /// Seconds until there is one more, at least 1.
    pub seconds: u64,
}

/// A wait as clients are told it: never too short, and at least a second.
pub fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Who made a request, as the access log says it.
#[derive(Debug)]
pub enum KnownCaller {
    /// A valid API key.
    ApiKey(ApiKeyId),
    /// The user of a valid token, by its `sub`.
    User(String),
}

impl fmt::Display for KnownCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            Self::User(subject) => write!(f, "user:{}", subject.escape_debug()),
        }
    }
}

/// What the access log, the error bodies and the headers of the answer say of a request.
#[derive(Debug)]
pub struct RequestContext {
    /// Its id.
    pub id: RequestId,
    /// The path template of its operation; `None` if it reached none.
    pub route: Option<&'static str>,
    /// Who made it, once that is known.
    pub caller: Option<KnownCaller>,
    /// Why it failed, if it did, with the code or words that the caller got.
    pub failure: Option<(&'static str, Error)>,
    /// The rate limit that leaves the least; `None` if nothing is limited.
    pub rate_limit: Option<RateLimit>,
}

impl RequestContext {
    /// A request of which nothing is known yet.
    pub fn new(id: RequestId) -> Self {
        Self {
            id,
            route: None,
            caller: None,
            failure: None,
            rate_limit: None,
        }
    }
}

/// The id of `request`. The outermost middleware gave it one.
pub fn id_of(request: &HttpRequest) -> RequestId {
    let context = request.extensions();
    context
        .get::<RequestContext>()
        .map_or_else(RequestId::generate, |context| context.id)
}

/// Notes something about `request`.
pub fn note(request: &HttpRequest, change: impl FnOnce(&mut RequestContext)) {
    if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
        change(context);
    }
}
