//! The audit log: what is recorded of a change, and the hash chain that shows any tampering.
//! That a change and its entries are stored together is the duty of `app` and `db`.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::access::{Actor, OrgAccess, Role};
use super::billing_email::BillingEmail;
use super::ids::{ApiKeyId, AuditId, ID_LENGTH, OrgId};
use super::missed_call_message::MissedCall;
use super::organization::Settings;
use super::text_enum::{TextEnum, text_enum};

text_enum!(
    /// What was done (`GET /v1/audit-log`, `action`).
    Action {
        /// A retention window was changed.
        RetentionUpdate = "retention.update",
        /// The name or the billing email was changed.
        OrganizationUpdate = "organization.update",
        /// Reseller mode was changed.
        ResellerUpdate = "reseller.update",
        /// Quiet hours were changed.
        QuietHoursUpdate = "quiet_hours.update",
        /// Keyword auto-replies were changed.
        AutoRepliesUpdate = "auto_replies.update",
        /// The reply to missed calls was changed.
        MissedCallMessageUpdate = "missed_call_message.update",
        /// An API key was created.
        ApiKeyCreate = "api_key.create",
        /// An API key was replaced.
        ApiKeyRotate = "api_key.rotate",
        /// An API key was revoked.
        ApiKeyRevoke = "api_key.revoke",
    }
);

text_enum!(
    /// On whose side an actor is.
    ActorKind {
        /// The organization, by a key or a user of its own.
        Customer = "customer",
        /// Whoever operates the platform.
        Platform = "platform",
    }
);

/// SHA-256 of an entry.
pub type EntryHash = [u8; 32];

/// Where an organization's chain ends: how many entries it has and the hash of the last one.
/// It stands in the organization's row, so that entries missing at the end are noticed too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// Number of entries, which is the `seq` of the last one.
    pub length: i64,
    /// Hash of the last entry; all zero before the first.
    pub hash: EntryHash,
}

/// Something that was done, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// What was done.
    pub action: Action,
    /// What kind of thing it was done to: `organization` or `api_key`.
    pub resource_type: &'static str,
    /// The id of that thing.
    pub resource_id: String,
    /// `{"before":{…},"after":{…}}` with the changed fields only.
    pub payload: Value,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// The organization whose log it is.
    pub org_id: OrgId,
    /// Its place, counted from 1.
    pub seq: i64,
    /// Its public id (a ULID).
    pub id: String,
    /// When it happened, in UTC.
    pub occurred_at: NaiveDateTime,
    /// Who did it.
    pub actor: ActorRecord,
    /// What was done, one of [`Action`].
    pub action: String,
    /// What kind of thing it was done to.
    pub resource_type: String,
    /// Which one.
    pub resource_id: String,
    /// Why, where a reason was given.
    pub reason: Option<String>,
    /// The request that did it.
    pub request_id: String,
    /// JSON text, hashed byte for byte.
    pub payload: String,
    /// Hash of the entry before; all zero for the first.
    pub previous_hash: EntryHash,
    /// Hash of this entry.
    pub hash: EntryHash,
}

/// An [`Actor`] as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorRecord {
    /// `customer` or `platform`.
    pub kind: String,
    /// What the customer's feed shows.
    pub label: String,
    /// Who it was exactly; never in the feed.
    pub identity: String,
}

impl ActorRecord {
    fn of(actor: &Actor) -> Self {
        let (kind, label) = match actor {
            Actor::ApiKey { id, label } => (ActorKind::Customer, format!("api_key:{id} ({label})")),
            Actor::User {
                role: Role::Superadmin,
                ..
            }
            | Actor::CommandLine => (ActorKind::Platform, "platform".to_owned()),
            Actor::User { subject, role } => {
                let label = format!("user:{subject} ({})", role.as_str());
                (ActorKind::Customer, label)
            }
        };
        Self {
            kind: kind.as_str().to_owned(),
            label,
            identity: actor.identity(),
        }
    }
}

impl AuditEvent {
    /// What a change of settings has to record: one event per action, in the order of [`Action`].
    /// `attestation` is kept with the event that it was required for.
    pub fn settings_changed(
        org_id: &OrgId,
        before: &Settings,
        after: &Settings,
        attestation: Option<&str>,
    ) -> Vec<Self> {
        let mut retention = Diff::default();
        retention.field(
            "message_retention_days",
            before.message_retention_days,
            after.message_retention_days,
        );
        retention.field(
            "mms_retention_days",
            before.mms_retention_days,
            after.mms_retention_days,
        );
        let mut organization = Diff::default();
        organization.field("name", before.name.as_str(), after.name.as_str());
        organization.field(
            "billing_email",
            before.billing_email.as_ref().map(BillingEmail::as_str),
            after.billing_email.as_ref().map(BillingEmail::as_str),
        );
        let mut reseller = Diff::default();
        reseller.field("is_reseller", before.is_reseller, after.is_reseller);

        let diffs = [
            (Action::RetentionUpdate, retention),
            (Action::OrganizationUpdate, organization),
            (Action::ResellerUpdate, reseller),
            (Action::QuietHoursUpdate, quiet_hours_diff(before, after)),
            (
                Action::AutoRepliesUpdate,
                auto_replies_diff(before, after, attestation),
            ),
        ];
        let changed = diffs.into_iter().filter(|(_, diff)| !diff.is_empty());
        changed
            .map(|(action, diff)| Self::on_organization(org_id, action, diff))
            .collect()
    }

    /// What a change of the missed-call settings has to record, if anything changed.
    pub fn missed_call_changed(
        org_id: &OrgId,
        before: &MissedCall,
        after: &MissedCall,
    ) -> Option<Self> {
        let mut diff = Diff::default();
        diff.field(
            "missed_call_message",
            before.message.as_deref(),
            after.message.as_deref(),
        );
        diff.field(
            "missed_call_auto_message_enabled",
            before.enabled,
            after.enabled,
        );
        let is_changed = !diff.is_empty();
        is_changed.then(|| Self::on_organization(org_id, Action::MissedCallMessageUpdate, diff))
    }

    /// Something done to an API key; `before` and `after` hold the changed fields.
    pub fn on_api_key(id: &ApiKeyId, action: Action, before: Value, after: Value) -> Self {
        let payload = serde_json::json!({ "before": before, "after": after });
        Self {
            action,
            resource_type: "api_key",
            resource_id: id.to_string(),
            payload,
        }
    }

    fn on_organization(org_id: &OrgId, action: Action, diff: Diff) -> Self {
        let payload = serde_json::json!({ "before": diff.before, "after": diff.after });
        Self {
            action,
            resource_type: "organization",
            resource_id: org_id.to_string(),
            payload,
        }
    }
}

fn quiet_hours_diff(before: &Settings, after: &Settings) -> Diff {
    let (before, after) = (&before.quiet_hours, &after.quiet_hours);
    let mut diff = Diff::default();
    diff.field("enabled", before.enabled, after.enabled);
    if before.start != after.start {
        diff.field("start", before.start.to_string(), after.start.to_string());
    }
    if before.end != after.end {
        diff.field("end", before.end.to_string(), after.end.to_string());
    }
    diff.field("mode", before.mode.as_str(), after.mode.as_str());
    diff
}

fn auto_replies_diff(before: &Settings, after: &Settings, attestation: Option<&str>) -> Diff {
    let (before, after) = (&before.auto_replies, &after.auto_replies);
    let mut diff = Diff::default();
    diff.field("enabled", before.enabled, after.enabled);
    diff.field(
        "stop_text",
        before.stop_text.as_deref(),
        after.stop_text.as_deref(),
    );
    diff.field(
        "help_text",
        before.help_text.as_deref(),
        after.help_text.as_deref(),
    );
    diff.field(
        "start_text",
        before.start_text.as_deref(),
        after.start_text.as_deref(),
    );
    if before.enabled && !after.enabled {
        diff.after.insert("attestation".into(), attestation.into());
    }
    diff
}

/// The changed fields of something, old and new.
#[derive(Default)]
struct Diff {
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl Diff {
    fn field<T: PartialEq + Into<Value>>(&mut self, name: &str, before: T, after: T) {
        if before != after {
            self.before.insert(name.to_owned(), before.into());
            self.after.insert(name.to_owned(), after.into());
        }
    }

    fn is_empty(&self) -> bool {
        self.after.is_empty()
    }
}

impl AuditEntry {
    /// Gives `event` its place after `head`.
    pub fn seal(
        org_id: &OrgId,
        head: &ChainHead,
        access: &OrgAccess,
        event: &AuditEvent,
        now: DateTime<Utc>,
    ) -> Self {
        let mut entry = Self {
            org_id: *org_id,
            seq: head.length + 1,
            id: AuditId::generate(now, head.length + 1).to_string(),
            occurred_at: now.naive_utc(),
            actor: ActorRecord::of(access.actor()),
            action: event.action.as_str().to_owned(),
            resource_type: event.resource_type.to_owned(),
            resource_id: event.resource_id.clone(),
            reason: None,
            request_id: access.request_id().to_string(),
            payload: event.payload.to_string(),
            previous_hash: head.hash,
            hash: EntryHash::default(),
        };
        entry.hash = entry.digest();
        entry
    }

    /// The head of a chain that ends with this entry.
    pub fn head(&self) -> ChainHead {
        ChainHead {
            length: self.seq,
            hash: self.hash,
        }
    }

    /// The time as it is hashed: RFC 3339 in UTC with nine decimals and `Z`.
    pub fn occurred_at_text(&self) -> String {
        let moment = self.occurred_at.and_utc();
        moment.to_rfc3339_opts(SecondsFormat::Nanos, true)
    }

    /// SHA-256 over all fields but the hash itself, in this order, each as a netstring
    /// (`<length in bytes>:<bytes>,`; an absent reason is `-,`), so that no two entries read alike.
    pub fn digest(&self) -> EntryHash {
        let (occurred_at, mut org_id) = (self.occurred_at_text(), [0; ID_LENGTH]);
        let (seq, previous_hash) = (self.seq.to_string(), hex(&self.previous_hash));
        let before_reason = [
            "quietline.audit.v1",
            self.org_id.encode(&mut org_id),
            &seq,
            &self.id,
            &occurred_at,
            &self.actor.kind,
            &self.actor.label,
            &self.actor.identity,
            &self.action,
            &self.resource_type,
            &self.resource_id,
        ];
        let mut text = String::with_capacity(512 + self.payload.len());
        before_reason
            .iter()
            .for_each(|field| push_netstring(&mut text, field));
        match &self.reason {
            Some(reason) => push_netstring(&mut text, reason),
            None => text.push_str("-,"),
        }
        for field in [&self.request_id, &self.payload, &previous_hash] {
            push_netstring(&mut text, field);
        }
        Sha256::digest(text.as_bytes()).into()
    }
}

/// Adds `field` so that it cannot be mistaken for two, or a part of one.
pub(super) fn push_netstring(text: &mut String, field: &str) {
    write!(text, "{}:{field},", field.len()).expect("a String takes all text");
}

/// `bytes` in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

/// Reads what [`hex`] writes of a hash; `None` for any other text.
pub fn parse_hash(text: &str) -> Option<EntryHash> {
    let mut hash = EntryHash::default();
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    (hex(&hash) == text).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_digits_in_lower_case_are_a_hash() {
        let digits = "0123456789abcdef".repeat(4);
        let hash = parse_hash(&digits).expect("a hash");
        assert_eq!((hash[0], hash[31]), (0x01, 0xef));
        let others = [
            "",
            &digits[1..],
            &format!("{digits}0"),
            &digits.to_uppercase(),
            &digits.replace('0', "+"),
            &digits.replace('0', "é"),
        ];
        for other in others {
            assert_eq!(parse_hash(other), None, "{other}");
        }
    }
}
