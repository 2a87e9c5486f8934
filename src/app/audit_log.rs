//! The audit log: reading it, and verifying its chains. Adding to it is part of a change.

use crate::db::{self, Db};
use crate::domain::audit::{AuditEntry, ChainFault, ChainHead, ChainVerifier};
use crate::domain::ids::{OrgId, OrganizationRef};
use crate::error::Result;

/// Entries or organizations read at once while verifying: a few hundred KiB.
const PAGE: i64 = 500;

/// The newest entries of an organization, newest first.
///
/// # Errors
/// Only those of the database; an unknown organization has no entries.
pub async fn newest(db: &Db, org_id: OrgId, limit: i64) -> Result<Vec<AuditEntry>> {
    db.read(move |conn| db::audit_log::list_newest(conn, &org_id, i64::MAX, limit))
        .await
}

/// What [`verify`] and [`verify_all`] found of one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Whose log it is.
    pub org_id: OrgId,
    /// How many entries were found in order.
    pub entries: i64,
    /// What is wrong; `None` if nothing is.
    pub fault: Option<ChainFault>,
}

/// Verifies the logs of all organizations, also of those whose own row is gone.
///
/// # Errors
/// Only those of the database.
pub async fn verify_all(db: &Db) -> Result<Vec<Verification>> {
    let mut found = Vec::new();
    let mut last: Option<OrgId> = None;
    loop {
        let after = last.clone();
        let page = db
            .read(move |conn| db::organizations::list(conn, after.as_ref(), PAGE))
            .await?;
        let Some(newest) = page.last() else { break };
        last = Some(newest.id.clone());
        for organization in page {
            found.push(verify(db, organization.id).await?);
        }
    }
    let mut after = String::new();
    while let Some(org_id) = db
        .read(move |conn| db::audit_log::next_organization(conn, &after))
        .await?
    {
        after = org_id.to_string();
        if !found
            .iter()
            .any(|verification| verification.org_id == org_id)
        {
            found.push(verify(db, org_id).await?);
        }
    }
    Ok(found)
}

/// Verifies the log of one organization, which may be written to meanwhile.
///
/// # Errors
/// Only those of the database.
pub async fn verify(db: &Db, org_id: OrgId) -> Result<Verification> {
    let mut chain = ChainVerifier::default();
    let fault = follow(db, &org_id, &mut chain).await?.err();
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
    let organization = OrganizationRef::Id(org_id.clone());
    let found = db
        .read(move |conn| db::organizations::find(conn, &organization))
        .await?;
    Ok(found
        .map(|organization| organization.audit)
        .unwrap_or_default())
}
