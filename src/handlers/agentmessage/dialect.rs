//! The dialect as a service: authenticates every request and renders every failure.

use std::pin::pin;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use quietline_api_runtime::{Api, Operation};

use crate::app;
use crate::auth;
use crate::domain::access::{Authorized, Target};
use crate::error::Error;
use crate::handlers::failure::{Failure, Result};
use crate::handlers::{change_kind, preconditions, requirements};
use crate::limits::whole_seconds;
use crate::request::{self, RateLimit};
use crate::state::AppState;

use super::envelope;

/// Service of the AgentMessage spec.
pub struct AgentMessage {
    pub(super) state: web::Data<AppState>,
}

impl AgentMessage {
    /// Creates the service over `state`.
    pub fn new(state: web::Data<AppState>) -> Self {
        Self { state }
    }
}

impl Api for AgentMessage {
    type Caller = Authorized;
    type Error = Failure;

    async fn authenticate(
        &self,
        request: &HttpRequest,
        operation: &'static Operation,
    ) -> Result<Authorized> {
        // Before authentication, so that the access log has the route of refused requests too.
        request::note(request, |context| context.route = Some(operation.path));
        let AppState {
            keys,
            clock,
            limits,
            ..
        } = &**self.state;
        let authentication = pin!(auth::api_key::authenticate(keys, clock.now(), request));
        // An API key names its organization by id, so that a lookup is never needed.
        let find_id = async |_: &_| Ok(None);
        let is_in_use = || auth::api_key::is_in_use(keys, request);
        let caller = limits
            .within(request, is_in_use, authentication, find_id)
            .await?;
        let mut caller = caller.require(requirements(operation), Target::Own)?;
        caller.preconditions = preconditions::of(request);
        // After `require`, so that callers without permission do not use up the limit of changes.
        if let Some(kind) = change_kind(operation) {
            let access = &caller.access;
            limits.take_change(request, access, kind, find_id).await?;
        }
        Ok(caller)
    }

    fn render(&self, request: &HttpRequest, failure: Failure) -> HttpResponse {
        // `limits` notes its own limits, but this one is decided in a transaction.
        if let Failure::Error(Error::KeysLimited(wait)) = &failure {
            let limit = issue_limit(*wait);
            request::note(request, |context| context.rate_limit = Some(limit));
        }
        envelope::render(request, failure)
    }
}

/// Returns the state of an exhausted rate limit of new keys, with `wait` until its reset.
fn issue_limit(wait: Duration) -> RateLimit {
    RateLimit {
        policy: "api-keys",
        quota: app::api_key::MAX_ISSUED,
        window_secs: app::api_key::ISSUE_WINDOW.num_seconds().unsigned_abs(),
        remaining: 0,
        seconds: whole_seconds(wait),
    }
}
