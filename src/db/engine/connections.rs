//! Idle connections of a pool and their health. Not here: the number of connections, which the
//! permits of the pool limit.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::Connection;
use diesel::ConnectionResult;
use diesel::connection::{SimpleConnection, TransactionManager};

use crate::error::{Error, Result};

use super::connection::DbConn;
use super::fault;
use super::work::{Work, run_caught};

/// Opens a connection.
pub(super) type Connect = Box<dyn Fn() -> ConnectionResult<DbConn> + Send + Sync>;

/// Time since its last use for which a connection is trusted. A check would cost every request a
/// round trip. If the server has gone away, one request on the connection fails (503).
const TRUSTED_AFTER_USE: Duration = Duration::from_secs(1);

/// Time after which an unused connection is closed.
const KEPT_UNUSED: Duration = Duration::from_secs(600);

/// Age from which a connection is replaced, so that the server processes of old sessions end, and
/// a changed DNS name is resolved again.
const MAX_AGE: Duration = Duration::from_secs(1800);

/// Connections of one pool.
pub(super) struct Connections {
    connect: Connect,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// Last in, first out, so that surplus connections stay unused.
    stack: Vec<Kept>,
    /// Number of calls of [`Connections::distrust_all`]. A connection of an older generation is not
    /// kept.
    generation: u64,
}

impl Connections {
    pub(super) fn new(connect: Connect) -> Self {
        Self {
            connect,
            idle: Mutex::default(),
        }
    }

    /// Runs `work` on a connection, which is opened if none is idle.
    pub(super) fn run<T>(&self, work: Work<T>) -> Result<T> {
        let mut kept = self.take()?;
        let outcome = kept.run(work);
        self.put_back(kept);
        outcome
    }

    /// Closes all idle connections now, and all busy connections after their work. Called when one
    /// connection does not respond, because the others have probably lost their server too.
    pub(super) fn distrust_all(&self) {
        let mut idle = self.lock();
        idle.generation += 1;
        let distrusted = std::mem::take(&mut idle.stack);
        drop(idle);
        drop(distrusted);
    }

    fn take(&self) -> Result<Kept> {
        loop {
            let (kept, generation) = {
                let mut idle = self.lock();
                (idle.stack.pop(), idle.generation)
            };
            let Some(mut kept) = kept else {
                let conn = (self.connect)().map_err(Error::unavailable)?;
                return Ok(Kept::new(conn, generation));
            };
            if kept.responds() {
                return Ok(kept);
            }
        }
    }

    fn put_back(&self, mut kept: Kept) {
        if kept.is_broken() {
            return;
        }
        let mut idle = self.lock();
        if kept.generation == idle.generation {
            idle.stack.push(kept);
        }
        // One for each return is enough, because connections become idle one by one.
        let longest_unused = idle.stack.first();
        if longest_unused.is_some_and(|kept| kept.used_at.elapsed() > KEPT_UNUSED) {
            idle.stack.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        // A panic elsewhere cannot leave the stack half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connection with its health.
struct Kept {
    conn: DbConn,
    generation: u64,
    opened_at: Instant,
    used_at: Instant,
    is_suspect: bool,
    /// True for a session that began while PostgreSQL was read-only. It may stay read-only.
    is_read_only: bool,
}

impl Kept {
    fn new(conn: DbConn, generation: u64) -> Self {
        let now = Instant::now();
        Self {
            conn,
            generation,
            opened_at: now,
            used_at: now,
            is_suspect: false,
            is_read_only: false,
        }
    }

    /// Runs `work` on the connection and updates its health.
    fn run<T>(&mut self, work: Work<T>) -> Result<T> {
        let outcome = run_caught(work, &mut self.conn);
        self.used_at = Instant::now();
        self.is_suspect = matches!(
            outcome,
            Err(Error::Unavailable(_) | Error::OutcomeUnknown(_) | Error::Internal(_))
        );
        self.is_read_only = outcome.as_ref().is_err_and(fault::is_read_only);
        outcome
    }

    /// Returns whether the server responds. Queries the server only after a fault or a pause.
    fn responds(&mut self) -> bool {
        let is_trusted = !self.is_suspect && self.used_at.elapsed() < TRUSTED_AFTER_USE;
        is_trusted || self.conn.batch_execute("SELECT 1").is_ok()
    }

    fn is_broken(&mut self) -> bool {
        // Such a connection may be in the middle of a transaction, or cannot write any more.
        self.is_read_only
            || self.opened_at.elapsed() > MAX_AGE
            || <DbConn as Connection>::TransactionManager::is_broken_transaction_manager(
                &mut self.conn,
            )
    }
}
