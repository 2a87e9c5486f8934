//! Why a request never reached its operation. How it is worded for a client, and with which
//! status, is for the implementor of the trait to decide.

/// One broken rule of the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Dotted path of the field (`auto_replies.stop_text`, `scopes.0`), or a parameter's name.
    pub path: String,
    /// What is wrong, in words that a client may read.
    pub message: String,
}

impl Violation {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Self { path, message }
    }
}

/// Why a request was refused before its operation saw it.
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
    /// The generated code failed; a defect. The text is for the log.
    Internal(String),
}
