//! API keys: created, listed, rotated and revoked.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::clock::Clock;
use crate::db::keys::ApiKeys;
use crate::db::{self, Db, DbConn};
use crate::domain::access::{Actor, OrgAccess, Scope};
use crate::domain::api_key::{ApiKey, KeyPosition, PlaintextApiKey, ScopeSet};
use crate::domain::audit::{Action, AuditEvent};
use crate::domain::cursor::{self, ListName};
use crate::domain::ids::{ApiKeyId, OrgId};
use crate::domain::organization::{Change, Organization};
use crate::domain::text_enum::TextEnum;
use crate::error::{Error, Refusal, Resource, Result};
use crate::state::AppState;

use super::idempotency::{self, Once};
use super::organization;

/// Keys that an organization's keys may issue in [`ISSUE_WINDOW`], rotations included.
pub const MAX_ISSUED: u32 = 10;

/// The time over which issued keys are counted, back from now.
const ISSUE_WINDOW: TimeDelta = TimeDelta::seconds(60);

/// What is said of a key when it is created.
pub struct NewApiKey {
    /// What people call it; already checked.
    pub label: String,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// The key itself, which only the caller keeps.
    pub plaintext: PlaintextApiKey,
}

/// Creates a key for the organization that `access` is for. The same key twice is one key: the
/// first is returned, whatever it was called.
///
/// # Errors
/// [`Error::Forbidden`] for scopes that the caller does not have, [`Error::KeysLimited`] for too
/// many keys in a minute, [`Error::NotFound`] when there is no such organization.
pub async fn create(db: &Db, clock: &Clock, access: OrgAccess, new: NewApiKey) -> Result<ApiKey> {
    access.check_grant(new.scopes)?;
    let now = clock.now();
    db.write(move |conn| {
        let organization = organization::lock(conn, &access)?;
        create_locked(conn, organization, &access, new, now)
    })
    .await
}

/// As [`create`], and at most once.
///
/// # Errors
/// As [`create`], and those of [`idempotency::run`].
pub async fn create_once(
    state: &AppState,
    access: OrgAccess,
    new: NewApiKey,
    once: Once<ApiKey>,
) -> Result<idempotency::Outcome<ApiKey>> {
    let now = state.clock.now();
    let author = access.clone();
    idempotency::run(state, access, once, move |conn, organization| {
        author.check_grant(new.scopes)?;
        create_locked(conn, organization, &author, new, now)
    })
    .await
}

fn create_locked(
    conn: &mut DbConn,
    organization: Organization,
    access: &OrgAccess,
    new: NewApiKey,
    now: DateTime<Utc>,
) -> Result<ApiKey> {
    if let Some(existing) = db::api_key::find_by_hash(conn, &new.plaintext.hash())? {
        return Ok(existing);
    }
    let key = issue(conn, &organization.id, access, new, now)?;
    let scopes: Vec<&str> = key.scopes.iter().map(Scope::as_str).collect();
    let after = json!({ "label": key.label, "prefix": key.prefix, "scopes": scopes });
    let event = AuditEvent::on_api_key(&key.id, Action::ApiKeyCreate, json!({}), after);
    record(conn, organization, access, event, now)?;
    Ok(key)
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
    keys.revoke(move |conn| {
        let organization = organization::lock(conn, &access)?;
        let old = db::api_key::find(conn, &organization.id, &id)?.ok_or(NO_KEY)?;
        access.check_grant(old.scopes)?;
        if old.revoked_at.is_some() {
            return Err(Error::Refused(Refusal::ApiKeyRevoked));
        }
        let new = NewApiKey {
            label: old.label,
            scopes: old.scopes,
            plaintext,
        };
        let key = issue(conn, &organization.id, &access, new, now)?;
        db::api_key::revoke(conn, &organization.id, &id, now)?;
        let before = json!({ "id": id.as_str(), "prefix": old.prefix });
        let after = json!({ "id": key.id.as_str(), "prefix": key.prefix });
        let event = AuditEvent::on_api_key(&id, Action::ApiKeyRotate, before, after);
        record(conn, organization, &access, event, now)?;
        Ok((key, true))
    })
    .await
}

const NO_KEY: Error = Error::NotFound(Resource::ApiKey);

/// The key `id` of the organization that `access` is for, revoked or not.
///
/// # Errors
/// [`Error::NotFound`], also for a key of another organization.
pub async fn show(db: &Db, access: OrgAccess, id: ApiKeyId) -> Result<ApiKey> {
    let found = db.read(move |conn| {
        let org_id = organization::id_of(conn, &access)?;
        db::api_key::find(conn, &org_id, &id)
    });
    found.await?.ok_or(NO_KEY)
}

/// Which page of which keys is asked for.
pub struct KeyQuery {
    /// Where the page before ended; `None` for the first page.
    pub cursor: Option<String>,
    /// How many keys the page has at most.
    pub limit: usize,
    /// Whether revoked keys are in the list.
    pub include_revoked: bool,
}

/// A page of keys.
pub struct KeyPage {
    /// The keys, newest first.
    pub keys: Vec<ApiKey>,
    /// How many the whole list has.
    pub total: i64,
    /// How many of them come before this page.
    pub offset: i64,
    /// Where the next page begins; `None` if this is the last one.
    pub next_cursor: Option<String>,
}

/// A page of the keys of the organization that `access` is for.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not one of this list.
pub async fn page(db: &Db, access: OrgAccess, query: KeyQuery) -> Result<KeyPage> {
    let cursors = db.cursor_key().clone();
    let read = db.read_list(move |conn| {
        let include_revoked = query.include_revoked;
        let org_id = organization::id_of(conn, &access)?;
        let list = ListName::new("api_keys", &org_id, &[&include_revoked.to_string()]);
        let place = |cursor: &String| {
            let text = cursors.open(&list, cursor)?;
            KeyPosition::parse(&text).ok_or_else(cursor::no_cursor)
        };
        let after = query.cursor.as_ref().map(place).transpose();
        let after = after.map_err(|violation| Error::Invalid(vec![violation]))?;
        let wanted = i64::try_from(query.limit + 1).map_err(Error::internal)?;
        let mut keys = db::api_key::list(conn, &org_id, include_revoked, after.as_ref(), wanted)?;
        let last = cursor::cut(&mut keys, query.limit).map(KeyPosition::after);
        let total = db::api_key::count(conn, &org_id, include_revoked, None)?;
        let from_here = match &after {
            Some(_) => db::api_key::count(conn, &org_id, include_revoked, after.as_ref())?,
            None => total,
        };
        Ok(KeyPage {
            keys,
            total,
            offset: total - from_here,
            next_cursor: last.map(|last| cursors.seal(&list, &last.to_text())),
        })
    });
    read.await
}

/// Keys of an organization, newest first, revoked ones included, that come after a place in their
/// list or from its beginning, for the command line.
///
/// # Errors
/// Only those of the database.
pub async fn list(
    db: &Db,
    org_id: OrgId,
    after: Option<KeyPosition>,
    limit: i64,
) -> Result<Vec<ApiKey>> {
    db.read(move |conn| db::api_key::list(conn, &org_id, true, after.as_ref(), limit))
        .await
}

/// Revokes a key of any organization from the command line. A key that is revoked already stays as
/// it is. Servers are other processes, whose caches only time invalidates.
///
/// # Errors
/// [`Error::NotFound`] when there is no such key.
pub async fn revoke(db: &Db, clock: &Clock, id: ApiKeyId) -> Result<ApiKey> {
    let now = clock.now();
    let revoked = db.write(move |conn| {
        let key = db::api_key::find_by_id(conn, &id)?.ok_or(NO_KEY)?;
        revoke_locked(conn, &OrgAccess::command_line(key.org_id), &id, now)
    });
    Ok(revoked.await?.0)
}

/// Revokes a key of the organization that `access` is for, whatever its scopes are; one that is
/// revoked already stays as it is.
///
/// # Errors
/// [`Error::NotFound`] when the organization has no such key.
pub async fn delete(
    keys: &ApiKeys,
    clock: &Clock,
    access: OrgAccess,
    id: ApiKeyId,
) -> Result<ApiKey> {
    let now = clock.now();
    keys.revoke(move |conn| revoke_locked(conn, &access, &id, now))
        .await
}

/// A key, and whether a revocation was stored.
type Outcome = (ApiKey, bool);

fn revoke_locked(
    conn: &mut DbConn,
    access: &OrgAccess,
    id: &ApiKeyId,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let organization = organization::lock(conn, access)?;
    let key = db::api_key::find(conn, &organization.id, id)?.ok_or(NO_KEY)?;
    if key.revoked_at.is_some() {
        return Ok((key, false));
    }
    db::api_key::revoke(conn, &organization.id, id, now)?;
    let (before, after) = (json!({ "revoked_at": null }), json!({ "revoked_at": now }));
    let event = AuditEvent::on_api_key(id, Action::ApiKeyRevoke, before, after);
    record(conn, organization, access, event, now)?;
    let revoked_at = Some(now);
    Ok((ApiKey { revoked_at, ..key }, true))
}

/// Stores a new key of an organization that is locked, within the limit of keys per minute. The
/// command line has no limit and does not count.
fn issue(
    conn: &mut DbConn,
    org_id: &OrgId,
    access: &OrgAccess,
    new: NewApiKey,
    now: DateTime<Utc>,
) -> Result<ApiKey> {
    if *access.actor() != Actor::CommandLine {
        let since = now - ISSUE_WINDOW;
        // A clock that was far ahead once limits nobody until then.
        let period = since..now + ISSUE_WINDOW;
        let issued = db::api_key::find_nth_issue(conn, org_id, &period, MAX_ISSUED.into())?;
        if let Some(issued) = issued {
            let wait = (issued - since).to_std().map_err(Error::internal)?;
            return Err(Error::KeysLimited(wait));
        }
    }
    let key = ApiKey {
        id: ApiKeyId::generate(),
        org_id: org_id.clone(),
        label: new.label,
        prefix: new.plaintext.prefix().to_owned(),
        scopes: new.scopes,
        created_at: now,
        last_used_at: None,
        revoked_at: None,
    };
    let created_by = access.actor().identity();
    db::api_key::insert(conn, &key, &new.plaintext.hash(), &created_by)?;
    Ok(key)
}

/// Records `event` on the log of `organization`, which is locked. Its version stays: keys are no
/// part of it.
fn record(
    conn: &mut DbConn,
    organization: Organization,
    access: &OrgAccess,
    event: AuditEvent,
    now: DateTime<Utc>,
) -> Result<()> {
    let change = Change::recorded(&organization, organization.clone(), access, &[event], now);
    db::organization::store_locked(conn, change)?;
    Ok(())
}
