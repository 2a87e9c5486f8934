//! Cursors of lists: opaque to clients, and valid only for the list that issued them. Not
//! here: positions, which each list defines.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::error::Violation;

use super::encoding::push_netstring;
use super::ids::{ID_LENGTH, OrgId};

/// Length of the authentication code before the position, in bytes. Half of SHA-256, because an
/// attacker cannot try 2^128 cursors.
const CODE_LENGTH: usize = 16;

/// Key that signs cursors, the same on all servers of one database.
#[derive(Clone)]
pub struct CursorKey([u8; 32]);

/// Name of a list of one organization, with its filters.
pub struct ListName(String);

impl ListName {
    /// Creates the name of the list `kind` of `org_id`. `filters` are all filters that decide which
    /// items are listed, in a canonical spelling and a fixed order. An absent filter is an empty
    /// text.
    pub fn new(kind: &str, org_id: &OrgId, filters: &[&str]) -> Self {
        let mut text = String::new();
        [kind, org_id.encode(&mut [0; ID_LENGTH])]
            .iter()
            .chain(filters)
            .for_each(|part| push_netstring(&mut text, part));
        Self(text)
    }
}

impl CursorKey {
    /// Reads the stored key. Returns `None` unless `bytes` are 32.
    pub fn from_stored(bytes: Vec<u8>) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Returns the cursor of `position` in `list`.
    pub fn seal(&self, list: &ListName, position: &str) -> String {
        let mut bytes = self.code(list, position).finalize().into_bytes().to_vec();
        // RFC 2104, section 5: half of the output is long enough.
        bytes.truncate(CODE_LENGTH);
        // The code comes first, because only the code has a fixed length.
        bytes.extend_from_slice(position.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Returns the position that [`CursorKey::seal`] encoded as `cursor`, for the same list.
    ///
    /// # Errors
    /// [`invalid_cursor`] for every invalid cursor.
    pub fn open(&self, list: &ListName, cursor: &str) -> Result<String, Violation> {
        // A cursor that is not base64url fails like one without a code.
        let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
        let position = bytes
            .split_at_checked(CODE_LENGTH)
            .and_then(|(code, position)| {
                let position = std::str::from_utf8(position).ok()?;
                let expected = self.code(list, position);
                // Not `==`, whose time would tell how many bytes of a forged code are right.
                expected.verify_truncated_left(code).ok()?;
                Some(position.to_owned())
            });
        position.ok_or_else(invalid_cursor)
    }

    /// Returns the position where a page of `list` begins, read by `parse`, and `None` without a
    /// cursor.
    ///
    /// # Errors
    /// [`invalid_cursor`].
    pub fn position<T>(
        &self,
        list: &ListName,
        cursor: Option<&str>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Violation> {
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        let position = self.open(list, cursor)?;
        // The code was right, so only another version of the program can have sealed a position
        // that this one cannot parse.
        parse(&position).map(Some).ok_or_else(invalid_cursor)
    }

    fn code(&self, ListName(list): &ListName, position: &str) -> Hmac<Sha256> {
        // The length of the list's name comes first, so that different pairs never have the same
        // text.
        let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
        Hmac::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length")
            .chain_update(length.to_be_bytes())
            .chain_update(list)
            .chain_update(position)
    }
}

/// Cuts `items`, which were queried with one more than `limit`. Returns the last remaining item if
/// there are more.
pub fn cut<T>(items: &mut Vec<T>, limit: usize) -> Option<&T> {
    let has_more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| has_more)
}

/// Returns the violation of an invalid cursor, or of a cursor of another list.
pub fn invalid_cursor() -> Violation {
    Violation::new("cursor", "is not a cursor of this list with these filters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> CursorKey {
        CursorKey::from_stored(vec![byte; 32]).expect("32 bytes")
    }

    #[test]
    fn a_cursor_opens_for_its_own_list_only() {
        let (org, other) = (OrgId::generate(), OrgId::generate());
        let list = ListName::new("keys", &org, &["true", ""]);
        let cursor = key(1).seal(&list, "17");
        assert_eq!(key(1).open(&list, &cursor).as_deref(), Ok("17"));
        for wrong in [
            ListName::new("audit", &org, &["true", ""]),
            ListName::new("keys", &other, &["true", ""]),
            ListName::new("keys", &org, &["false", ""]),
            ListName::new("keys", &org, &["", "true"]),
            ListName::new("keys", &org, &["true"]),
            ListName::new("keys", &org, &["true", "", ""]),
        ] {
            assert_eq!(key(1).open(&wrong, &cursor), Err(invalid_cursor()));
        }
        assert_eq!(key(2).open(&list, &cursor), Err(invalid_cursor()));
    }

    #[test]
    fn a_cursor_that_differs_in_one_character_is_invalid() {
        let list = ListName::new("keys", &OrgId::generate(), &[]);
        let cursor = key(1).seal(&list, "1767528000000000.7");
        for at in 0..cursor.len() {
            for other in "Aa0-_=+/ é".chars() {
                let (before, after) = (&cursor[..at], &cursor[at + 1..]);
                let changed = format!("{before}{other}{after}");
                let is_same = changed == cursor;
                assert_eq!(key(1).open(&list, &changed).is_ok(), is_same, "{changed}");
            }
            assert!(key(1).open(&list, &cursor[..at]).is_err());
        }
        assert!(key(1).open(&list, &format!("{cursor}A")).is_err());
        assert!(key(1).open(&list, &format!("{cursor}=")).is_err());
    }
}
