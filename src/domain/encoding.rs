//! Texts made of several fields, for hashing and signing.

use std::fmt::Write as _;

/// Appends `field` as a netstring (`<length in bytes>:<bytes>,`), so that no two lists of fields
/// read alike.
pub(super) fn push_netstring(text: &mut String, field: &str) {
    write!(text, "{}:{field},", field.len()).expect("a String takes all text");
}
