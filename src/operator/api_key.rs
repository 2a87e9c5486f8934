//! API keys of any organization: creation, list and revocation. The rate limit of new keys neither
//! applies to keys created here nor counts them.

use crate::db::{self, Db, Lane};
use crate::domain::api_key::{ApiKey, IssuedKey, KeyPosition, NewApiKey};
use crate::domain::change::Change;
use crate::domain::ids::{ApiKeyId, OrgId};
use crate::domain::key_selection::KeySelection;
use crate::error::{Error, Resource, Result};

use super::organization;
use super::session::Session;

/// Creates a key of an organization. If a key with the same plaintext exists, returns that key and
/// ignores the new label.
///
/// # Errors
/// [`Error::NotFound`] for an unknown organization, [`Error::Invalid`] for an expiry in the past.
pub async fn create(session: &Session, org_id: OrgId, new: NewApiKey) -> Result<ApiKey> {
    let (author, now) = (session.author(), session.clock.now());
    let expiry = new
        .expires_at
        .map(|moment| ApiKey::parse_expiry(moment, now));
    let new = NewApiKey {
        expires_at: expiry.transpose()?,
        ..new
    };
    let write = session.db.write(Lane::OPERATOR, move |conn| {
        let organization = organization::lock(conn, &org_id)?;
        // Demonstration data has the same keys at every start.
        // Under the lock, because two servers may start at the same time.
        if let Some(existing) = db::api_key::find_by_hash(conn, &new.plaintext.hash())? {
            return Ok(existing);
        }
        let issued = IssuedKey::issue(org_id, &new, &author.actor, now);
        db::api_key::insert(conn, &issued)?;
        let change = Change::logged(organization, &author, issued.created(), now);
        db::organization::store_locked(conn, change)?;
        Ok(issued.key)
    });
    write.await
}

/// Finds a key of any organization, revoked or not.
///
/// # Errors
/// [`Error::NotFound`] for an unknown key.
pub async fn find(db: &Db, id: ApiKeyId) -> Result<ApiKey> {
    let found = db.read(Lane::OPERATOR, move |conn| {
        db::api_key::find_by_id(conn, &id)
    });
    found.await?.ok_or(Error::NotFound(Resource::ApiKey))
}

/// Lists the keys of an organization that `selection` selects and that are not revoked, newest
/// first.
///
/// # Errors
/// [`Error::NotFound`] if the selection names a key of another organization.
pub async fn list_selected(db: &Db, org_id: OrgId, selection: KeySelection) -> Result<Vec<ApiKey>> {
    let selected = db.read(Lane::OPERATOR, move |conn| {
        selection.unrevoked(db::api_key::list_all(conn, &org_id)?)
    });
    selected.await
}

/// Lists keys of an organization after a position, newest first, revoked keys included.
///
/// # Errors
/// Only errors of the database.
pub async fn list(
    db: &Db,
    org_id: OrgId,
    after: Option<KeyPosition>,
    limit: i64,
) -> Result<Vec<ApiKey>> {
    db.read(Lane::OPERATOR, move |conn| {
        db::api_key::list(conn, &org_id, true, after.as_ref(), limit)
    })
    .await
}

/// Revokes a key of any organization. An already revoked key stays unchanged. Servers cache keys
/// for less than a second, so they refuse the key within that time.
///
/// # Errors
/// [`Error::NotFound`] for an unknown key.
pub async fn revoke(session: &Session, id: ApiKeyId) -> Result<ApiKey> {
    let (author, now) = (session.author(), session.clock.now());
    // Without `ApiKeys::revoke`, because this process has no cache to invalidate.
    // With the reserve, because a leaked key must be revocable on a full disk.
    let write = session.db.write_with_reserve(Lane::OPERATOR, move |conn| {
        let no_key = || Error::NotFound(Resource::ApiKey);
        // Before the lock, because only the key tells which organization to lock.
        let org_id = db::api_key::find_by_id(conn, &id)?
            .ok_or_else(no_key)?
            .org_id;
        let organization = organization::lock(conn, &org_id)?;
        // Read again under the lock: a concurrent request may have revoked the key.
        let key = db::api_key::find(conn, &org_id, &id)?.ok_or_else(no_key)?;
        if key.revoked_at.is_some() {
            return Ok(key);
        }
        db::api_key::revoke(conn, &org_id, &id, now)?;
        let change = Change::logged(organization, &author, key.revoked(now), now);
        db::organization::store_locked(conn, change)?;
        let revoked_at = Some(now);
        Ok(ApiKey { revoked_at, ..key })
    });
    write.await
}

/// Revokes the keys of an organization that `selection` selects, in one transaction, and returns
/// them, newest first. Servers refuse them as after [`revoke`].
///
/// # Errors
/// [`Error::NotFound`] for an unknown organization, or if the selection names a key of another one.
pub async fn revoke_selected(
    session: &Session,
    org_id: OrgId,
    selection: KeySelection,
) -> Result<Vec<ApiKey>> {
    let (author, now) = (session.author(), session.clock.now());
    // With the reserve, as in `revoke`.
    let write = session.db.write_with_reserve(Lane::OPERATOR, move |conn| {
        let organization = organization::lock(conn, &org_id)?;
        let mut selected = selection.unrevoked(db::api_key::list_all(conn, &org_id)?)?;
        if selected.is_empty() {
            return Ok(selected);
        }
        let mut events = Vec::new();
        for key in &mut selected {
            db::api_key::revoke(conn, &org_id, &key.id, now)?;
            events.push(key.revoked(now));
            key.revoked_at = Some(now);
        }
        let change = Change::logged_all(organization, &author, &events, now);
        db::organization::store_locked(conn, change)?;
        Ok(selected)
    });
    write.await
}
