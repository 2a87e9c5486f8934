//! Organizations: created, found and listed.

use crate::clock::Clock;
use crate::db::{self, Db};
use crate::domain::ids::{ExternalId, OrgId, OrganizationRef};
use crate::domain::organization::{Organization, OrganizationKind, Settings};
use crate::error::{Error, Resource, Result, Violation};

/// An organization to be created.
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
    let NewOrganization {
        kind,
        external_id,
        settings,
    } = new;
    let organization = Organization::new(kind, external_id, settings, clock.now());
    db.write(move |conn| {
        if db::organization::insert(conn, &organization)? {
            Ok(organization)
        } else {
            Err(Violation::new("external_id", "is already taken").into())
        }
    })
    .await
}

/// Finds an organization by either of its names.
///
/// # Errors
/// [`Error::NotFound`] when there is no such organization.
pub async fn find(db: &Db, name: OrganizationRef) -> Result<Organization> {
    let found = db.read(move |conn| db::organization::find(conn, &name));
    found.await?.ok_or(Error::NotFound(Resource::Organization))
}

/// Lists organizations in order of creation, those after a given id.
///
/// # Errors
/// Only those of the database.
pub async fn list(db: &Db, after: Option<OrgId>, limit: i64) -> Result<Vec<Organization>> {
    db.read(move |conn| db::organization::list(conn, after.as_ref(), limit))
        .await
}
