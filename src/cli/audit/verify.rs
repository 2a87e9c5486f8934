//! `quietline audit verify`: proves that the log, or an export of it, was not changed, and that the
//! log explains the stored data.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::context::{Context, Outcome};
use crate::cli::organization::find;
use crate::cli::output::{Output, counted};
use crate::clock::Clock;
use crate::domain::audit::chain::Anchors;
use crate::domain::audit::rows::{Drift, StateFault};
use crate::domain::ids::OrgId;
use crate::error::BoxError;
use crate::operator::audit::anchors::{AnchorPublicKey, Statements};
use crate::operator::audit::verify::{self, Fault, Summary};
use crate::operator::audit::verify_export::verify_file;

use super::args::VerifyArgs;

/// Organizations without an anchor that the text names. JSON names all of them.
const MAX_NAMED: usize = 20;

/// Verifies the log in the database.
pub(super) async fn run(context: &Context, args: VerifyArgs, out: &mut Output) -> Outcome {
    let only = match &args.org {
        Some(name) => Some(find(&context.db, name).await?.id),
        None => None,
    };
    let (anchors, held) = anchors(&args, only.as_ref())?;
    let summary = match only {
        Some(org_id) => verify::verify(&context.db, org_id, anchors)?,
        None => verify::verify_all(&context.db, anchors)?,
    };
    let agree = "intact and explain the stored data";
    print(&summary, held.as_ref(), agree, out)
}

/// Verifies the export at `path`, or on standard input.
pub(super) fn run_on_file(path: &str, args: &VerifyArgs, out: &mut Output) -> Outcome {
    let only = match args.org.as_deref().map(OrgId::parse) {
        // An external id can only be looked up in a database.
        Some(None) => return Err("with --file, --org must be an organization's id".into()),
        Some(org_id) => org_id,
        None => None,
    };
    let (anchors, held) = anchors(args, only.as_ref())?;
    let verified = match path {
        "-" => verify_file(io::stdin().lock(), anchors),
        path => open(path).and_then(|file| verify_file(file, anchors)),
    };
    let summary = verified.map_err(|error| format!("{path}: {error}"))?;
    let agree = "intact (an export has no data to compare)";
    print(&summary, held.as_ref(), agree, out)
}

/// Reads the anchors from the flag's file, for all organizations or `only` one. Returns empty
/// anchors and no statements without the flag.
fn anchors(
    args: &VerifyArgs,
    only: Option<&OrgId>,
) -> Result<(Anchors, Option<Statements>), BoxError> {
    let (Some(path), Some(key_path)) = (&args.anchors, &args.anchor_public_key) else {
        return Ok((Anchors::default(), None));
    };
    let read = || -> Result<AnchorPublicKey, BoxError> {
        Ok(AnchorPublicKey::from_pem(&fs::read_to_string(key_path)?)?)
    };
    let key = read().map_err(|error| format!("{key_path}: {error}"))?;
    let mut statements = read_statements(path, &key, only)?;
    let anchors = std::mem::take(&mut statements.anchors);
    // A comparison with nothing proves nothing.
    match only {
        _ if !anchors.is_empty() => Ok((anchors, Some(statements))),
        Some(only) => Err(format!("{path}: organization {only} has no anchor").into()),
        None => Err(format!("{path}: must contain at least one anchor").into()),
    }
}

/// Reads the file of anchors at `path`.
pub(super) fn read_statements(
    path: &str,
    key: &AnchorPublicKey,
    only: Option<&OrgId>,
) -> Result<Statements, BoxError> {
    let read = || Statements::read(open(path)?, key, only);
    read().map_err(|error| format!("{path}: {error}").into())
}

fn open(path: &str) -> io::Result<BufReader<File>> {
    File::open(path).map(BufReader::new)
}

fn print(summary: &Summary, held: Option<&Statements>, agree: &str, out: &mut Output) -> Outcome {
    let Summary {
        organizations,
        entries,
        faults,
        heads: _,
        unanchored,
    } = summary;
    let mut value = json!({
        "ok": faults.is_empty(),
        "organizations": organizations,
        "entries": entries,
        "faults": faults.iter().map(fault_value).collect::<Vec<_>>(),
    });
    let mut lines: Vec<String> = faults.iter().map(fault_line).collect();
    // Without a file of anchors, every organization would be listed as unanchored.
    if let Some(statements) = held {
        let unanchored: Vec<String> = unanchored.iter().map(OrgId::to_string).collect();
        lines.push(held_line(statements, &unanchored));
        value["anchors"] = json!({
            "statements": statements.count,
            "newest": statements.newest,
            "unanchored": unanchored,
        });
    }
    lines.push(if faults.is_empty() {
        let are = if *entries == 1 { "is" } else { "are" };
        let entries = counted(*entries, "entry", "entries");
        let organizations = counted(*organizations, "organization", "organizations");
        format!("{entries} of {organizations} {are} {agree}")
    } else {
        let faults = counted(faults.len(), "fault", "faults");
        format!("{faults} in {}", counted(*organizations, "log", "logs"))
    });
    out.print(&value, &lines.join("\n"))?;
    Ok(faults.is_empty())
}

fn held_line(statements: &Statements, unanchored: &[String]) -> String {
    let age = statements.newest.map(|newest| {
        // Zero for a newer statement, because the clock of its machine may be ahead.
        let age = (Clock::System.now() - newest).to_std().unwrap_or_default();
        let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
        format!("the newest {age} old")
    });
    let anchors = counted(statements.count, "anchor", "anchors");
    let mut line = format!("{anchors}, {}", age.unwrap_or_default());
    if !unanchored.is_empty() {
        let named = &unanchored[..unanchored.len().min(MAX_NAMED)];
        let more = if named.len() < unanchored.len() {
            ", …"
        } else {
            ""
        };
        line += &format!(
            "\n{} without an anchor: {}{more}",
            counted(unanchored.len(), "organization", "organizations"),
            named.join(", ")
        );
    }
    line
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
    if let Some(StateFault::Drift(drift)) = &fault.state {
        let Drift {
            row,
            field,
            found,
            recorded,
            seq,
        } = &**drift;
        value["row"] = json!(row.to_string());
        value["field"] = json!(field);
        value["found"] = json!(found);
        value["recorded"] = json!(recorded);
        value["entry"] = json!(seq);
    }
    value
}

/// Returns the message of a fault, after its place.
pub(super) fn fault_line(fault: &Fault) -> String {
    let line = fault.line.map(|line| format!("line {line}: "));
    let org_id = fault.org_id.as_ref().map(|org_id| format!("{org_id}: "));
    let position = [line, org_id].map(Option::unwrap_or_default).concat();
    format!("{position}{}", fault.text)
}
