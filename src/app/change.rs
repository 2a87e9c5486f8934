//! How an organization is changed: decided on what was read, and decided again under a lock if
//! somebody else was faster. The decision itself belongs to each use case.

use std::sync::Arc;

use crate::db::keys::ApiKeys;
use crate::db::{self, DbConn};
use crate::domain::access::OrgAccess;
use crate::domain::organization::{Change, Organization};
use crate::error::Result;
use crate::state::AppState;

use super::idempotency::{self, Once, Outcome};
use super::organization::{self, REVOKED};

/// Changes the organization that `access` is for as `decide` says and returns it as it then is;
/// `decide` answers `None` when there is nothing to change.
///
/// `decide` first sees the organization as it was read without a lock, which is enough to refuse,
/// to keep, or to store the change on condition that nobody else has changed it since. Only if
/// somebody has, it is asked again about the locked row. A request that is to be done `once` is
/// decided under the lock from the start.
///
/// # Errors
/// Those of `decide`; [`Error::NotFound`] when there is no such organization; those of
/// [`idempotency::run`].
pub(super) async fn run<D>(
    state: &AppState,
    access: OrgAccess,
    once: Option<Once<Organization>>,
    decide: D,
) -> Result<Outcome<Organization>>
where
    D: Fn(&Organization) -> Result<Option<Change>> + Send + Sync + 'static,
{
    match once {
        Some(once) => {
            let work = move |conn: &mut DbConn, locked| change_locked(conn, locked, &decide);
            // In a box: few requests need it, and it is most of what such a future holds.
            Box::pin(idempotency::run(state, access, once, work)).await
        }
        None => run_unkeyed(state, access, decide).await.map(Outcome::Done),
    }
}

/// The key was looked up before the body was read, which may have taken seconds. One that was
/// revoked in between changes nothing more. To be asked after the organization was read: a later
/// revocation has changed that, so that nothing is stored without [`organization::lock`].
async fn check_key(keys: &ApiKeys, access: &OrgAccess) -> Result<()> {
    let Some(hash) = access.key_hash() else {
        return Ok(());
    };
    let found = keys.find(hash).await?;
    match found.is_some_and(|found| found.key.revoked_at.is_none()) {
        true => Ok(()),
        false => Err(REVOKED),
    }
}

async fn run_unkeyed<D>(state: &AppState, mut access: OrgAccess, decide: D) -> Result<Organization>
where
    D: Fn(&Organization) -> Result<Option<Change>> + Send + Sync + 'static,
{
    let decide = Arc::new(decide);
    let seen = organization::see(&state.db, &mut access).await?;
    check_key(&state.keys, &access).await?;
    let Some(change) = decide(&seen)? else {
        return Ok(seen);
    };
    let stored = state.db.write_statement(move |conn| {
        let is_stored = db::organization::store(conn, &change)?;
        Ok(is_stored.then_some(change.after))
    });
    if let Some(organization) = stored.await? {
        return Ok(organization);
    }
    let changed = state.db.write(move |conn| {
        let locked = organization::lock(conn, &access)?;
        change_locked(conn, locked, &*decide)
    });
    changed.await
}

fn change_locked(
    conn: &mut DbConn,
    locked: Organization,
    decide: &dyn Fn(&Organization) -> Result<Option<Change>>,
) -> Result<Organization> {
    match decide(&locked)? {
        None => Ok(locked),
        Some(change) => db::organization::store_locked(conn, change),
    }
}
