//! The reply to missed calls: shown and changed (the Tether dialect).

use crate::db::{self, Db};
use crate::domain::access::OrgAccess;
use crate::domain::audit::AuditEvent;
use crate::domain::missed_call::{MissedCall, MissedCallChanges};
use crate::error::{Error, Resource, Result};
use crate::state::AppState;

use super::{audit_log, organization};

/// The missed-call settings of the organization that `access` is for.
///
/// # Errors
/// [`Error::NotFound`] when there is no such organization.
pub async fn show(db: &Db, access: OrgAccess) -> Result<MissedCall> {
    Ok(organization::show(db, access).await?.missed_call)
}

/// Applies `changes` and returns the settings as they then are. A change that changes nothing
/// writes nothing and leaves no audit entry.
///
/// # Errors
/// [`Error::NotFound`] when there is no such organization.
pub async fn update(
    state: &AppState,
    access: OrgAccess,
    changes: MissedCallChanges,
) -> Result<MissedCall> {
    let now = state.clock.now();
    let work = move |conn: &mut db::DbConn| {
        let mut organization = db::organizations::lock(conn, access.organization())?
            .ok_or(Error::NotFound(Resource::Organization))?;
        let after = organization.missed_call.merge(&changes);
        let before = std::mem::replace(&mut organization.missed_call, after.clone());
        let Some(event) = AuditEvent::missed_call_changed(&organization.id, &before, &after) else {
            return Ok(after);
        };
        audit_log::append(conn, &mut organization, &access, &[event], now)?;
        organization.version += 1;
        db::organizations::update(conn, &organization, now)?;
        Ok(after)
    };
    state.db.write(work).await
}
