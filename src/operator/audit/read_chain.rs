//! Reader of whole chains of the audit log during concurrent writes, for exports. Not here: the
//! snapshots that `verify` reads.

use std::ops::ControlFlow;

use crate::db::{self, Db, DbConn, Lane};
use crate::domain::audit::entry::{AuditEntry, ChainHead};
use crate::domain::ids::OrgId;
use crate::error::{Error, Result};

/// Entries or organizations per query. A page of entries is a few hundred KiB.
pub(super) const PAGE: i64 = 500;

/// Organizations whose logs are to be read, in order of their ids.
pub(super) struct Logs<'a> {
    db: &'a Db,
    /// Organizations read but not yet returned, the next one last.
    page: Vec<OrgId>,
    /// Last organization of the last page. `None` before the first page.
    last: Option<OrgId>,
    has_more: bool,
    /// Organizations with entries but without a row, in order of their ids.
    orphans: Vec<OrgId>,
}

impl<'a> Logs<'a> {
    /// Starts with all organizations that have a row or entries. An organization has entries
    /// without a row only after tampering. At most one page of such organizations is read, which is
    /// enough to report the tampering.
    pub(super) fn all(db: &'a Db) -> Result<Self> {
        // On a connection without a time limit, because the query reads all of the log's index.
        let find = |conn: &mut DbConn| db::stray::list_orphans(conn, PAGE);
        Ok(Self {
            orphans: db.reader()?.snapshot(find)?,
            ..Self::with_row(db)
        })
    }

    /// Starts with all organizations that have a row.
    fn with_row(db: &'a Db) -> Self {
        Self {
            db,
            page: Vec::new(),
            last: None,
            has_more: true,
            orphans: Vec::new(),
        }
    }

    /// Starts with a single organization.
    pub(super) fn one(db: &'a Db, org_id: OrgId) -> Self {
        Self {
            page: vec![org_id],
            has_more: false,
            ..Self::with_row(db)
        }
    }

    /// Returns the next organization, `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<OrgId>> {
        if self.page.is_empty() && self.has_more {
            self.read_page().await?;
        }
        Ok(self.page.pop())
    }

    async fn read_page(&mut self) -> Result<()> {
        let after = self.last.take();
        let list =
            move |conn: &mut db::DbConn| db::organization::list_ids(conn, after.as_ref(), PAGE);
        self.page = self.db.read(Lane::OPERATOR, list).await?;
        self.last = self.page.last().cloned();
        self.has_more = self.last.is_some();
        // Merged page by page, because a verifier refuses an export whose logs are not sorted.
        let orphans_before = match &self.last {
            Some(last) => self.orphans.partition_point(|orphan| orphan < last),
            None => self.orphans.len(),
        };
        self.page.extend(self.orphans.drain(..orphans_before));
        // Descending, because `next` pops from the end.
        self.page.sort_unstable_by(|one, other| other.cmp(one));
        Ok(())
    }
}

/// Calls `each` with every entry of a log, in order of `seq`. Reads the head again for entries
/// beyond it, because a write appends entries and moves the head in one transaction. Returns the
/// final head, or the value that `each` broke with.
///
/// # Errors
/// Errors of the database, and [`Error::Internal`] for an unreadable entry or head.
pub(super) async fn read<B>(
    db: &Db,
    org_id: &OrgId,
    mut each: impl FnMut(AuditEntry) -> ControlFlow<B>,
) -> Result<ControlFlow<B, ChainHead>> {
    let mut head = read_head(db, org_id).await?;
    // Not from 1, so that an entry inserted before the first entry is detected.
    let mut next = Some(i64::MIN);
    while let Some(from) = next {
        let id = *org_id;
        let (page, _) = db
            .read(Lane::OPERATOR, move |conn| list_page(conn, &id, from))
            .await?;
        let last = page.last().map(|entry| entry.seq);
        // A page beyond the head was appended since the head was read.
        if last.is_some_and(|last| last > head.length) {
            head = read_head(db, org_id).await?;
        }
        for entry in page {
            if let ControlFlow::Break(outcome) = each(entry) {
                return Ok(ControlFlow::Break(outcome));
            }
        }
        // Up to an empty page, because a write may have added entries after a short page.
        next = last.and_then(|last| last.checked_add(1));
    }
    Ok(ControlFlow::Continue(head))
}

/// Lists the entries of a page from the number `from` on, and returns whether more may follow.
pub(super) fn list_page(
    conn: &mut DbConn,
    org_id: &OrgId,
    from: i64,
) -> Result<(Vec<AuditEntry>, bool)> {
    match db::audit_log::list_oldest(conn, org_id, from, PAGE) {
        Ok(page) => {
            let is_full = i64::try_from(page.len()) == Ok(PAGE);
            Ok((page, is_full))
        }
        // Retry in single steps, to return the entries before the unreadable one.
        Err(Error::Internal(_)) => {
            let page = db::audit_log::list_oldest(conn, org_id, from, 1)?;
            Ok((page, true))
        }
        Err(other) => Err(other),
    }
}

/// Returns the head in the organization's row, or the head of an empty log without a row.
async fn read_head(db: &Db, org_id: &OrgId) -> Result<ChainHead> {
    let org_id = *org_id;
    let head = db.read(Lane::OPERATOR, move |conn| {
        db::organization::find_chain_head(conn, &org_id)
    });
    Ok(head.await?.unwrap_or_default())
}
