//! The audit log as it is read. Adding to it is part of a change; `audit_verification` follows its
//! chains.

use crate::db::{self, Db};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::OrgId;
use crate::error::Result;

/// The newest entries of an organization that come before entry `before`, newest first.
///
/// # Errors
/// Only those of the database; an unknown organization has no entries.
pub async fn newest(
    db: &Db,
    org_id: OrgId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<AuditEntry>> {
    let before = before.unwrap_or(i64::MAX);
    db.read(move |conn| db::audit_log::list_newest(conn, &org_id, before, limit))
        .await
}
