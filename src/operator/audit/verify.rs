//! Verifying the chains of the audit log where they are, in the database. An export is verified by
//! `audit_file`.

use std::ops::ControlFlow;

use crate::db::Db;
use crate::domain::audit::chain::{Anchors, ChainFault, ChainVerifier};
use crate::domain::audit::entry::{AuditEntry, ChainHead};
use crate::domain::ids::OrgId;
use crate::error::{Error, Result};

use super::read_chain::{self, Logs};

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
    /// What is wrong, at most one fault for each log.
    pub faults: Vec<Fault>,
}

/// Something that is wrong with a log, or with the export that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose log it is; `None`: the fault is in no organization's part of an export.
    pub org_id: Option<OrgId>,
    /// The line of the export; `None` in a database.
    pub line: Option<u64>,
    /// How many entries of the log were found in order.
    pub intact_entries: i64,
    /// What is wrong, in words.
    pub text: String,
}

impl Summary {
    /// Adds what was found of one more log.
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

    /// Adds the faults of organizations that are gone: their anchors were not taken.
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

/// Verifies the logs of all organizations, also of those whose own row is gone, and that they hold
/// all of `anchors`.
///
/// # Errors
/// [`Error::Unavailable`]; what cannot be read is a fault of its log and stops nothing.
pub async fn verify_all(db: &Db, mut anchors: Anchors) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut logs = Logs::all(db).await?;
    while let Some(org_id) = logs.next().await? {
        let its_anchors = anchors.take(&org_id);
        summary.add(verify(db, org_id, its_anchors).await?);
    }
    summary.add_vanished(anchors);
    Ok(summary)
}

/// Verifies the log of one organization, which may be written to meanwhile, and that it holds
/// `anchors`.
///
/// # Errors
/// [`Error::Unavailable`]; what cannot be read is a fault of the log.
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
        let followed = match found > expected {
            true => Err(ChainFault::WrongEnd { expected, found }),
            false => chain.follow(&entry),
        };
        followed.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    };
    Ok(match read_chain::read(db, org_id, check).await? {
        ControlFlow::Break(fault) => Err(fault),
        ControlFlow::Continue(head) => chain.finish(&head),
    })
}
