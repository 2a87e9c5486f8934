//! Handlers of GET and PUT of the missed-call message: conversion between the spec's types and the
//! domain's.

use quietline_api::tether_relay::api::{
    GetOrganizationsOrganizationIdMissedCallMessageParams as GetParams,
    GetOrganizationsOrganizationIdMissedCallMessageSuccess as GetSuccess, OrganizationsApi,
    PutOrganizationsOrganizationIdMissedCallMessageParams as PutParams,
    PutOrganizationsOrganizationIdMissedCallMessageSuccess as PutSuccess, operations,
};
use quietline_api::tether_relay::models;

use crate::app;
use crate::app::idempotency::Outcome;
use crate::domain::access::Authorized;
use crate::domain::missed_call_message::{MissedCall, MissedCallChanges};
use crate::domain::organization::Organization;
use crate::handlers::failure::Result;
use crate::handlers::idempotency::{idempotent, stored};

use super::dialect::TetherRelay;

impl OrganizationsApi for TetherRelay {
    async fn get_organizations_organization_id_missed_call_message(
        &self,
        caller: Authorized,
        _params: GetParams,
    ) -> Result<GetSuccess> {
        let preconditions = caller.preconditions.clone();
        let settings = app::missed_call_message::show(&self.state.db, caller).await?;
        if preconditions.is_not_modified(None)? {
            return Ok(GetSuccess::NotModified);
        }
        Ok(GetSuccess::Ok {
            body: settings.into(),
        })
    }

    async fn put_organizations_organization_id_missed_call_message(
        &self,
        caller: Authorized,
        params: PutParams,
        body: models::UpdateMissedCallMessageRequest,
    ) -> Result<PutSuccess> {
        let PutParams {
            // Already resolved into `caller`. Both names of an organization mean the same request.
            organization_id: _,
            idempotency_key,
        } = params;
        let request = idempotent(
            idempotency_key.as_deref(),
            &operations::PUT_ORGANIZATIONS_ORGANIZATION_ID_MISSED_CALL_MESSAGE,
            &body,
            |organization| stored(to_updated(organization).record()),
        )?;
        let models::UpdateMissedCallMessageRequest {
            missed_call_message,
            missed_call_auto_message_enabled,
        } = body;
        let changes = MissedCallChanges {
            message: missed_call_message,
            enabled: missed_call_auto_message_enabled,
        };
        Ok(
            match app::missed_call_message::update(&self.state, caller, changes, request).await? {
                Outcome::Done(organization) => to_updated(organization),
                Outcome::Replayed(response) => PutSuccess::Replayed(response.into()),
            },
        )
    }
}

fn to_updated(organization: Organization) -> PutSuccess {
    PutSuccess::Ok {
        body: organization.missed_call.into(),
    }
}

impl From<MissedCall> for models::MissedCallMessageResponse {
    fn from(settings: MissedCall) -> Self {
        Self {
            missed_call_message: Some(settings.message),
            missed_call_auto_message_enabled: Some(settings.enabled),
        }
    }
}
