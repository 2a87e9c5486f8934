//! Work for a connection: a closure that returns a value or an error. Not here: the thread that
//! runs the closure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::error::{Error, Result};

use super::connection::DbConn;

/// Timeout of the wait for a permit, after which a request is refused (503).
pub(in crate::db) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Cause of a refusal before an attempt: other work took all permits.
#[derive(Debug, thiserror::Error)]
#[error("the database is busy with other work")]
pub(in crate::db) struct Busy;

/// Cause of a failure: work took longer than it may. The work may still have an effect.
#[derive(Debug, thiserror::Error)]
#[error("the database did not respond in time")]
pub(in crate::db) struct Unresponsive;

/// Boxed work. The pool runs it twice if a session turns out to be outdated. Boxed from the start,
/// because every future that passes it on would otherwise contain everything that it captures.
pub(in crate::db) type Work<T> = Box<dyn FnMut(&mut DbConn) -> Result<T> + Send>;

/// Makes work that cannot run again, and then fails with [`Error::Unavailable`].
pub(in crate::db) fn once<T, W>(work: W) -> Work<T>
where
    W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
{
    let mut work = Some(work);
    Box::new(move |conn| match work.take() {
        Some(work) => work(conn),
        None => Err(Error::unavailable("a table was altered meanwhile")),
    })
}

/// Runs `work` and returns a panic as [`Error::Internal`].
pub(super) fn run_caught<T>(work: &mut Work<T>, conn: &mut DbConn) -> Result<T> {
    catch_unwind(AssertUnwindSafe(|| work(conn)))
        .unwrap_or_else(|_| Err(Error::internal("a database transaction panicked")))
}
