//! GET and PUT of the missed-call message: between the spec's types and ours.

use quietline_api::tether_relay::api::{
    GetOrganizationsOrganizationIdMissedCallMessageSuccess as GetSuccess,
    PutOrganizationsOrganizationIdMissedCallMessageSuccess as PutSuccess,
};
use quietline_api::tether_relay::models;

use crate::app;
use crate::domain::access::OrgAccess;
use crate::domain::missed_call::{MissedCall, MissedCallChanges};
use crate::error::Result;
use crate::state::AppState;

pub(super) async fn get(state: &AppState, access: OrgAccess) -> Result<GetSuccess> {
    let settings = app::missed_call::show(&state.db, access).await?;
    Ok(GetSuccess::Ok {
        body: response(settings),
    })
}

pub(super) async fn put(
    state: &AppState,
    access: OrgAccess,
    body: models::UpdateMissedCallMessageRequest,
) -> Result<PutSuccess> {
    let models::UpdateMissedCallMessageRequest {
        missed_call_message,
        missed_call_auto_message_enabled,
    } = body;
    let changes = MissedCallChanges {
        message: missed_call_message,
        enabled: missed_call_auto_message_enabled,
    };
    let settings = app::missed_call::update(state, access, changes).await?;
    Ok(PutSuccess::Ok {
        body: response(settings),
    })
}

fn response(settings: MissedCall) -> models::MissedCallMessageResponse {
    models::MissedCallMessageResponse {
        missed_call_message: Some(settings.message),
        missed_call_auto_message_enabled: Some(settings.enabled),
    }
}
