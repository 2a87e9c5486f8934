//! API keys: creation, list, rotation and revocation.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::db::keys::ApiKeys;
use crate::db::{self, Db, DbConn, Lane};
use crate::domain::access::OrgAccess;
use crate::domain::api_key::{ApiKey, IssuedKey, KeyPosition, NewApiKey, PlaintextApiKey};
use crate::domain::change::Change;
use crate::domain::cursor::{self, ListName};
use crate::domain::ids::ApiKeyId;
use crate::domain::key_selection::{KeyGroup, KeySelection};
use crate::domain::organization::Organization;
use crate::error::{Error, Refusal, Resource, Result};
use crate::state::AppState;

use super::idempotency::{self, Done, IdempotentRequest, Outcome};
use super::tenant;

/// Keys that the keys of an organization may create in [`ISSUE_WINDOW`]. Also the rotations of one
/// key in that time, which are counted apart. Otherwise a thief who creates keys would keep the
/// owner from rotating.
pub const MAX_ISSUED: u32 = 10;

/// Keys of an organization that are neither revoked nor expired. API keys create no more, operators
/// do. Rotations are never refused, because they end a key for each new one.
pub const MAX_LIVE: i64 = 1_000;

/// Keys that a list counts at most, because revoked keys stay listed for ever.
const MAX_COUNTED: i64 = 10_000;

/// Period up to now in which issued keys are counted.
pub const ISSUE_WINDOW: TimeDelta = TimeDelta::seconds(60);

const NO_KEY: Error = Error::NotFound(Resource::ApiKey);

/// Creates a key for the organization that `access` is for.
///
/// # Errors
/// [`Error::Forbidden`] for scopes that the caller does not have, [`Error::Invalid`] for an expiry
/// in the past or after the caller's own, [`Refusal::ApiKeyLimitReached`] for too many keys,
/// [`Error::KeysLimited`] for too many keys in a minute, [`Error::NotFound`] for an unknown
/// organization. With an idempotency key, errors of [`idempotency::run`] too.
pub async fn create(
    state: &AppState,
    access: OrgAccess,
    new: NewApiKey,
    idempotent: Option<IdempotentRequest<ApiKey>>,
) -> Result<Outcome<ApiKey>> {
    let now = state.clock.now();
    let (granting, scopes, wanted) = (access.clone(), new.scopes, new.expires_at);
    let work = move |conn: &mut DbConn, organization: Organization| {
        granting.check_grant(new.scopes)?;
        let expires_at = expiry(&granting, new.expires_at, now)?;
        if db::api_key::has_live(conn, &organization.id, MAX_LIVE, now)? {
            return Err(Error::Refused(Refusal::ApiKeyLimitReached));
        }
        let nth = MAX_ISSUED.into();
        check_limit(now, |period| {
            db::api_key::find_nth_creation(conn, &organization.id, period, nth)
        })?;
        let mut issued = IssuedKey::issue(organization.id, &new, &granting.author().actor, now);
        issued.key.expires_at = expires_at;
        db::api_key::insert(conn, &issued)?;
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
    // Before the lock, so that what cannot be granted costs no write.
    access.check_grant(scopes)?;
    expiry(&access, wanted, now)?;
    let lane = Lane::of(access.organization());
    let created = state.db.write(lane, move |conn| {
        let organization = tenant::lock(conn, &access, now)?;
        work(conn, organization)
    });
    created.await.map(Outcome::Done)
}

/// Replaces the key `id` by `plaintext`, which has the same label, scopes and expiry. Revokes `id`.
///
/// # Errors
/// [`Error::NotFound`], then [`Error::Forbidden`] for a key with scopes that the caller does not
/// have, then [`Refusal::ApiKeyRevoked`], [`Refusal::ApiKeyExpired`], [`Error::Invalid`] for a key
/// that outlives the caller, and [`Error::KeysLimited`].
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
        let organization = tenant::lock(conn, &access, now)?;
        let old = db::api_key::find(conn, &organization.id, &id)?.ok_or(NO_KEY)?;
        access.check_grant(old.scopes)?;
        // Not `NO_KEY`, because a revoked key stays listed.
        if old.revoked_at.is_some() {
            return Err(Error::Refused(Refusal::ApiKeyRevoked));
        }
        if old.has_expired(now) {
            return Err(Error::Refused(Refusal::ApiKeyExpired));
        }
        access.check_expiry(old.expires_at)?;
        check_limit(now, |period| {
            db::api_key::find_nth_rotation(conn, &organization.id, &id, period, MAX_ISSUED)
        })?;
        let new = NewApiKey {
            label: old.label.clone(),
            scopes: old.scopes,
            expires_at: old.expires_at,
            plaintext,
        };
        let issued = IssuedKey {
            rotated_from: Some(id),
            ..IssuedKey::issue(organization.id, &new, &access.author().actor, now)
        };
        db::api_key::insert(conn, &issued)?;
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
        let organization = tenant::lock(conn, &access, now)?;
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

/// Revokes a key of the organization that `access` is for, and every key that it issued, regardless
/// of their scopes. The key itself may be revoked already.
///
/// # Errors
/// [`Error::NotFound`] for an unknown key, or a key of another organization.
pub async fn delete_issued(state: &AppState, access: OrgAccess, id: ApiKeyId) -> Result<()> {
    let now = state.clock.now();
    let selection = KeySelection {
        group: KeyGroup::WithIssued(id),
        since: None,
    };
    let lane = Lane::of(access.organization());
    let reader = access.clone();
    // First without the lock, because a request that revokes nothing is not limited, and must not
    // keep writes waiting while it reads many keys.
    let selected = state.db.read_list(lane, move |conn| {
        let org_id = tenant::resolve_id(conn, &reader)?;
        selection.unrevoked(db::api_key::list_all(conn, &org_id)?)
    });
    if selected.await?.is_empty() {
        return Ok(());
    }
    let lane = Lane::of(access.organization());
    let revoke = state.keys.revoke(lane, move |conn| {
        let organization = tenant::lock(conn, &access, now)?;
        let selected = selection.unrevoked(db::api_key::list_all(conn, &organization.id)?)?;
        if selected.is_empty() {
            return Ok(((), false));
        }
        let mut events = Vec::new();
        for key in &selected {
            db::api_key::revoke(conn, &organization.id, &key.id, now)?;
            events.push(key.revoked(now));
        }
        let change = Change::logged_all(organization, access.author(), &events, now);
        db::organization::store_locked(conn, change)?;
        Ok(((), true))
    });
    revoke.await
}

/// Returns the expiry of a new key for which `access` asks `wanted`, at `now`.
fn expiry(
    access: &OrgAccess,
    wanted: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let wanted = wanted.map(|moment| ApiKey::parse_expiry(moment, now));
    access.granted_expiry(wanted.transpose()?)
}

/// Refuses an issue at `now` if `find` finds the [`MAX_ISSUED`]th newest in the given period.
fn check_limit(
    now: DateTime<Utc>,
    find: impl FnOnce(&Range<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>>,
) -> Result<()> {
    let since = now - ISSUE_WINDOW;
    // Bounded above too. Otherwise keys issued while a clock was far ahead would count until then.
    let period = since..now + ISSUE_WINDOW;
    let Some(issued) = find(&period)? else {
        return Ok(());
    };
    let wait = (issued - since).to_std().map_err(Error::internal)?;
    Err(Error::KeysLimited(wait))
}
