//! API keys of requests: read, looked up by their hash, and refused alike whatever is wrong with
//! them.

use actix_web::HttpRequest;

use crate::db::keys::KeyWithOrganization;
use crate::domain::access::{Caller, Credential};
use crate::domain::api_key::PlaintextApiKey;
use crate::error::{Error, Result};
use crate::request::{self, KnownCaller};
use crate::state::AppState;

use super::bearer_token;

/// Finds out which key made `request`.
///
/// # Errors
/// [`Error::Unauthenticated`] for a missing, malformed, unknown or revoked key.
pub async fn authenticate(state: &AppState, request: &HttpRequest) -> Result<Caller> {
    let plaintext = PlaintextApiKey::parse(bearer_token(request)?)
        .ok_or(Error::Unauthenticated("not an API key"))?;
    let hash = plaintext.hash();
    let found = state.keys.find(hash).await?;
    let KeyWithOrganization { key, organization } =
        found.ok_or(Error::Unauthenticated("unknown API key"))?;
    key.check_live()?;
    state.keys.note_use(&key, state.clock.now());
    request::note(request, |context| {
        context.caller = Some(KnownCaller::ApiKey(key.id));
    });
    let credential = Credential::ApiKey {
        id: key.id,
        label: key.label.clone(),
        hash,
        org_id: key.org_id,
        scopes: key.scopes,
    };
    Ok(Caller {
        credential,
        request_id: request::id_of(request),
        prefetched: organization.map(Box::new),
    })
}
