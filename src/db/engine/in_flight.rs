//! In-flight guards. A second write with the same key fails at once instead of waiting for the
//! first. Guards are per process, and on PostgreSQL also a transaction-level advisory lock.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::RunQueryDsl;
use diesel::sql_types::BigInt;

use crate::error::Result;

use super::connection::DbConn;

/// Key of a write: 64 bits of a digest, the size of an advisory lock's key. Two different writes
/// share a key only by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InFlightKey(i64);

impl InFlightKey {
    pub fn new(digest: [u8; 8]) -> Self {
        Self(i64::from_le_bytes(digest))
    }

    /// Locks the key for all processes until the transaction ends. Returns `false` if another
    /// process has locked it. A SQLite file has one server, and the command line takes no guards.
    pub(in crate::db) fn lock_for_all_processes(self, conn: &mut DbConn) -> Result<bool> {
        diesel::define_sql_function! {
            fn pg_try_advisory_xact_lock(key: BigInt) -> diesel::sql_types::Bool;
        }
        match conn {
            DbConn::Postgres(conn) => {
                Ok(diesel::select(pg_try_advisory_xact_lock(self.0)).get_result(conn)?)
            }
            DbConn::Sqlite(_) => Ok(true),
        }
    }
}

/// Keys of the writes in flight in this process.
pub(in crate::db) struct InFlight<K>(Mutex<HashSet<K>>);

impl<K> Default for InFlight<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> InFlight<K> {
    /// Returns a guard of `key`, or `None` while another guard of `key` exists.
    pub(in crate::db) fn acquire(self: &Arc<Self>, key: K) -> Option<InFlightGuard<K>> {
        let is_free = self.lock().insert(key);
        is_free.then(|| InFlightGuard {
            in_flight: Arc::clone(self),
            key,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<K>> {
        // A panic elsewhere cannot leave the set half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Guard of one key. Dropping it releases the key.
pub(in crate::db) struct InFlightGuard<K: Copy + Eq + Hash> {
    in_flight: Arc<InFlight<K>>,
    key: K,
}

impl<K: Copy + Eq + Hash> Drop for InFlightGuard<K> {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_free_again_when_its_guard_is_dropped() {
        let in_flight = Arc::new(InFlight::default());
        let (one, other) = (InFlightKey::new([1; 8]), InFlightKey::new([2; 8]));
        let guard = in_flight.acquire(one);
        assert!(guard.is_some() && in_flight.acquire(one).is_none());
        assert!(in_flight.acquire(other).is_some());
        drop(guard);
        assert!(in_flight.acquire(one).is_some());
    }
}
