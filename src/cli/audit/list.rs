//! `quietline audit list`: an organization's newest entries.

use serde_json::{Value, json};

use crate::cli::context::{Context, Outcome};
use crate::cli::organization::find;
use crate::cli::output::Output;
use crate::domain::audit::entry::AuditEntry;
use crate::operator;

use super::args::ListArgs;

/// Prints the page of entries that `args` select.
pub(super) async fn run(context: &Context, args: ListArgs, out: &mut Output) -> Outcome {
    let org_id = find(&context.db, &args.org).await?.id;
    let entries =
        operator::audit::list::newest(&context.db, org_id, args.before, args.limit).await?;
    let values: Vec<Value> = entries.iter().map(entry_value).collect();
    let lines: Vec<String> = entries.iter().map(entry_line).collect();
    out.print(&json!(values), &lines.join("\n"))?;
    Ok(true)
}

fn entry_value(entry: &AuditEntry) -> Value {
    // As text if it is not JSON, because a tampered entry must be shown too.
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
        "previous_hash": hex::encode(entry.previous_hash),
        "hash": hex::encode(entry.hash),
    })
}

fn entry_line(entry: &AuditEntry) -> String {
    let reason = entry.reason.as_ref();
    let reason = reason.map(|reason| format!("  reason: {reason}"));
    format!(
        "{:>6}  {}  {}  {}  {}{}",
        entry.seq,
        entry.occurred_at.format("%FT%TZ"),
        entry.actor.label,
        entry.action,
        entry.payload,
        reason.unwrap_or_default()
    )
}
