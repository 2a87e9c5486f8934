//! `Idempotency-Key`, the same in both dialects: read from the header, and answers kept and given
//! again.

use quietline_api_runtime::{Operation, Recorded};
use serde::Serialize;

use crate::app::idempotency::Once;
use crate::domain::idempotency::{Fingerprint, IdempotencyKey, StoredAnswer};
use crate::error::{Error, Result, Violation};

/// What `header` makes of a request for `operation`: nothing without it. `about` is what the
/// request names and its body; `answer` makes the answer that is kept.
///
/// # Errors
/// [`Error::Invalid`] for a header that is no key.
pub(super) fn once<T>(
    header: Option<&str>,
    operation: &'static Operation,
    about: &impl Serialize,
    answer: fn(T) -> Result<StoredAnswer>,
) -> Result<Option<Once<T>>> {
    let Some(header) = header else {
        return Ok(None);
    };
    let key = IdempotencyKey::parse(header).ok_or_else(|| {
        let words = "must be 1 to 255 printable ASCII characters";
        Error::Invalid(vec![Violation::new("Idempotency-Key", words)])
    })?;
    // Written again from what was understood: the order of members and white space do not matter.
    let about = serde_json::to_vec(about).map_err(Error::internal)?;
    Ok(Some(Once {
        key,
        fingerprint: Fingerprint::of(operation.id, &about),
        answer,
    }))
}

impl From<Recorded> for StoredAnswer {
    fn from(recorded: Recorded) -> Self {
        let Recorded {
            status,
            headers,
            body,
        } = recorded;
        Self {
            status,
            headers,
            body,
        }
    }
}

impl From<StoredAnswer> for Recorded {
    fn from(answer: StoredAnswer) -> Self {
        let StoredAnswer {
            status,
            headers,
            body,
        } = answer;
        Self {
            status,
            headers,
            body,
        }
    }
}
