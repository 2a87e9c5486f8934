//! Rows of `organizations`: lookup, lock, insert and update. Not here: rules for changes, which
//! `domain` has.

use diesel::dsl::sql as fragment;
use diesel::prelude::*;
use diesel::query_builder::{Query, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text};

use crate::domain::audit::entry::ChainHead;
use crate::domain::auto_replies::AutoReplies;
use crate::domain::billing_email::BillingEmail;
use crate::domain::change::Change;
use crate::domain::ids::{ExternalId, OrgId, OrganizationRef};
use crate::domain::missed_call_message::MissedCall;
use crate::domain::organization::{Organization, OrganizationKind, OrganizationName, Settings};
use crate::domain::quiet_hours::{QuietHours, QuietHoursMode, TimeOfDay};
use crate::domain::registry::{RegistrationStatus, RegistrySummary};
use crate::error::{Error, Result};

use crate::db::engine::connection::{DbConn, on_each_backend};
use crate::db::engine::prepared::{self, sql};
use crate::db::tables::audit_log;
use crate::db::tables::audit_log::AppendForChanged;
use crate::db::tables::schema::organizations;
use crate::db::tables::sql_types::{Timestamptz, Uuid};
use crate::db::tables::stray;
use crate::db::tables::types::{StoredTime, ignore_values, stored_hash};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = organizations)]
pub(in crate::db) struct OrganizationRow {
    id: OrgId,
    external_id: Option<ExternalId>,
    kind: OrganizationKind,
    name: String,
    billing_email: Option<String>,
    plan: String,
    throughput_tier: i32,
    message_retention_days: i32,
    mms_retention_days: i32,
    is_reseller: bool,
    quiet_hours_enabled: bool,
    quiet_hours_start: String,
    quiet_hours_end: String,
    quiet_hours_mode: QuietHoursMode,
    auto_replies_enabled: bool,
    stop_text: Option<String>,
    help_text: Option<String>,
    start_text: Option<String>,
    missed_call_message: Option<String>,
    missed_call_enabled: bool,
    brand_status: Option<RegistrationStatus>,
    brand_count: i32,
    campaign_count: i32,
    version: i64,
    audit_length: i64,
    audit_head: Vec<u8>,
    created_at: StoredTime,
    updated_at: StoredTime,
}

/// Finds an organization by either name.
pub fn find(conn: &mut DbConn, organization: &OrganizationRef) -> Result<Option<Organization>> {
    let row = on_each_backend!(conn => {
        let all = organizations::table.select(OrganizationRow::as_select());
        match organization {
            OrganizationRef::Id(id) => all.filter(organizations::id.eq(id)).get_result(conn),
            OrganizationRef::External(id) => {
                all.filter(organizations::external_id.eq(id)).get_result(conn)
            }
        }
    });
    into_organization(row)
}

/// Finds an organization by either name and locks it until the end of this transaction. SQLite
/// needs no row lock, because only one transaction writes at a time.
pub fn lock(conn: &mut DbConn, organization: &OrganizationRef) -> Result<Option<Organization>> {
    let DbConn::Postgres(conn) = conn else {
        return find(conn, organization);
    };
    let all = organizations::table
        .select(OrganizationRow::as_select())
        .for_update();
    into_organization(match organization {
        OrganizationRef::Id(id) => all.filter(organizations::id.eq(id)).get_result(conn),
        OrganizationRef::External(id) => all
            .filter(organizations::external_id.eq(id))
            .get_result(conn),
    })
}

fn into_organization(row: QueryResult<OrganizationRow>) -> Result<Option<Organization>> {
    row.optional()?
        .map(OrganizationRow::into_domain)
        .transpose()
}

/// Reads an organization, if there is one, and ignores its values.
pub(in crate::db) fn read_any(conn: &mut DbConn) -> Result<()> {
    let rows = organizations::table
        .order(organizations::id)
        .limit(1)
        .select(OrganizationRow::as_select())
        .load(conn);
    ignore_values(rows)
}

/// Inserts the organization of `creation` and its audit entries. Returns `false` if its external id
/// is taken.
pub fn insert(conn: &mut DbConn, creation: &Change) -> Result<bool> {
    use diesel::result::{DatabaseErrorKind::UniqueViolation, Error as DieselError};
    let row = OrganizationRow::of(&creation.after);
    match diesel::insert_into(organizations::table)
        .values(&row)
        .execute(conn)
    {
        Ok(_) => {}
        // Only the external id can collide, because the id was just generated.
        Err(DieselError::DatabaseError(UniqueViolation, _)) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    // After the row, because the entries reference it.
    for entry in &creation.entries {
        audit_log::append(conn, entry)?;
    }
    Ok(true)
}

/// Stores `change` and returns `true`, or returns `false` if a concurrent write won.
pub fn store(conn: &mut DbConn, change: &Change) -> Result<bool> {
    if let DbConn::Postgres(_) = conn {
        return Ok(store_all(conn, &[change])?.contains(&true));
    }
    let row = OrganizationRow::of(&change.after);
    let is_stored = prepared::execute(conn, &UpdateOrganization { row, change })? > 0;
    // A void change must leave no entry.
    for entry in change.entries.iter().filter(|_| is_stored) {
        audit_log::append(conn, entry)?;
    }
    Ok(is_stored)
}

/// Stores changes of different organizations. Returns for each whether it was stored, or was void
/// because a concurrent write won. On PostgreSQL this is one statement, which needs no transaction
/// around it. There a change is also void while another transaction holds its row, so that a row
/// that is locked elsewhere does not hold up the other changes.
pub(in crate::db) fn store_all(conn: &mut DbConn, changes: &[&Change]) -> Result<Vec<bool>> {
    let DbConn::Postgres(conn) = conn else {
        return changes.iter().map(|change| store(conn, change)).collect();
    };
    let rows: Vec<OrganizationRow> = changes
        .iter()
        .map(|change| OrganizationRow::of(&change.after))
        .collect();
    let mut statement = StoreAll::default();
    for (row, change) in rows.iter().zip(changes) {
        statement.push(row, change);
    }
    let stored: Vec<OrgId> = statement.load(conn)?;
    Ok(changes
        .iter()
        .map(|change| stored.contains(&change.after.id))
        .collect())
}

/// Stores `change` of a locked organization and returns the changed organization.
pub fn store_locked(conn: &mut DbConn, change: Change) -> Result<Organization> {
    if store(conn, &change)? {
        Ok(change.after)
    } else {
        Err(Error::internal("a locked organization was changed"))
    }
}

/// Update of every column that can change, with values that were just read. Its condition detects
/// concurrent writes. The text is always the same, so that the statement stays prepared.
struct UpdateOrganization<'a> {
    row: OrganizationRow,
    change: &'a Change,
}

impl QueryId for UpdateOrganization<'_> {
    type QueryId = UpdateOrganization<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryId for StoreAll<'_> {
    type QueryId = StoreAll<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for StoreAll<'_> {
    type SqlType = Uuid;
}

impl RunQueryDsl<PgConnection> for StoreAll<'_> {}

/// Makes both statements that store a change of a list of columns: `UpdateOrganization` updates one
/// row, and `StoreAll` updates many rows of PostgreSQL, with an array for each column. Every column
/// is named, so that a new column cannot compile without a decision here.
macro_rules! statements {
    (
        keep $($kept:ident),+;
        set $first:ident: $first_rust:ty as $first_sql:ty,
        $($column:ident: $rust:ty as $sql:ty),+ $(,)?
    ) => {
        sql!(UpdateOrganization<'_>, |update, bind| {
            let OrganizationRow { id, $($kept: _,)+ $first, $($column),+ } = &update.row;
            bind.sql("UPDATE organizations SET ");
            bind.bind::<$first_sql, _>(concat!(stringify!($first), " = "), $first)?;
            $(bind.bind::<$sql, _>(concat!(", ", stringify!($column), " = "), $column)?;)+
            bind.bind::<Uuid, _>(" WHERE id = ", id)?;
            bind.bind::<BigInt, _>(" AND version = ", &update.change.from_version)?;
            bind.bind::<BigInt, _>(" AND audit_length = ", &update.change.from_audit_length)
        });

        /// Update of rows whose conditions hold and that no other transaction has locked, with
        /// their audit entries. Returns the ids of these rows.
        #[derive(Default)]
        struct StoreAll<'a> {
            id: Vec<&'a OrgId>,
            from_version: Vec<i64>,
            from_audit_length: Vec<i64>,
            $first: Vec<&'a $first_rust>,
            $($column: Vec<&'a $rust>,)+
            entries: AppendForChanged<'a>,
        }

        impl<'a> StoreAll<'a> {
            fn push(&mut self, row: &'a OrganizationRow, change: &'a Change) {
                let OrganizationRow { id, $($kept: _,)+ $first, $($column),+ } = row;
                self.id.push(id);
                self.from_version.push(change.from_version);
                self.from_audit_length.push(change.from_audit_length);
                self.$first.push($first);
                $(self.$column.push($column);)+
                change.entries.iter().for_each(|entry| self.entries.push(entry));
            }
        }

        sql!(on Pg, StoreAll<'_>, |all, bind| {
            bind.bind::<Array<Uuid>, _>("WITH new AS (SELECT * FROM unnest(", &all.id)?;
            bind.bind::<Array<BigInt>, _>(", ", &all.from_version)?;
            bind.bind::<Array<BigInt>, _>(", ", &all.from_audit_length)?;
            bind.bind::<Array<$first_sql>, _>(", ", &all.$first)?;
            $(bind.bind::<Array<$sql>, _>(", ", &all.$column)?;)+
            bind.sql(concat!(
                ") AS new (id, from_version, from_audit_length, ",
                stringify!($first), $(", ", stringify!($column),)+
                ")), locked AS (SELECT new.* FROM organizations AS old JOIN new ON old.id = new.id \
                 AND old.version = new.from_version AND old.audit_length = new.from_audit_length \
                 FOR UPDATE OF old SKIP LOCKED), changed AS (UPDATE organizations SET ",
                stringify!($first), " = locked.", stringify!($first),
                $(", ", stringify!($column), " = locked.", stringify!($column),)+
                " FROM locked WHERE organizations.id = locked.id RETURNING organizations.id), \
                 logged AS (",
            ));
            bind.fragment(&all.entries)?;
            bind.sql(") SELECT id FROM changed");
            Ok(())
        });
    };
}

statements! {
    keep external_id, kind, plan, throughput_tier, created_at;
    set name: String as Text,
    billing_email: Option<String> as Nullable<Text>,
    message_retention_days: i32 as Integer,
    mms_retention_days: i32 as Integer,
    is_reseller: bool as Bool,
    quiet_hours_enabled: bool as Bool,
    quiet_hours_start: String as Text,
    quiet_hours_end: String as Text,
    quiet_hours_mode: QuietHoursMode as Text,
    auto_replies_enabled: bool as Bool,
    stop_text: Option<String> as Nullable<Text>,
    help_text: Option<String> as Nullable<Text>,
    start_text: Option<String> as Nullable<Text>,
    missed_call_message: Option<String> as Nullable<Text>,
    missed_call_enabled: bool as Bool,
    brand_status: Option<RegistrationStatus> as Nullable<Text>,
    brand_count: i32 as Integer,
    campaign_count: i32 as Integer,
    version: i64 as BigInt,
    audit_length: i64 as BigInt,
    audit_head: Vec<u8> as Binary,
    updated_at: StoredTime as Timestamptz,
}

/// Returns the end of an organization's audit log, without reading the rest of the row.
pub fn find_chain_head(conn: &mut DbConn, org_id: &OrgId) -> Result<Option<ChainHead>> {
    let row: Option<(i64, Vec<u8>)> = organizations::table
        .filter(organizations::id.eq(org_id))
        .select((organizations::audit_length, organizations::audit_head))
        .get_result(conn)
        .optional()?;
    let Some((length, hash)) = row else {
        return Ok(None);
    };
    Ok(Some(ChainHead {
        length,
        hash: stored_hash(hash)?,
    }))
}

// Not tenant-scoped: the command line's list of all organizations, and the verification of every
// log.

/// Lists organizations after a given id in order of their ids, which is the order of creation.
pub fn list(conn: &mut DbConn, after: Option<&OrgId>, limit: i64) -> Result<Vec<Organization>> {
    let mut query = organizations::table
        .order(organizations::id)
        .limit(limit)
        .select(OrganizationRow::as_select())
        .into_boxed();
    // The first page has no filter, because an id of another type, which sorts first or last, must
    // not be skipped.
    if let Some(after) = after {
        query = query.filter(organizations::id.gt(after));
    }
    let rows: Vec<OrganizationRow> = query.load(conn)?;
    rows.into_iter().map(OrganizationRow::into_domain).collect()
}

/// Lists ids of organizations after a given id, in order. Passes over ids of another type, which
/// `stray` lists.
pub fn list_ids(conn: &mut DbConn, after: Option<&OrgId>, limit: i64) -> Result<Vec<OrgId>> {
    let is_readable = match conn {
        DbConn::Postgres(_) => "TRUE".to_owned(),
        DbConn::Sqlite(_) => stray::is_readable("id"),
    };
    let mut query = organizations::table
        .filter(fragment::<Bool>(&is_readable))
        .order(organizations::id)
        .limit(limit)
        .select(organizations::id)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(organizations::id.gt(after));
    }
    Ok(query.load(conn)?)
}

impl OrganizationRow {
    fn of(organization: &Organization) -> Self {
        let Organization {
            id,
            external_id,
            kind,
            plan,
            throughput_tier,
            settings,
            missed_call,
            registry,
            version,
            audit,
            created_at,
            updated_at,
        } = organization.clone();
        Self {
            id,
            external_id,
            kind,
            name: settings.name.as_str().to_owned(),
            billing_email: settings.billing_email.map(BillingEmail::into_string),
            plan,
            throughput_tier,
            message_retention_days: settings.message_retention_days,
            mms_retention_days: settings.mms_retention_days,
            is_reseller: settings.is_reseller,
            quiet_hours_enabled: settings.quiet_hours.enabled,
            quiet_hours_start: settings.quiet_hours.start.to_string(),
            quiet_hours_end: settings.quiet_hours.end.to_string(),
            quiet_hours_mode: settings.quiet_hours.mode,
            auto_replies_enabled: settings.auto_replies.enabled,
            stop_text: settings.auto_replies.stop_text,
            help_text: settings.auto_replies.help_text,
            start_text: settings.auto_replies.start_text,
            missed_call_message: missed_call.message,
            missed_call_enabled: missed_call.enabled,
            brand_status: registry.brand,
            brand_count: registry.brand_count,
            campaign_count: registry.campaign_count,
            version,
            audit_length: audit.length,
            audit_head: audit.hash.to_vec(),
            created_at: created_at.into(),
            updated_at: updated_at.into(),
        }
    }

    pub(in crate::db) fn into_domain(self) -> Result<Organization> {
        let quiet_hours = QuietHours {
            enabled: self.quiet_hours_enabled,
            start: stored_time(&self.quiet_hours_start)?,
            end: stored_time(&self.quiet_hours_end)?,
            mode: self.quiet_hours_mode,
        };
        let auto_replies = AutoReplies {
            enabled: self.auto_replies_enabled,
            stop_text: self.stop_text,
            help_text: self.help_text,
            start_text: self.start_text,
        };
        let settings = Settings {
            name: OrganizationName::from_stored(self.name),
            billing_email: self.billing_email.map(BillingEmail::from_stored),
            message_retention_days: self.message_retention_days,
            mms_retention_days: self.mms_retention_days,
            is_reseller: self.is_reseller,
            quiet_hours,
            auto_replies,
        };
        let registry = RegistrySummary {
            brand: self.brand_status,
            brand_count: self.brand_count,
            campaign_count: self.campaign_count,
        };
        Ok(Organization {
            id: self.id,
            external_id: self.external_id,
            kind: self.kind,
            plan: self.plan,
            throughput_tier: self.throughput_tier,
            settings,
            missed_call: MissedCall {
                message: self.missed_call_message,
                enabled: self.missed_call_enabled,
            },
            registry,
            version: self.version,
            audit: ChainHead {
                length: self.audit_length,
                hash: stored_hash(self.audit_head)?,
            },
            created_at: self.created_at.utc(),
            updated_at: self.updated_at.utc(),
        })
    }
}

fn stored_time(text: &str) -> Result<TimeOfDay> {
    TimeOfDay::parse(text).ok_or_else(|| Error::internal(format!("{text:?} is not a time of day")))
}
