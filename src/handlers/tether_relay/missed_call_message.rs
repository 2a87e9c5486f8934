//! GET and PUT of the missed-call message: between the spec's types and ours.

use quietline_api::tether_relay::api::{
    GetOrganizationsOrganizationIdMissedCallMessageParams as GetParams,
    GetOrganizationsOrganizationIdMissedCallMessageSuccess as GetSuccess, OrganizationsApi,
    PutOrganizationsOrganizationIdMissedCallMessageParams as PutParams,
    PutOrganizationsOrganizationIdMissedCallMessageSuccess as PutSuccess, operations,
};
use quietline_api::tether_relay::models;

use crate::app;
use crate::app::idempotency::Outcome;
use crate::domain::access::OrgAccess;
use crate::domain::missed_call::{MissedCall, MissedCallChanges};
use crate::domain::organization::Organization;
use crate::error::Result;
use crate::handlers::once::once;

use super::TetherRelay;

impl OrganizationsApi for TetherRelay {
    async fn get_organizations_organization_id_missed_call_message(
        &self,
        access: OrgAccess,
        _params: GetParams,
    ) -> Result<GetSuccess> {
        let settings = app::missed_call::show(&self.state.db, access).await?;
        Ok(GetSuccess::Ok {
            body: response(settings),
        })
    }

    async fn put_organizations_organization_id_missed_call_message(
        &self,
        access: OrgAccess,
        params: PutParams,
        body: models::UpdateMissedCallMessageRequest,
    ) -> Result<PutSuccess> {
        let PutParams {
            // Known since the caller was; two names of one organization are one.
            organization_id: _,
            idempotency_key,
        } = params;
        let once = once(
            idempotency_key.as_deref(),
            &operations::PUT_ORGANIZATIONS_ORGANIZATION_ID_MISSED_CALL_MESSAGE,
            &body,
            |organization| Ok(updated(organization).record()?.into()),
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
            match app::missed_call::update(&self.state, access, changes, once).await? {
                Outcome::Done(organization) => updated(organization),
                Outcome::Replayed(answer) => PutSuccess::Replayed(answer.into()),
            },
        )
    }
}

fn updated(organization: Organization) -> PutSuccess {
    PutSuccess::Ok {
        body: response(organization.missed_call),
    }
}

fn response(settings: MissedCall) -> models::MissedCallMessageResponse {
    models::MissedCallMessageResponse {
        missed_call_message: Some(settings.message),
        missed_call_auto_message_enabled: Some(settings.enabled),
    }
}
