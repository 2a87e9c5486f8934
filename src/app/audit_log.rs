//! The audit log: reading it, and verifying its chains. Adding to it is part of a change.

use crate::db::{self, Db};
use crate::domain::access::OrgAccess;
use crate::domain::audit::{AuditEntry, ChainFault, ChainHead, ChainVerifier};
use crate::domain::audit_filter::AuditFilter;
use crate::domain::cursor;
use crate::domain::ids::OrgId;
use crate::error::{Error, Result};

use super::organization;

/// Entries or organizations read at once while verifying: a few hundred KiB.
const PAGE: i64 = 500;

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

/// What verifying found of one organization's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Whose log it is.
    pub org_id: OrgId,
    /// How many entries were found in order.
    pub entries: i64,
    /// What is wrong; `None` if nothing is.
    pub fault: Option<ChainFault>,
}

/// What verifying found of many logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many logs were followed.
    pub organizations: usize,
    /// How many entries of them were found in order.
    pub entries: i64,
    /// The logs that have a fault.
    pub faults: Vec<Verification>,
}

impl Summary {
    /// Adds what was found of one more log.
    pub fn add(&mut self, verification: Verification) {
        self.organizations += 1;
        self.entries += verification.entries;
        if verification.fault.is_some() {
            self.faults.push(verification);
        }
    }
}

/// Verifies the logs of all organizations, also of those whose own row is gone.
///
/// # Errors
/// [`Error::Unavailable`]; what cannot be read is a fault of its log and stops nothing.
pub async fn verify_all(db: &Db) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut last: Option<OrgId> = None;
    loop {
        let after = last.take();
        let list =
            move |conn: &mut db::DbConn| db::organizations::list_ids(conn, after.as_ref(), PAGE);
        let page = db.read(list).await?;
        if page.is_empty() {
            break;
        }
        for org_id in page {
            summary.add(verify(db, org_id.clone()).await?);
            last = Some(org_id);
        }
    }
    for org_id in db
        .read(|conn| db::audit_log::list_orphans(conn, PAGE))
        .await?
    {
        summary.add(verify(db, org_id).await?);
    }
    Ok(summary)
}

/// Verifies the log of one organization, which may be written to meanwhile.
///
/// # Errors
/// [`Error::Unavailable`]; what cannot be read is a fault of the log.
pub async fn verify(db: &Db, org_id: OrgId) -> Result<Verification> {
    let mut chain = ChainVerifier::default();
    let fault = match follow(db, &org_id, &mut chain).await {
        Ok(followed) => followed.err(),
        Err(Error::Internal(cause)) => Some(ChainFault::Unreadable(cause.to_string())),
        Err(other) => return Err(other),
    };
    Ok(Verification {
        org_id,
        entries: chain.length(),
        fault,
    })
}

async fn follow(
    db: &Db,
    org_id: &OrgId,
    chain: &mut ChainVerifier,
) -> Result<Result<(), ChainFault>> {
    let mut head = read_head(db, org_id).await?;
    loop {
        // From below zero, so that an entry put before the first one is seen as well.
        let after = if chain.length() == 0 {
            i64::MIN
        } else {
            chain.length()
        };
        let page = read_page(db, org_id, after).await?;
        if page.is_empty() {
            return Ok(chain.finish(&head));
        }
        for entry in &page {
            if entry.seq > head.length {
                // Written since the head was read, or never by us: then the head has not moved.
                head = read_head(db, org_id).await?;
            }
            if entry.seq > head.length {
                let (expected, found) = (head.length, entry.seq);
                return Ok(Err(ChainFault::WrongEnd { expected, found }));
            }
            if let Err(fault) = chain.follow(entry) {
                return Ok(Err(fault));
            }
        }
    }
}

async fn read_page(db: &Db, org_id: &OrgId, after: i64) -> Result<Vec<AuditEntry>> {
    let org_id = org_id.clone();
    db.read(move |conn| db::audit_log::list_oldest(conn, &org_id, after, PAGE))
        .await
}

/// The head in the organization's row; that of an empty log when the row is gone.
async fn read_head(db: &Db, org_id: &OrgId) -> Result<ChainHead> {
    let org_id = org_id.clone();
    let head = db.read(move |conn| db::organizations::find_chain_head(conn, &org_id));
    Ok(head.await?.unwrap_or_default())
}
