//! `quietline audit export`: the log as JSON Lines.

use std::io::{self, BufWriter};

use serde_json::json;

use crate::cli::context::{Context, Outcome};
use crate::cli::organization::find;
use crate::cli::output::{Output, counted, create_private, print_error};
use crate::domain::ids::OrgId;
use crate::error::BoxError;
use crate::operator::audit::export::{self, Exported};

use super::args::ExportArgs;

/// Exports to the file in `args`, or to standard output.
pub(super) async fn run(context: &Context, args: ExportArgs, out: &mut Output) -> Outcome {
    let only = match args.org {
        Some(name) => Some(find(&context.db, &name).await?.id),
        None => None,
    };
    let exported = match &args.output {
        Some(path) => {
            let exported = export_to_file(context, only, path).await?;
            let (organizations, entries) = (exported.organizations, exported.entries);
            let value = json!({"file": path, "organizations": organizations, "entries": entries});
            let entries = counted(entries, "entry", "entries");
            let organizations = counted(organizations, "organization", "organizations");
            let text = format!("exported {entries} of {organizations} to {path}");
            out.print(&value, &text)?;
            exported
        }
        None => {
            let mut stdout = BufWriter::new(io::stdout().lock());
            export::export(&context.db, only, &mut stdout).await?
        }
    };
    for (org_id, reason) in &exported.unreadable {
        print_error(&format!("{org_id}: cannot read the whole log: {reason}"));
    }
    Ok(exported.unreadable.is_empty())
}

async fn export_to_file(
    context: &Context,
    only: Option<OrgId>,
    path: &str,
) -> Result<Exported, BoxError> {
    let named = |error: io::Error| format!("{path}: {error}");
    let mut file = BufWriter::new(create_private(path).map_err(named)?);
    let exported = export::export(&context.db, only, &mut file).await?;
    // Durable before the command reports success, because exports are for safekeeping.
    file.get_ref().sync_all().map_err(named)?;
    Ok(exported)
}
