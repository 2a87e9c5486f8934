//! Authenticates requests by API key. Every unusable key gets the same response.

use std::sync::Arc;

use actix_web::HttpRequest;
use chrono::{DateTime, Utc};

use crate::db::{Db, LookedUp};
use crate::domain::access::{Caller, Credential};
use crate::domain::api_key::PlaintextApiKey;
use crate::error::{Error, Result};
use crate::request::{self, KnownCaller};

use super::bearer_token;

/// Returns the caller of `request`, and notes the use of the API key at `now`.
///
/// # Errors
/// [`Error::Unauthenticated`] for a missing, malformed, unknown or revoked key.
pub async fn authenticate(db: &Db, now: DateTime<Utc>, request: &HttpRequest) -> Result<Caller> {
    let plaintext = PlaintextApiKey::parse(bearer_token(request)?)
        .ok_or(Error::Unauthenticated("not an API key"))?;
    let hash = plaintext.hash();
    let found = db.find_api_key(hash).await?;
    let LookedUp { key, organization } = found.ok_or(Error::Unauthenticated("unknown API key"))?;
    if key.revoked_at.is_some() {
        return Err(Error::Unauthenticated("revoked API key"));
    }
    db.note_key_use(&key, now);
    request::note(request, |context| {
        context.caller = Some(KnownCaller::ApiKey(key.id.clone()));
    });
    let credential = Credential::ApiKey {
        id: key.id.clone(),
        label: key.label.clone(),
        hash,
        org_id: key.org_id.clone(),
        scopes: key.scopes,
    };
    Ok(Caller {
        credential,
        request_id: request::id_of(request),
        seen: organization.map(Arc::new),
    })
}
