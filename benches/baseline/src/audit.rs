//! Audit entries, chained by SHA-256 exactly as the server does, so `quietline audit verify`
//! accepts them.

use std::fmt::Write as _;

use chrono::{NaiveDateTime, SecondsFormat};
use diesel::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::model::Organization;
use crate::schema::audit_log;

/// Author of a change and the id of its request.
pub struct Author {
    pub label: String,
    pub identity: String,
    pub request_id: String,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = audit_log)]
pub struct Entry {
    org_id: String,
    seq: i64,
    id: String,
    occurred_at: NaiveDateTime,
    actor_kind: &'static str,
    actor_label: String,
    actor_identity: String,
    action: &'static str,
    resource_type: &'static str,
    resource_id: String,
    reason: Option<String>,
    request_id: String,
    payload: String,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

/// Part of an organization that an action changes.
type Part = fn(&Organization) -> Value;

/// Returns one entry for each action from `before` to `after`. Moves the head of the chain.
pub fn record(
    before: &Organization,
    after: &mut Organization,
    author: &Author,
    now: NaiveDateTime,
) -> Vec<Entry> {
    let actions: [(&str, Part); 3] = [
        ("retention.update", Organization::retention),
        ("quiet_hours.update", Organization::quiet_hours),
        ("missed_call_message.update", Organization::missed_call),
    ];
    let mut entries = Vec::new();
    for (action, part) in actions {
        if let Some(payload) = difference(&part(before), &part(after)) {
            entries.push(seal(after, action, payload, author, now));
        }
    }
    entries
}

/// Returns the old and new values of the changed fields.
fn difference(before: &Value, after: &Value) -> Option<String> {
    let (mut old, mut new) = (json!({}), json!({}));
    for (name, value) in after.as_object()? {
        if before[name] != *value {
            old[name] = before[name].clone();
            new[name] = value.clone();
        }
    }
    let is_changed = new != json!({});
    is_changed.then(|| json!({ "before": old, "after": new }).to_string())
}

fn seal(
    organization: &mut Organization,
    action: &'static str,
    payload: String,
    author: &Author,
    now: NaiveDateTime,
) -> Entry {
    let mut entry = Entry {
        org_id: organization.id.clone(),
        seq: organization.audit_length + 1,
        id: ulid::Ulid::generate().to_string(),
        occurred_at: now,
        actor_kind: "customer",
        actor_label: author.label.clone(),
        actor_identity: author.identity.clone(),
        action,
        resource_type: "organization",
        resource_id: organization.id.clone(),
        reason: None,
        request_id: author.request_id.clone(),
        payload,
        previous_hash: organization.audit_head.clone(),
        hash: Vec::new(),
    };
    entry.hash = digest(&entry);
    organization.audit_length = entry.seq;
    organization.audit_head = entry.hash.clone();
    entry
}

fn digest(entry: &Entry) -> Vec<u8> {
    let occurred_at = entry
        .occurred_at
        .and_utc()
        .to_rfc3339_opts(SecondsFormat::Nanos, true);
    let mut text = String::new();
    for field in [
        "quietline.audit.v1",
        &entry.org_id,
        &entry.seq.to_string(),
        &entry.id,
        &occurred_at,
        entry.actor_kind,
        &entry.actor_label,
        &entry.actor_identity,
        entry.action,
        entry.resource_type,
        &entry.resource_id,
    ] {
        push(&mut text, field);
    }
    text.push_str("-,");
    push(&mut text, &entry.request_id);
    push(&mut text, &entry.payload);
    push(&mut text, &hex(&entry.previous_hash));
    Sha256::digest(text.as_bytes()).to_vec()
}

fn push(text: &mut String, field: &str) {
    write!(text, "{}:{field},", field.len()).expect("a String takes all text");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
