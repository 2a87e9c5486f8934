//! API keys: creation, list, rotation and revocation.

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::db::keys::ApiKeys;
use crate::db::{self, Db, DbConn, Lane};
use crate::domain::access::OrgAccess;
use crate::domain::api_key::{ApiKey, IssuedKey, KeyPosition, NewApiKey, PlaintextApiKey};
use crate::domain::change::Change;
use crate::domain::cursor::{self, ListName};
use crate::domain::ids::{ApiKeyId, OrgId};
use crate::domain::organization::Organization;
use crate::error::{Error, Refusal, Resource, Result};
use crate::state::AppState;

use super::idempotency::{self, Done, IdempotentRequest, Outcome};
use super::tenant;

/// Keys that an organization's keys may issue in [`ISSUE_WINDOW`], rotations included.
pub const MAX_ISSUED: u32 = 10;

/// Keys of an organization that are not revoked. API keys create no more, operators do. Rotations
/// are never refused, because they end a key for each new one.
pub const MAX_LIVE: i64 = 1_000;

/// Keys that a list counts at most, because revoked keys stay listed for ever.
const MAX_COUNTED: i64 = 10_000;

/// Period up to now in which issued keys are counted.
pub const ISSUE_WINDOW: TimeDelta = TimeDelta::seconds(60);

const NO_KEY: Error = Error::NotFound(Resource::ApiKey);

/// Creates a key for the organization that `access` is for.
///
/// # Errors
/// [`Error::Forbidden`] for scopes that the caller does not have, [`Refusal::ApiKeyLimitReached`]
/// for too many keys, [`Error::KeysLimited`] for too many keys in a minute, [`Error::NotFound`] for
/// an unknown organization. With an idempotency key, errors of [`idempotency::run`] too.
pub async fn create(
    state: &AppState,
    access: OrgAccess,
    new: NewApiKey,
    idempotent: Option<IdempotentRequest<ApiKey>>,
) -> Result<Outcome<ApiKey>> {
    let now = state.clock.now();
    let (granting, scopes) = (access.clone(), new.scopes);
    let work = move |conn: &mut DbConn, organization: Organization| {
        granting.check_grant(new.scopes)?;
        if db::api_key::has_live(conn, &organization.id, MAX_LIVE)? {
            return Err(Error::Refused(Refusal::ApiKeyLimitReached));
        }
        let issued = issue(conn, &organization.id, &granting, &new, now)?;
        let change = Change::logged(organization, granting.author(), issued.created(), now);
        db::organization::store_locked(conn, change)?;
        Ok(issued.key)
    };
    if let Some(request) = idempotent {
        let work = move |conn: &mut DbConn, organization: Organization| {
            work(conn, organization).map(Done::Changed)
        };
        let as_it_is = |_| Err(Error::internal("a created key is recorded as no change"));
        return idempotency::run(state, access, request, work, as_it_is).await;
    }
    // Before the lock, so that a scope that cannot be granted costs no write.
    access.check_grant(scopes)?;
    let lane = Lane::of(access.organization());
    let created = state.db.write(lane, move |conn| {
        let organization = tenant::lock(conn, &access)?;
        work(conn, organization)
    });
    created.await.map(Outcome::Done)
}

/// Replaces the key `id` by `plaintext`, which has the same label and scopes, and revokes it.
///
/// # Errors
/// [`Error::NotFound`], then [`Error::Forbidden`] for a key with scopes that the caller does not
/// have, then [`Refusal::ApiKeyRevoked`], then [`Error::KeysLimited`].
pub async fn rotate(
    keys: &ApiKeys,
    clock: &Clock,
    access: OrgAccess,
    id: ApiKeyId,
    plaintext: PlaintextApiKey,
) -> Result<ApiKey> {
    let now = clock.now();
    let lane = Lane::of(access.organization());
    keys.rotate(lane, move |conn| {
        let organization = tenant::lock(conn, &access)?;
        let old = db::api_key::find(conn, &organization.id, &id)?.ok_or(NO_KEY)?;
        access.check_grant(old.scopes)?;
        // Not `NO_KEY`, because a revoked key stays listed.
        if old.revoked_at.is_some() {
            return Err(Error::Refused(Refusal::ApiKeyRevoked));
        }
        let new = NewApiKey {
            label: old.label.clone(),
            scopes: old.scopes,
            plaintext,
        };
        let issued = issue(conn, &organization.id, &access, &new, now)?;
        db::api_key::revoke(conn, &organization.id, &id, now)?;
        // The entry is about the old key. Its payload names the new one.
        let change = Change::logged(organization, access.author(), old.rotated(&issued), now);
        db::organization::store_locked(conn, change)?;
        Ok((issued.key, true))
    })
    .await
}

/// Returns the key `id` of the organization that `access` is for, revoked or not.
///
/// # Errors
/// [`Error::NotFound`], also for a key of another organization.
pub async fn show(db: &Db, access: OrgAccess, id: ApiKeyId) -> Result<ApiKey> {
    let lane = Lane::of(access.organization());
    let found = db.read(lane, move |conn| {
        let org_id = tenant::resolve_id(conn, &access)?;
        db::api_key::find(conn, &org_id, &id)
    });
    found.await?.ok_or(NO_KEY)
}

/// Query for a page of a list of keys.
pub struct KeyQuery {
    /// Cursor of the previous page, `None` for the first page.
    pub cursor: Option<String>,
    /// Maximum number of keys on the page.
    pub limit: usize,
    /// True to list revoked keys too.
    pub include_revoked: bool,
}

/// Page of keys.
pub struct KeyPage {
    /// Keys, newest first.
    pub keys: Vec<ApiKey>,
    /// Length of the whole list, [`MAX_COUNTED`] if it is longer.
    pub total: i64,
    /// Number of keys before this page, [`MAX_COUNTED`] if there are more.
    pub offset: i64,
    /// Cursor of the next page, `None` on the last page.
    pub next_cursor: Option<String>,
}

/// Returns a page of the keys of the organization that `access` is for.
///
/// # Errors
/// [`Error::Invalid`] for a cursor of another list.
pub async fn page(db: &Db, access: OrgAccess, query: KeyQuery) -> Result<KeyPage> {
    let cursors = db.cursor_key().clone();
    let lane = Lane::of(access.organization());
    let read = db.read_list(lane, move |conn| {
        let include_revoked = query.include_revoked;
        let org_id = tenant::resolve_id(conn, &access)?;
        let list = ListName::new("api_keys", &org_id, &[&include_revoked.to_string()]);
        let after = cursors.position(&list, query.cursor.as_deref(), KeyPosition::parse)?;
        // One more than the page, to find out whether there is a next page.
        let wanted = i64::try_from(query.limit + 1).map_err(Error::internal)?;
        let mut keys = db::api_key::list(conn, &org_id, include_revoked, after.as_ref(), wanted)?;
        let last = cursor::cut(&mut keys, query.limit).map(KeyPosition::after);
        let mut count =
            |until| db::api_key::count(conn, &org_id, include_revoked, until, MAX_COUNTED);
        Ok(KeyPage {
            keys,
            total: count(None)?,
            offset: after.as_ref().map_or(Ok(0), |after| count(Some(after)))?,
            next_cursor: last.map(|last| cursors.seal(&list, &last.to_text())),
        })
    });
    read.await
}

/// Revokes a key of the organization that `access` is for, regardless of the key's scopes. An
/// already revoked key stays unchanged.
///
/// # Errors
/// [`Error::NotFound`] for an unknown key, or a key of another organization.
pub async fn delete(
    keys: &ApiKeys,
    clock: &Clock,
    access: OrgAccess,
    id: ApiKeyId,
) -> Result<ApiKey> {
    let now = clock.now();
    let lane = Lane::of(access.organization());
    keys.revoke(lane, move |conn| {
        let organization = tenant::lock(conn, &access)?;
        let key = db::api_key::find(conn, &organization.id, &id)?.ok_or(NO_KEY)?;
        // The scopes are not compared: a caller that finds a leaked key must be able to revoke it.
        if key.revoked_at.is_some() {
            return Ok((key, false));
        }
        db::api_key::revoke(conn, &organization.id, &id, now)?;
        let change = Change::logged(organization, access.author(), key.revoked(now), now);
        db::organization::store_locked(conn, change)?;
        let revoked_at = Some(now);
        Ok((ApiKey { revoked_at, ..key }, true))
    })
    .await
}

/// Stores a new key of a locked organization, within the rate limit of new keys.
fn issue(
    conn: &mut DbConn,
    org_id: &OrgId,
    access: &OrgAccess,
    new: &NewApiKey,
    now: DateTime<Utc>,
) -> Result<IssuedKey> {
    let since = now - ISSUE_WINDOW;
    // Bounded above too. Otherwise keys issued while a clock was far ahead would count until then.
    let period = since..now + ISSUE_WINDOW;
    let issued = db::api_key::find_nth_issue(conn, org_id, &period, MAX_ISSUED.into())?;
    if let Some(issued) = issued {
        let wait = (issued - since).to_std().map_err(Error::internal)?;
        return Err(Error::KeysLimited(wait));
    }
    let issued = IssuedKey::issue(*org_id, new, &access.author().actor, now);
    db::api_key::insert(conn, &issued)?;
    Ok(issued)
}
