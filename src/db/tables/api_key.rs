//! Rows of `api_keys`. The plaintext of a key is never stored, only its hash.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diesel::prelude::*;
use diesel::query_builder::QueryId;
use diesel::sql_types::Bool;

use crate::domain::actor::API_KEY_IDENTITY;
use crate::domain::api_key::{ApiKey, HashedApiKey, IssuedKey, KeyPosition};
use crate::domain::ids::{ApiKeyId, OrgId};
use crate::domain::organization::Organization;
use crate::domain::scope::ScopeSet;
use crate::error::{Error, Result};

use crate::db::engine::connection::{DbConn, on_each_backend};
use crate::db::engine::prepared::{self, sql};
use crate::db::tables::organization::OrganizationRow;
use crate::db::tables::schema::{api_keys, organizations};
use crate::db::tables::sql_types::{Timestamptz, Uuid};
use crate::db::tables::types::{StoredTime, ignore_values, stored_hash};

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
struct ApiKeyRow {
    id: ApiKeyId,
    org_id: OrgId,
    label: String,
    prefix: String,
    scopes: String,
    created_by: String,
    created_at: StoredTime,
    last_used_at: Option<StoredTime>,
    revoked_at: Option<StoredTime>,
    expires_at: Option<StoredTime>,
}

impl ApiKeyRow {
    fn into_domain(self) -> ApiKey {
        ApiKey {
            id: self.id,
            org_id: self.org_id,
            label: self.label,
            prefix: self.prefix,
            scopes: ScopeSet::from_stored(&self.scopes),
            created_by: self.created_by,
            created_at: self.created_at.utc(),
            last_used_at: self.last_used_at.map(StoredTime::utc),
            revoked_at: self.revoked_at.map(StoredTime::utc),
            expires_at: self.expires_at.map(StoredTime::utc),
        }
    }
}

/// Inserts a key.
pub fn insert(conn: &mut DbConn, issued: &IssuedKey) -> Result<()> {
    // Every field is named, so that a new field cannot compile without a column.
    let IssuedKey {
        key,
        hash,
        rotated_from,
    } = issued;
    let ApiKey {
        id,
        org_id,
        label,
        prefix,
        scopes,
        created_by,
        created_at,
        last_used_at,
        revoked_at,
        expires_at,
    } = key;
    let row = (
        api_keys::id.eq(id),
        api_keys::org_id.eq(org_id),
        api_keys::label.eq(label),
        api_keys::prefix.eq(prefix),
        api_keys::hash.eq(hash.as_bytes().as_slice()),
        api_keys::scopes.eq(scopes.to_text()),
        api_keys::created_by.eq(created_by),
        api_keys::created_at.eq(StoredTime::from(*created_at)),
        api_keys::last_used_at.eq(last_used_at.map(StoredTime::from)),
        api_keys::revoked_at.eq(revoked_at.map(StoredTime::from)),
        api_keys::expires_at.eq(expires_at.map(StoredTime::from)),
        api_keys::rotated_from.eq(rotated_from),
    );
    diesel::insert_into(api_keys::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

/// Reads a key, if there is one, and ignores its values.
pub(in crate::db) fn read_any(conn: &mut DbConn) -> Result<()> {
    let rows = api_keys::table
        .order(api_keys::hash)
        .limit(1)
        .select(ApiKeyRow::as_select())
        .load(conn);
    ignore_values(rows)
}

/// Finds a key of an organization by id, revoked or not.
pub fn find(conn: &mut DbConn, org_id: &OrgId, id: &ApiKeyId) -> Result<Option<ApiKey>> {
    let row = api_keys::table
        .filter(api_keys::org_id.eq(org_id))
        .filter(api_keys::id.eq(id))
        .select(ApiKeyRow::as_select())
        .get_result(conn);
    Ok(row.optional()?.map(ApiKeyRow::into_domain))
}

/// Lists keys of an organization, newest first, from the beginning or after a position. Returns
/// revoked keys only with `include_revoked`.
pub fn list(
    conn: &mut DbConn,
    org_id: &OrgId,
    include_revoked: bool,
    after: Option<&KeyPosition>,
    limit: i64,
) -> Result<Vec<ApiKey>> {
    let (created_at, id) = bounds(after);
    let is_older = api_keys::created_at.lt(created_at);
    let is_next = api_keys::created_at.eq(created_at).and(api_keys::id.lt(id));
    let is_admitted = api_keys::revoked_at.is_null();
    let rows: Vec<ApiKeyRow> = api_keys::table
        .filter(api_keys::org_id.eq(org_id))
        // Implied by the next filter, but an OR does not bound the scan of an index.
        .filter(api_keys::created_at.le(created_at))
        .filter(is_older.or(is_next))
        .filter(is_admitted.or(include_revoked.into_sql::<Bool>()))
        .order((api_keys::created_at.desc(), api_keys::id.desc()))
        .limit(limit)
        .select(ApiKeyRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(ApiKeyRow::into_domain).collect())
}

/// Lists all keys of an organization, newest first. For an operation on keys that belong together,
/// which an organization rarely needs.
pub fn list_all(conn: &mut DbConn, org_id: &OrgId) -> Result<Vec<ApiKey>> {
    list(conn, org_id, true, None, i64::MAX)
}

/// Counts the keys of [`list`] up to a position, or all of them. Returns `most` if there are more,
/// so that a long list takes no longer than one of this length.
pub fn count(
    conn: &mut DbConn,
    org_id: &OrgId,
    include_revoked: bool,
    until: Option<&KeyPosition>,
    most: i64,
) -> Result<i64> {
    let beginning_of_time = StoredTime::from(DateTime::UNIX_EPOCH);
    let (created_at, id) = until.map_or((beginning_of_time, ApiKeyId::LEAST), |position| {
        (position.created_at.into(), position.id)
    });
    let counted = || {
        let is_newer = api_keys::created_at.gt(created_at);
        let is_same = api_keys::created_at.eq(created_at).and(api_keys::id.ge(id));
        let is_admitted = api_keys::revoked_at.is_null();
        api_keys::table
            .filter(api_keys::org_id.eq(org_id))
            // Implied by the next filter, as in `list`.
            .filter(api_keys::created_at.ge(created_at))
            .filter(is_newer.or(is_same))
            .filter(is_admitted.or(include_revoked.into_sql::<Bool>()))
    };
    let beyond = counted().select(api_keys::id).offset(most).limit(1);
    let beyond: Option<ApiKeyId> = beyond.get_result(conn).optional()?;
    match beyond {
        Some(_) => Ok(most),
        None => Ok(counted().count().get_result(conn)?),
    }
}

/// Returns whether an organization has `number` keys that are neither revoked nor expired by `now`,
/// or more.
pub fn has_live(
    conn: &mut DbConn,
    org_id: &OrgId,
    number: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let never_expires = api_keys::expires_at.is_null();
    // Not a count, which would read every live key.
    let last: Option<ApiKeyId> = api_keys::table
        .filter(api_keys::org_id.eq(org_id))
        .filter(api_keys::revoked_at.is_null())
        .filter(never_expires.or(api_keys::expires_at.gt(StoredTime::from(now))))
        .offset(number - 1)
        .limit(1)
        .select(api_keys::id)
        .get_result(conn)
        .optional()?;
    Ok(last.is_some())
}

/// Returns exclusive upper bounds of the time and the id of the keys after `after`. The id counts
/// for keys of equal time.
fn bounds(after: Option<&KeyPosition>) -> (StoredTime, ApiKeyId) {
    // A bound for the first page too, so that all pages have the same statement.
    let end_of_time = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or_default();
    match after {
        Some(position) => (position.created_at.into(), position.id),
        None => (end_of_time.and_time(NaiveTime::MIN).into(), ApiKeyId::LEAST),
    }
}

/// Returns the time of the `nth` newest key that an organization's API keys created in `period`, or
/// `None` for fewer keys. Rotations are not counted. The start of `period` is exclusive.
pub fn find_nth_creation(
    conn: &mut DbConn,
    org_id: &OrgId,
    period: &Range<DateTime<Utc>>,
    nth: i64,
) -> Result<Option<DateTime<Utc>>> {
    let created: Option<StoredTime> = api_keys::table
        .filter(api_keys::org_id.eq(org_id))
        .filter(api_keys::created_at.gt(StoredTime::from(period.start)))
        .filter(api_keys::created_at.lt(StoredTime::from(period.end)))
        .filter(api_keys::rotated_from.is_null())
        // Keys that the operator creates do not count for the rate limit.
        .filter(api_keys::created_by.like(format!("{API_KEY_IDENTITY}%")))
        .order((api_keys::created_at.desc(), api_keys::id.desc()))
        .offset(nth - 1)
        .limit(1)
        .select(api_keys::created_at)
        .get_result(conn)
        .optional()?;
    Ok(created.map(StoredTime::utc))
}

/// Returns the time of the `nth` newest rotation in `period` among those that led to the key `id`,
/// or `None` for fewer. The start of `period` is exclusive.
pub fn find_nth_rotation(
    conn: &mut DbConn,
    org_id: &OrgId,
    id: &ApiKeyId,
    period: &Range<DateTime<Utc>>,
    nth: u32,
) -> Result<Option<DateTime<Utc>>> {
    let (mut id, mut newest) = (*id, None);
    // At most `nth` lookups by the primary key. A recursive query would have a text per database.
    for _ in 0..nth {
        let row: Option<(StoredTime, Option<ApiKeyId>)> = api_keys::table
            .filter(api_keys::org_id.eq(org_id))
            .filter(api_keys::id.eq(id))
            .select((api_keys::created_at, api_keys::rotated_from))
            .get_result(conn)
            .optional()?;
        let rotated = row.and_then(|(at, from)| Some((at.utc(), from?)));
        let Some((at, from)) = rotated.filter(|(at, _)| period.start < *at && *at < period.end)
        else {
            return Ok(None);
        };
        (id, newest) = (from, Some(at));
    }
    Ok(newest)
}

/// Marks a key as revoked at `now`.
pub fn revoke(conn: &mut DbConn, org_id: &OrgId, id: &ApiKeyId, now: DateTime<Utc>) -> Result<()> {
    let revoked_at = now.into();
    prepared::run(
        conn,
        &RevokeKey {
            org_id,
            id,
            revoked_at,
        },
    )
}

struct RevokeKey<'a> {
    org_id: &'a OrgId,
    id: &'a ApiKeyId,
    revoked_at: StoredTime,
}

impl QueryId for RevokeKey<'_> {
    type QueryId = RevokeKey<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

sql!(RevokeKey<'_>, |revoke|
    "UPDATE api_keys SET revoked_at = " {Timestamptz: &revoke.revoked_at}
    " WHERE org_id = " {Uuid: revoke.org_id} " AND id = " {Uuid: revoke.id}
);

/// Lists keys of an organization with all their columns, newest first, after a position. The list
/// starts without a bound on time and id, so that it includes keys with values that the program
/// never writes.
///
/// # Errors
/// [`Error::Internal`] for a key that the program cannot have written.
pub fn list_issued(
    conn: &mut DbConn,
    org_id: &OrgId,
    after: Option<&KeyPosition>,
    limit: i64,
) -> Result<Vec<IssuedKey>> {
    let mut query = api_keys::table
        .filter(api_keys::org_id.eq(org_id))
        .order((api_keys::created_at.desc(), api_keys::id.desc()))
        .limit(limit)
        .select((
            ApiKeyRow::as_select(),
            api_keys::hash,
            api_keys::rotated_from,
        ))
        .into_boxed();
    if let Some(KeyPosition { created_at, id }) = after {
        let created_at = StoredTime::from(*created_at);
        let is_next = api_keys::created_at.eq(created_at).and(api_keys::id.lt(id));
        query = query.filter(api_keys::created_at.lt(created_at).or(is_next));
    }
    let rows: Vec<(ApiKeyRow, Vec<u8>, Option<ApiKeyId>)> = query.load(conn)?;
    let issued = rows.into_iter().map(|(row, hash, rotated_from)| {
        let scopes = row.scopes.clone();
        let key = row.into_domain();
        // Compared as text, because reading drops names that the program does not know.
        if key.scopes.to_text() != scopes {
            let fault = format!("scopes of API key {} are not as the program writes", key.id);
            return Err(Error::internal(fault));
        }
        Ok(IssuedKey {
            key,
            hash: HashedApiKey::from_stored(stored_hash(hash)?),
            rotated_from,
        })
    });
    issued.collect()
}

// Not tenant-scoped: the hash, or the id from the operator, determines the organization. Uses of
// keys are noted for all organizations together.

/// Finds a key by hash, revoked or not.
pub fn find_by_hash(conn: &mut DbConn, hash: &HashedApiKey) -> Result<Option<ApiKey>> {
    let row: QueryResult<ApiKeyRow> = on_each_backend!(conn => api_keys::table
        .filter(api_keys::hash.eq(hash.as_bytes().as_slice()))
        .select(ApiKeyRow::as_select())
        .get_result(conn));
    Ok(row.optional()?.map(ApiKeyRow::into_domain))
}

/// Finds a key by hash, revoked or not, together with its organization.
pub fn find_with_organization(
    conn: &mut DbConn,
    hash: &HashedApiKey,
) -> Result<Option<(ApiKey, Organization)>> {
    let rows: QueryResult<(ApiKeyRow, OrganizationRow)> = on_each_backend!(conn => api_keys::table
        .inner_join(organizations::table)
        .filter(api_keys::hash.eq(hash.as_bytes().as_slice()))
        .select((ApiKeyRow::as_select(), OrganizationRow::as_select()))
        .get_result(conn));
    let Some((key, organization)) = rows.optional()? else {
        return Ok(None);
    };
    Ok(Some((key.into_domain(), organization.into_domain()?)))
}

/// Finds a key by id, for the command line.
pub fn find_by_id(conn: &mut DbConn, id: &ApiKeyId) -> Result<Option<ApiKey>> {
    let row = api_keys::table
        .filter(api_keys::id.eq(id))
        .select(ApiKeyRow::as_select())
        .get_result(conn);
    Ok(row.optional()?.map(ApiKeyRow::into_domain))
}

/// Sets the time of the last use to `minute`, except for keys with a later use. Returns the number
/// of changed rows.
pub fn update_last_used(
    conn: &mut DbConn,
    ids: &[ApiKeyId],
    minute: DateTime<Utc>,
) -> Result<usize> {
    let minute = StoredTime::from(minute);
    if let DbConn::Postgres(conn) = conn {
        // Lock in a fixed order, so that servers that run this at the same time cannot deadlock.
        let _locked: Vec<ApiKeyId> = api_keys::table
            .filter(api_keys::id.eq_any(ids))
            .order(api_keys::id)
            .select(api_keys::id)
            .for_update()
            .load(conn)?;
    }
    let was_unused = api_keys::last_used_at.is_null();
    let updated = diesel::update(api_keys::table)
        .filter(api_keys::id.eq_any(ids))
        // Another server may have stored a later use already.
        .filter(was_unused.or(api_keys::last_used_at.lt(minute)))
        .set(api_keys::last_used_at.eq(minute))
        .execute(conn)?;
    Ok(updated)
}
