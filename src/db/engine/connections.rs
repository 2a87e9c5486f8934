//! Connections that are kept for the next piece of work. Not here: the number of connections, which
//! the permits of the pool limit.

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

/// Age up to which a connection is used without a check, which would cost every request a round
/// trip. If the server is gone, one request on the connection fails (503).
const TRUSTED_AFTER_USE: Duration = Duration::from_secs(1);

/// Time after which an unused connection is closed.
const KEPT_UNUSED: Duration = Duration::from_secs(600);

/// Age from which a connection is replaced, so that a session of PostgreSQL, and the server that a
/// name stands for, are not kept for ever.
const MAX_AGE: Duration = Duration::from_secs(1800);

/// Connections of one pool.
pub(super) struct Connections {
    connect: Connect,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one that was used last is used first.
    stack: Vec<Kept>,
    /// Number of times that the connections of that moment were distrusted.
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

    /// Closes the idle connections, and the busy ones after their work. Called when one does not
    /// respond: the others were probably lost with it, and each would be waited for in vain.
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
        // One at a time is enough, because connections become idle one by one too.
        let longest_unused = idle.stack.first();
        if longest_unused.is_some_and(|kept| kept.used_at.elapsed() > KEPT_UNUSED) {
            idle.stack.remove(0);
        }
    }

    /// A panic elsewhere cannot leave the stack half changed.
    fn lock(&self) -> MutexGuard<'_, Idle> {
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
    /// A session that began while PostgreSQL was read-only may stay read-only for good.
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
        self.is_suspect = matches!(outcome, Err(Error::Unavailable(_) | Error::Internal(_)));
        self.is_read_only = outcome.as_ref().is_err_and(fault::is_read_only);
        outcome
    }

    /// Returns whether the server responds. Asks it only after a fault or a pause.
    fn responds(&mut self) -> bool {
        let is_trusted = !self.is_suspect && self.used_at.elapsed() < TRUSTED_AFTER_USE;
        is_trusted || self.conn.batch_execute("SELECT 1").is_ok()
    }

    fn is_broken(&mut self) -> bool {
        self.is_read_only
            || self.opened_at.elapsed() > MAX_AGE
            || <DbConn as Connection>::TransactionManager::is_broken_transaction_manager(
                &mut self.conn,
            )
    }
}
