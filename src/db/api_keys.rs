//! Rows of `api_keys`. The key itself never reaches this module, only its hash.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;

use crate::domain::api_key::{ApiKey, HashedApiKey, ScopeSet};
use crate::domain::ids::{ApiKeyId, OrgId};
use crate::error::Result;

use super::DbConn;
use super::connection::on_each_backend;
use super::schema::api_keys;
use super::types::StoredTime;

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
struct ApiKeyRow {
    id: ApiKeyId,
    org_id: OrgId,
    label: String,
    prefix: String,
    scopes: String,
    #[diesel(deserialize_as = StoredTime)]
    created_at: NaiveDateTime,
    last_used_at: Option<NaiveDateTime>,
    revoked_at: Option<NaiveDateTime>,
}

impl ApiKeyRow {
    fn into_domain(self) -> ApiKey {
        ApiKey {
            id: self.id,
            org_id: self.org_id,
            label: self.label,
            prefix: self.prefix,
            scopes: ScopeSet::from_stored(&self.scopes),
            created_at: self.created_at.and_utc(),
            last_used_at: self.last_used_at.map(|time| time.and_utc()),
            revoked_at: self.revoked_at.map(|time| time.and_utc()),
        }
    }
}

/// Adds `key`, which is found by `hash` from now on.
pub fn insert(conn: &mut DbConn, key: &ApiKey, hash: &HashedApiKey) -> Result<()> {
    let row = (
        api_keys::id.eq(&key.id),
        api_keys::org_id.eq(&key.org_id),
        api_keys::label.eq(&key.label),
        api_keys::prefix.eq(&key.prefix),
        api_keys::hash.eq(hash.as_bytes().as_slice()),
        api_keys::scopes.eq(key.scopes.to_text()),
        api_keys::created_at.eq(key.created_at.naive_utc()),
    );
    diesel::insert_into(api_keys::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

/// Keys of an organization, newest first, revoked ones included.
pub fn list(conn: &mut DbConn, org_id: &OrgId, limit: i64) -> Result<Vec<ApiKey>> {
    let rows: Vec<ApiKeyRow> = api_keys::table
        .filter(api_keys::org_id.eq(org_id))
        .order((api_keys::created_at.desc(), api_keys::id.desc()))
        .limit(limit)
        .select(ApiKeyRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(ApiKeyRow::into_domain).collect())
}

/// Marks a key as revoked at `now`.
pub fn revoke(conn: &mut DbConn, org_id: &OrgId, id: &ApiKeyId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(api_keys::table)
        .filter(api_keys::org_id.eq(org_id))
        .filter(api_keys::id.eq(id))
        .set(api_keys::revoked_at.eq(now.naive_utc()))
        .execute(conn)?;
    Ok(())
}

// Not tenant-scoped: the hash, or the operator's id, is what tells the organization in the first
// place.

/// The key with this hash, revoked or not.
pub fn find_by_hash(conn: &mut DbConn, hash: &HashedApiKey) -> Result<Option<ApiKey>> {
    let row: QueryResult<ApiKeyRow> = on_each_backend!(conn => api_keys::table
        .filter(api_keys::hash.eq(hash.as_bytes().as_slice()))
        .select(ApiKeyRow::as_select())
        .get_result(conn));
    Ok(row.optional()?.map(ApiKeyRow::into_domain))
}

/// The key with this id, for the command line.
pub fn find(conn: &mut DbConn, id: &ApiKeyId) -> Result<Option<ApiKey>> {
    let row = api_keys::table
        .filter(api_keys::id.eq(id))
        .select(ApiKeyRow::as_select())
        .get_result(conn);
    Ok(row.optional()?.map(ApiKeyRow::into_domain))
}
