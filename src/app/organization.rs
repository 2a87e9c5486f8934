//! Organizations: shown, created, and their settings changed (PATCH /v1/organization).

use chrono::SubsecRound;

use crate::clock::Clock;
use crate::db::{self, Db, DbConn};
use crate::domain::access::{Actor, OrgAccess};
use crate::domain::audit::{AuditEvent, ChainHead};
use crate::domain::ids::{ExternalId, OrgId, OrganizationRef};
use crate::domain::missed_call_message::MissedCall;
use crate::domain::organization::{
    Change, ChangeError, Organization, OrganizationKind, Settings, SettingsChanges,
    VersionCondition,
};
use crate::domain::registry::RegistrySummary;
use crate::error::{Error, Resource, Result, Violation};
use crate::state::AppState;

use super::change;
use super::idempotency::{Once, Outcome};

/// The plan of an organization that nobody has sold another one.
const FIRST_PLAN: &str = "payg";

/// The throughput tier of a new organization.
const FIRST_THROUGHPUT_TIER: i32 = 1;

/// The organization that `access` is for.
///
/// # Errors
/// [`Error::NotFound`] when there is none of that name.
pub async fn show(db: &Db, mut access: OrgAccess) -> Result<Organization> {
    see(db, &mut access).await
}

/// As [`show`]: as the organization was at some time since the request began.
pub(super) async fn see(db: &Db, access: &mut OrgAccess) -> Result<Organization> {
    match access.take_seen() {
        Some(seen) => Ok(seen),
        None => find(db, access.organization().clone()).await,
    }
}

/// What becomes of a request whose key was revoked after it was let in.
pub(super) const REVOKED: Error = Error::Unauthenticated("revoked API key");

/// The organization that `access` is for, locked. The caller's key may have been revoked since the
/// request was let in, by another server even: then it changes nothing any more.
///
/// # Errors
/// [`Error::NotFound`] when there is no such organization; [`REVOKED`].
pub(super) fn lock(conn: &mut DbConn, access: &OrgAccess) -> Result<Organization> {
    let found = db::organization::lock(conn, access.organization())?;
    let organization = found.ok_or(Error::NotFound(Resource::Organization))?;
    if let Actor::ApiKey { id, .. } = access.actor() {
        let key = db::api_key::find(conn, &organization.id, id)?;
        if key.is_none_or(|key| key.revoked_at.is_some()) {
            return Err(REVOKED);
        }
    }
    Ok(organization)
}

/// The id of the organization that `access` is for; another name of it is looked up.
pub(super) fn id_of(conn: &mut DbConn, access: &OrgAccess) -> Result<OrgId> {
    match access.organization() {
        OrganizationRef::Id(id) => Ok(*id),
        name @ OrganizationRef::External(_) => {
            let found = db::organization::find(conn, name)?;
            Ok(found.ok_or(Error::NotFound(Resource::Organization))?.id)
        }
    }
}

/// Applies `changes` all or nothing and returns the organization as it then is. A change that
/// changes nothing writes nothing and leaves no audit entry.
///
/// # Errors
/// [`Error::PreconditionFailed`] before any rule is looked at, then the first rule that is broken;
/// for a request to be done `once`, those of [`super::idempotency::run`] before either.
pub async fn update_settings(
    state: &AppState,
    access: OrgAccess,
    condition: VersionCondition,
    changes: SettingsChanges,
    once: Option<Once<Organization>>,
) -> Result<Outcome<Organization>> {
    let now = state.clock.now();
    let author = access.clone();
    change::run(state, access, once, move |before| {
        if !condition.admits(before) {
            return Err(Error::PreconditionFailed);
        }
        let settings = before.apply(&changes).map_err(change_error)?;
        if settings == before.settings {
            return Ok(None);
        }
        let attestation = changes.auto_replies.attestation.as_deref();
        let events =
            AuditEvent::settings_changed(&before.id, &before.settings, &settings, attestation);
        let after = Organization {
            settings,
            version: before.version + 1,
            ..before.clone()
        };
        Ok(Some(Change::recorded(before, after, &author, &events, now)))
    })
    .await
}

fn change_error(error: ChangeError) -> Error {
    match error {
        ChangeError::Invalid(violation) => Error::Invalid(vec![violation]),
        ChangeError::Refused(refusal) => Error::Refused(refusal),
    }
}

/// What is said of an organization when it is created.
#[derive(Debug, Clone)]
pub struct NewOrganization {
    /// Company or person.
    pub kind: OrganizationKind,
    /// The id that another system knows it by.
    pub external_id: Option<ExternalId>,
    /// Its first settings.
    pub settings: Settings,
}

/// Creates an organization.
///
/// # Errors
/// [`Error::Invalid`] when the external id is taken.
pub async fn create(db: &Db, clock: &Clock, new: NewOrganization) -> Result<Organization> {
    let now = clock.now().trunc_subsecs(0);
    let organization = Organization {
        id: OrgId::generate(),
        external_id: new.external_id,
        kind: new.kind,
        plan: FIRST_PLAN.to_owned(),
        throughput_tier: FIRST_THROUGHPUT_TIER,
        settings: new.settings,
        missed_call: MissedCall::default(),
        registry: RegistrySummary::default(),
        version: 1,
        audit: ChainHead::default(),
        created_at: now,
        updated_at: now,
    };
    db.write(
        move |conn| match db::organization::insert(conn, &organization)? {
            true => Ok(organization),
            false => Err(Error::Invalid(vec![Violation::new(
                "external_id",
                "is already taken",
            )])),
        },
    )
    .await
}

/// The organization of either name.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn find(db: &Db, name: OrganizationRef) -> Result<Organization> {
    let found = db
        .read(move |conn| db::organization::find(conn, &name))
        .await?;
    found.ok_or(Error::NotFound(Resource::Organization))
}

/// A page of all organizations in order of creation, for the command line.
///
/// # Errors
/// Only those of the database.
pub async fn list(db: &Db, after: Option<OrgId>, limit: i64) -> Result<Vec<Organization>> {
    db.read(move |conn| db::organization::list(conn, after.as_ref(), limit))
        .await
}
