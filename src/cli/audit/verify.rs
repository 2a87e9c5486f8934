//! `quietline audit verify`: proves that the log, or an export of it, was not changed.

use std::fs::{self, File};
use std::io::{self, BufReader};

use serde_json::{Value, json};

use crate::cli::context::{Context, Outcome};
use crate::cli::organization::find;
use crate::cli::output::{Output, counted};
use crate::domain::audit::chain::Anchors;
use crate::domain::ids::OrgId;
use crate::error::BoxError;
use crate::operator::audit::anchors::{AnchorPublicKey, read_anchors};
use crate::operator::audit::verify::{self, Fault, Summary};
use crate::operator::audit::verify_export::verify_file;

use super::args::VerifyArgs;

/// Verifies the log in the database.
pub(super) async fn run(context: &Context, args: VerifyArgs, out: &mut Output) -> Outcome {
    let only = match &args.org {
        Some(name) => Some(find(&context.db, name).await?.id),
        None => None,
    };
    let (mut anchors, count) = anchors(&args, only.as_ref())?;
    let summary = match only {
        Some(org_id) => {
            let its_anchors = anchors.take(&org_id);
            let found = verify::verify(&context.db, org_id, its_anchors).await?;
            let mut summary = Summary::default();
            summary.add(found);
            summary
        }
        None => verify::verify_all(&context.db, anchors).await?,
    };
    print(&summary, count, out)
}

/// Verifies the export at `path`, or on standard input.
pub(super) fn run_on_file(path: &str, args: &VerifyArgs, out: &mut Output) -> Outcome {
    let (anchors, count) = anchors(args, None)?;
    let verified = match path {
        "-" => verify_file(io::stdin().lock(), anchors),
        path => open(path).and_then(|file| verify_file(file, anchors)),
    };
    let summary = verified.map_err(|error| format!("{path}: {error}"))?;
    print(&summary, count, out)
}

/// Reads the anchors from the flag's file, and their number, for all organizations or `only` one.
/// Returns empty anchors without the flag.
fn anchors(args: &VerifyArgs, only: Option<&OrgId>) -> Result<(Anchors, Option<usize>), BoxError> {
    let (Some(path), Some(key_path)) = (&args.anchors, &args.anchor_public_key) else {
        return Ok((Anchors::default(), None));
    };
    let read = || -> Result<AnchorPublicKey, BoxError> {
        Ok(AnchorPublicKey::from_pem(&fs::read_to_string(key_path)?)?)
    };
    let key = read().map_err(|error| format!("{key_path}: {error}"))?;
    let read = || read_anchors(open(path)?, &key, only);
    let (anchors, count) = read().map_err(|error| format!("{path}: {error}"))?;
    Ok((anchors, Some(count)))
}

fn open(path: &str) -> io::Result<BufReader<File>> {
    File::open(path).map(BufReader::new)
}

fn print(summary: &Summary, anchors: Option<usize>, out: &mut Output) -> Outcome {
    let Summary {
        organizations,
        entries,
        faults,
    } = summary;
    let mut value = json!({
        "ok": faults.is_empty(),
        "organizations": organizations,
        "entries": entries,
        "faults": faults.iter().map(fault_value).collect::<Vec<_>>(),
    });
    let mut lines: Vec<String> = faults.iter().map(fault_line).collect();
    let (are, matches) = match *entries {
        1 => ("is", "matches"),
        _ => ("are", "match"),
    };
    let matching = match anchors {
        Some(count) => {
            value["anchors"] = json!(count);
            let anchors = counted(count, "anchor", "anchors");
            format!(" and {matches} {anchors}")
        }
        None => String::new(),
    };
    lines.push(if faults.is_empty() {
        let entries = counted(*entries, "entry", "entries");
        let organizations = counted(*organizations, "organization", "organizations");
        format!("{entries} of {organizations} {are} intact{matching}")
    } else {
        let faults = counted(faults.len(), "fault", "faults");
        format!("{faults} in {}", counted(*organizations, "log", "logs"))
    });
    out.print(&value, &lines.join("\n"))?;
    Ok(faults.is_empty())
}

fn fault_value(fault: &Fault) -> Value {
    let mut value = json!({
        "org_id": fault.org_id.map(|org_id| org_id.to_string()),
        "intact_entries": fault.intact_entries,
        "fault": fault.text,
    });
    if let Some(line) = fault.line {
        value["line"] = json!(line);
    }
    value
}

fn fault_line(fault: &Fault) -> String {
    let line = fault.line.map(|line| format!("line {line}: "));
    let org_id = fault.org_id.as_ref().map(|org_id| format!("{org_id}: "));
    let position = [line, org_id].map(Option::unwrap_or_default).concat();
    format!("{position}{}", fault.text)
}
