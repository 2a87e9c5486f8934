//! Rows without an organization, and ids of another type. Only tampering leaves such rows.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::domain::ids::OrgId;
use crate::error::Result;

use crate::db::engine::connection::{DbConn, on_each_backend};
use crate::db::tables::sql_types::Uuid;

// Not tenant-scoped: only the operator of the server verifies every organization.

#[derive(QueryableByName)]
struct Owner {
    #[diesel(sql_type = Uuid)]
    org_id: OrgId,
}

#[derive(QueryableByName)]
struct Place {
    #[diesel(sql_type = Text)]
    place: String,
}

/// Tables whose rows belong to an organization.
const TABLES: [&str; 4] = ["audit_log", "api_keys", "brands", "campaigns"];

/// Condition that `id` is an id as the program writes it, for SQLite. An id of another type has no
/// readable form.
pub(in crate::db::tables) fn is_readable(id: &str) -> String {
    format!("(typeof({id}) = 'blob' AND length({id}) = 16)")
}

/// Lists organizations without a row that other rows name, at most `limit`, in order of their ids.
pub fn list_orphans(conn: &mut DbConn, limit: i64) -> Result<Vec<OrgId>> {
    let is_readable = match conn {
        DbConn::Postgres(_) => "TRUE".to_owned(),
        DbConn::Sqlite(_) => is_readable("org_id"),
    };
    let orphans = TABLES.map(|table| {
        format!(
            "SELECT org_id FROM {table} WHERE {is_readable} \
             AND NOT EXISTS (SELECT 1 FROM organizations WHERE id = {table}.org_id)"
        )
    });
    // Not `UNION ALL`, because several tables may name the same organization. The limit is not
    // bound, because the databases write parameters differently.
    let sql = format!("{} ORDER BY org_id LIMIT {limit}", orphans.join(" UNION "));
    let rows: QueryResult<Vec<Owner>> =
        on_each_backend!(conn => diesel::sql_query(&sql).load(conn));
    Ok(rows?.into_iter().map(|row| row.org_id).collect())
}

/// Lists ids of organizations that have another type, at most `limit`, each with its column and in
/// the syntax of SQL. PostgreSQL stores no such id.
pub fn list_unreadable_ids(conn: &mut DbConn, limit: i64) -> Result<Vec<String>> {
    let DbConn::Sqlite(conn) = conn else {
        return Ok(Vec::new());
    };
    // `quote` gives a value of any type a readable form, also a blob.
    let list = |table: &str, column: &str| {
        format!(
            "SELECT '{table}.{column} ' || quote({column}) AS place FROM {table} WHERE NOT {}",
            is_readable(column)
        )
    };
    let owners = TABLES.map(|table| list(table, "org_id"));
    let sql = format!(
        "{} UNION {} ORDER BY place LIMIT ?",
        list("organizations", "id"),
        owners.join(" UNION ")
    );
    let query = diesel::sql_query(sql).bind::<BigInt, _>(limit);
    let rows: Vec<Place> = query.load(conn)?;
    Ok(rows.into_iter().map(|row| row.place).collect())
}
