//! The AgentMessage dialect: API keys and scopes, answers in an envelope.

mod api_keys;
mod audit_log;
mod entity_tag;
pub mod envelope;
mod organization;

use std::pin::pin;

use actix_web::{HttpRequest, HttpResponse, web};
use quietline_api::agentmessage::api::{
    Api, CreateApiKeyParams, CreateApiKeySuccess, DeleteApiKeyParams, DeleteApiKeySuccess,
    GetApiKeyParams, GetApiKeySuccess, GetOrganizationParams, GetOrganizationSuccess,
    ListApiKeysParams, ListApiKeysSuccess, ListAuditLogParams, ListAuditLogSuccess,
    PatchOrganizationParams, PatchOrganizationSuccess, RotateApiKeyParams, RotateApiKeySuccess,
};
use quietline_api::agentmessage::models;
use quietline_api_runtime::Operation;

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
            let limit = api_keys::issue_limit(*wait);
            request::note(request, |context| context.rate_limit = Some(limit));
        }
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

    async fn create_api_key(
        &self,
        access: OrgAccess,
        params: CreateApiKeyParams,
        body: models::CreateApiKeyRequest,
    ) -> Result<CreateApiKeySuccess> {
        api_keys::create(&self.state, access, params, body).await
    }

    async fn list_api_keys(
        &self,
        access: OrgAccess,
        params: ListApiKeysParams,
    ) -> Result<ListApiKeysSuccess> {
        api_keys::list(&self.state, access, params).await
    }

    async fn get_api_key(
        &self,
        access: OrgAccess,
        params: GetApiKeyParams,
    ) -> Result<GetApiKeySuccess> {
        api_keys::get(&self.state, access, params).await
    }

    async fn rotate_api_key(
        &self,
        access: OrgAccess,
        params: RotateApiKeyParams,
    ) -> Result<RotateApiKeySuccess> {
        api_keys::rotate(&self.state, access, params).await
    }

    async fn delete_api_key(
        &self,
        access: OrgAccess,
        params: DeleteApiKeyParams,
    ) -> Result<DeleteApiKeySuccess> {
        api_keys::delete(&self.state, access, params).await
    }

    async fn list_audit_log(
        &self,
        access: OrgAccess,
        params: ListAuditLogParams,
    ) -> Result<ListAuditLogSuccess> {
        audit_log::list(&self.state, access, params).await
    }
}
