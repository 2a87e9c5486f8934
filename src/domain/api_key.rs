//! API keys: their form, their hash, and the events that the audit log records of them.

use chrono::{DateTime, Datelike as _, Utc};
use rand::RngExt as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result, Violation};

use super::actor::{API_KEY_IDENTITY, Actor, PLATFORM};
use super::audit::event::{self, Action, AuditEvent, Fields, recorded_time};
use super::display_text;
use super::ids::{ApiKeyId, OrgId};
use super::scope::ScopeSet;

/// Recorded fields that entries of earlier versions lack, because no key had a value then.
pub const LATER_FIELDS: [&str; 2] = [EXPIRES_AT, ROTATED_FROM];

const EXPIRES_AT: &str = "expires_at";
const ROTATED_FROM: &str = "rotated_from";

const MARK: &str = "am_live_";
const SECRET_LENGTH: usize = 34;
const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Complete API key: `am_live_` and 34 random base-62 characters (about 202 bits). The key is shown
/// once and never stored, so the type does not implement `Debug`, `Display` or `Serialize`.
pub struct PlaintextApiKey(String);

impl PlaintextApiKey {
    /// Length of the displayable prefix of a key, in characters.
    pub const PREFIX_LENGTH: usize = 12;

    /// Generates a key from the operating system's random source.
    pub fn generate() -> Self {
        let mut random = rand::rng();
        // Not a random byte modulo 62, which would favor the first symbols.
        Self::from_symbols(|| random.random_range(0..BASE_62.len()))
    }

    /// Derives the key of `seed`, always the same, for demonstration data that is created again at
    /// every start. The key is as secret as the seed.
    pub fn derive(seed: &[u8]) -> Self {
        // 34 symbols need more bytes than one digest has. Modulo favors some symbols slightly,
        // which does not matter because the seed is the secret.
        let bytes = [0_u8, 1].map(|block| {
            Sha256::new()
                .chain_update([block])
                .chain_update(seed)
                .finalize()
        });
        let mut bytes = bytes.iter().flatten();
        Self::from_symbols(|| {
            usize::from(*bytes.next().expect("64 bytes for 34 symbols")) % BASE_62.len()
        })
    }

    fn from_symbols(mut next: impl FnMut() -> usize) -> Self {
        let mut text = String::with_capacity(MARK.len() + SECRET_LENGTH);
        text.push_str(MARK);
        text.extend((0..SECRET_LENGTH).map(|_| char::from(BASE_62[next()])));
        Self(text)
    }

    /// Reads a key from a request. Returns `None` if the form is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = text.strip_prefix(MARK)?;
        let has_form = secret.len() == SECRET_LENGTH
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        has_form.then(|| Self(text.to_owned()))
    }

    /// Returns the key itself, which is shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the first 12 characters, by which people recognize a key.
    pub fn prefix(&self) -> &str {
        &self.0[..Self::PREFIX_LENGTH]
    }

    /// Hashes the key for storage and lookup. A fast hash is enough because 202 random bits cannot
    /// be guessed.
    pub fn hash(&self) -> HashedApiKey {
        HashedApiKey(Sha256::digest(self.0.as_bytes()).into())
    }
}

/// SHA-256 of a complete API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashedApiKey([u8; 32]);

impl HashedApiKey {
    /// Wraps a hash read from the database.
    pub fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the SHA-256 of this hash, in hexadecimal. The audit log holds it, because it proves
    /// which key was issued and reveals neither the key nor the stored hash.
    pub fn commitment(&self) -> String {
        hex::encode(Sha256::digest(self.0))
    }
}

/// Stored data of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// Organization that owns the key.
    pub org_id: OrgId,
    /// Label for people, 1 to 100 characters.
    pub label: String,
    /// First 12 characters of the key.
    pub prefix: String,
    pub scopes: ScopeSet,
    /// Identity of the issuer.
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// Time of the last use, to the minute. `None` if the key was never used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Time of the revocation. `None` for a key that is not revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Time from which the key is refused. `None` for a key that never expires.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Position in an organization's list of keys, newest first: directly after the key with this time
/// and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPosition {
    /// Creation time of the key.
    pub created_at: DateTime<Utc>,
    pub id: ApiKeyId,
}

impl KeyPosition {
    /// Returns the position directly after `key`.
    pub fn after(key: &ApiKey) -> Self {
        Self {
            created_at: key.created_at,
            id: key.id,
        }
    }

    /// Writes this position as text, for [`KeyPosition::parse`].
    pub fn to_text(&self) -> String {
        format!("{}.{}", self.created_at.timestamp_micros(), self.id)
    }

    /// Reads the text of [`KeyPosition::to_text`].
    pub fn parse(text: &str) -> Option<Self> {
        // Neither a number nor a UUID contains a dot.
        let (micros, id) = text.split_once('.')?;
        Some(Self {
            created_at: DateTime::from_timestamp_micros(micros.parse().ok()?)?,
            id: ApiKeyId::parse(id)?,
        })
    }
}

/// API key to be issued.
pub struct NewApiKey {
    /// Checked label for people.
    pub label: String,
    pub scopes: ScopeSet,
    /// Time from which the key is refused. `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The key itself, which only the caller keeps.
    pub plaintext: PlaintextApiKey,
}

impl ApiKey {
    /// Maximum length of a label, in Unicode code points.
    pub const MAX_LABEL_CHARS: usize = 100;

    /// Refuses a key that is revoked, or has expired by `now`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub fn check_live(&self, now: DateTime<Utc>) -> Result<()> {
        if self.revoked_at.is_some() {
            return Err(Error::Unauthenticated("revoked API key"));
        }
        if self.has_expired(now) {
            return Err(Error::Unauthenticated("expired API key"));
        }
        Ok(())
    }

    /// Returns whether the key has expired by `now`.
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|expiry| expiry <= now)
    }

    /// Returns the key that issued this key. `None` if the command line created it.
    pub fn issuer(&self) -> Option<ApiKeyId> {
        ApiKeyId::parse(self.created_by.strip_prefix(API_KEY_IDENTITY)?)
    }

    /// Returns the issuer as customers see it. They must not learn which member of the platform's
    /// staff created a key.
    pub fn issuer_label(&self) -> &str {
        self.issuer().map_or(PLATFORM, |_| &self.created_by)
    }

    /// Returns the event of this key's replacement by `new`, which also revokes this key at the
    /// creation of `new`.
    pub fn rotated(&self, new: &IssuedKey) -> AuditEvent {
        let before = vec![
            ("id", json!(self.id.to_string())),
            ("prefix", json!(self.prefix)),
        ];
        let mut after = new.recorded();
        // No other entry records the new key, so this one has to name its id.
        after.push(("id", json!(new.key.id.to_string())));
        self.event(Action::ApiKeyRotate, before, after)
    }

    /// Returns the event of this key's revocation at `now`.
    pub fn revoked(&self, now: DateTime<Utc>) -> AuditEvent {
        let (before, after) = (
            ("revoked_at", Value::Null),
            ("revoked_at", recorded_time(now)),
        );
        self.event(Action::ApiKeyRevoke, vec![before], vec![after])
    }

    fn event(&self, action: Action, before: Fields, after: Fields) -> AuditEvent {
        AuditEvent {
            action,
            resource_type: "api_key",
            resource_id: self.id.to_string(),
            before: event::object(before),
            after: event::object(after),
        }
    }

    /// Checks the expiry of a new key, and rounds it down to the milliseconds that both databases
    /// and both APIs represent.
    ///
    /// # Errors
    /// [`Violation`] of `expires_at`, with the rule as its message.
    pub fn parse_expiry(
        moment: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Violation> {
        // Not `trunc_subsecs`, which keeps the 60th second of a leap second.
        DateTime::from_timestamp_millis(moment.timestamp_millis())
            .filter(|expiry| *expiry > now && expiry.year() <= 9999)
            .ok_or_else(|| {
                let rule = "must be in the future, and before the year 10000";
                Violation::new("expires_at", rule)
            })
    }

    /// Trims and checks a label.
    ///
    /// # Errors
    /// [`Violation`] of `label`, with the rule as its message.
    pub fn parse_label(text: &str) -> Result<String, Violation> {
        let label = display_text::parse(text, Self::MAX_LABEL_CHARS);
        label
            .map(str::to_owned)
            .map_err(|rule| Violation::new("label", rule))
    }
}

/// API key with the columns that only its issue and the audit log need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedKey {
    pub key: ApiKey,
    pub hash: HashedApiKey,
    /// Key that a rotation replaced by this key. `None` for a created key.
    pub rotated_from: Option<ApiKeyId>,
}

impl IssuedKey {
    /// Returns the stored form of `new`, issued for an organization by `issuer` at `now`.
    pub fn issue(org_id: OrgId, new: &NewApiKey, issuer: &Actor, now: DateTime<Utc>) -> Self {
        let key = ApiKey {
            id: ApiKeyId::generate(),
            org_id,
            label: new.label.clone(),
            prefix: new.plaintext.prefix().to_owned(),
            scopes: new.scopes,
            created_by: issuer.issuer(),
            created_at: now,
            last_used_at: None,
            revoked_at: None,
            expires_at: new.expires_at,
        };
        Self {
            key,
            hash: new.plaintext.hash(),
            rotated_from: None,
        }
    }

    /// Returns the fields that never change, as the audit log shows them. Names every field, so
    /// that a new field cannot compile without being recorded.
    pub fn recorded(&self) -> Fields {
        let Self {
            key,
            hash,
            rotated_from,
        } = self;
        let ApiKey {
            // The entry names both ids outside of its fields.
            id: _,
            org_id: _,
            label,
            prefix,
            scopes,
            created_by,
            created_at,
            // A use is not recorded, and a revocation has an entry of its own.
            last_used_at: _,
            revoked_at: _,
            expires_at,
        } = key;
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.into_str()).collect();
        vec![
            ("label", json!(label)),
            ("prefix", json!(prefix)),
            ("scopes", json!(scopes)),
            ("created_by", json!(created_by)),
            ("created_at", recorded_time(*created_at)),
            ("hash_commitment", json!(hash.commitment())),
            (EXPIRES_AT, expires_at.map_or(Value::Null, recorded_time)),
            (ROTATED_FROM, json!(rotated_from.map(|old| old.to_string()))),
        ]
    }

    /// Returns the event of this key's creation.
    pub fn created(&self) -> AuditEvent {
        self.key
            .event(Action::ApiKeyCreate, Vec::new(), self.recorded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_mark_and_34_base_62_characters() {
        let key = PlaintextApiKey::generate();
        assert_eq!(key.reveal().len(), 42);
        assert_eq!(key.prefix(), &key.reveal()[..12]);
        assert!(PlaintextApiKey::parse(key.reveal()).is_some_and(|read| read.hash() == key.hash()));
        let text = key.reveal();
        for bad in [
            "",
            "am_live_",
            &text[1..],
            &text[..41],
            &format!("{text}0"),
            &text.replace('_', "-"),
        ] {
            assert!(PlaintextApiKey::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_derived_key_depends_on_all_of_its_seed_and_on_nothing_else() {
        let of = |seed: &[u8]| PlaintextApiKey::derive(seed).reveal().to_owned();
        assert_eq!(of(b"a"), of(b"a"));
        assert_ne!(of(b"a"), of(b"b"));
        assert!(PlaintextApiKey::parse(&of(b"a")).is_some());
    }
}
