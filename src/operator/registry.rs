//! Mirror of the registry of brands and campaigns, written by the command line. An organization
//! shows a summary of the registry, so a change here may also change the organization's version.

use chrono::{DateTime, Utc};

use crate::db::{self, DbConn, Lane};
use crate::domain::actor::Author;
use crate::domain::audit::event::AuditEvent;
use crate::domain::change::Change;
use crate::domain::ids::{BrandId, CampaignId, OrgId};
use crate::domain::organization::Organization;
use crate::domain::registry::{Brand, Campaign, RegistrationStatus, SummaryChange};
use crate::error::{Error, Resource, Result, Violation};

use super::organization;
use super::session::Session;

/// Adds a brand to an organization.
///
/// # Errors
/// [`Error::NotFound`] for an unknown organization.
pub async fn add_brand(
    session: &Session,
    org_id: OrgId,
    name: String,
    status: RegistrationStatus,
) -> Result<Brand> {
    let (author, now) = (session.author(), session.clock.now());
    let brand = Brand {
        id: BrandId::generate(),
        org_id,
        name,
        status,
    };
    let write = session.db.write(Lane::OPERATOR, move |conn| {
        let organization = organization::lock(conn, &brand.org_id)?;
        // Before `record`, which counts the stored brands.
        db::registry::insert_brand(conn, &brand, now)?;
        let event = |summary| brand.created(summary);
        record(conn, organization, event, &author, now)?;
        Ok(brand)
    });
    write.await
}

/// Marks a brand and its campaigns as deleted. An already deleted brand stays unchanged.
///
/// # Errors
/// [`Error::NotFound`] for an unknown brand.
pub async fn delete_brand(session: &Session, id: BrandId) -> Result<Brand> {
    let (author, now) = (session.author(), session.clock.now());
    let write = session.db.write(Lane::OPERATOR, move |conn| {
        let no_brand = || Error::NotFound(Resource::Brand);
        // Before the lock, because only the brand tells which organization to lock.
        let org_id = db::registry::find_brand(conn, &id)?
            .ok_or_else(no_brand)?
            .org_id;
        let organization = organization::lock(conn, &org_id)?;
        // Read again under the lock: a concurrent command may have deleted the brand.
        let brand = db::registry::find_brand(conn, &id)?.ok_or_else(no_brand)?;
        if brand.status == RegistrationStatus::Deleted {
            return Ok(brand);
        }
        db::registry::delete_brand(conn, &org_id, &id, now)?;
        let event = |summary| brand.deleted(summary);
        record(conn, organization, event, &author, now)?;
        Ok(Brand {
            status: RegistrationStatus::Deleted,
            ..brand
        })
    });
    write.await
}

/// Adds a campaign to a brand that is not deleted.
///
/// # Errors
/// [`Error::NotFound`] for an unknown brand, [`Error::Invalid`] for a deleted brand.
pub async fn add_campaign(
    session: &Session,
    brand_id: BrandId,
    name: String,
    status: RegistrationStatus,
) -> Result<Campaign> {
    let (author, now) = (session.author(), session.clock.now());
    let write = session.db.write(Lane::OPERATOR, move |conn| {
        let not_found = Error::NotFound(Resource::Brand);
        let org_id = db::registry::find_brand(conn, &brand_id)?
            .ok_or(not_found)?
            .org_id;
        let organization = organization::lock(conn, &org_id)?;
        // Read again under the lock: a concurrent command may have deleted the brand.
        let brand = db::registry::find_brand(conn, &brand_id)?;
        if brand.is_none_or(|brand| brand.status == RegistrationStatus::Deleted) {
            return Err(Error::Invalid(vec![Violation::new("brand", "is deleted")]));
        }
        let campaign = Campaign {
            id: CampaignId::generate(),
            org_id,
            brand_id,
            name,
            status,
        };
        db::registry::insert_campaign(conn, &campaign, now)?;
        let event = |summary| campaign.created(summary);
        record(conn, organization, event, &author, now)?;
        Ok(campaign)
    });
    write.await
}

/// Marks a campaign as deleted. An already deleted campaign stays unchanged.
///
/// # Errors
/// [`Error::NotFound`] for an unknown campaign.
pub async fn delete_campaign(session: &Session, id: CampaignId) -> Result<Campaign> {
    let (author, now) = (session.author(), session.clock.now());
    let write = session.db.write(Lane::OPERATOR, move |conn| {
        let no_campaign = || Error::NotFound(Resource::Campaign);
        let org_id = db::registry::find_campaign(conn, &id)?
            .ok_or_else(no_campaign)?
            .org_id;
        let organization = organization::lock(conn, &org_id)?;
        // Read again under the lock: a concurrent command may have deleted the campaign.
        let campaign = db::registry::find_campaign(conn, &id)?.ok_or_else(no_campaign)?;
        if campaign.status == RegistrationStatus::Deleted {
            return Ok(campaign);
        }
        db::registry::delete_campaign(conn, &org_id, &id, now)?;
        let event = |summary| campaign.deleted(summary);
        record(conn, organization, event, &author, now)?;
        Ok(Campaign {
            status: RegistrationStatus::Deleted,
            ..campaign
        })
    });
    write.await
}

/// Stores the summary of the changed registry, and the audit entry of the change that `event`
/// makes.
fn record(
    conn: &mut DbConn,
    organization: Organization,
    event: impl FnOnce(SummaryChange) -> AuditEvent,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<()> {
    let registry = db::registry::summarize(conn, &organization.id)?;
    let event = event(SummaryChange {
        before: organization.registry,
        after: registry,
    });
    // The `ETag` has the version, so that the version grows only if the shown summary changes.
    let is_shown = registry != organization.registry;
    let after = Organization {
        registry,
        version: organization.version + i64::from(is_shown),
        ..organization.clone()
    };
    let change = Change::recorded(&organization, after, author, &[event], now);
    db::organization::store_locked(conn, change)?;
    Ok(())
}
