//! Rows of `audit_log`: appended and read, never updated or deleted.

use std::ops::Range;

use chrono::NaiveDateTime;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::query_builder::QueryId;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};

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
    prepared::run(conn, &AppendEntry(AllButOrganization::new(entry)))
}

const INSERT: &str = "INSERT INTO audit_log (org_id, seq, id, occurred_at, actor_kind, \
     actor_label, actor_identity, action, resource_type, resource_id, reason, request_id, \
     payload, previous_hash, hash) ";

struct AppendEntry<'a>(AllButOrganization<'a>);

impl QueryId for AppendEntry<'_> {
    type QueryId = AppendEntry<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

sql!(AppendEntry<'_>, |append, bind| {
    bind.sql(INSERT);
    bind.bind::<Uuid, _>("VALUES (", &append.0.entry.org_id)?;
    bind.sql(", ");
    bind.fragment(&append.0)?;
    bind.sql(")");
    Ok(())
});

/// Second half of a PostgreSQL statement. The first half changes a row and names it `changed`. This
/// half inserts the entries if such a row exists.
pub(in crate::db) struct InsertForEachChanged<'a>(Vec<AllButOrganization<'a>>);

impl<'a> InsertForEachChanged<'a> {
    pub(in crate::db) fn new(entries: &'a [AuditEntry]) -> Self {
        Self(entries.iter().map(AllButOrganization::new).collect())
    }
}

sql!(InsertForEachChanged<'_>, |insert, bind| {
    bind.sql(INSERT);
    for (index, entry) in insert.0.iter().enumerate() {
        bind.sql(if index == 0 { "" } else { " UNION ALL " });
        bind.sql("SELECT changed.id, ");
        bind.fragment(entry)?;
        bind.sql(" FROM changed");
    }
    Ok(())
});

/// Bound values of every column but the first.
struct AllButOrganization<'a> {
    entry: &'a AuditEntry,
    occurred_at: StoredTime,
}

impl<'a> AllButOrganization<'a> {
    fn new(entry: &'a AuditEntry) -> Self {
        Self {
            entry,
            occurred_at: entry.occurred_at.into(),
        }
    }
}

sql!(AllButOrganization<'_>, |all|
    // Every field is named, so that a new field cannot compile without a decision here.
    let AuditEntry {
        org_id: _,
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
    } = all.entry;
    "" {BigInt: seq}
    ", " {Text: id}
    ", " {Timestamptz: &all.occurred_at}
    ", " {Text: kind}
    ", " {Text: label}
    ", " {Text: identity}
    ", " {Text: action}
    ", " {Text: resource_type}
    ", " {Text: resource_id}
    ", " {Nullable<Text>: reason}
    ", " {Text: request_id}
    ", " {Text: payload}
    ", " {Binary: previous_hash.as_slice()}
    ", " {Binary: hash.as_slice()}
);

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
