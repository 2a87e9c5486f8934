//! Export of the audit log, for verifying it offline and for safekeeping.

use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::db::{self, Db, Lane};
use crate::domain::ids::OrgId;
use crate::error::{BoxError, Error};

use super::export_format::{EndLine, Line};
use super::read_chain::{self, Logs, PAGE};

/// Content of an export.
#[derive(Debug, Default)]
pub struct Exported {
    /// Number of logs.
    pub organizations: u64,
    /// Number of entries.
    pub entries: u64,
    /// Names of logs that could not be read to their end, and the reasons. The export has a line
    /// for each.
    pub unreadable: Vec<(String, String)>,
}

/// Writes the log of one organization, or all logs, to `out`, which should be buffered. A
/// concurrent change is exported completely or not at all, so that the export verifies.
///
/// # Errors
/// Errors of `out`, and [`Error::Unavailable`].
pub async fn export(
    db: &Db,
    only: Option<OrgId>,
    out: &mut impl Write,
) -> Result<Exported, BoxError> {
    let mut exported = Exported::default();
    let mut logs = match only {
        Some(org_id) => Logs::one(db, org_id),
        None => Logs::all(db)?,
    };
    while let Some(org_id) = logs.next().await? {
        export_log(db, org_id, out, &mut exported).await?;
    }
    // An id that cannot be read belongs to no single organization.
    if only.is_none() {
        export_unreadable_ids(db, out, &mut exported).await?;
    }
    // Last, so that a verifier notices an export that was cut off.
    let end = EndLine {
        organizations: exported.organizations,
        entries: exported.entries,
    };
    write_line(out, &Line::End(end))?;
    // Dropping a buffered writer would hide an error of its last write.
    out.flush()?;
    Ok(exported)
}

async fn export_log(
    db: &Db,
    org_id: OrgId,
    out: &mut impl Write,
    exported: &mut Exported,
) -> Result<(), BoxError> {
    exported.organizations += 1;
    let written = read_chain::read(db, &org_id, |entry| {
        exported.entries += 1;
        let written = write_line(out, &entry.into());
        written.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    });
    let last_line = match written.await {
        Ok(ControlFlow::Continue(head)) => Line::head(&org_id, &head),
        Ok(ControlFlow::Break(error)) => return Err(error.into()),
        // An unreadable log must not keep the other logs out of the export.
        Err(Error::Internal(cause)) => {
            let reason = cause.to_string();
            let org_id = org_id.to_string();
            exported.unreadable.push((org_id.clone(), reason.clone()));
            Line::unreadable(org_id, reason)
        }
        Err(other) => return Err(other.into()),
    };
    Ok(write_line(out, &last_line)?)
}

/// Writes a line for every id that is not an id of an organization, so that the export does not
/// pass for the whole log.
async fn export_unreadable_ids(
    db: &Db,
    out: &mut impl Write,
    exported: &mut Exported,
) -> Result<(), BoxError> {
    let places = db.read(Lane::OPERATOR, |conn| {
        db::stray::list_unreadable_ids(conn, PAGE)
    });
    for place in places.await? {
        let reason = "is not an id of an organization".to_owned();
        exported.unreadable.push((place.clone(), reason.clone()));
        write_line(out, &Line::unreadable(place, reason))?;
    }
    Ok(())
}

fn write_line(out: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
