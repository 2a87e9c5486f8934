//! The AgentMessage dialect: API keys and scopes, answers in an envelope.

mod entity_tag;
pub mod envelope;
mod organization;

use actix_web::{HttpRequest, HttpResponse, web};
use quietline_api::agentmessage::api::{
    Api, GetOrganizationParams, GetOrganizationSuccess, PatchOrganizationParams,
    PatchOrganizationSuccess,
};
use quietline_api::agentmessage::models;
use quietline_api::runtime::Operation;

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
        let authentication = auth::api_key::authenticate(&self.state, request);
        let caller = auth::limits::within(&self.state, request, authentication).await?;
        caller.require(super::demand(operation), Target::Own)
    }

    fn render(&self, request: &HttpRequest, error: Error) -> HttpResponse {
        envelope::render(request, error)
    }

    async fn get_organization(
        &self,
        access: OrgAccess,
        params: GetOrganizationParams,
    ) -> Result<GetOrganizationSuccess> {
        organization::get(&self.state, access, params).await
    }

    async fn patch_organization(
        &self,
        access: OrgAccess,
        params: PatchOrganizationParams,
        body: models::UpdateOrganizationRequest,
    ) -> Result<PatchOrganizationSuccess> {
        organization::patch(&self.state, access, params, body).await
    }
}
