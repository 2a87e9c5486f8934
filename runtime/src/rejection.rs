//! Reasons to refuse a request before its operation runs. Not here: status and message of the
//! response, which the implementation of the traits chooses.

/// Violation of the spec by one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Dotted path of the field (`auto_replies.stop_text`, `scopes.0`), or a parameter's name.
    pub path: String,
    /// Message that a client may read.
    pub message: String,
}

impl Violation {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Self { path, message }
    }
}

/// Reason to refuse a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The body is not `application/json` in UTF-8, or is compressed.
    UnsupportedMediaType,
    /// The body has more than 65,536 bytes.
    BodyTooLarge,
    /// The body did not arrive within ten seconds.
    BodyTimeout,
    /// The connection failed while the body was read. The text is for the log.
    BodyUnreadable(String),
    /// The body is not one JSON value of the right kind. The text may be shown to a client.
    MalformedJson(String),
    /// Fields of the body break the spec: one violation per field, sorted by path.
    InvalidBody(Vec<Violation>),
    /// Path parameters break the spec.
    InvalidPath(Vec<Violation>),
    /// Query parameters break the spec.
    InvalidQuery(Vec<Violation>),
    /// Header parameters break the spec.
    InvalidHeader(Vec<Violation>),
    /// The path exists, the method does not. `allow` is the value of the `Allow` header.
    MethodNotAllowed {
        /// The methods of the path, sorted: `GET, PATCH`.
        allow: String,
    },
    /// The generated code has a defect. The text is for the log.
    Internal(String),
}
