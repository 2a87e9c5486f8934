//! The AgentMessage dialect: API keys and scopes, answers in an envelope.

mod api_key;
mod audit_log;
mod entity_tag;
pub mod envelope;
mod organization;

use std::pin::pin;

use actix_web::{HttpRequest, HttpResponse, web};
use quietline_api_runtime::{Api, Operation};

use crate::auth;
use crate::domain::access::{Authorized, Target};
use crate::error::Error;
use crate::handlers::failure::{Failure, Result};
use crate::handlers::requirements;
use crate::request;
use crate::state::AppState;

/// Serves the AgentMessage spec.
pub struct AgentMessage {
    state: web::Data<AppState>,
}

impl AgentMessage {
    /// Serves it from `state`.
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
        request::note(request, |context| context.route = Some(operation.path));
        let AppState {
            keys,
            clock,
            limits,
            ..
        } = &**self.state;
        let authentication = pin!(auth::api_key::authenticate(keys, clock.now(), request));
        // An API key belongs to its organization by id.
        let find_id = async |_: &_| Ok(None);
        let caller = limits.within(request, authentication, find_id).await?;
        Ok(caller.require(requirements(operation), Target::Own)?)
    }

    fn render(&self, request: &HttpRequest, failure: Failure) -> HttpResponse {
        if let Failure::Error(Error::KeysLimited(wait)) = &failure {
            let limit = api_key::issue_limit(*wait);
            request::note(request, |context| context.rate_limit = Some(limit));
        }
        envelope::render(request, failure)
    }
}
