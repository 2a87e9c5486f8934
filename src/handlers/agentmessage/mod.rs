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
use crate::domain::access::{OrgAccess, Target};
use crate::error::{Error, Result};
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
    type Caller = OrgAccess;
    type Error = Error;

    async fn authenticate(
        &self,
        request: &HttpRequest,
        operation: &'static Operation,
    ) -> Result<OrgAccess> {
        request::note(request, |context| context.route = Some(operation.path));
        let authentication = pin!(auth::api_key::authenticate(&self.state, request));
        let caller = auth::limits::within(&self.state, request, authentication).await?;
        caller.require(super::demand(operation), Target::Own)
    }

    fn render(&self, request: &HttpRequest, error: Error) -> HttpResponse {
        if let Error::KeysLimited(wait) = &error {
            let limit = api_key::issue_limit(*wait);
            request::note(request, |context| context.rate_limit = Some(limit));
        }
        envelope::render(request, error)
    }
}
