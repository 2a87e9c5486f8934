//! Claims: of two writes with the same claim one is refused at once instead of waiting for the
//! other, in this process and, on PostgreSQL, in any.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::RunQueryDsl;
use diesel::sql_types::BigInt;

use crate::error::Result;

use crate::db::engine::connection::DbConn;

/// What only one write may be about at a time; two that differ are the same by chance only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim(i64);

impl Claim {
    /// From a digest of what is claimed.
    pub fn new(digest: [u8; 8]) -> Self {
        Self(i64::from_le_bytes(digest))
    }
}

/// The claims of writes under way in this process.
#[derive(Default)]
pub(in crate::db) struct Claims(Mutex<HashSet<Claim>>);

impl Claims {
    /// Takes `claim` until the answer is dropped; `None` if somebody has it.
    pub(in crate::db) fn take(self: &Arc<Self>, claim: Claim) -> Option<Held> {
        let is_free = self.lock().insert(claim);
        is_free.then(|| Held {
            claims: Arc::clone(self),
            claim,
        })
    }

    /// A panic elsewhere cannot leave the set half changed.
    fn lock(&self) -> MutexGuard<'_, HashSet<Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim that is taken.
pub(in crate::db) struct Held {
    claims: Arc<Claims>,
    claim: Claim,
}

impl Held {
    /// Takes the claim in other processes too, until the transaction ends; `false` if one has it.
    /// A SQLite file has only one server, and the command line makes no claims.
    pub(in crate::db) fn extend(&self, conn: &mut DbConn) -> Result<bool> {
        diesel::define_sql_function! {
            fn pg_try_advisory_xact_lock(key: BigInt) -> diesel::sql_types::Bool;
        }
        match conn {
            DbConn::Postgres(conn) => {
                Ok(diesel::select(pg_try_advisory_xact_lock(self.claim.0)).get_result(conn)?)
            }
            DbConn::Sqlite(_) => Ok(true),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.claim);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_free_again_when_it_is_dropped() {
        let claims = Arc::new(Claims::default());
        let (one, other) = (Claim::new([1; 8]), Claim::new([2; 8]));
        let held = claims.take(one);
        assert!(held.is_some() && claims.take(one).is_none() && claims.take(other).is_some());
        drop(held);
        assert!(claims.take(one).is_some());
    }
}
