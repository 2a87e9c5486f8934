//! `quietline audit`: looking at the log and proving that nobody has changed it.

use serde_json::{Value, json};

use crate::app;
use crate::app::audit_verification::{Summary, Verification};
use crate::domain::audit::{AuditEntry, hex};

use super::organizations::find;
use super::output::Output;
use super::{Context, Outcome};

pub(super) async fn verify(context: &Context, org: Option<&str>, out: &mut Output) -> Outcome {
    let summary = match org {
        Some(name) => {
            let organization = find(&context.db, name).await?;
            let mut summary = Summary::default();
            summary.add(app::audit_verification::verify(&context.db, organization.id).await?);
            summary
        }
        None => app::audit_verification::verify_all(&context.db).await?,
    };
    let Summary {
        organizations,
        entries,
        faults,
    } = summary;
    let value = json!({
        "ok": faults.is_empty(),
        "organizations": organizations,
        "entries": entries,
        "faults": faults.iter().map(fault_value).collect::<Vec<_>>(),
    });
    let mut lines: Vec<String> = faults.iter().map(fault_line).collect();
    lines.push(match faults.is_empty() {
        true => format!("{entries} entries of {organizations} organizations are intact"),
        false => format!("{} of {organizations} logs are broken", faults.len()),
    });
    out.print(&value, &lines.join("\n"))?;
    Ok(faults.is_empty())
}

fn fault_value(verification: &Verification) -> Value {
    json!({
        "org_id": verification.org_id.as_str(),
        "intact_entries": verification.entries,
        "fault": fault_text(verification),
    })
}

fn fault_line(verification: &Verification) -> String {
    format!("{}: {}", verification.org_id, fault_text(verification))
}

fn fault_text(verification: &Verification) -> String {
    verification
        .fault
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Prints the page of at most `limit` entries that are older than `before`.
pub(super) async fn list(
    context: &Context,
    org: &str,
    (limit, before): (i64, Option<i64>),
    out: &mut Output,
) -> Outcome {
    let org_id = find(&context.db, org).await?.id;
    let entries = app::audit_log::newest(&context.db, org_id, before, limit).await?;
    let values: Vec<Value> = entries.iter().map(entry_value).collect();
    let lines: Vec<String> = entries.iter().map(entry_line).collect();
    out.print(&json!(values), &lines.join("\n"))?;
    Ok(true)
}

fn entry_value(entry: &AuditEntry) -> Value {
    let payload = serde_json::from_str(&entry.payload).unwrap_or_else(|_| json!(entry.payload));
    json!({
        "seq": entry.seq,
        "id": entry.id,
        "occurred_at": entry.occurred_at.and_utc(),
        "actor": {
            "kind": entry.actor.kind,
            "label": entry.actor.label,
            "identity": entry.actor.identity,
        },
        "action": entry.action,
        "resource": { "type": entry.resource_type, "id": entry.resource_id },
        "reason": entry.reason,
        "request_id": entry.request_id,
        "payload": payload,
        "previous_hash": hex(&entry.previous_hash),
        "hash": hex(&entry.hash),
    })
}

fn entry_line(entry: &AuditEntry) -> String {
    format!(
        "{:>6}  {}  {}  {}  {}",
        entry.seq,
        entry.occurred_at.format("%FT%TZ"),
        entry.actor.label,
        entry.action,
        entry.payload
    )
}
