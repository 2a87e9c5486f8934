//! Connections of a pool and their health. Not here: the number of connections in use, which the
//! permits of the pool limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::{Connection, ConnectionError, ConnectionResult};
use r2d2::{ManageConnection, Pool};

use crate::error::{Error, Result};

use super::connection::DbConn;
use super::fault;
use super::work::{ACQUIRE_TIMEOUT, Work, run_caught};

/// Opens a connection.
pub(super) type Connect = Box<dyn Fn() -> ConnectionResult<DbConn> + Send + Sync>;

/// Connections of one pool.
pub(super) struct Connections {
    pool: Pool<Manager>,
    generation: Arc<AtomicU64>,
}

impl Connections {
    /// Creates a pool of `most` connections at most, which opens a connection when one is needed.
    pub(super) fn new(connect: Connect, most: u32) -> Self {
        let generation = Arc::default();
        let manager = Manager {
            connect,
            generation: Arc::clone(&generation),
        };
        let pool = Pool::builder()
            .max_size(most)
            .min_idle(Some(0))
            .connection_timeout(ACQUIRE_TIMEOUT)
            .build_unchecked(manager);
        Self { pool, generation }
    }

    /// Runs `work` on a connection. If a table was altered, all prepared statements on it fail, so
    /// that the work runs once more on a new connection.
    pub(super) fn run<T>(&self, mut work: Work<T>) -> Result<T> {
        match self.run_once(&mut work) {
            Err(error) if fault::is_outdated(&error) => {
                log::info!("a table was altered: all sessions are replaced");
                self.distrust_all();
                self.run_once(&mut work)
            }
            outcome => outcome,
        }
    }

    fn run_once<T>(&self, work: &mut Work<T>) -> Result<T> {
        let mut pooled = self.pool.get().map_err(Error::unavailable)?;
        pooled.run(work)
    }

    /// Closes idle connections before their next use, and busy connections after their work. Called
    /// when one connection does not respond, because the others have probably lost their server
    /// too, and when one connection has outdated statements.
    pub(super) fn distrust_all(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes and checks the connections of a pool.
struct Manager {
    connect: Connect,
    /// Number of calls of [`Connections::distrust_all`]. A connection of an older generation is not
    /// kept.
    generation: Arc<AtomicU64>,
}

/// Connection of a pool, with its health.
struct PooledConn {
    conn: DbConn,
    generation: u64,
    used_at: Instant,
    is_suspect: bool,
    /// True for a session that began while PostgreSQL was read-only, which may stay read-only, and
    /// for a session with a defect, which may be the session's own.
    is_useless: bool,
}

impl PooledConn {
    /// Time since its last use for which a connection is trusted. A check would cost every request
    /// a round trip. If the server has gone away, one request on the connection fails (503).
    const TRUSTED_AFTER_USE: Duration = Duration::from_secs(1);

    /// Runs `work` on the connection and updates its health.
    fn run<T>(&mut self, work: &mut Work<T>) -> Result<T> {
        let outcome = run_caught(work, &mut self.conn);
        self.used_at = Instant::now();
        let is_unavailable =
            |error: &Error| matches!(error, Error::Unavailable(_) | Error::OutcomeUnknown(_));
        self.is_suspect = outcome.as_ref().is_err_and(is_unavailable);
        self.is_useless = outcome
            .as_ref()
            .is_err_and(|error| matches!(error, Error::Internal(_)) || fault::is_read_only(error));
        outcome
    }
}

impl Manager {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

impl ManageConnection for Manager {
    type Connection = PooledConn;
    type Error = ConnectionError;

    fn connect(&self) -> ConnectionResult<PooledConn> {
        let generation = self.generation();
        Ok(PooledConn {
            conn: (self.connect)()?,
            generation,
            used_at: Instant::now(),
            is_suspect: false,
            is_useless: false,
        })
    }

    fn is_valid(&self, pooled: &mut PooledConn) -> ConnectionResult<()> {
        if pooled.generation != self.generation() {
            let reason = "another connection does not respond".to_owned();
            return Err(ConnectionError::BadConnection(reason));
        }
        if !pooled.is_suspect && pooled.used_at.elapsed() < PooledConn::TRUSTED_AFTER_USE {
            return Ok(());
        }
        pooled
            .conn
            .batch_execute("SELECT 1")
            .map_err(ConnectionError::CouldntSetupConfiguration)
    }

    fn has_broken(&self, pooled: &mut PooledConn) -> bool {
        // Such a connection may be in the middle of a transaction, or cannot write any more.
        pooled.is_useless
            || pooled.generation != self.generation()
            || <DbConn as Connection>::TransactionManager::is_broken_transaction_manager(
                &mut pooled.conn,
            )
    }
}
