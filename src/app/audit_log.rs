//! The audit log as it is read. Adding to it is part of a change; `audit_verification` follows its
//! chains.

use std::ops::Range;

use chrono::NaiveDateTime;

use crate::db::{self, Db, DbConn};
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

/// Entries that are looked at for one page, so that a filter that fits few of a long log holds up
/// nobody: some milliseconds of work.
const MOST_LOOKED_AT: i64 = 10_000;

/// A page of the log.
pub struct AuditPage {
    /// The entries, newest first. There may be fewer than asked for, and still a next page.
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
        let numbers = fitting_times(conn, &org_id, &query.filter, before)?;
        let looked_at = numbers.start.max(numbers.end - MOST_LOOKED_AT)..numbers.end;
        let wanted = i64::try_from(query.limit + 1).map_err(Error::internal)?;
        let mut entries =
            db::audit_log::list_filtered(conn, &org_id, &query.filter, &looked_at, wanted)?;
        let last = match cursor::cut(&mut entries, query.limit) {
            Some(entry) => Some(entry.seq),
            None => Some(looked_at.start).filter(|start| numbers.contains(&(start - 1))),
        };
        Ok(AuditPage {
            entries,
            next_cursor: last.map(|last| cursors.seal(&list, &last.to_string())),
        })
    });
    read.await
}

/// The numbers of the entries before `before` that were written in the time that `filter` asks for.
fn fitting_times(
    conn: &mut DbConn,
    org_id: &OrgId,
    filter: &AuditFilter,
    before: Option<i64>,
) -> Result<Range<i64>> {
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

/// The number of the first entry before `end` that was written at `moment` or later, or `end`. In
/// the order of their numbers the times of entries never run back.
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
