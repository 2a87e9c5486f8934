//! What is wrong with a body as such, whichever operation reads it. What is answered is for the
//! tests to say.

/// The longest body that is read.
pub const MAX_BYTES: usize = 65_536;

/// Types that are not JSON in UTF-8.
pub const OTHER_TYPES: [&str; 15] = [
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/vnd.api+json",
    "application/jsonx",
    "application/json, text/plain",
    "application/json; charset=latin1",
    "application/json; charset=iso-8859-1",
    "application/json; charset=utf-16",
    "*/*",
    "json",
    "",
];

/// Codings, of which none is undone.
pub const CODINGS: [&str; 7] = [
    "gzip",
    "br",
    "deflate",
    "zstd",
    "x-gzip",
    "gzip, identity",
    "unheard-of",
];

/// `{"x":[[…]]}` of this many levels, the object being one of them.
pub fn deep(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
    format!("{{\"x\":{open}{close}}}")
}

/// `body` with white space after it up to `length`.
pub fn padded(body: &str, length: usize) -> String {
    format!("{body}{}", " ".repeat(length - body.len()))
}
