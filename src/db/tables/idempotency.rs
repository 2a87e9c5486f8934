//! Rows of `idempotency_records`: responses to be replayed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::idempotency::{
    Fingerprint, IdempotencyKey, IdempotencyRecord, Owner, StoredResponse,
};
use crate::error::{Error, Result};

use crate::db::engine::connection::DbConn;
use crate::db::tables::schema::idempotency_records as records;
use crate::db::tables::types::{StoredTime, stored_hash};

/// Status in the record of a request that changed nothing, which has neither headers nor body.
const UNCHANGED: i32 = 0;

#[derive(Queryable, Selectable)]
#[diesel(table_name = records)]
struct IdempotencyRow {
    fingerprint: Vec<u8>,
    status: i32,
    headers: String,
    body: Vec<u8>,
    created_at: StoredTime,
}

impl IdempotencyRow {
    fn into_domain(self) -> Result<IdempotencyRecord> {
        let response = match self.status {
            UNCHANGED => None,
            status => Some(StoredResponse {
                status: u16::try_from(status).map_err(Error::internal)?,
                headers: serde_json::from_str(&self.headers).map_err(Error::internal)?,
                body: self.body,
            }),
        };
        Ok(IdempotencyRecord {
            fingerprint: Fingerprint::from_stored(stored_hash(self.fingerprint)?),
            response,
            created_at: self.created_at.utc(),
        })
    }
}

/// Finds the record of `key`, expired or not.
pub fn find(
    conn: &mut DbConn,
    owner: &Owner,
    key: &IdempotencyKey,
) -> Result<Option<IdempotencyRecord>> {
    let row = records::table
        .find((&owner.org_id, &owner.credential, key.as_str()))
        .select(IdempotencyRow::as_select())
        .get_result(conn)
        .optional()?;
    row.map(IdempotencyRow::into_domain).transpose()
}

/// Inserts the first record of `key`.
pub fn insert(
    conn: &mut DbConn,
    owner: &Owner,
    key: &IdempotencyKey,
    record: &IdempotencyRecord,
) -> Result<()> {
    let Owner { org_id, credential } = owner;
    let IdempotencyRecord {
        fingerprint,
        response,
        created_at,
    } = record;
    let (status, headers, body) = match response {
        None => (UNCHANGED, String::new(), [].as_slice()),
        Some(StoredResponse {
            status,
            headers,
            body,
        }) => {
            let headers = serde_json::to_string(headers).map_err(Error::internal)?;
            (i32::from(*status), headers, body.as_slice())
        }
    };
    let row = (
        records::org_id.eq(org_id),
        records::credential.eq(credential),
        records::idempotency_key.eq(key.as_str()),
        records::fingerprint.eq(fingerprint.as_bytes().as_slice()),
        records::status.eq(status),
        records::headers.eq(headers),
        records::body.eq(body),
        records::created_at.eq(StoredTime::from(*created_at)),
    );
    diesel::insert_into(records::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

/// Deletes the record of `key`.
pub fn delete(conn: &mut DbConn, owner: &Owner, key: &IdempotencyKey) -> Result<()> {
    diesel::delete(records::table.find((&owner.org_id, &owner.credential, key.as_str())))
        .execute(conn)?;
    Ok(())
}

// Not tenant-scoped: records of all organizations expire alike.

/// Deletes the oldest `limit` records made before `moment`, and further records of the same time as
/// the youngest deleted one. Returns the number of deleted records.
pub fn delete_before(conn: &mut DbConn, moment: DateTime<Utc>, limit: i64) -> Result<usize> {
    let moment = StoredTime::from(moment);
    // Two statements, because PostgreSQL has no `DELETE` with `LIMIT`, and SQLite has it only by an
    // option of its build (<https://www.sqlite.org/lang_delete.html>).
    let oldest: Vec<StoredTime> = records::table
        .filter(records::created_at.lt(moment))
        .order(records::created_at)
        .limit(limit)
        .select(records::created_at)
        .load(conn)?;
    let Some(last) = oldest.last() else {
        return Ok(0);
    };
    let old = records::table.filter(records::created_at.le(last));
    Ok(diesel::delete(old).execute(conn)?)
}
