//! Encoding of several fields as one text, for hashing and signing.

use std::fmt::Write as _;

/// Appends `field` as a netstring (`<length in bytes>:<bytes>,`), so that different lists of fields
/// never have the same text.
pub fn push_netstring(text: &mut String, field: &str) {
    write!(text, "{}:{field},", field.len()).expect("a String takes all text");
}
