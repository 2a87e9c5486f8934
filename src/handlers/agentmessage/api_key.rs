//! Handlers of /v1/api-keys: conversion between the spec's types and the domain's.

use quietline_api::agentmessage::api::{
    ApiKeysApi, CreateApiKeyParams, CreateApiKeySuccess, DeleteApiKeyParams, DeleteApiKeySuccess,
    GetApiKeyParams, GetApiKeySuccess, ListApiKeysParams, ListApiKeysSuccess, RotateApiKeyParams,
    RotateApiKeySuccess, operations,
};
use quietline_api::agentmessage::models;
use quietline_api_runtime::Timestamp;

use crate::app;
use crate::app::api_key::KeyQuery;
use crate::app::idempotency::Outcome;
use crate::domain::access::Authorized;
use crate::domain::api_key::{ApiKey, NewApiKey, PlaintextApiKey};
use crate::domain::ids::ApiKeyId;
use crate::domain::scope::ScopeSet;
use crate::error::{Error, Violation};
use crate::handlers::failure::Result;
use crate::handlers::idempotency::{idempotent, stored};

use super::dialect::AgentMessage;

impl ApiKeysApi for AgentMessage {
    async fn create_api_key(
        &self,
        caller: Authorized,
        params: CreateApiKeyParams,
        body: models::CreateApiKeyRequest,
    ) -> Result<CreateApiKeySuccess> {
        let models::CreateApiKeyRequest {
            label,
            scopes,
            expires_at,
        } = &body;
        let label = ApiKey::parse_label(label).map_err(Error::from)?;
        let scopes = ScopeSet::parse(scopes.iter().map(String::as_str)).map_err(malformed)?;
        // Absent and null are both a key that expires with its issuer.
        let expires_at = expires_at.flatten().map(|moment| moment.0);
        // The stored response omits the plaintext. A client that lost the first response rotates
        // the key.
        let request = idempotent(
            params.idempotency_key.as_deref(),
            &operations::CREATE_API_KEY,
            &body,
            |key| stored(to_created(key, None).record()),
        )?;
        caller.preconditions.check_change(None)?;
        let plaintext = PlaintextApiKey::generate();
        // Copied, because the use case consumes the plaintext and stores only its hash.
        let shown = plaintext.reveal().to_owned();
        let new = NewApiKey {
            label,
            scopes,
            expires_at,
            plaintext,
        };
        let outcome = app::api_key::create(&self.state, caller.access, new, request).await?;
        Ok(match outcome {
            Outcome::Done(key) => to_created(key, Some(shown)),
            Outcome::Replayed(response) => CreateApiKeySuccess::Replayed(response.into()),
        })
    }

    async fn list_api_keys(
        &self,
        caller: Authorized,
        params: ListApiKeysParams,
    ) -> Result<ListApiKeysSuccess> {
        let ListApiKeysParams {
            cursor,
            limit,
            include_revoked,
        } = params;
        let query = KeyQuery {
            cursor,
            // The spec refuses negative limits, so that a failure here is a defect.
            limit: usize::try_from(limit).map_err(Error::internal)?,
            include_revoked,
        };
        let page = app::api_key::page(&self.state.db, caller.access, query).await?;
        if caller.preconditions.is_not_modified(None)? {
            return Ok(ListApiKeysSuccess::NotModified);
        }
        let meta = models::ApiKeyListMeta {
            total: page.total,
            limit,
            offset: page.offset,
            next_cursor: page.next_cursor,
        };
        let body = models::ApiKeyListResponse {
            success: true,
            data: page.keys.into_iter().map(Into::into).collect(),
            meta,
        };
        Ok(ListApiKeysSuccess::Ok { body })
    }

    async fn get_api_key(
        &self,
        caller: Authorized,
        params: GetApiKeyParams,
    ) -> Result<GetApiKeySuccess> {
        let id = ApiKeyId::from_uuid(params.id);
        let key = app::api_key::show(&self.state.db, caller.access, id).await?;
        if caller.preconditions.is_not_modified(None)? {
            return Ok(GetApiKeySuccess::NotModified);
        }
        let body = models::ApiKeyResponse {
            success: true,
            data: key.into(),
        };
        Ok(GetApiKeySuccess::Ok { body })
    }

    async fn rotate_api_key(
        &self,
        caller: Authorized,
        params: RotateApiKeyParams,
    ) -> Result<RotateApiKeySuccess> {
        let id = ApiKeyId::from_uuid(params.id);
        self.check_preconditions(&caller, id).await?;
        let plaintext = PlaintextApiKey::generate();
        let shown = plaintext.reveal().to_owned();
        // Through `keys` instead of `db`, because the cache must not serve the revoked key.
        let (keys, clock) = (&self.state.keys, &self.state.clock);
        let key = app::api_key::rotate(keys, clock, caller.access, id, plaintext).await?;
        let body = to_issued(key, Some(shown));
        Ok(RotateApiKeySuccess::Created { body })
    }

    async fn delete_api_key(
        &self,
        caller: Authorized,
        params: DeleteApiKeyParams,
    ) -> Result<DeleteApiKeySuccess> {
        let (state, id) = (&self.state, ApiKeyId::from_uuid(params.id));
        self.check_preconditions(&caller, id).await?;
        if params.issued {
            app::api_key::delete_issued(state, caller.access, id).await?;
        } else {
            // Through `keys` instead of `db`, as for a rotation.
            app::api_key::delete(&state.keys, &state.clock, caller.access, id).await?;
        }
        Ok(DeleteApiKeySuccess::NoContent)
    }
}

impl AgentMessage {
    /// Checks the preconditions of a change of the key `id`. Keys have no entity tags.
    async fn check_preconditions(&self, caller: &Authorized, id: ApiKeyId) -> Result<()> {
        let checked = caller.preconditions.check_change(None);
        if checked.is_err() {
            // A precondition does not count if the response would be 404 without it (RFC 9110,
            // section 13.2.1).
            app::api_key::show(&self.state.db, caller.access.clone(), id).await?;
        }
        Ok(checked?)
    }
}

fn to_created(key: ApiKey, plaintext: Option<String>) -> CreateApiKeySuccess {
    let body = to_issued(key, plaintext);
    CreateApiKeySuccess::Created { body }
}

/// Converts a violation of `scopes`, which makes the whole request malformed (CONTRACT 1.4).
fn malformed(violation: Violation) -> Error {
    let Violation { path, message } = violation;
    Error::Malformed(format!("{path}: {message}").into())
}

impl From<ApiKey> for models::ApiKey {
    fn from(key: ApiKey) -> Self {
        let created_by = key.issuer_label().to_owned();
        let ApiKey {
            id,
            org_id,
            label,
            prefix,
            scopes,
            created_by: _,
            created_at,
            last_used_at,
            revoked_at,
            expires_at,
        } = key;
        Self {
            id: id.uuid(),
            org_id: org_id.uuid(),
            label,
            prefix,
            scopes: names(scopes),
            created_by,
            created_at: Timestamp(created_at),
            last_used_at: last_used_at.map(Timestamp),
            revoked_at: revoked_at.map(Timestamp),
            expires_at: expires_at.map(Timestamp),
        }
    }
}

fn to_issued(key: ApiKey, plaintext: Option<String>) -> models::IssuedApiKeyResponse {
    let models::ApiKey {
        id,
        org_id,
        label,
        prefix,
        scopes,
        created_by,
        created_at,
        last_used_at,
        revoked_at,
        expires_at,
    } = key.into();
    let data = models::IssuedApiKey {
        id,
        org_id,
        label,
        prefix,
        scopes,
        created_by,
        created_at,
        last_used_at,
        revoked_at,
        expires_at,
        plaintext,
    };
    models::IssuedApiKeyResponse {
        success: true,
        data,
    }
}

fn names(scopes: ScopeSet) -> Vec<String> {
    let names = scopes.iter().map(|scope| scope.into_str());
    names.map(str::to_owned).collect()
}
