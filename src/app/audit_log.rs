//! The audit log as it is read. Adding to it is part of a change; `audit_verification` follows its
//! chains.

use crate::db::{self, Db};
use crate::domain::access::OrgAccess;
use crate::domain::audit::AuditEntry;
use crate::domain::audit_filter::AuditFilter;
use crate::domain::cursor;
use crate::domain::ids::OrgId;
use crate::error::{Error, Result};

use super::organization;

/// Which page of which entries is asked for.
pub struct AuditQuery {
    /// Where the page before ended; `None` for the first page.
    pub cursor: Option<String>,
    /// How many entries the page has at most.
    pub limit: usize,
    /// Which entries are in the list.
    pub filter: AuditFilter,
}

/// A page of the log.
pub struct AuditPage {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; `None` if this is the last one.
    pub next_cursor: Option<String>,
}

/// A page of the log of the organization that `access` is for.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not one of this list.
pub async fn page(db: &Db, access: OrgAccess, query: AuditQuery) -> Result<AuditPage> {
    let cursors = db.cursor_key().clone();
    let read = db.read_list(move |conn| {
        let org_id = organization::id_of(conn, &access)?;
        let list = query.filter.list_name(&org_id);
        let place = |cursor: &String| {
            let text = cursors.open(&list, cursor)?;
            text.parse().map_err(|_not_ours| cursor::no_cursor())
        };
        let before = query.cursor.as_ref().map(place).transpose();
        let before = before.map_err(|violation| Error::Invalid(vec![violation]))?;
        let wanted = i64::try_from(query.limit + 1).map_err(Error::internal)?;
        let before = before.unwrap_or(i64::MAX);
        let mut entries =
            db::audit_log::list_filtered(conn, &org_id, &query.filter, before, wanted)?;
        let last = cursor::cut(&mut entries, query.limit).map(|entry| entry.seq.to_string());
        Ok(AuditPage {
            entries,
            next_cursor: last.map(|last| cursors.seal(&list, &last)),
        })
    });
    read.await
}

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
