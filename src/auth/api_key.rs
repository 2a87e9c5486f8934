//! Authenticates requests by API key. Every unusable key gets the same response.

use actix_web::HttpRequest;
use chrono::{DateTime, Utc};

use crate::db::Lane;
use crate::db::keys::{ApiKeys, KeyWithOrganization};
use crate::domain::access::{Caller, Credential};
use crate::domain::api_key::PlaintextApiKey;
use crate::error::{Error, Result};
use crate::request::{self, KnownCaller};

use super::bearer_token;

/// Returns whether `request` has an API key that this server has seen in use, and that cannot be a
/// guess.
pub fn is_in_use(keys: &ApiKeys, request: &HttpRequest) -> bool {
    let key = bearer_token(request).ok().and_then(PlaintextApiKey::parse);
    key.is_some_and(|key| keys.is_in_use(&key.hash()))
}

/// Returns the caller of `request`, and notes the use of the API key at `now`.
///
/// # Errors
/// [`Error::Unauthenticated`] for a missing, malformed, unknown, revoked or expired key.
pub async fn authenticate(
    keys: &ApiKeys,
    now: DateTime<Utc>,
    request: &HttpRequest,
) -> Result<Caller> {
    // Malformed keys are refused without a query.
    let plaintext = PlaintextApiKey::parse(bearer_token(request)?)
        .ok_or(Error::Unauthenticated("not an API key"))?;
    // Of refused keys too, so that the log shows which key was leaked, guessed or forgotten.
    request::note(request, |context| {
        context.key_prefix = Some(plaintext.prefix().to_owned());
    });
    let hash = plaintext.hash();
    let newcomers = Lane::of_network(&request::network_of(request::client_of(request)));
    let found = keys.find(hash, newcomers).await?;
    let KeyWithOrganization { key, organization } =
        found.ok_or(Error::Unauthenticated("unknown API key"))?;
    // Before the use is noted, because a dead key authenticates nothing. A cached key expires at
    // the very moment, because its expiry never changes.
    key.check_live(now)?;
    keys.note_use(&key, now);
    request::note(request, |context| {
        context.caller = Some(KnownCaller::ApiKey(key.id));
    });
    let credential = Credential::ApiKey {
        id: key.id,
        label: key.label.clone(),
        hash,
        org_id: key.org_id,
        scopes: key.scopes,
        expires_at: key.expires_at,
    };
    Ok(Caller {
        credential,
        request_id: request::id_of(request),
        client_network: request::recorded_network(request),
        prefetched: organization.map(Box::new),
    })
}
