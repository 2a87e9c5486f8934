//! Entries of one organization's log, listed without a filter.

use crate::db::{self, Db, Lane};
use crate::domain::audit::entry::AuditEntry;
use crate::domain::ids::OrgId;
use crate::error::Result;

/// Lists the newest entries of an organization before entry `before`, newest first.
///
/// # Errors
/// Only errors of the database. An unknown organization has an empty list.
pub async fn newest(
    db: &Db,
    org_id: OrgId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    let before = before.unwrap_or(i64::MAX);
    db.read(Lane::OPERATOR, move |conn| {
        db::audit_log::list_newest(conn, &org_id, before, limit)
    })
    .await
}
