//! Changes of an organization. A change is decided without a lock, and decided again under a lock
//! if a concurrent write won. Not here: the decision, which each use case makes.

use chrono::{DateTime, Utc};

use crate::db::keys::ApiKeys;
use crate::db::{self, DbConn, Lane};
use crate::domain::access::Authorized;
use crate::domain::api_key::HashedApiKey;
use crate::domain::change::Change;
use crate::domain::organization::Organization;
use crate::domain::token::UserToken;
use crate::error::{Error, Result};
use crate::state::AppState;

use super::idempotency::{self, Done, IdempotentRequest, Outcome};
use super::tenant;

/// Changes the caller's organization by `decide` and returns the result. `decide` returns `None`
/// when nothing changes.
///
/// The first call of `decide` gets the organization as read without a lock. That is enough to
/// refuse, to keep, or to store the change on condition that no concurrent write won. If a
/// concurrent write won, a second call gets the locked row. An idempotent request is decided under
/// the lock from the start.
///
/// # Errors
/// Errors of `decide`, [`Error::NotFound`] for an unknown organization, and errors of
/// [`idempotency::run`].
pub(super) async fn run<D>(
    state: &AppState,
    caller: Authorized,
    idempotent: Option<IdempotentRequest<Organization>>,
    decide: D,
) -> Result<Outcome<Organization>>
where
    D: Fn(&Organization) -> Result<Option<Change>> + Send + Sync + 'static,
{
    if let Some(token) = &caller.token {
        check_token(state, token).await?;
    }
    if let Some(request) = idempotent {
        let work = move |conn: &mut DbConn, locked| change_locked(conn, locked, &decide);
        // Boxed, because few requests need this future, and it would make up most of the caller's
        // future.
        return Box::pin(idempotency::run(state, caller.access, request, work, Ok)).await;
    }
    let changed = run_unkeyed(state, caller, decide).await?;
    Ok(Outcome::Done(changed))
}

async fn run_unkeyed<D>(state: &AppState, caller: Authorized, decide: D) -> Result<Organization>
where
    D: Fn(&Organization) -> Result<Option<Change>> + Send + Sync + 'static,
{
    let Authorized {
        access,
        key_hash,
        // Checked before.
        token: _,
        prefetched,
        // Checked by `decide`, which knows the version.
        preconditions: _,
    } = caller;
    let now = state.clock.now();
    let read = tenant::load(&state.db, &access, prefetched).await?;
    if let Some(hash) = key_hash {
        check_key(&state.keys, hash, now).await?;
    }
    let Some(change) = decide(&read)? else {
        return Ok(read);
    };
    if let Some(organization) = state.db.store_change(change).await? {
        return Ok(organization);
    }
    let lane = Lane::of(access.organization());
    let changed = state.db.write(lane, move |conn| {
        let locked = tenant::lock(conn, &access, now)?;
        let (Done::Changed(organization) | Done::Unchanged(organization)) =
            change_locked(conn, locked, &decide)?;
        Ok(organization)
    });
    changed.await
}

/// Checks the API key again: reading the body may have taken seconds. Call after loading the
/// organization. A later revocation appends an audit entry, so that the conditional store fails and
/// the locked path checks the key once more.
async fn check_key(keys: &ApiKeys, hash: HashedApiKey, now: DateTime<Utc>) -> Result<()> {
    let found = keys.find(hash, Lane::of_key(&hash)).await?;
    let found = found.ok_or(Error::Unauthenticated("unknown API key"))?;
    found.key.check_live(now)
}

/// Checks again that a token is not revoked: reading the body may have taken seconds.
async fn check_token(state: &AppState, token: &UserToken) -> Result<()> {
    let revocations = state.revocations.current().await?;
    if revocations.revoke(token.claimed(), state.clock.now()) {
        return Err(Error::Unauthenticated("revoked token"));
    }
    Ok(())
}

fn change_locked(
    conn: &mut DbConn,
    locked: Organization,
    decide: &dyn Fn(&Organization) -> Result<Option<Change>>,
) -> Result<Done<Organization>> {
    match decide(&locked)? {
        None => Ok(Done::Unchanged(locked)),
        Some(change) => db::organization::store_locked(conn, change).map(Done::Changed),
    }
}
