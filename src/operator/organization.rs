//! Organizations: creation, lookup and list.

use crate::db::{self, Db, DbConn, Lane};
use crate::domain::change::Change;
use crate::domain::ids::{ExternalId, OrgId, OrganizationRef};
use crate::domain::organization::{Organization, OrganizationKind, Settings};
use crate::error::{Error, Resource, Result, Violation};

use super::session::Session;

/// Organization to be created.
#[derive(Debug, Clone)]
pub struct NewOrganization {
    pub kind: OrganizationKind,
    /// Id of the organization in another system.
    pub external_id: Option<ExternalId>,
    pub settings: Settings,
}

/// Creates an organization.
///
/// # Errors
/// [`Error::Invalid`] for an external id that is already taken.
pub async fn create(session: &Session, new: NewOrganization) -> Result<Organization> {
    let NewOrganization {
        kind,
        external_id,
        settings,
    } = new;
    let organization = Organization::new(kind, external_id, settings, session.clock.now());
    let creation = Change::creation(organization, &session.author());
    let write = session.db.write(Lane::OPERATOR, move |conn| {
        if db::organization::insert(conn, &creation)? {
            Ok(creation.after)
        } else {
            Err(Violation::new("external_id", "is already taken").into())
        }
    });
    write.await
}

/// Finds an organization by either of its names.
///
/// # Errors
/// [`Error::NotFound`] for an unknown organization.
pub async fn find(db: &Db, name: OrganizationRef) -> Result<Organization> {
    let found = db.read(Lane::OPERATOR, move |conn| {
        db::organization::find(conn, &name)
    });
    found.await?.ok_or(Error::NotFound(Resource::Organization))
}

/// Lists organizations in order of creation, starting after a given id.
///
/// # Errors
/// Only errors of the database.
pub async fn list(db: &Db, after: Option<OrgId>, limit: i64) -> Result<Vec<Organization>> {
    db.read(Lane::OPERATOR, move |conn| {
        db::organization::list(conn, after.as_ref(), limit)
    })
    .await
}

/// Locks an organization until the transaction ends.
///
/// # Errors
/// [`Error::NotFound`] for an unknown organization.
pub(super) fn lock(conn: &mut DbConn, org_id: &OrgId) -> Result<Organization> {
    let name = OrganizationRef::Id(*org_id);
    db::organization::lock(conn, &name)?.ok_or(Error::NotFound(Resource::Organization))
}
