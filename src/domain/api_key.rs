//! API keys: their form, their hash, and the events that the audit log records of them.

use chrono::{DateTime, Utc};
use rand::RngExt as _;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result, Violation};

use super::audit::event::{Action, AuditEvent};
use super::display_text;
use super::ids::{ApiKeyId, OrgId};
use super::scope::ScopeSet;

const MARK: &str = "am_live_";
const SECRET_LENGTH: usize = 34;
const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A whole API key, `am_live_` and 34 base-62 characters (about 202 bits of chance). It is shown
/// once and kept nowhere; therefore it has no `Debug`, `Display` or `Serialize`.
pub struct PlaintextApiKey(String);

impl PlaintextApiKey {
    /// Length of the displayable beginning of a key.
    pub const PREFIX_LENGTH: usize = 12;

    /// A new key from the operating system's random source.
    pub fn generate() -> Self {
        let mut random = rand::rng();
        Self::from_symbols(|| random.random_range(0..BASE_62.len()))
    }

    /// The key that `seed` always leads to, for demonstration data that is made again at every
    /// start. It is as secret as the seed.
    pub fn derive(seed: &[u8]) -> Self {
        // 34 symbols need more than one digest's bytes; each byte modulo 62 is even enough here.
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

    /// Reads a key as a caller sent it; `None` if it does not have the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = text.strip_prefix(MARK)?;
        let has_form = secret.len() == SECRET_LENGTH
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        has_form.then(|| Self(text.to_owned()))
    }

    /// The key itself, for showing it once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The first 12 characters, by which people recognise a key.
    pub fn prefix(&self) -> &str {
        &self.0[..Self::PREFIX_LENGTH]
    }

    /// What is stored and looked up. A fast hash is right: there is nothing to guess in 202 random
    /// bits.
    pub fn hash(&self) -> HashedApiKey {
        HashedApiKey(Sha256::digest(self.0.as_bytes()).into())
    }
}

/// The SHA-256 of a whole API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashedApiKey([u8; 32]);

impl HashedApiKey {
    /// A hash that the database holds.
    pub fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What is kept of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The organization that owns it.
    pub org_id: OrgId,
    /// What people call it, 1 to 100 characters.
    pub label: String,
    /// The first 12 characters of the key.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute; `None` if never.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked; `None` while it is valid.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A place in an organization's list of keys, newest first: right after the key with this time and
/// id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPosition {
    /// When the key was created.
    pub created_at: DateTime<Utc>,
    /// Its id.
    pub id: ApiKeyId,
}

impl KeyPosition {
    /// The place right after `key`.
    pub fn after(key: &ApiKey) -> Self {
        Self {
            created_at: key.created_at,
            id: key.id,
        }
    }

    /// This place as text, for [`KeyPosition::parse`].
    pub fn to_text(&self) -> String {
        format!("{}.{}", self.created_at.timestamp_micros(), self.id)
    }

    /// Reads what [`KeyPosition::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('.')?;
        Some(Self {
            created_at: DateTime::from_timestamp_micros(micros.parse().ok()?)?,
            id: ApiKeyId::parse(id)?,
        })
    }
}

/// An API key to be issued.
pub struct NewApiKey {
    /// What people call it, already checked.
    pub label: String,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// The key itself, which only the caller keeps.
    pub plaintext: PlaintextApiKey,
}

impl ApiKey {
    /// Longest label, in Unicode code points.
    pub const MAX_LABEL_CHARS: usize = 100;

    /// Returns the key that `new` becomes, issued by an organization at `now`.
    pub fn issue(org_id: OrgId, new: &NewApiKey, now: DateTime<Utc>) -> Self {
        Self {
            id: ApiKeyId::generate(),
            org_id,
            label: new.label.clone(),
            prefix: new.plaintext.prefix().to_owned(),
            scopes: new.scopes,
            created_at: now,
            last_used_at: None,
            revoked_at: None,
        }
    }

    /// Refuses a revoked key.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub fn check_live(&self) -> Result<()> {
        if self.revoked_at.is_some() {
            return Err(Error::Unauthenticated("revoked API key"));
        }
        Ok(())
    }

    /// Returns the event of this key's creation.
    pub fn created(&self) -> AuditEvent {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.into_str()).collect();
        let after = [
            ("label", json!(self.label)),
            ("prefix", json!(self.prefix)),
            ("scopes", json!(scopes)),
        ];
        self.event(Action::ApiKeyCreate, [], after)
    }

    /// Returns the event of this key's replacement by `new`.
    pub fn rotated(&self, new: &Self) -> AuditEvent {
        let identity = |key: &Self| {
            [
                ("id", json!(key.id.to_string())),
                ("prefix", json!(key.prefix)),
            ]
        };
        self.event(Action::ApiKeyRotate, identity(self), identity(new))
    }

    /// Returns the event of this key's revocation at `now`.
    pub fn revoked(&self, now: DateTime<Utc>) -> AuditEvent {
        let (before, after) = ([("revoked_at", Value::Null)], [("revoked_at", json!(now))]);
        self.event(Action::ApiKeyRevoke, before, after)
    }

    fn event<const N: usize, const M: usize>(
        &self,
        action: Action,
        before: [(&str, Value); N],
        after: [(&str, Value); M],
    ) -> AuditEvent {
        let object = |(name, value): (&str, Value)| (name.to_owned(), value);
        AuditEvent {
            action,
            resource_type: "api_key",
            resource_id: self.id.to_string(),
            before: before.into_iter().map(object).collect::<Map<_, _>>(),
            after: after.into_iter().map(object).collect::<Map<_, _>>(),
        }
    }

    /// Trims and checks a label.
    ///
    /// # Errors
    /// The rule in words, for the field `label`.
    pub fn parse_label(text: &str) -> Result<String, Violation> {
        let rule = "must be 1 to 100 characters after trimming, with no control characters";
        let label = display_text::parse(text, Self::MAX_LABEL_CHARS);
        label
            .map(str::to_owned)
            .ok_or_else(|| Violation::new("label", rule))
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
