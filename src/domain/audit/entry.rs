//! Entries of the audit log and their hashes. Not here: storing a change and its entries together,
//! which `app` and `db` ensure.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use sha2::{Digest, Sha256};

use super::super::actor::{Actor, Author, PLATFORM, Role};
use super::super::encoding::push_netstring;
use super::super::ids::{AuditId, ID_LENGTH, OrgId};
use super::event::AuditEvent;

/// Side of an actor.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(const_into_str)]
pub enum ActorKind {
    /// The organization, by its own key or user.
    #[strum(serialize = "customer")]
    Customer,
    /// The operator of the platform.
    #[strum(serialize = "platform")]
    Platform,
}

/// SHA-256 of an entry.
pub type EntryHash = [u8; 32];

/// End of an organization's chain: the number of entries and the hash of the last entry. It is
/// stored in the organization's row, so that entries missing at the end are detected too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// Number of entries, which is the `seq` of the last entry.
    pub length: i64,
    /// Hash of the last entry. All zero for an empty chain.
    pub hash: EntryHash,
}

/// Entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Organization that the entry is about.
    pub org_id: OrgId,
    /// Position in the organization's log, counted from 1.
    pub seq: i64,
    /// Public id (a ULID).
    pub id: String,
    /// Time of the action, in UTC.
    pub occurred_at: NaiveDateTime,
    pub actor: ActorRecord,
    /// Text of an [`Action`].
    pub action: String,
    /// Type of the resource acted on.
    pub resource_type: String,
    pub resource_id: String,
    /// Reason, if the author gave one.
    pub reason: Option<String>,
    /// Id of the request.
    pub request_id: String,
    /// JSON text, hashed byte for byte.
    pub payload: String,
    /// Hash of the previous entry. All zero for the first entry.
    pub previous_hash: EntryHash,
    pub hash: EntryHash,
}

/// [`Actor`] in its stored form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorRecord {
    /// `customer` or `platform`.
    pub kind: String,
    /// Name that the customer's feed shows.
    pub label: String,
    /// Exact identity, never in the feed. Begins with the client's network if servers record it.
    pub identity: String,
}

impl ActorRecord {
    fn of(author: &Author) -> Self {
        let Author {
            actor,
            client_network,
            // The entry has fields for these.
            request_id: _,
            reason: _,
        } = author;
        let (kind, label) = match actor {
            Actor::ApiKey { id, label } => {
                let label = format!("api_key:{id} ({})", quoted(label));
                (ActorKind::Customer, label)
            }
            // Customers must not learn which member of the platform's staff acted.
            Actor::User {
                role: Role::Superadmin,
                ..
            }
            | Actor::CommandLine { .. } => (ActorKind::Platform, PLATFORM.to_owned()),
            Actor::User { subject, role, .. } => {
                let label = format!("user:{} ({})", quoted(subject), role.into_str());
                (ActorKind::Customer, label)
            }
        };
        let identity = actor.identity();
        Self {
            kind: kind.into_str().to_owned(),
            label,
            // The network comes first, because an identity may end with any text of an issuer.
            identity: match client_network {
                Some(network) => format!("client:{network} {identity}"),
                None => identity,
            },
        }
    }
}

/// Escapes the parentheses of a text that stands beside or between others, because a label such as
/// `x) user:ceo (ADMIN` would otherwise name two actors.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '(' | ')' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

impl AuditEntry {
    /// Seals `event` into the entry that follows `head`.
    pub fn seal(
        org_id: &OrgId,
        head: &ChainHead,
        author: &Author,
        event: &AuditEvent,
        now: DateTime<Utc>,
    ) -> Self {
        let mut entry = Self {
            org_id: *org_id,
            seq: head.length + 1,
            id: AuditId::generate(now, head.length + 1).to_string(),
            occurred_at: now.naive_utc(),
            actor: ActorRecord::of(author),
            action: event.action.into_str().to_owned(),
            resource_type: event.resource_type.to_owned(),
            resource_id: event.resource_id.clone(),
            reason: author.reason.clone(),
            request_id: author.request_id.to_string(),
            payload: event.payload(),
            previous_hash: head.hash,
            // Set below, because the digest covers all other fields.
            hash: EntryHash::default(),
        };
        entry.hash = entry.digest();
        entry
    }

    /// Returns the head of a chain that ends with this entry.
    pub fn head(&self) -> ChainHead {
        ChainHead {
            length: self.seq,
            hash: self.hash,
        }
    }

    /// Returns the time in its hashed form: RFC 3339 in UTC with nine decimals and `Z`.
    pub fn occurred_at_text(&self) -> String {
        // Always nine decimals, because one moment must have one text for the hash.
        let moment = self.occurred_at.and_utc();
        moment.to_rfc3339_opts(SecondsFormat::Nanos, true)
    }

    /// Computes SHA-256 over all fields but the hash itself, in this order. Each field is a
    /// netstring (`<length in bytes>:<bytes>,`, or `-,` for an absent reason), so that different
    /// entries never have the same text.
    pub fn digest(&self) -> EntryHash {
        let (occurred_at, mut org_id) = (self.occurred_at_text(), [0; ID_LENGTH]);
        let (seq, previous_hash) = (self.seq.to_string(), hex::encode(self.previous_hash));
        let before_reason = [
            // Names the format, so that another format never hashes the same text.
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
        // Room for all fields but the payload, so that the text is not moved while it grows.
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
