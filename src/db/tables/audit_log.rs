//! Rows of `audit_log`: appended and read, never updated or deleted.

use std::ops::Range;

use chrono::NaiveDateTime;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::query_builder::QueryId;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text};

use crate::domain::audit::entry::{ActorRecord, AuditEntry};
use crate::domain::audit::filter::AuditFilter;
use crate::domain::ids::OrgId;
use crate::error::{Error, Result};

use crate::db::engine::connection::{DbConn, on_each_backend};
use crate::db::engine::prepared::{self, sql};
use crate::db::tables::schema::audit_log;
use crate::db::tables::sql_types::{Timestamptz, Uuid};
use crate::db::tables::types::{StoredTime, stored_hash};

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log)]
struct AuditRow {
    org_id: OrgId,
    seq: i64,
    id: String,
    occurred_at: StoredTime,
    actor_kind: String,
    actor_label: String,
    actor_identity: String,
    action: String,
    resource_type: String,
    resource_id: String,
    reason: Option<String>,
    request_id: String,
    payload: String,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl AuditRow {
    fn into_domain(self) -> Result<AuditEntry> {
        Ok(AuditEntry {
            org_id: self.org_id,
            seq: self.seq,
            id: self.id,
            occurred_at: self.occurred_at.utc().naive_utc(),
            actor: ActorRecord {
                kind: self.actor_kind,
                label: self.actor_label,
                identity: self.actor_identity,
            },
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            reason: self.reason,
            request_id: self.request_id,
            payload: self.payload,
            previous_hash: stored_hash(self.previous_hash)?,
            hash: stored_hash(self.hash)?,
        })
    }
}

/// Appends `entry` to its organization's log. The caller moves the organization's head in the same
/// transaction.
pub(in crate::db) fn append(conn: &mut DbConn, entry: &AuditEntry) -> Result<()> {
    let occurred_at = entry.occurred_at.into();
    prepared::run(conn, &AppendEntry { entry, occurred_at })
}

const INSERT: &str = "INSERT INTO audit_log (org_id, seq, id, occurred_at, actor_kind, \
     actor_label, actor_identity, action, resource_type, resource_id, reason, request_id, \
     payload, previous_hash, hash) ";

struct AppendEntry<'a> {
    entry: &'a AuditEntry,
    occurred_at: StoredTime,
}

impl QueryId for AppendEntry<'_> {
    type QueryId = AppendEntry<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

sql!(AppendEntry<'_>, |append, bind| {
    // Every field is named, so that a new field cannot compile without a decision here.
    let AuditEntry {
        org_id,
        seq,
        id,
        occurred_at: _,
        actor: ActorRecord {
            kind,
            label,
            identity,
        },
        action,
        resource_type,
        resource_id,
        reason,
        request_id,
        payload,
        previous_hash,
        hash,
    } = append.entry;
    bind.sql(INSERT);
    bind.bind::<Uuid, _>("VALUES (", org_id)?;
    bind.bind::<BigInt, _>(", ", seq)?;
    bind.bind::<Text, _>(", ", id)?;
    bind.bind::<Timestamptz, _>(", ", &append.occurred_at)?;
    for text in [kind, label, identity, action, resource_type, resource_id] {
        bind.bind::<Text, _>(", ", text)?;
    }
    bind.bind::<Nullable<Text>, _>(", ", reason)?;
    bind.bind::<Text, _>(", ", request_id)?;
    bind.bind::<Text, _>(", ", payload)?;
    bind.bind::<Binary, _>(", ", previous_hash.as_slice())?;
    bind.bind::<Binary, _>(", ", hash.as_slice())?;
    bind.sql(")");
    Ok(())
});

/// Second half of a PostgreSQL statement. The first half changes rows and names them `changed`.
/// This half appends the entries of these organizations. Each column is one array, so that the text
/// is the same for any number of entries.
#[derive(Default)]
pub(in crate::db) struct AppendForChanged<'a> {
    org_id: Vec<&'a OrgId>,
    seq: Vec<i64>,
    occurred_at: Vec<StoredTime>,
    /// The columns of text in the order of the table.
    texts: [Vec<&'a str>; 9],
    reason: Vec<Option<&'a str>>,
    previous_hash: Vec<&'a [u8]>,
    hash: Vec<&'a [u8]>,
}

impl<'a> AppendForChanged<'a> {
    pub(in crate::db) fn push(&mut self, entry: &'a AuditEntry) {
        let AuditEntry {
            org_id,
            seq,
            id,
            occurred_at,
            actor:
                ActorRecord {
                    kind,
                    label,
                    identity,
                },
            action,
            resource_type,
            resource_id,
            reason,
            request_id,
            payload,
            previous_hash,
            hash,
        } = entry;
        self.org_id.push(org_id);
        self.seq.push(*seq);
        self.occurred_at.push((*occurred_at).into());
        let texts = [
            id,
            kind,
            label,
            identity,
            action,
            resource_type,
            resource_id,
            request_id,
            payload,
        ];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(text);
        }
        self.reason.push(reason.as_deref());
        self.previous_hash.push(previous_hash);
        self.hash.push(hash);
    }
}

sql!(on Pg, AppendForChanged<'_>, |append, bind| {
    let [id, kind, label, identity, action, resource_type, resource_id, request_id, payload] =
        &append.texts;
    bind.sql(INSERT);
    bind.bind::<Array<Uuid>, _>("SELECT entry.* FROM unnest(", &append.org_id)?;
    bind.bind::<Array<BigInt>, _>(", ", &append.seq)?;
    bind.bind::<Array<Text>, _>(", ", id)?;
    bind.bind::<Array<Timestamptz>, _>(", ", &append.occurred_at)?;
    for texts in [kind, label, identity, action, resource_type, resource_id] {
        bind.bind::<Array<Text>, _>(", ", texts)?;
    }
    bind.bind::<Array<Nullable<Text>>, _>(", ", &append.reason)?;
    bind.bind::<Array<Text>, _>(", ", request_id)?;
    bind.bind::<Array<Text>, _>(", ", payload)?;
    bind.bind::<Array<Binary>, _>(", ", &append.previous_hash)?;
    bind.bind::<Array<Binary>, _>(", ", &append.hash)?;
    // Only the column of the join needs a name. The others are in the order of `INSERT`.
    bind.sql(") AS entry (org_id) JOIN changed ON changed.id = entry.org_id");
    Ok(())
});

/// Lists the entries of an organization with these `numbers` that match `filter`, newest first.
pub fn list_filtered(
    conn: &mut DbConn,
    org_id: &OrgId,
    filter: &AuditFilter,
    numbers: &Range<i64>,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    let AuditFilter {
        action,
        resource_type,
        resource_id,
        actor_kind,
        since,
        until,
    } = filter;
    let mut query = audit_log::table
        .filter(audit_log::org_id.eq(org_id))
        .filter(audit_log::seq.ge(numbers.start))
        .filter(audit_log::seq.lt(numbers.end))
        .order(audit_log::seq.desc())
        .limit(limit)
        .select(AuditRow::as_select())
        .into_boxed();
    if let Some(action) = action {
        query = query.filter(audit_log::action.eq(action));
    }
    if let Some(resource_type) = resource_type {
        query = query.filter(audit_log::resource_type.eq(resource_type));
    }
    if let Some(resource_id) = resource_id {
        query = query.filter(audit_log::resource_id.eq(resource_id));
    }
    if let Some(actor_kind) = actor_kind {
        query = query.filter(audit_log::actor_kind.eq(actor_kind.into_str()));
    }
    if let Some(since) = since {
        query = query.filter(audit_log::occurred_at.ge(StoredTime::from(since.naive_utc())));
    }
    if let Some(until) = until {
        query = query.filter(audit_log::occurred_at.lt(StoredTime::from(until.naive_utc())));
    }
    let rows: Vec<AuditRow> = query.load(conn)?;
    rows.into_iter().map(AuditRow::into_domain).collect()
}

/// Returns the number of an organization's newest entry.
pub fn find_last_number(conn: &mut DbConn, org_id: &OrgId) -> Result<Option<i64>> {
    let last = audit_log::table
        .filter(audit_log::org_id.eq(org_id))
        .order(audit_log::seq.desc())
        .limit(1)
        .select(audit_log::seq)
        .get_result(conn);
    Ok(last.optional()?)
}

/// Returns the time of the first entry of an organization with a number of at least `from`.
pub fn find_time(conn: &mut DbConn, org_id: &OrgId, from: i64) -> Result<Option<NaiveDateTime>> {
    let time: QueryResult<StoredTime> = audit_log::table
        .filter(audit_log::org_id.eq(org_id))
        .filter(audit_log::seq.ge(from))
        .order(audit_log::seq.asc())
        .limit(1)
        .select(audit_log::occurred_at)
        .get_result(conn);
    Ok(time.optional()?.map(|time| time.utc().naive_utc()))
}

/// Lists entries of an organization before `before`, newest first.
pub fn list_newest(
    conn: &mut DbConn,
    org_id: &OrgId,
    before: i64,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    let rows: Vec<AuditRow> = audit_log::table
        .filter(audit_log::org_id.eq(org_id))
        .filter(audit_log::seq.lt(before))
        .order(audit_log::seq.desc())
        .limit(limit)
        .select(AuditRow::as_select())
        .load(conn)?;
    rows.into_iter().map(AuditRow::into_domain).collect()
}

/// Condition that a row has values of the types that the program writes. SQLite stores any type in
/// any column, and some values of other types read the same but compare differently.
/// <https://sqlite.org/datatype3.html>
const IS_AS_WRITTEN: &str = "typeof(seq) = 'integer' \
     AND typeof(id) = 'text' AND typeof(occurred_at) = 'integer' AND typeof(actor_kind) = 'text' \
     AND typeof(actor_label) = 'text' AND typeof(actor_identity) = 'text' \
     AND typeof(action) = 'text' AND typeof(resource_type) = 'text' \
     AND typeof(resource_id) = 'text' AND typeof(reason) IN ('text', 'null') \
     AND typeof(request_id) = 'text' AND typeof(payload) = 'text' \
     AND typeof(previous_hash) = 'blob' AND typeof(hash) = 'blob'";

/// Lists entries of an organization from the number `from` on, oldest first.
///
/// # Errors
/// [`Error::Internal`] for an entry that the program cannot have written.
pub fn list_oldest(
    conn: &mut DbConn,
    org_id: &OrgId,
    from: i64,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    let is_as_written = match conn {
        // A column of PostgreSQL holds only values of its type.
        DbConn::Postgres(_) => "TRUE",
        DbConn::Sqlite(_) => IS_AS_WRITTEN,
    };
    let rows: QueryResult<Vec<(AuditRow, Option<bool>)>> = on_each_backend!(conn => audit_log::table
        .filter(audit_log::org_id.eq(org_id))
        .filter(audit_log::seq.ge(from))
        .order(audit_log::seq.asc())
        .limit(limit)
        .select((AuditRow::as_select(), sql::<Nullable<Bool>>(is_as_written)))
        .load(conn));
    rows?
        .into_iter()
        .map(|(row, is_as_written)| match is_as_written {
            Some(true) => row.into_domain(),
            _ => Err(Error::internal(format!(
                "entry {} has a value of a type that the program never writes",
                row.seq
            ))),
        })
        .collect()
}
