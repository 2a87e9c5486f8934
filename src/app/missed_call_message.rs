//! GET and PUT of the missed-call message (Tether dialect).

use crate::db::Db;
use crate::domain::access::Authorized;
use crate::domain::change::Change;
use crate::domain::missed_call_message::{MissedCall, MissedCallChanges};
use crate::domain::organization::Organization;
use crate::error::Result;
use crate::state::AppState;

use super::idempotency::{IdempotentRequest, Outcome};
use super::{change, tenant};

/// Returns the missed-call settings of the organization that the caller may act on.
///
/// # Errors
/// [`NotFound`](crate::error::Error::NotFound) for an unknown organization.
pub async fn show(db: &Db, caller: Authorized) -> Result<MissedCall> {
    let organization = tenant::load(db, &caller.access, caller.prefetched).await?;
    Ok(organization.missed_call)
}

/// Applies `changes` and returns the changed organization. Equal settings cause neither a write nor
/// an audit entry.
///
/// # Errors
/// [`NotFound`](crate::error::Error::NotFound) for an unknown organization, then
/// [`PreconditionFailed`](crate::error::Error::PreconditionFailed). With an idempotency key, errors
/// of [`super::idempotency::run`] too.
pub async fn update(
    state: &AppState,
    caller: Authorized,
    changes: MissedCallChanges,
    idempotent: Option<IdempotentRequest<Organization>>,
) -> Result<Outcome<Organization>> {
    let now = state.clock.now();
    let author = caller.access.author().clone();
    let preconditions = caller.preconditions.clone();
    change::run(state, caller, idempotent, move |before| {
        // This dialect shows no entity tags, so that no tag can be right.
        preconditions.check_change(None)?;
        let missed_call = before.missed_call.merge(&changes);
        let events = before.missed_call.changes_to(&missed_call, &before.id);
        if events.is_empty() {
            return Ok(None);
        }
        let after = Organization {
            missed_call,
            version: before.version + 1,
            ..before.clone()
        };
        Ok(Some(Change::recorded(before, after, &author, &events, now)))
    })
    .await
}
