//! `Idempotency-Key`: a change and its response are committed together, and a retry of the request
//! gets the same response for a day. The change itself belongs to each use case.

use sha2::{Digest, Sha256};

use crate::db::{self, DbConn, InFlightKey, Lane};
use crate::domain::access::OrgAccess;
use crate::domain::idempotency::{
    Fingerprint, IdempotencyKey, IdempotencyRecord, Owner, StoredResponse,
};
use crate::domain::ids::{ID_LENGTH, OrganizationRef};
use crate::domain::organization::Organization;
use crate::error::{Error, Result};
use crate::state::AppState;

use super::tenant;

/// Request with an `Idempotency-Key`.
pub struct IdempotentRequest<T> {
    pub key: IdempotencyKey,
    /// Fingerprint of the operation and its input.
    pub fingerprint: Fingerprint,
    /// Function that makes the response to store from the outcome.
    pub respond: fn(T) -> Result<StoredResponse>,
}

/// Result of the work of a request, with whether it changed anything.
pub(super) enum Done<T> {
    Changed(T),
    Unchanged(T),
}

/// Outcome of a request that may be a retry.
pub enum Outcome<T> {
    /// Change that this request made.
    Done(T),
    /// Stored response of the first request.
    Replayed(StoredResponse),
}

/// Runs `work` on the locked organization that `access` is for, unless the request is a retry. A
/// request that fails leaves no record and may be retried. `as_it_is` makes the response to a retry
/// of a request that changed nothing.
///
/// # Errors
/// Errors of `work`, [`Error::IdempotencyKeyReused`] when the key came with another request, and
/// [`Error::IdempotencyKeyInUse`] while the first request with the key still runs.
pub(super) async fn run<T, W>(
    state: &AppState,
    access: OrgAccess,
    request: IdempotentRequest<T>,
    work: W,
    as_it_is: fn(Organization) -> Result<T>,
) -> Result<Outcome<T>>
where
    T: Clone + Send + 'static,
    W: Fn(&mut DbConn, Organization) -> Result<Done<T>> + Send + 'static,
{
    let now = state.clock.now();
    let in_flight = in_flight_key(&access, &request.key);
    let (db, lane) = (&state.db, Lane::of(access.organization()));
    let outcome = db.write_unless_in_flight(lane, in_flight, move |conn| {
        let organization = tenant::lock(conn, &access, now)?;
        let owner = Owner {
            org_id: organization.id,
            credential: access.author().actor.identity(),
        };
        // Under the lock, so that a retry waits for a first request that uses the organization's
        // other name and has another in-flight key.
        match db::idempotency::find(conn, &owner, &request.key)? {
            // Expired, but still stored until the next sweep.
            Some(record) if !record.is_kept(now) => {
                db::idempotency::delete(conn, &owner, &request.key)?;
            }
            Some(record) if record.fingerprint != request.fingerprint => {
                return Err(Error::IdempotencyKeyReused);
            }
            Some(record) => {
                let of_now = || (request.respond)(as_it_is(organization)?);
                return record
                    .response
                    .map_or_else(of_now, Ok)
                    .map(Outcome::Replayed);
            }
            None => {}
        }
        // An error rolls the transaction back, so that only successes leave a record.
        let (done, response) = match work(conn, organization)? {
            Done::Changed(done) => (done.clone(), Some((request.respond)(done)?)),
            Done::Unchanged(done) => (done, None),
        };
        let record = IdempotencyRecord {
            fingerprint: request.fingerprint,
            response,
            created_at: now,
        };
        db::idempotency::insert(conn, &owner, &request.key, &record)?;
        Ok(Outcome::Done(done))
    });
    outcome.await?.ok_or(Error::IdempotencyKeyInUse)
}

/// Returns the same key for requests with equal credential, organization and `Idempotency-Key`. The
/// organization is part of the key because users of two organizations may have the same `sub`.
fn in_flight_key(access: &OrgAccess, key: &IdempotencyKey) -> InFlightKey {
    let mut buffer = [0; ID_LENGTH];
    let organization = match access.organization() {
        OrganizationRef::Id(id) => id.encode(&mut buffer),
        OrganizationRef::External(id) => id.as_str(),
    };
    let mut digest = Sha256::new();
    digest.update(organization);
    // No part contains NUL, so that different parts never have the same digest input.
    digest.update([0]);
    digest.update(access.author().actor.identity());
    digest.update([0]);
    digest.update(key.as_str());
    let mut short = [0; 8];
    short.copy_from_slice(&digest.finalize()[..8]);
    InFlightKey::new(short)
}
