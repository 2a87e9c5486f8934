//! Connections to either database and the ways to run work on them. It knows no table.

pub(in crate::db) mod connection;
pub(in crate::db) mod in_flight;
pub(in crate::db) mod migrations;
pub(in crate::db) mod pool;
pub(in crate::db) mod postgres;
pub(in crate::db) mod prepared;
pub(in crate::db) mod sqlite;
pub(in crate::db) mod url;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::error::{Error, Result};

use connection::DbConn;

/// Longest wait of a request for a connection or a permit before it is refused (503).
pub(in crate::db) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Work for a connection. Boxed from the start because every future that hands it on would
/// otherwise hold all that it captures.
pub(in crate::db) type Work<T> = Box<dyn FnOnce(&mut DbConn) -> Result<T> + Send>;

/// Runs `work` and turns a panic into its failure.
pub(in crate::db) fn run_caught<T>(work: Work<T>, conn: &mut DbConn) -> Result<T> {
    catch_unwind(AssertUnwindSafe(|| work(conn)))
        .unwrap_or_else(|_| Err(Error::internal("a database transaction panicked")))
}
