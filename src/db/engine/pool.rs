//! Pool of connections for blocking work, with its own threads. Every wait has a timeout.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::{Connection, ConnectionError, ConnectionResult};
use r2d2::{Builder, ManageConnection, Pool};
use tokio::runtime::{self, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{BoxError, Error, Result};

use super::connection::DbConn;
use super::fault;
use super::work::{ACQUIRE_TIMEOUT, Work, run_caught};

/// Timeout of work on a connection. PostgreSQL cancels a statement sooner itself, so a server that
/// takes longer is unreachable.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Opens a connection.
pub(super) type Connect = Box<dyn Fn() -> ConnectionResult<DbConn> + Send + Sync>;

/// Pool of a fixed number of connections.
pub(super) struct BlockingPool {
    pool: Pool<Manager>,
    // Waiting for a permit costs nothing, while waiting for a connection would hold a thread.
    permits: Arc<Semaphore>,
    threads: Threads,
}

impl BlockingPool {
    /// Opens a pool of `connections`, which `connect` makes. `builder` has the settings in which
    /// pools differ.
    pub(super) fn open(
        builder: Builder<Manager>,
        connect: Connect,
        connections: u32,
    ) -> Result<Self> {
        let pool = builder
            .max_size(connections)
            .connection_timeout(ACQUIRE_TIMEOUT)
            .build(Manager(connect))
            .map_err(Error::unavailable)?;
        Ok(Self {
            pool,
            permits: Arc::new(Semaphore::new(connections as usize)),
            threads: Threads::start(connections)?,
        })
    }

    /// Runs `work` without a transaction. The work continues to its end even if the caller goes
    /// away.
    pub(super) async fn run<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let deadline = Instant::now() + ACQUIRE_TIMEOUT;
        let permit = acquire_permit(&self.permits, deadline).await?;
        let pool = self.pool.clone();
        let work = move || {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut conn = pool.get_timeout(left).map_err(Error::unavailable)?;
            let outcome = conn.run(work);
            // The connection first, so that the next permit finds it in the pool.
            drop(conn);
            drop(permit);
            outcome
        };
        timeout(RESPONSE_TIMEOUT, self.threads.run(work))
            .await
            .map_err(Error::unavailable)?
    }
}

/// Returns one of `permits`, or [`Error::Unavailable`] if none is free before `deadline`.
pub(super) async fn acquire_permit(
    permits: &Arc<Semaphore>,
    deadline: Instant,
) -> Result<OwnedSemaphorePermit> {
    timeout_at(deadline, Arc::clone(permits).acquire_owned())
        .await
        .map_err(Error::unavailable)?
        .map_err(Error::internal)
}

/// Threads for blocking work, one for each connection, shared by all workers. With separate threads
/// for each worker, some would idle while those of another worker are all busy.
struct Threads(Option<Runtime>);

impl Threads {
    fn start(count: u32) -> Result<Self> {
        let mut builder = runtime::Builder::new_current_thread();
        builder
            .max_blocking_threads(count as usize)
            .thread_name("database");
        let runtime = builder.build();
        Ok(Self(Some(runtime.map_err(|error| {
            Error::internal(BoxError::from(error))
        })?)))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let runtime = self
            .0
            .as_ref()
            .expect("the runtime exists until it is dropped");
        runtime
            .spawn_blocking(work)
            .await
            .map_err(Error::internal)?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A worker may drop this, and a worker must not block. Work that has begun continues.
            runtime.shutdown_background();
        }
    }
}

/// Makes and checks the connections of a pool.
pub(super) struct Manager(Connect);

/// Connection of a pool, with its health.
pub(super) struct PooledConn {
    conn: DbConn,
    used_at: Instant,
    is_suspect: bool,
    /// True for a session that began while PostgreSQL was read-only. It may stay read-only.
    is_read_only: bool,
}

impl PooledConn {
    /// Time since its last use for which a connection is trusted. A check would cost every request
    /// a round trip. If the server has gone away, one request on the connection fails (503).
    const TRUSTED_AFTER_USE: Duration = Duration::from_secs(1);

    /// Runs `work` on the connection and updates its health.
    fn run<T>(&mut self, work: Work<T>) -> Result<T> {
        let outcome = run_caught(work, &mut self.conn);
        self.used_at = Instant::now();
        self.is_suspect = matches!(outcome, Err(Error::Unavailable(_) | Error::Internal(_)));
        self.is_read_only = outcome.as_ref().is_err_and(fault::is_read_only);
        outcome
    }
}

impl ManageConnection for Manager {
    type Connection = PooledConn;
    type Error = ConnectionError;

    fn connect(&self) -> ConnectionResult<PooledConn> {
        Ok(PooledConn {
            conn: (self.0)()?,
            used_at: Instant::now(),
            is_suspect: false,
            is_read_only: false,
        })
    }

    fn is_valid(&self, pooled: &mut PooledConn) -> ConnectionResult<()> {
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
        std::thread::panicking()
            || pooled.is_read_only
            || <DbConn as Connection>::TransactionManager::is_broken_transaction_manager(
                &mut pooled.conn,
            )
    }
}
