//! `Idempotency-Key`, the same in both dialects: reads the header, and stores responses for retries
//! (<https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header>).

use quietline_api_runtime::{Operation, Recorded, Rejection};
use serde::Serialize;

use crate::app::idempotency::IdempotentRequest;
use crate::domain::idempotency::{Fingerprint, IdempotencyKey, StoredResponse};
use crate::error::{Error, Result, Violation};

/// Reads `Idempotency-Key`. Returns `None` without the header. `input` is everything that the
/// request names, its body included, and `respond` makes the response to store.
///
/// # Errors
/// [`Error::Invalid`] for a malformed key.
pub(super) fn idempotent<T>(
    header: Option<&str>,
    operation: &'static Operation,
    input: &impl Serialize,
    respond: fn(T) -> Result<StoredResponse>,
) -> Result<Option<IdempotentRequest<T>>> {
    let Some(header) = header else {
        return Ok(None);
    };
    let key = IdempotencyKey::parse(header).ok_or_else(|| {
        let message = "must be 1 to 255 printable ASCII characters";
        Violation::new("Idempotency-Key", message)
    })?;
    // Serialized from the parsed input, so that white space and the order of members do not count.
    let input = serde_json::to_vec(input).map_err(Error::internal)?;
    Ok(Some(IdempotentRequest {
        key,
        fingerprint: Fingerprint::of(operation.id, &input),
        respond,
    }))
}

/// Converts a recorded response to the form in which it is stored.
///
/// # Errors
/// [`Error::Internal`] for a response that cannot be recorded, which is a defect of the generated
/// code.
pub(super) fn stored(recorded: Result<Recorded, Rejection>) -> Result<StoredResponse> {
    let Recorded {
        status,
        headers,
        body,
    } = recorded.map_err(|rejection| Error::internal(format!("{rejection:?}")))?;
    Ok(StoredResponse {
        status,
        headers,
        body,
    })
}

impl From<StoredResponse> for Recorded {
    fn from(response: StoredResponse) -> Self {
        let StoredResponse {
            status,
            headers,
            body,
        } = response;
        Self {
            status,
            headers,
            body,
        }
    }
}
