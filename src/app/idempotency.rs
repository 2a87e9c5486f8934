//! Doing a request once: what it did and what was answered are committed together, and the same
//! request gets the same answer for a day. What is done belongs to each use case.

use sha2::{Digest, Sha256};

use crate::db::{self, Claim, DbConn};
use crate::domain::access::OrgAccess;
use crate::domain::idempotency::{
    Fingerprint, IdempotencyKey, IdempotencyRecord, Owner, StoredAnswer,
};
use crate::domain::ids::OrganizationRef;
use crate::domain::organization::Organization;
use crate::error::{Error, Result};
use crate::state::AppState;

use super::organization;

/// What a request with an `Idempotency-Key` says beyond what it asks for.
pub struct Once<T> {
    /// The key.
    pub key: IdempotencyKey,
    /// What is asked for.
    pub fingerprint: Fingerprint,
    /// The answer to keep, made of what was done.
    pub answer: fn(T) -> Result<StoredAnswer>,
}

/// What a request came to.
pub enum Outcome<T> {
    /// It was done now.
    Done(T),
    /// It had been done before, and this was answered.
    Replayed(StoredAnswer),
}

/// Does `work` on the organization that `access` is for, which is locked, unless the same request
/// was answered before. A request that fails leaves no record and may be sent again.
///
/// # Errors
/// Those of `work`; [`Error::IdempotencyKeyReused`] when the key came with another request;
/// [`Error::IdempotencyKeyInUse`] while the first request with it has no answer yet.
pub(super) async fn run<T, W>(
    state: &AppState,
    access: OrgAccess,
    once: Once<T>,
    work: W,
) -> Result<Outcome<T>>
where
    T: Clone + Send + 'static,
    W: FnOnce(&mut DbConn, Organization) -> Result<T> + Send + 'static,
{
    let now = state.clock.now();
    let claim = claim(&access, &once.key);
    let outcome = state.db.write_claimed(claim, move |conn| {
        let organization = organization::lock(conn, &access)?;
        let owner = Owner {
            org_id: organization.id.clone(),
            credential: access.actor().identity(),
        };
        match db::idempotency::find(conn, &owner, &once.key)? {
            Some(record) if !record.is_kept(now) => {
                db::idempotency::delete(conn, &owner, &once.key)?;
            }
            Some(record) if record.fingerprint != once.fingerprint => {
                return Err(Error::IdempotencyKeyReused);
            }
            Some(record) => return Ok(Outcome::Replayed(record.answer)),
            None => {}
        }
        let done = work(conn, organization)?;
        let record = IdempotencyRecord {
            fingerprint: once.fingerprint,
            answer: (once.answer)(done.clone())?,
            created_at: now,
        };
        db::idempotency::insert(conn, &owner, &once.key, &record)?;
        Ok(Outcome::Done(done))
    });
    outcome.await?.ok_or(Error::IdempotencyKeyInUse)
}

/// Two requests with one key and one credential about one organization have the same claim. Users
/// of two organizations may have the same name.
fn claim(access: &OrgAccess, key: &IdempotencyKey) -> Claim {
    let organization = match access.organization() {
        OrganizationRef::Id(id) => id.as_str(),
        OrganizationRef::External(id) => id.as_str(),
    };
    let mut digest = Sha256::new();
    digest.update(organization);
    digest.update([0]);
    digest.update(access.actor().identity());
    digest.update([0]);
    digest.update(key.as_str());
    let mut short = [0; 8];
    short.copy_from_slice(&digest.finalize()[..8]);
    Claim::new(short)
}
