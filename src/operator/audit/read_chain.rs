//! Reading whole chains of the audit log, which may be written to meanwhile. What is made of them
//! is the business of `audit_verification` and `audit_export`.

use std::ops::ControlFlow;

use crate::db::{self, Db};
use crate::domain::audit::entry::{AuditEntry, ChainHead};
use crate::domain::ids::OrgId;
use crate::error::{Error, Result};

/// Entries or organizations read at once: a few hundred KiB.
const PAGE: i64 = 500;

/// Organizations whose logs are to be read, one after the other in order of their ids.
pub(super) struct Logs<'a> {
    db: &'a Db,
    /// Those that were read and not yet handed out, the first last.
    page: Vec<OrgId>,
    /// The last of the page that was read; `None`: no page has been read.
    last: Option<OrgId>,
    has_more: bool,
    /// Those that have entries and no row, in order.
    orphans: Vec<OrgId>,
}

impl<'a> Logs<'a> {
    /// All that have a row or entries. None is without a row unless somebody has removed rows; of
    /// more than a page of them the others are left out, the fault is plain all the same.
    pub(super) async fn all(db: &'a Db) -> Result<Self> {
        let orphans = db.read(|conn| db::audit_log::list_orphans(conn, PAGE));
        let orphans = orphans.await?;
        Ok(Self {
            orphans,
            ..Self::with_row(db)
        })
    }

    /// All that have a row.
    pub(super) fn with_row(db: &'a Db) -> Self {
        Self {
            db,
            page: Vec::new(),
            last: None,
            has_more: true,
            orphans: Vec::new(),
        }
    }

    /// A single one.
    pub(super) fn one(db: &'a Db, org_id: OrgId) -> Self {
        Self {
            page: vec![org_id],
            has_more: false,
            ..Self::with_row(db)
        }
    }

    /// The next organization; `None` after the last.
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
        self.page = self.db.read(list).await?;
        self.last = self.page.last().cloned();
        self.has_more = self.last.is_some();
        let orphans_before = match &self.last {
            Some(last) => self.orphans.partition_point(|orphan| orphan < last),
            None => self.orphans.len(),
        };
        self.page.extend(self.orphans.drain(..orphans_before));
        self.page.sort_unstable_by(|one, other| other.cmp(one));
        Ok(())
    }
}

/// Hands every entry of a log to `each`, in order of `seq`, together with the log's head, which is
/// read anew when entries lie behind it: whoever writes an entry moves the head with it. What comes
/// out is the head at the end, or what `each` stopped with.
///
/// # Errors
/// Those of the database, also when an entry or the head cannot be read.
pub(super) async fn read<B>(
    db: &Db,
    org_id: &OrgId,
    mut each: impl FnMut(AuditEntry, &ChainHead) -> ControlFlow<B>,
) -> Result<ControlFlow<B, ChainHead>> {
    let mut head = read_head(db, org_id).await?;
    // Not from 1, so that an entry put before the first one is seen as well.
    let mut next = Some(i64::MIN);
    while let Some(from) = next {
        let page = read_page(db, org_id, from).await?;
        let last = page.last().map(|entry| entry.seq);
        if last.is_some_and(|last| last > head.length) {
            head = read_head(db, org_id).await?;
        }
        for entry in page {
            if let ControlFlow::Break(outcome) = each(entry, &head) {
                return Ok(ControlFlow::Break(outcome));
            }
        }
        next = last.and_then(|last| last.checked_add(1));
    }
    Ok(ControlFlow::Continue(head))
}

async fn read_page(db: &Db, org_id: &OrgId, from: i64) -> Result<Vec<AuditEntry>> {
    match read_entries(db, org_id, from, PAGE).await {
        // Those before the one that cannot be read come one by one.
        Err(Error::Internal(_)) => read_entries(db, org_id, from, 1).await,
        page => page,
    }
}

async fn read_entries(db: &Db, org_id: &OrgId, from: i64, most: i64) -> Result<Vec<AuditEntry>> {
    let org_id = *org_id;
    db.read(move |conn| db::audit_log::list_oldest(conn, &org_id, from, most))
        .await
}

/// The head in the organization's row; that of an empty log when the row is gone.
pub(super) async fn read_head(db: &Db, org_id: &OrgId) -> Result<ChainHead> {
    let org_id = *org_id;
    let head = db.read(move |conn| db::organization::find_chain_head(conn, &org_id));
    Ok(head.await?.unwrap_or_default())
}
