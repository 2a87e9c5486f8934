//! Verification of the chains of the audit log in the database. Not here: exports, which
//! `verify_export` verifies.

use std::ops::ControlFlow;

use crate::db::Db;
use crate::domain::audit::chain::{Anchors, ChainFault, ChainVerifier};
use crate::domain::audit::entry::{AuditEntry, ChainHead};
use crate::domain::ids::OrgId;
use crate::error::{Error, Result};

use super::read_chain::{self, Logs};

/// Result of verifying one organization's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    pub org_id: OrgId,
    /// Number of intact entries from the start of the log.
    pub entries: i64,
    /// First fault, `None` for an intact log.
    pub fault: Option<ChainFault>,
}

/// Result of verifying many logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of verified logs.
    pub organizations: usize,
    /// Number of intact entries in these logs.
    pub entries: i64,
    /// Faults, at most one for each log.
    pub faults: Vec<Fault>,
}

/// Fault of a log, or of the export that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Organization of the log. `None` for a fault outside every log of an export.
    pub org_id: Option<OrgId>,
    /// Line of the export. `None` for a database.
    pub line: Option<u64>,
    /// Number of intact entries from the start of the log.
    pub intact_entries: i64,
    /// Message for the operator.
    pub text: String,
}

impl Summary {
    /// Adds the result of one log.
    pub fn add(&mut self, verification: Verification) {
        self.organizations += 1;
        self.entries += verification.entries;
        self.faults.extend(verification.fault.map(|fault| Fault {
            org_id: Some(verification.org_id),
            line: None,
            intact_entries: verification.entries,
            text: fault.to_string(),
        }));
    }

    /// Adds the faults of vanished organizations, which are the remaining organizations of
    /// `anchors`.
    pub(super) fn add_vanished(&mut self, anchors: Anchors) {
        let faults = anchors.into_faults().map(|(org_id, fault)| Fault {
            org_id: Some(org_id),
            line: None,
            intact_entries: 0,
            text: fault.to_string(),
        });
        self.faults.extend(faults);
    }
}

/// Verifies the logs of all organizations, including organizations without a row, and that the logs
/// contain all of `anchors`.
///
/// # Errors
/// [`Error::Unavailable`]. An unreadable entry is a fault of its log and does not stop the
/// verification.
pub async fn verify_all(db: &Db, mut anchors: Anchors) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut logs = Logs::all(db).await?;
    while let Some(org_id) = logs.next().await? {
        let its_anchors = anchors.take(&org_id);
        summary.add(verify(db, org_id, its_anchors).await?);
    }
    // Every existing log has taken its anchors. The remaining ones belong to deleted organizations.
    summary.add_vanished(anchors);
    Ok(summary)
}

/// Verifies the log of one organization during concurrent writes, and that the log contains
/// `anchors`.
///
/// # Errors
/// [`Error::Unavailable`]. An unreadable entry is a fault of the log.
pub async fn verify(db: &Db, org_id: OrgId, anchors: Vec<ChainHead>) -> Result<Verification> {
    let mut chain = ChainVerifier::new(anchors);
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
    let check = |entry: AuditEntry, head: &ChainHead| {
        let (expected, found) = (head.length, entry.seq);
        // The program did not write an entry beyond the head, because it updates both together.
        let followed = if found > expected {
            Err(ChainFault::WrongEnd { expected, found })
        } else {
            chain.follow(&entry)
        };
        followed.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    };
    Ok(match read_chain::read(db, org_id, check).await? {
        ControlFlow::Break(fault) => Err(fault),
        ControlFlow::Continue(head) => chain.finish(&head),
    })
}
