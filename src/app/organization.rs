//! GET and PATCH /v1/organization: reading the organization, and changing its settings.

use crate::db::Db;
use crate::domain::access::Authorized;
use crate::domain::change::Change;
use crate::domain::organization::{Organization, SettingsChanges};
use crate::error::Result;
use crate::state::AppState;

use super::idempotency::{IdempotentRequest, Outcome};
use super::{change, tenant};

/// Returns the caller's organization.
///
/// # Errors
/// [`NotFound`](crate::error::Error::NotFound) for an unknown organization.
pub async fn show(db: &Db, caller: Authorized) -> Result<Organization> {
    tenant::load(db, &caller.access, caller.prefetched).await
}

/// Applies all of `changes` and returns the changed organization. Equal settings cause neither a
/// write nor an audit entry.
///
/// # Errors
/// [`PreconditionFailed`](crate::error::Error::PreconditionFailed) before any rule is checked, then
/// the first broken rule. With an idempotency key, errors of [`super::idempotency::run`] before
/// both.
pub async fn update_settings(
    state: &AppState,
    caller: Authorized,
    changes: SettingsChanges,
    idempotent: Option<IdempotentRequest<Organization>>,
) -> Result<Outcome<Organization>> {
    let now = state.clock.now();
    let author = caller.access.author().clone();
    let preconditions = caller.preconditions.clone();
    change::run(state, caller, idempotent, move |before| {
        preconditions.check_change(Some(before))?;
        let settings = before.apply(&changes)?;
        let attestation = changes.auto_replies.attestation.as_deref();
        let events = before
            .settings
            .changes_to(&settings, &before.id, attestation);
        if events.is_empty() {
            return Ok(None);
        }
        let after = Organization {
            settings,
            version: before.version + 1,
            ..before.clone()
        };
        Ok(Some(Change::recorded(before, after, &author, &events, now)))
    })
    .await
}
