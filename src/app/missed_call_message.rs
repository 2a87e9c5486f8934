//! The reply to missed calls: shown and changed (the Tether dialect).

use crate::db::Db;
use crate::domain::access::OrgAccess;
use crate::domain::audit::AuditEvent;
use crate::domain::missed_call_message::{MissedCall, MissedCallChanges};
use crate::domain::organization::{Change, Organization};
use crate::error::Result;
use crate::state::AppState;

use super::idempotency::{Once, Outcome};
use super::{change, organization};

/// The missed-call settings of the organization that `access` is for.
///
/// # Errors
/// [`NotFound`](crate::error::Error::NotFound) when there is no such organization.
pub async fn show(db: &Db, access: OrgAccess) -> Result<MissedCall> {
    Ok(organization::show(db, access).await?.missed_call)
}

/// Applies `changes` and returns the organization as it then is. A change that changes nothing
/// writes nothing and leaves no audit entry.
///
/// # Errors
/// [`NotFound`](crate::error::Error::NotFound) when there is no such organization; for a request to
/// be done `once`, those of [`super::idempotency::run`].
pub async fn update(
    state: &AppState,
    access: OrgAccess,
    changes: MissedCallChanges,
    once: Option<Once<Organization>>,
) -> Result<Outcome<Organization>> {
    let now = state.clock.now();
    let author = access.clone();
    change::run(state, access, once, move |before| {
        let missed_call = before.missed_call.merge(&changes);
        let event = AuditEvent::missed_call_changed(&before.id, &before.missed_call, &missed_call);
        Ok(event.map(|event| {
            let after = Organization {
                missed_call,
                version: before.version + 1,
                ..before.clone()
            };
            Change::recorded(before, after, &author, &[event], now)
        }))
    })
    .await
}
