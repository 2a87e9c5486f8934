//! /v1/api-keys: between the spec's types and ours.

use std::time::Duration;

use quietline_api::agentmessage::api::{
    ApiKeysApi, CreateApiKeyParams, CreateApiKeySuccess, DeleteApiKeyParams, DeleteApiKeySuccess,
    GetApiKeyParams, GetApiKeySuccess, ListApiKeysParams, ListApiKeysSuccess, RotateApiKeyParams,
    RotateApiKeySuccess, operations,
};
use quietline_api::agentmessage::models;

use crate::app;
use crate::app::api_keys::{KeyQuery, NewApiKey};
use crate::app::idempotency::Outcome;
use crate::domain::access::{OrgAccess, Scope};
use crate::domain::api_key::{ApiKey, PlaintextApiKey, ScopeSet};
use crate::domain::ids::ApiKeyId;
use crate::domain::text_enum::TextEnum;
use crate::error::{Error, Result, Violation};
use crate::handlers::once::once;
use crate::request::{RateLimit, whole_seconds};

use super::AgentMessage;

impl ApiKeysApi for AgentMessage {
    async fn create_api_key(
        &self,
        access: OrgAccess,
        params: CreateApiKeyParams,
        body: models::CreateApiKeyRequest,
    ) -> Result<CreateApiKeySuccess> {
        let models::CreateApiKeyRequest { label, scopes } = &body;
        let label = ApiKey::parse_label(label).map_err(|fault| Error::Invalid(vec![fault]))?;
        let scopes = ScopeSet::parse(scopes.iter().map(String::as_str)).map_err(malformed)?;
        // The whole key is not kept: whoever lost the first answer has to rotate the key.
        let once = once(
            params.idempotency_key.as_deref(),
            &operations::CREATE_API_KEY,
            &body,
            |key| Ok(created(key, None).record()?.into()),
        )?;
        let plaintext = PlaintextApiKey::generate();
        let shown = plaintext.reveal().to_owned();
        let new = NewApiKey {
            label,
            scopes,
            plaintext,
        };
        let outcome = match once {
            Some(once) => app::api_keys::create_once(&self.state, access, new, once).await?,
            None => {
                let key =
                    app::api_keys::create(&self.state.db, &self.state.clock, access, new).await?;
                Outcome::Done(key)
            }
        };
        Ok(match outcome {
            Outcome::Done(key) => created(key, Some(shown)),
            Outcome::Replayed(answer) => CreateApiKeySuccess::Replayed(answer.into()),
        })
    }

    async fn list_api_keys(
        &self,
        access: OrgAccess,
        params: ListApiKeysParams,
    ) -> Result<ListApiKeysSuccess> {
        let ListApiKeysParams {
            cursor,
            limit,
            include_revoked,
        } = params;
        let query = KeyQuery {
            cursor,
            limit: usize::try_from(limit).map_err(Error::internal)?,
            include_revoked,
        };
        let page = app::api_keys::page(&self.state.db, access, query).await?;
        let meta = models::ApiKeyListMeta {
            total: page.total,
            limit,
            offset: page.offset,
            next_cursor: page.next_cursor,
        };
        let body = models::ApiKeyListResponse {
            success: true,
            data: page.keys.into_iter().map(shown).collect(),
            meta,
        };
        Ok(ListApiKeysSuccess::Ok { body })
    }

    async fn get_api_key(
        &self,
        access: OrgAccess,
        params: GetApiKeyParams,
    ) -> Result<GetApiKeySuccess> {
        let id = ApiKeyId::from_uuid(params.id);
        let body = models::ApiKeyResponse {
            success: true,
            data: shown(app::api_keys::show(&self.state.db, access, id).await?),
        };
        Ok(GetApiKeySuccess::Ok { body })
    }

    async fn rotate_api_key(
        &self,
        access: OrgAccess,
        params: RotateApiKeyParams,
    ) -> Result<RotateApiKeySuccess> {
        let id = ApiKeyId::from_uuid(params.id);
        let plaintext = PlaintextApiKey::generate();
        let shown = plaintext.reveal().to_owned();
        let key =
            app::api_keys::rotate(&self.state.db, &self.state.clock, access, id, plaintext).await?;
        let body = issued(key, Some(shown));
        Ok(RotateApiKeySuccess::Created { body })
    }

    async fn delete_api_key(
        &self,
        access: OrgAccess,
        params: DeleteApiKeyParams,
    ) -> Result<DeleteApiKeySuccess> {
        let id = ApiKeyId::from_uuid(params.id);
        app::api_keys::delete(&self.state.db, &self.state.clock, access, id).await?;
        Ok(DeleteApiKeySuccess::NoContent)
    }
}

fn created(key: ApiKey, plaintext: Option<String>) -> CreateApiKeySuccess {
    let body = issued(key, plaintext);
    CreateApiKeySuccess::Created { body }
}

/// What is told of the limit of new keys when it is used up for another `wait`.
pub(super) fn issue_limit(wait: Duration) -> RateLimit {
    RateLimit {
        policy: "api-keys",
        quota: app::api_keys::MAX_ISSUED,
        remaining: 0,
        seconds: whole_seconds(wait),
    }
}

/// Scopes that do not exist are no fault of a field but of the request (CONTRACT 1.4).
fn malformed(violation: Violation) -> Error {
    let Violation { path, message } = violation;
    Error::Malformed(format!("{path}: {message}").into())
}

fn shown(key: ApiKey) -> models::ApiKey {
    let ApiKey {
        id,
        org_id,
        label,
        prefix,
        scopes,
        created_at,
        last_used_at,
        revoked_at,
    } = key;
    models::ApiKey {
        id: id.uuid(),
        org_id: org_id.uuid(),
        label,
        prefix,
        scopes: names(scopes),
        created_at,
        last_used_at,
        revoked_at,
    }
}

fn issued(key: ApiKey, plaintext: Option<String>) -> models::IssuedApiKeyResponse {
    let models::ApiKey {
        id,
        org_id,
        label,
        prefix,
        scopes,
        created_at,
        last_used_at,
        revoked_at,
    } = shown(key);
    let data = models::IssuedApiKey {
        id,
        org_id,
        label,
        prefix,
        scopes,
        created_at,
        last_used_at,
        revoked_at,
        plaintext,
    };
    models::IssuedApiKeyResponse {
        success: true,
        data,
    }
}

fn names(scopes: ScopeSet) -> Vec<String> {
    let names = scopes.iter().map(Scope::as_str);
    names.map(str::to_owned).collect()
}
