//! Verification of the audit log in the database: its chains, and the stored rows that the entries
//! describe. Not here: exports, which `verify_export` verifies.

use crate::db::{self, Db, DbConn};
use crate::domain::api_key::KeyPosition;
use crate::domain::audit::chain::{Anchors, ChainFault, ChainVerifier};
use crate::domain::audit::entry::{AuditEntry, ChainHead};
use crate::domain::audit::replay::Replay;
use crate::domain::audit::rows::StateFault;
use crate::domain::ids::{OrgId, OrganizationRef};
use crate::domain::organization::Organization;
use crate::error::{Error, Result};

use super::read_chain::{PAGE, list_page};

/// Maximum number of reported faults of one log.
const MAX_FAULTS: usize = 100;

/// Result of verifying many logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of verified logs.
    pub organizations: usize,
    /// Number of intact entries in these logs.
    pub entries: i64,
    pub faults: Vec<Fault>,
    /// Verified ends of the logs in a database.
    pub heads: Vec<(OrgId, ChainHead)>,
    /// Organizations without an anchor.
    pub unanchored: Vec<OrgId>,
}

/// Fault of a log, or of the export that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Organization of the log. `None` for a fault outside every log.
    pub org_id: Option<OrgId>,
    /// Line of the export. `None` for a database.
    pub line: Option<u64>,
    /// Number of intact entries from the start of the log.
    pub intact_entries: i64,
    /// Message for the operator.
    pub text: String,
    /// Contradiction between the log and the stored rows; `None` for another fault.
    pub state: Option<StateFault>,
}

impl Summary {
    /// Adds the faults of vanished organizations, which are the remaining organizations of
    /// `anchors`.
    pub(super) fn add_vanished(&mut self, anchors: Anchors) {
        let faults = anchors.into_faults().map(|(org_id, fault)| Fault {
            org_id: Some(org_id),
            line: None,
            intact_entries: 0,
            text: fault.to_string(),
            state: None,
        });
        self.faults.extend(faults);
    }
}

/// Verifies the logs of all organizations, including organizations without a row, and that the logs
/// contain all of `anchors`. Each page of organizations is read in one snapshot.
///
/// # Errors
/// [`Error::Unavailable`]. An unreadable row is a fault and does not stop the verification.
pub fn verify_all(db: &Db, anchors: Anchors) -> Result<Summary> {
    let mut reader = db.reader()?;
    let mut verifier = Verifier::new(anchors);
    reader.snapshot(|conn| verifier.verify_strays(conn))?;
    let mut last = None;
    loop {
        last = reader.snapshot(|conn| {
            let page = db::organization::list_ids(conn, last.as_ref(), PAGE)?;
            for org_id in &page {
                verifier.verify(conn, *org_id)?;
            }
            Ok(page.last().copied())
        })?;
        if last.is_none() {
            break;
        }
    }
    // Every existing log has taken its anchors. The remaining ones belong to deleted organizations.
    verifier.summary.add_vanished(verifier.anchors);
    Ok(verifier.summary)
}

/// Verifies the log of one organization in one snapshot, and that the log contains its `anchors`.
///
/// # Errors
/// Errors of [`verify_all`].
pub fn verify(db: &Db, org_id: OrgId, anchors: Anchors) -> Result<Summary> {
    let mut verifier = Verifier::new(anchors);
    db.reader()?
        .snapshot(|conn| verifier.verify(conn, org_id))?;
    Ok(verifier.summary)
}

struct Verifier {
    summary: Summary,
    anchors: Anchors,
}

/// Log that is being verified.
struct Log {
    chain: ChainVerifier,
    replay: Replay,
    faults: Vec<StateFault>,
}

impl Verifier {
    fn new(anchors: Anchors) -> Self {
        let summary = Summary::default();
        Self { summary, anchors }
    }

    /// Verifies the logs of organizations without a row, and adds a fault for every unreadable id.
    /// At most one page of each is read, which is enough to report the tampering.
    fn verify_strays(&mut self, conn: &mut DbConn) -> Result<()> {
        for place in db::stray::list_unreadable_ids(conn, PAGE)? {
            self.summary.faults.push(Fault {
                org_id: None,
                line: None,
                intact_entries: 0,
                text: format!("{place} is not an id of an organization"),
                state: None,
            });
        }
        for org_id in db::stray::list_orphans(conn, PAGE)? {
            self.verify(conn, org_id)?;
        }
        Ok(())
    }

    fn verify(&mut self, conn: &mut DbConn, org_id: OrgId) -> Result<()> {
        let anchors = self.anchors.take(&org_id);
        if anchors.is_empty() {
            self.summary.unanchored.push(org_id);
        }
        let mut log = Log {
            chain: ChainVerifier::new(anchors),
            replay: Replay::default(),
            faults: Vec::new(),
        };
        let fault = match log.verify(conn, &org_id) {
            Ok(verified) => verified.err(),
            // The program writes no such value, so it is a finding and not a failure.
            Err(Error::Internal(cause)) => Some(ChainFault::Unreadable(cause.to_string())),
            Err(other) => return Err(other),
        };
        let head = log.chain.head();
        let fault = fault.map(|fault| (fault.to_string(), None)).into_iter();
        let faults = log.faults.into_iter();
        let faults = fault.chain(faults.map(|fault| (fault.to_string(), Some(fault))));
        let faults = faults.map(|(text, state)| Fault {
            org_id: Some(org_id),
            line: None,
            intact_entries: head.length,
            text,
            state,
        });
        self.summary.faults.extend(faults);
        self.summary.organizations += 1;
        self.summary.entries += head.length;
        self.summary.heads.push((org_id, head));
        Ok(())
    }
}

impl Log {
    fn verify(&mut self, conn: &mut DbConn, org_id: &OrgId) -> Result<Result<(), ChainFault>> {
        let organization = db::organization::find(conn, &OrganizationRef::Id(*org_id))?;
        let head = organization.as_ref().map(|organization| organization.audit);
        let verified = self.follow(conn, org_id, &head.unwrap_or_default())?;
        // Only with a log that is itself without a fault, because others describe wrong rows.
        if verified.is_ok() && self.faults.is_empty() {
            self.compare(conn, org_id, organization.as_ref())?;
        }
        Ok(verified)
    }

    /// Follows the chain to `head`, and replays it up to the first entry that contradicts an
    /// earlier one.
    fn follow(
        &mut self,
        conn: &mut DbConn,
        org_id: &OrgId,
        head: &ChainHead,
    ) -> Result<Result<(), ChainFault>> {
        // Not from 1, so that an entry inserted before the first entry is detected.
        let mut next = Some(i64::MIN);
        while let Some(from) = next {
            let (page, has_more) = list_page(conn, org_id, from)?;
            if let Err(fault) = page.iter().try_for_each(|entry| self.take(entry, head)) {
                return Ok(Err(fault));
            }
            let last = page.last().filter(|_| has_more);
            next = last.and_then(|last| last.seq.checked_add(1));
        }
        Ok(self.chain.finish(head))
    }

    fn take(&mut self, entry: &AuditEntry, head: &ChainHead) -> Result<(), ChainFault> {
        let (expected, found) = (head.length, entry.seq);
        // The program did not write an entry beyond the head, because it updates both together.
        if found > expected {
            return Err(ChainFault::WrongEnd { expected, found });
        }
        self.chain.follow(entry)?;
        // One at most, because later entries would contradict the same wrong row again.
        if self.faults.is_empty() {
            self.faults.extend(self.replay.apply(entry).err());
        }
        Ok(())
    }

    /// Compares all stored rows of the organization with the replayed rows.
    fn compare(
        &mut self,
        conn: &mut DbConn,
        org_id: &OrgId,
        organization: Option<&Organization>,
    ) -> Result<()> {
        let Self { replay, faults, .. } = self;
        if let Some(organization) = organization {
            faults.extend(replay.compare_organization(organization.recorded()));
        }
        each_page(
            |after| db::api_key::list_issued(conn, org_id, after, PAGE),
            |issued| KeyPosition::after(&issued.key),
            |issued| add(faults, replay.compare_key(issued)),
        )?;
        each_page(
            |after| db::registry::list_brands(conn, org_id, after, PAGE),
            |brand| brand.id,
            |brand| add(faults, replay.compare_brand(brand)),
        )?;
        each_page(
            |after| db::registry::list_campaigns(conn, org_id, after, PAGE),
            |campaign| campaign.id,
            |campaign| add(faults, replay.compare_campaign(campaign)),
        )?;
        add(faults, std::mem::take(replay).into_missing());
        Ok(())
    }
}

fn add(faults: &mut Vec<StateFault>, more: impl IntoIterator<Item = StateFault>) {
    let room = MAX_FAULTS.saturating_sub(faults.len());
    faults.extend(more.into_iter().take(room));
}

/// Calls `each` with every row of `list`, page by page.
fn each_page<R, P>(
    mut list: impl FnMut(Option<&P>) -> Result<Vec<R>>,
    position: impl Fn(&R) -> P,
    mut each: impl FnMut(&R),
) -> Result<()> {
    let mut after = None;
    loop {
        let page = list(after.as_ref())?;
        page.iter().for_each(&mut each);
        let is_full = i64::try_from(page.len()) == Ok(PAGE);
        after = page.last().filter(|_| is_full).map(&position);
        if after.is_none() {
            return Ok(());
        }
    }
}
