//! Shared secrets (HS256): their file format, signing and verifying.

use std::fmt;

use jsonwebtoken::{DecodingKey, EncodingKey};
use zeroize::Zeroizing;

/// Minimum length of a secret, in bytes: the length of the hash (RFC 7518 §3.2).
pub(super) const MIN_SECRET_BYTES: usize = 32;

/// Maximum number of secrets. A rotation needs two. Every token is tried with all of them.
pub(super) const MAX_SECRETS: usize = 4;

/// Text that must not be printed. `Debug` shows `***`, `Display` is missing, and the memory is
/// overwritten on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// Reads secrets, one per line. The newline after the last line may be missing.
    ///
    /// # Errors
    ///
    /// The problem of the text, which never quotes it.
    pub fn parse_lines(text: &str) -> Result<Vec<Secret>, String> {
        // Windows editors begin a file with it, and it would silently become a part of the secret.
        if text.starts_with('\u{feff}') {
            return Err("must not begin with a byte order mark (BOM)".to_owned());
        }
        let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let lines: Vec<&str> = lines
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
            .collect();
        if lines.len() > MAX_SECRETS {
            return Err(format!("must have at most {MAX_SECRETS} lines"));
        }
        if lines
            .iter()
            .any(|line| line.is_empty() || line.trim() != *line)
        {
            let problem = "must have one secret per line, without blank lines or white space \
                           around a secret";
            return Err(problem.to_owned());
        }
        if lines.iter().any(|line| line.len() < MIN_SECRET_BYTES) {
            return Err(too_short());
        }
        let secret = |line: &&str| Secret::new((*line).to_owned());
        Ok(lines.iter().map(secret).collect())
    }

    /// Returns the text itself, which must never reach a log or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Returns the problem of a secret that is too short.
pub(super) fn too_short() -> String {
    format!("the secret must have at least {MIN_SECRET_BYTES} bytes")
}

/// Secrets in use, prepared for the library.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Texts of the keys below, to notice a change.
    pub(super) texts: Vec<Secret>,
    /// Key of the first secret.
    pub(super) signing: Option<EncodingKey>,
    /// Keys of all secrets.
    pub(super) verifying: Vec<DecodingKey>,
}

impl Secrets {
    pub(super) fn new(texts: Vec<Secret>) -> Secrets {
        let all = texts.iter().map(|secret| secret.expose().as_bytes());
        Secrets {
            signing: all.clone().next().map(EncodingKey::from_secret),
            verifying: all.map(DecodingKey::from_secret).collect(),
            texts,
        }
    }
}
