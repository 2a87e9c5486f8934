//! API keys: created, listed and revoked.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::clock::Clock;
use crate::db::{self, Db, DbConn};
use crate::domain::access::{OrgAccess, Scope};
use crate::domain::api_key::{ApiKey, PlaintextApiKey, ScopeSet};
use crate::domain::audit::{Action, AuditEvent};
use crate::domain::ids::{ApiKeyId, OrgId};
use crate::domain::organization::{Change, Organization};
use crate::domain::text_enum::TextEnum;
use crate::error::{Error, Resource, Result};

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
/// [`Error::NotFound`] when there is no such organization.
pub async fn create(db: &Db, clock: &Clock, access: OrgAccess, new: NewApiKey) -> Result<ApiKey> {
    let now = clock.now();
    db.write(move |conn| {
        let organization = lock(conn, &access)?;
        let hash = new.plaintext.hash();
        if let Some(existing) = db::api_keys::find_by_hash(conn, &hash)? {
            return Ok(existing);
        }
        let key = ApiKey {
            id: ApiKeyId::generate(),
            org_id: organization.id.clone(),
            label: new.label,
            prefix: new.plaintext.prefix().to_owned(),
            scopes: new.scopes,
            created_at: now,
            last_used_at: None,
            revoked_at: None,
        };
        db::api_keys::insert(conn, &key, &hash)?;
        let scopes: Vec<&str> = key.scopes.iter().map(Scope::as_str).collect();
        let after = json!({ "label": key.label, "prefix": key.prefix, "scopes": scopes });
        let event = AuditEvent::on_api_key(&key.id, Action::ApiKeyCreate, json!({}), after);
        record(conn, organization, &access, event, now)?;
        Ok(key)
    })
    .await
}

/// Keys of an organization, newest first, revoked ones included.
///
/// # Errors
/// Only those of the database.
pub async fn list(db: &Db, org_id: OrgId, limit: i64) -> Result<Vec<ApiKey>> {
    db.read(move |conn| db::api_keys::list(conn, &org_id, limit))
        .await
}

/// Revokes a key from the command line; one that is revoked already stays as it is.
///
/// # Errors
/// [`Error::NotFound`] when there is no such key.
pub async fn revoke(db: &Db, clock: &Clock, id: ApiKeyId) -> Result<ApiKey> {
    let now = clock.now();
    let revoked = db.write(move |conn| {
        let key = db::api_keys::find(conn, &id)?.ok_or(Error::NotFound(Resource::ApiKey))?;
        let access = OrgAccess::command_line(key.org_id);
        revoke_locked(conn, &access, &id, now)
    });
    let revoked = revoked.await;
    db.forget_api_keys();
    revoked
}

fn revoke_locked(
    conn: &mut DbConn,
    access: &OrgAccess,
    id: &ApiKeyId,
    now: DateTime<Utc>,
) -> Result<ApiKey> {
    let organization = lock(conn, access)?;
    // Read again under the lock: somebody may have revoked it in between.
    let key = db::api_keys::find(conn, id)?.ok_or(Error::NotFound(Resource::ApiKey))?;
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    db::api_keys::revoke(conn, &organization.id, id, now)?;
    let (before, after) = (json!({ "revoked_at": null }), json!({ "revoked_at": now }));
    let event = AuditEvent::on_api_key(id, Action::ApiKeyRevoke, before, after);
    record(conn, organization, access, event, now)?;
    Ok(ApiKey {
        revoked_at: Some(now),
        ..key
    })
}

fn lock(conn: &mut DbConn, access: &OrgAccess) -> Result<Organization> {
    let found = db::organizations::lock(conn, access.organization())?;
    found.ok_or(Error::NotFound(Resource::Organization))
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
    db::organizations::store_locked(conn, change)?;
    Ok(())
}
