//! Identifiers as distinct types, so that they cannot be confused. Not here: existence and
//! ownership, which only the database knows.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ulid::Ulid;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// Length of the text of a [`uuid_id`], in characters.
pub const ID_LENGTH: usize = Hyphenated::LENGTH;

/// Declares an identifier that is a UUID, shown in lower case with hyphens.
macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Least id, which is never generated.
            pub const LEAST: Self = Self(Uuid::nil());

            /// Generates an id (UUID version 7, which sorts by time of creation).
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// Reads the hyphenated form of a UUID in either case. Returns `None` for any other
            /// text.
            pub fn parse(text: &str) -> Option<Self> {
                parse_hyphenated(text).map(Self)
            }

            /// Converts a UUID to an id.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Converts an id read from the database. Returns `None` unless `bytes` are 16.
            pub(crate) fn from_stored(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }

            pub fn uuid(self) -> Uuid {
                self.0
            }

            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Writes the text of this id to `buffer`, for code that must not allocate.
            pub fn encode(self, buffer: &mut [u8; ID_LENGTH]) -> &str {
                self.0.hyphenated().encode_lower(buffer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

fn parse_hyphenated(text: &str) -> Option<Uuid> {
    // The `uuid` crate also reads braces, URNs and 32 bare digits, which are not ids here.
    (text.len() == ID_LENGTH).then(|| Uuid::parse_str(text).ok())?
}

uuid_id!(
    /// Id of an organization, in both dialects.
    OrgId
);

impl OrgId {
    /// Shows the last twelve digits. Most of these digits are random, which is enough to tell two
    /// organizations apart.
    pub fn tail(self) -> impl fmt::Display {
        const TAIL_BITS: u32 = 48;
        let tail = self.0.as_u128() & ((1 << TAIL_BITS) - 1);
        fmt::from_fn(move |f| write!(f, "{tail:012x}"))
    }
}

uuid_id!(
    /// Id of an API key, unrelated to its secret.
    ApiKeyId
);
uuid_id!(
    /// Id of a brand of the registry.
    BrandId
);
uuid_id!(
    /// Id of a campaign of the registry.
    CampaignId
);
uuid_id!(
    /// Id of a token that the command line signed (`jti`).
    TokenId
);
uuid_id!(
    /// Id of a revocation of tokens.
    RevocationId
);

/// Name of an organization in another system, 1 to 128 visible ASCII characters. Never in the form
/// of a UUID, so that it cannot be confused with an [`OrgId`]. Clones share the text.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub struct ExternalId(Arc<str>);

impl ExternalId {
    const MAX_LENGTH: usize = 128;

    /// Accepts `text` unchanged, or returns `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plausible = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            // RFC 3986, section 5.2.4: clients remove these segments from a path.
            && !matches!(text, "." | "..")
            && parse_hyphenated(text).is_none();
        is_plausible.then(|| Self(text.into()))
    }

    /// Wraps an id read from the database, where only accepted ids are written.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Either name of an organization, as the Tether dialect accepts them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OrganizationRef {
    Id(OrgId),
    /// The other system's id.
    External(ExternalId),
}

impl OrganizationRef {
    /// Reads either form. Returns `None` for text that cannot name any organization.
    pub fn parse(text: &str) -> Option<Self> {
        match OrgId::parse(text) {
            Some(id) => Some(Self::Id(id)),
            None => ExternalId::parse(text).map(Self::External),
        }
    }
}

/// Id of an audit entry (a ULID).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditId(Ulid);

impl AuditId {
    /// Generates the id of the entry `seq`, made at `moment`. Ids of one organization sort like its
    /// log: by time and, within a millisecond, by `seq`. The remaining bits are random.
    pub fn generate(moment: DateTime<Utc>, seq: i64) -> Self {
        const CHANCE_BITS: u32 = 40;
        // Two organizations may have entries of the same time and `seq`, so that only these bits
        // tell their ids apart.
        let chance = u128::from(rand::random::<u64>() >> (u64::BITS - CHANCE_BITS));
        // A ULID has 80 bits besides the time. The upper 40 hold the position.
        let position = u128::from(seq.unsigned_abs()) << CHANCE_BITS;
        let millis = moment.timestamp_millis().unsigned_abs();
        Self(Ulid::from_parts(millis, position | chance))
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Id of a request in responses, log lines and audit entries (a ULID).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Ulid);

impl RequestId {
    pub fn generate() -> Self {
        Self(Ulid::generate())
    }

    /// Calls `use_text` with the text of this id, without allocating a string.
    pub fn with_text<T>(&self, use_text: impl FnOnce(&str) -> T) -> T {
        use_text(self.0.array_to_str(&mut [0; ulid::ULID_LEN]))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_organization_id() {
        let canonical = "0190a1b2-c3d4-e5f6-a7b8-c9d0e1f2a3b4";
        let parsed = OrgId::parse(&canonical.to_uppercase()).map(|id| id.to_string());
        assert_eq!(parsed.as_deref(), Some(canonical));
        for other in [
            "0190a1b2c3d4e5f6a7b8c9d0e1f2a3b4",
            "{0190a1b2-c3d4-e5f6-a7b8-c9d0e1f2a3b4}",
            "",
        ] {
            assert_eq!(OrgId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_external_id_is_visible_ascii_and_never_a_uuid() {
        for good in ["65f0c1d2e3a4b5c6d7e8f901", "a", &"x".repeat(128)] {
            assert!(ExternalId::parse(good).is_some(), "{good}");
        }
        let bad = [
            "",
            ".",
            "..",
            " ",
            "a b",
            "é",
            "\0",
            &"x".repeat(129),
            "0190a1b2-c3d4-e5f6-a7b8-c9d0e1f2a3b4",
        ];
        for bad in bad {
            assert_eq!(ExternalId::parse(bad), None, "{bad:?}");
        }
    }
}
