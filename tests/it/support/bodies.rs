//! Bodies that are invalid for every operation. Each test checks the response itself.

/// Longest body that is read.
pub const MAX_BYTES: usize = 65_536;

/// Media types other than JSON in UTF-8.
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

/// Content codings. The server decodes none of these codings.
pub const CODINGS: [&str; 7] = [
    "gzip",
    "br",
    "deflate",
    "zstd",
    "x-gzip",
    "gzip, identity",
    "unheard-of",
];

/// Returns `{"x":[[…]]}` with this many levels, the object included.
pub fn deep(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
    format!("{{\"x\":{open}{close}}}")
}

/// Pads `body` with trailing white space to `length`.
pub fn padded(body: &str, length: usize) -> String {
    format!("{body}{}", " ".repeat(length - body.len()))
}
