//! Organization of a request: loaded, locked, or resolved to its id.

use chrono::{DateTime, Utc};

use crate::db::{self, Db, DbConn, Lane};
use crate::domain::access::OrgAccess;
use crate::domain::actor::Actor;
use crate::domain::ids::{OrgId, OrganizationRef};
use crate::domain::organization::Organization;
use crate::error::{Error, Resource, Result};

const NO_ORGANIZATION: Error = Error::NotFound(Resource::Organization);

/// Loads the organization that `access` is for, unless it was `prefetched` since the request began.
///
/// # Errors
/// [`Error::NotFound`] for an unknown organization.
pub(super) async fn load(
    db: &Db,
    access: &OrgAccess,
    prefetched: Option<Box<Organization>>,
) -> Result<Organization> {
    if let Some(organization) = prefetched {
        return Ok(*organization);
    }
    let name = access.organization().clone();
    let found = db.read(Lane::of(&name), move |conn| {
        db::organization::find(conn, &name)
    });
    found.await?.ok_or(NO_ORGANIZATION)
}

/// Locks the organization that `access` is for. Refuses an API key that was revoked since the
/// request was authenticated, on this server or another, or that has expired by `now`, which is the
/// time that the change records.
///
/// # Errors
/// [`Error::NotFound`] for an unknown organization, [`Error::Unauthenticated`] for a dead key.
pub(super) fn lock(
    conn: &mut DbConn,
    access: &OrgAccess,
    now: DateTime<Utc>,
) -> Result<Organization> {
    let found = db::organization::lock(conn, access.organization())?;
    let organization = found.ok_or(NO_ORGANIZATION)?;
    if let Actor::ApiKey { id, .. } = &access.author().actor {
        // From the table, because the cache does not see revocations by other servers at once.
        let key = db::api_key::find(conn, &organization.id, id)?;
        key.ok_or(Error::Unauthenticated("unknown API key"))?
            .check_live(now)?;
    }
    Ok(organization)
}

/// Resolves the organization that `access` is for to its id. Queries the database for an external
/// id only.
///
/// # Errors
/// [`Error::NotFound`] for an unknown external id.
pub(super) fn resolve_id(conn: &mut DbConn, access: &OrgAccess) -> Result<OrgId> {
    match access.organization() {
        OrganizationRef::Id(id) => Ok(*id),
        name @ OrganizationRef::External(_) => {
            let found = db::organization::find(conn, name)?;
            Ok(found.ok_or(NO_ORGANIZATION)?.id)
        }
    }
}
