//! Lines of an export of the audit log, each a JSON object (docs/operations/audit-log.md).
//! Not here: their order, which `export` and `verify_export` define.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::domain::audit::entry::{ActorRecord, AuditEntry, ChainHead, EntryHash};
use crate::domain::ids::OrgId;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    /// Entry with all its hashed fields and its hash.
    Entry(Box<EntryLine>),
    /// End of a log, as the organization's row states it.
    Head(HeadLine),
    /// End of the readable part of a log.
    Unreadable(UnreadableLine),
    /// End of the export.
    End(EndLine),
}

/// Line of an [`AuditEntry`].
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
    // Null without a reason. An absent member is an error, because the hash covers all fields.
    #[serde(deserialize_with = "Option::deserialize")]
    reason: Option<String>,
    request_id: String,
    payload: String,
    previous_hash: String,
    hash: String,
}

/// Line of a [`ChainHead`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadLine {
    org_id: String,
    length: i64,
    hash: String,
}

/// Last line of a log with values that the program never writes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnreadableLine {
    org_id: String,
    pub(super) reason: String,
}

/// Totals of the preceding lines.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    /// Number of logs, which is the number of heads and unreadable ends.
    pub(super) organizations: u64,
    /// Number of entries.
    pub(super) entries: u64,
}

impl From<AuditEntry> for Line {
    fn from(entry: AuditEntry) -> Self {
        Self::Entry(Box::new(EntryLine {
            // First, because the next lines move fields out of the entry.
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
        const BAD_TIME: &str = "occurred_at must be a time in UTC with nine decimals";
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
        // Only the canonical spelling of a time is valid, because the hash covers the text.
        if entry.occurred_at_text() == line.occurred_at {
            Ok(entry)
        } else {
            Err(BAD_TIME)
        }
    }
}

impl Line {
    /// Returns the last line of a log that ends at `head`.
    pub(super) fn head(org_id: &OrgId, head: &ChainHead) -> Self {
        Self::Head(HeadLine {
            org_id: org_id.to_string(),
            length: head.length,
            hash: hex::encode(head.hash),
        })
    }

    /// Returns the last line of a log that is unreadable from here on.
    pub(super) fn unreadable(org_id: String, reason: String) -> Self {
        Self::Unreadable(UnreadableLine { org_id, reason })
    }
}

impl HeadLine {
    /// Returns the organization and its head.
    pub(super) fn parse(&self) -> Result<(OrgId, ChainHead), &'static str> {
        let head = ChainHead {
            length: self.length,
            hash: hash(&self.hash)?,
        };
        Ok((org_id(&self.org_id)?, head))
    }
}

impl UnreadableLine {
    pub(super) fn org_id(&self) -> Result<OrgId, &'static str> {
        org_id(&self.org_id)
    }
}

/// Reads an id in its canonical spelling.
pub(super) fn org_id(text: &str) -> Result<OrgId, &'static str> {
    // The hash of an entry covers the canonical spelling, and would not reveal another one.
    let org_id = OrgId::parse(text).filter(|org_id| org_id.to_string() == text);
    org_id.ok_or("org_id must be a UUID in lower case")
}

/// Reads a hash in its canonical spelling.
pub(super) fn hash(text: &str) -> Result<EntryHash, &'static str> {
    let mut hash = EntryHash::default();
    let read = hex::decode_to_slice(text, &mut hash);
    read.ok()
        // `hex` also reads upper case, which the export never has.
        .filter(|()| !text.contains(|digit: char| digit.is_ascii_uppercase()))
        .map(|()| hash)
        .ok_or("hashes must be 64 hexadecimal digits in lower case")
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
