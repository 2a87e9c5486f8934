//! Rows of `brands` and `campaigns`, which the command line mirrors from the registry.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::ids::{BrandId, CampaignId, OrgId};
use crate::domain::registry::{Brand, Campaign, RegistrationStatus, RegistrySummary};
use crate::error::Result;

use crate::db::engine::connection::DbConn;
use crate::db::tables::schema::{brands, campaigns};
use crate::db::tables::types::StoredTime;

pub fn insert_brand(conn: &mut DbConn, brand: &Brand, now: DateTime<Utc>) -> Result<()> {
    let Brand {
        id,
        org_id,
        name,
        status,
    } = brand;
    let row = (
        brands::id.eq(id),
        brands::org_id.eq(org_id),
        brands::name.eq(name),
        brands::status.eq(status),
        brands::created_at.eq(StoredTime::from(now)),
        brands::updated_at.eq(StoredTime::from(now)),
    );
    diesel::insert_into(brands::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

/// Marks a brand and its campaigns as deleted. Deleted rows stay unchanged.
pub fn delete_brand(
    conn: &mut DbConn,
    org_id: &OrgId,
    id: &BrandId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(brands::table)
        .filter(brands::org_id.eq(org_id))
        .filter(brands::id.eq(id))
        // A trigger refuses to delete a brand or a campaign again.
        .filter(brands::status.ne(RegistrationStatus::Deleted))
        .set((
            brands::status.eq(RegistrationStatus::Deleted),
            brands::updated_at.eq(StoredTime::from(now)),
        ))
        .execute(conn)?;
    diesel::update(campaigns::table)
        .filter(campaigns::org_id.eq(org_id))
        .filter(campaigns::brand_id.eq(id))
        .filter(campaigns::status.ne(RegistrationStatus::Deleted))
        .set((
            campaigns::status.eq(RegistrationStatus::Deleted),
            campaigns::updated_at.eq(StoredTime::from(now)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn insert_campaign(conn: &mut DbConn, campaign: &Campaign, now: DateTime<Utc>) -> Result<()> {
    let Campaign {
        id,
        org_id,
        brand_id,
        name,
        status,
    } = campaign;
    let row = (
        campaigns::id.eq(id),
        campaigns::org_id.eq(org_id),
        campaigns::brand_id.eq(brand_id),
        campaigns::name.eq(name),
        campaigns::status.eq(status),
        campaigns::created_at.eq(StoredTime::from(now)),
        campaigns::updated_at.eq(StoredTime::from(now)),
    );
    diesel::insert_into(campaigns::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

/// Marks a campaign as deleted. A deleted row stays unchanged.
pub fn delete_campaign(
    conn: &mut DbConn,
    org_id: &OrgId,
    id: &CampaignId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(campaigns::table)
        .filter(campaigns::org_id.eq(org_id))
        .filter(campaigns::id.eq(id))
        .filter(campaigns::status.ne(RegistrationStatus::Deleted))
        .set((
            campaigns::status.eq(RegistrationStatus::Deleted),
            campaigns::updated_at.eq(StoredTime::from(now)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Returns the summary of an organization's registry.
pub fn summarize(conn: &mut DbConn, org_id: &OrgId) -> Result<RegistrySummary> {
    let is_live = brands::status.ne(RegistrationStatus::Deleted);
    let of_org = brands::table
        .filter(brands::org_id.eq(org_id))
        .filter(is_live);
    let newest: Option<RegistrationStatus> = of_org
        // By id too, so that brands of the same time have a fixed order.
        .order((brands::created_at.desc(), brands::id.desc()))
        .select(brands::status)
        .first(conn)
        .optional()?;
    let brand_count: i64 = of_org.count().get_result(conn)?;
    let campaign_count: i64 = campaigns::table
        .filter(campaigns::org_id.eq(org_id))
        .filter(campaigns::status.ne(RegistrationStatus::Deleted))
        .count()
        .get_result(conn)?;
    Ok(RegistrySummary {
        brand: newest,
        brand_count: i32::try_from(brand_count).unwrap_or(i32::MAX),
        campaign_count: i32::try_from(campaign_count).unwrap_or(i32::MAX),
    })
}

/// Lists brands of an organization after a given id, in order of their ids.
pub fn list_brands(
    conn: &mut DbConn,
    org_id: &OrgId,
    after: Option<&BrandId>,
    limit: i64,
) -> Result<Vec<Brand>> {
    let mut query = brands::table
        .filter(brands::org_id.eq(org_id))
        .order(brands::id)
        .limit(limit)
        .select((brands::id, brands::name, brands::status))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(brands::id.gt(after));
    }
    let rows: Vec<(BrandId, String, RegistrationStatus)> = query.load(conn)?;
    let brand = |(id, name, status)| Brand {
        id,
        org_id: *org_id,
        name,
        status,
    };
    Ok(rows.into_iter().map(brand).collect())
}

/// Lists campaigns of an organization after a given id, in order of their ids.
pub fn list_campaigns(
    conn: &mut DbConn,
    org_id: &OrgId,
    after: Option<&CampaignId>,
    limit: i64,
) -> Result<Vec<Campaign>> {
    let mut query = campaigns::table
        .filter(campaigns::org_id.eq(org_id))
        .order(campaigns::id)
        .limit(limit)
        .select((
            campaigns::id,
            campaigns::brand_id,
            campaigns::name,
            campaigns::status,
        ))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(campaigns::id.gt(after));
    }
    let rows: Vec<(CampaignId, BrandId, String, RegistrationStatus)> = query.load(conn)?;
    let campaign = |(id, brand_id, name, status)| Campaign {
        id,
        org_id: *org_id,
        brand_id,
        name,
        status,
    };
    Ok(rows.into_iter().map(campaign).collect())
}

// Not tenant-scoped: the operator names a brand or a campaign by its id alone.

pub fn find_brand(conn: &mut DbConn, id: &BrandId) -> Result<Option<Brand>> {
    let row: Option<(OrgId, String, RegistrationStatus)> = brands::table
        .filter(brands::id.eq(id))
        .select((brands::org_id, brands::name, brands::status))
        .get_result(conn)
        .optional()?;
    Ok(row.map(|(org_id, name, status)| Brand {
        id: *id,
        org_id,
        name,
        status,
    }))
}

pub fn find_campaign(conn: &mut DbConn, id: &CampaignId) -> Result<Option<Campaign>> {
    let row: Option<(OrgId, BrandId, String, RegistrationStatus)> = campaigns::table
        .filter(campaigns::id.eq(id))
        .select((
            campaigns::org_id,
            campaigns::brand_id,
            campaigns::name,
            campaigns::status,
        ))
        .get_result(conn)
        .optional()?;
    Ok(row.map(|(org_id, brand_id, name, status)| Campaign {
        id: *id,
        org_id,
        brand_id,
        name,
        status,
    }))
}
