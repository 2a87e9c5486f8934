//! The lines of an export of the audit log, each a JSON object. docs/OPERATIONS.md has the format;
//! their order is the business of `audit_export`, which writes them, and `audit_file`.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::domain::audit::entry::{ActorRecord, AuditEntry, ChainHead, EntryHash};
use crate::domain::ids::OrgId;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    /// An entry, all that is hashed of it and its hash.
    Entry(Box<EntryLine>),
    /// The end of a log as the organization's row has it.
    Head(HeadLine),
    /// The end of what could be read of a log.
    Unreadable(UnreadableLine),
    /// The end of the export.
    End(EndLine),
}

/// See [`AuditEntry`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryLine {
    org_id: String,
    seq: i64,
    id: String,
    occurred_at: String,
    actor_kind: String,
    actor_label: String,
    actor_identity: String,
    action: String,
    resource_type: String,
    resource_id: String,
    // Null where there is none; its absence is a fault.
    #[serde(deserialize_with = "Option::deserialize")]
    reason: Option<String>,
    request_id: String,
    payload: String,
    previous_hash: String,
    hash: String,
}

/// See [`ChainHead`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadLine {
    org_id: String,
    length: i64,
    hash: String,
}

/// A log that holds values which none of ours have.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnreadableLine {
    org_id: String,
    pub(super) reason: String,
}

/// How much there is in the lines before.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    /// How many logs, which is how many heads and unreadable ends.
    pub(super) organizations: u64,
    /// How many entries.
    pub(super) entries: u64,
}

impl From<AuditEntry> for Line {
    fn from(entry: AuditEntry) -> Self {
        Self::Entry(Box::new(EntryLine {
            occurred_at: entry.occurred_at_text(),
            org_id: entry.org_id.to_string(),
            seq: entry.seq,
            id: entry.id,
            actor_kind: entry.actor.kind,
            actor_label: entry.actor.label,
            actor_identity: entry.actor.identity,
            action: entry.action,
            resource_type: entry.resource_type,
            resource_id: entry.resource_id,
            reason: entry.reason,
            request_id: entry.request_id,
            payload: entry.payload,
            previous_hash: hex::encode(entry.previous_hash),
            hash: hex::encode(entry.hash),
        }))
    }
}

impl TryFrom<EntryLine> for AuditEntry {
    type Error = &'static str;

    fn try_from(line: EntryLine) -> Result<Self, Self::Error> {
        const BAD_TIME: &str = "occurred_at is not a time in UTC with nine decimals";
        let occurred_at = DateTime::parse_from_rfc3339(&line.occurred_at);
        let occurred_at = occurred_at.map_err(|_not_a_time| BAD_TIME)?.naive_utc();
        let entry = Self {
            org_id: org_id(&line.org_id)?,
            seq: line.seq,
            id: line.id,
            occurred_at,
            actor: ActorRecord {
                kind: line.actor_kind,
                label: line.actor_label,
                identity: line.actor_identity,
            },
            action: line.action,
            resource_type: line.resource_type,
            resource_id: line.resource_id,
            reason: line.reason,
            request_id: line.request_id,
            payload: line.payload,
            previous_hash: hash(&line.previous_hash)?,
            hash: hash(&line.hash)?,
        };
        // The hash covers the text, so that there must be no other spelling of the same moment.
        match entry.occurred_at_text() == line.occurred_at {
            true => Ok(entry),
            false => Err(BAD_TIME),
        }
    }
}

impl Line {
    /// The end of a log that ends at `head`.
    pub(super) fn head(org_id: &OrgId, head: &ChainHead) -> Self {
        Self::Head(HeadLine {
            org_id: org_id.to_string(),
            length: head.length,
            hash: hex::encode(head.hash),
        })
    }

    /// The end of a log of which the rest cannot be read.
    pub(super) fn unreadable(org_id: &OrgId, reason: String) -> Self {
        let org_id = org_id.to_string();
        Self::Unreadable(UnreadableLine { org_id, reason })
    }
}

impl HeadLine {
    /// Whose head it is, and which.
    pub(super) fn parse(&self) -> Result<(OrgId, ChainHead), &'static str> {
        let head = ChainHead {
            length: self.length,
            hash: hash(&self.hash)?,
        };
        Ok((org_id(&self.org_id)?, head))
    }
}

impl UnreadableLine {
    /// Whose log it is.
    pub(super) fn org_id(&self) -> Result<OrgId, &'static str> {
        org_id(&self.org_id)
    }
}

/// Reads an id in its one spelling.
pub(super) fn org_id(text: &str) -> Result<OrgId, &'static str> {
    let org_id = OrgId::parse(text).filter(|org_id| org_id.to_string() == text);
    org_id.ok_or("org_id is not a UUID in lower case")
}

/// Reads a hash in its one spelling.
pub(super) fn hash(text: &str) -> Result<EntryHash, &'static str> {
    let mut hash = EntryHash::default();
    let read = hex::decode_to_slice(text, &mut hash);
    read.ok()
        .filter(|()| !text.contains(|digit: char| digit.is_ascii_uppercase()))
        .map(|()| hash)
        .ok_or("a hash is not 64 hexadecimal digits in lower case")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_digits_in_lower_case_are_a_hash() {
        let digits = "0123456789abcdef".repeat(4);
        let read = hash(&digits).expect("a hash");
        assert_eq!((read[0], read[31]), (0x01, 0xef));
        let others = [
            "",
            &digits[1..],
            &format!("{digits}0"),
            &digits.to_uppercase(),
            &digits.replace('0', "+"),
            &digits.replace('0', "é"),
        ];
        for other in others {
            assert!(hash(other).is_err(), "{other}");
        }
    }
}
