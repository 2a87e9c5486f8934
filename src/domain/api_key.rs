//! API keys: their form, their hash and their scopes. Looking one up is the database's part.

use chrono::{DateTime, Utc};
use rand::RngExt as _;
use sha2::{Digest, Sha256};

use crate::error::Violation;

use super::access::Scope;
use super::display_text;
use super::ids::{ApiKeyId, OrgId};
use super::text_enum::TextEnum;

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

/// A set of [`Scope`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeSet(u32);

impl ScopeSet {
    /// Whether `scope` is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Whether all scopes of `other` are in the set.
    pub fn contains_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The scopes of the set, in the order of the spec.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .iter()
            .copied()
            .filter(move |scope| self.contains(*scope))
    }

    /// Reads names; unknown and duplicate ones are refused, and none at all.
    ///
    /// # Errors
    /// The first thing that is wrong, at `scopes` or at one of them (`scopes.2`).
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Violation> {
        let mut set = Self::default();
        for (place, name) in names.into_iter().enumerate() {
            let wrong = |rule: &'static str| Violation::new(format!("scopes.{place}"), rule);
            let scope = Scope::parse(name).ok_or_else(|| wrong("unknown scope"))?;
            if set.contains(scope) {
                return Err(wrong("duplicate scope"));
            }
            set.0 |= bit(scope);
        }
        match set == Self::default() {
            true => Err(Violation::new("scopes", "must name at least one scope")),
            false => Ok(set),
        }
    }

    /// Reads what [`ScopeSet::to_text`] wrote. A name that this version does not know grants
    /// nothing.
    pub(crate) fn from_stored(text: &str) -> Self {
        text.split(' ').filter_map(Scope::parse).collect()
    }

    /// The names, separated by single spaces.
    pub fn to_text(self) -> String {
        let names: Vec<&str> = self.iter().map(Scope::as_str).collect();
        names.join(" ")
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | bit(scope)))
    }
}

fn bit(scope: Scope) -> u32 {
    1 << (scope as u32)
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

impl ApiKey {
    /// Longest label, in Unicode code points.
    pub const MAX_LABEL_CHARS: usize = 100;

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

    #[test]
    fn scopes_are_known_distinct_and_at_least_one() {
        let set = ScopeSet::parse(["audit:read", "org:read"]).expect("two known scopes");
        assert_eq!(set.to_text(), "org:read audit:read");
        assert_eq!(ScopeSet::from_stored(&set.to_text()), set);
        for (bad, place) in [
            (&[][..], "scopes"),
            (&["org:root"], "scopes.0"),
            (&["org:read", ""], "scopes.1"),
            (&["org:read", "audit:read", "org:read"], "scopes.2"),
        ] {
            let refused = ScopeSet::parse(bad.iter().copied());
            assert_eq!(refused.map_err(|rule| rule.path), Err(place.into()));
        }
    }
}
