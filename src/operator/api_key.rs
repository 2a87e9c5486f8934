//! API keys of any organization: creation, list and revocation. The rate limit of new keys neither
//! applies to keys created here nor counts them.

use crate::db::{self, Db, Lane};
use crate::domain::api_key::{ApiKey, IssuedKey, KeyPosition, NewApiKey};
use crate::domain::change::Change;
use crate::domain::ids::{ApiKeyId, OrgId};
use crate::error::{Error, Resource, Result};

use super::organization;
use super::session::Session;

/// Creates a key of an organization. If a key with the same plaintext exists, returns that key and
/// ignores the new label.
///
/// # Errors
/// [`Error::NotFound`] for an unknown organization.
pub async fn create(session: &Session, org_id: OrgId, new: NewApiKey) -> Result<ApiKey> {
    let (author, now) = (session.author(), session.clock.now());
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
