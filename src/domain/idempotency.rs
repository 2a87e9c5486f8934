//! Idempotency keys: a request that is sent again with the same key is answered again and not done
//! again. What the answers are is not known here.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::ids::OrgId;

/// Characters of an `Idempotency-Key` at most.
const MAX_KEY_CHARS: usize = 255;

/// How long an answer is kept to be given again.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// What a client put into `Idempotency-Key`: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key; `None` if it is empty, too long, or not printable.
    pub fn parse(text: &str) -> Option<Self> {
        let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let is_key = is_printable && (1..=MAX_KEY_CHARS).contains(&text.len());
        is_key.then(|| Self(text.to_owned()))
    }

    /// The key as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tells whether two requests are the same: SHA-256 of the operation and what it was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a request for `operation` with `body`.
    pub fn of(operation: &str, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(operation);
        digest.update([0]);
        digest.update(body);
        Self(digest.finalize().into())
    }

    /// As it was stored.
    pub fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// An answer as it went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

/// Whose request it was: keys of two credentials, or of two organizations, never meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The organization that the request was about.
    pub org_id: OrgId,
    /// Who sent it, as the audit log knows them.
    pub credential: String,
}

/// An answered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// What was answered.
    pub response: StoredResponse,
    /// When it was answered.
    pub created_at: DateTime<Utc>,
}

impl IdempotencyRecord {
    /// Whether the answer may still be given at `now`.
    pub fn is_kept(&self, now: DateTime<Utc>) -> bool {
        now - self.created_at < KEPT_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_255_printable_characters() {
        for good in ["a", "order 7", "~", &"x".repeat(255)] {
            assert!(IdempotencyKey::parse(good).is_some(), "{good:?}");
        }
        for bad in ["", "\t", "é", "a\nb", "\u{7f}", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn requests_differ_by_operation_and_by_body() {
        let fingerprints = [
            Fingerprint::of("a", b"{}"),
            Fingerprint::of("b", b"{}"),
            Fingerprint::of("a", b"{ }"),
        ];
        assert_ne!(fingerprints[0], fingerprints[1]);
        assert_ne!(fingerprints[0], fingerprints[2]);
        assert_eq!(fingerprints[0], Fingerprint::of("a", b"{}"));
    }
}
