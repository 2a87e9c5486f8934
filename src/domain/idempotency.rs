//! Idempotency keys: a retry with the same key gets the stored response and changes nothing. Not
//! here: the content of responses.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::ids::OrgId;

/// Maximum length of an `Idempotency-Key`, in characters.
const MAX_KEY_CHARS: usize = 255;

/// Time for which a response is kept for retries.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// Value of `Idempotency-Key`: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key. Returns `None` if the text is empty, too long, or not printable.
    pub fn parse(text: &str) -> Option<Self> {
        let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let is_key = is_printable && (1..=MAX_KEY_CHARS).contains(&text.len());
        is_key.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Fingerprint of a request: SHA-256 of the operation and its input. Retries have the same
/// fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Computes the fingerprint of a request for `operation` with `body`.
    pub fn of(operation: &str, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(operation);
        // The name of an operation does not contain NUL, so that different pairs never collide.
        digest.update([0]);
        digest.update(body);
        Self(digest.finalize().into())
    }

    /// Wraps a stored fingerprint.
    pub fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Response as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Owner of an idempotency key. Keys of different credentials or organizations never collide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Organization that the request was about.
    pub org_id: OrgId,
    /// Identity of the caller, as in the audit log.
    pub credential: String,
}

/// Request with its stored response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    pub fingerprint: Fingerprint,
    /// `None` if the request changed nothing. Storing its response would let a caller fill the disk
    /// without a trace in the audit log.
    pub response: Option<StoredResponse>,
    /// Time of the response.
    pub created_at: DateTime<Utc>,
}

impl IdempotencyRecord {
    /// Returns whether the response may still be replayed at `now`.
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
