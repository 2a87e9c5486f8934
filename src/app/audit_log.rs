//! GET /v1/audit-log. Not here: adding entries, which each recorded change does.

use std::ops::Range;

use chrono::NaiveDateTime;

use crate::db::{self, Db, DbConn, Lane};
use crate::domain::access::OrgAccess;
use crate::domain::audit::entry::AuditEntry;
use crate::domain::audit::filter::AuditFilter;
use crate::domain::cursor;
use crate::domain::ids::OrgId;
use crate::error::{Error, Result};

use super::tenant;

/// Query for a page of the log.
pub struct AuditQuery {
    /// Cursor of the previous page, `None` for the first page.
    pub cursor: Option<String>,
    /// Maximum number of entries on the page.
    pub limit: usize,
    pub filter: AuditFilter,
}

/// Rows scanned per page at most. Bounds how long a selective filter holds a connection: 10,000
/// rows take some milliseconds.
const MAX_SCANNED: i64 = 10_000;

/// Page of the log.
pub struct AuditPage {
    /// Entries, newest first. A page with fewer entries than the limit may still have a next page.
    pub entries: Vec<AuditEntry>,
    /// Cursor of the next page, `None` on the last page.
    pub next_cursor: Option<String>,
}

/// Returns a page of the log of the organization that `access` is for.
///
/// # Errors
/// [`Error::Invalid`] for a cursor of another list.
pub async fn page(db: &Db, access: OrgAccess, query: AuditQuery) -> Result<AuditPage> {
    let cursors = db.cursor_key().clone();
    let lane = Lane::of(access.organization());
    let read = db.read_list(lane, move |conn| {
        let org_id = tenant::resolve_id(conn, &access)?;
        let list = query.filter.list_name(&org_id);
        let parse = |text: &str| text.parse().ok();
        let before = cursors.position(&list, query.cursor.as_deref(), parse)?;
        let numbers = fitting_times(conn, &org_id, &query.filter, before)?;
        // The newest part of the range, because the list is newest first.
        let scanned = numbers.start.max(numbers.end - MAX_SCANNED)..numbers.end;
        // One more than the page, to find out whether there is a next page.
        let wanted = i64::try_from(query.limit + 1).map_err(Error::internal)?;
        let mut entries =
            db::audit_log::list_filtered(conn, &org_id, &query.filter, &scanned, wanted)?;
        let last = match cursor::cut(&mut entries, query.limit) {
            Some(entry) => Some(entry.seq),
            // The scan limit ended the page. The next page continues below the scanned entries.
            None => Some(scanned.start).filter(|start| numbers.contains(&(start - 1))),
        };
        Ok(AuditPage {
            entries,
            next_cursor: last.map(|last| cursors.seal(&list, &last.to_string())),
        })
    });
    read.await
}

/// Returns the numbers of the entries before `before` in the time range of `filter`.
fn fitting_times(
    conn: &mut DbConn,
    org_id: &OrgId,
    filter: &AuditFilter,
    before: Option<i64>,
) -> Result<Range<i64>> {
    // Times are turned into numbers first, so that the scan limit is not spent outside the range.
    let end = match before {
        Some(before) => before,
        None => db::audit_log::find_last_number(conn, org_id)?.map_or(1, |last| last + 1),
    };
    let end = match filter.until {
        Some(until) => first_at(conn, org_id, until.naive_utc(), end)?,
        None => end,
    };
    let start = match filter.since {
        Some(since) => first_at(conn, org_id, since.naive_utc(), end)?,
        None => 1,
    };
    Ok(start..end)
}

/// Returns the number of the first entry before `end` that was written at `moment` or later, or
/// `end`. Binary search is correct because the times of entries never decrease.
fn first_at(conn: &mut DbConn, org_id: &OrgId, moment: NaiveDateTime, mut end: i64) -> Result<i64> {
    let mut start = 1;
    while start < end {
        let middle = start + (end - start) / 2;
        match db::audit_log::find_time(conn, org_id, middle)? {
            Some(time) if time < moment => start = middle + 1,
            _ => end = middle,
        }
    }
    Ok(start)
}
