//! A pool whose connections work on threads that may wait, with bounded waits for one.

use std::sync::Arc;
use std::time::Duration;

use diesel::r2d2::{Builder, Pool};
use tokio::runtime::{self, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{BoxError, Error, Result};

use crate::db::engine::connection::Manager;
use crate::db::engine::{ACQUIRE_TIMEOUT, Work, run_caught};

/// How long work may take that has a connection. PostgreSQL ends a statement sooner by itself;
/// later than this it does not answer at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Connections that `Manager` makes, so many at most.
pub(in crate::db) struct BlockingPool {
    pool: Pool<Manager>,
    // Waiting for a permit costs nothing; waiting for a connection would hold a thread.
    permits: Arc<Semaphore>,
    threads: Threads,
}

/// As many threads as connections, for all workers together: each worker's own would be idle while
/// another's work, and take their memory.
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
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        runtime
            .spawn_blocking(work)
            .await
            .map_err(Error::internal)?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Whoever drops it may be a thread that must not wait; what was begun goes on.
            runtime.shutdown_background();
        }
    }
}

impl BlockingPool {
    /// A pool of `connections`; what else is particular about it is in `builder`.
    pub(in crate::db) fn open(
        builder: Builder<Manager>,
        manager: Manager,
        connections: u32,
    ) -> Result<Self> {
        let pool = builder
            .max_size(connections)
            .connection_timeout(ACQUIRE_TIMEOUT)
            .build(manager)
            .map_err(Error::unavailable)?;
        Ok(Self {
            pool,
            permits: Arc::new(Semaphore::new(connections as usize)),
            threads: Threads::start(connections)?,
        })
    }

    /// Runs `work` without a transaction around it. It goes on when nobody waits for it any more.
    pub(in crate::db) async fn run<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let deadline = Instant::now() + ACQUIRE_TIMEOUT;
        let permit = permit(&self.permits, deadline).await?;
        let pool = self.pool.clone();
        let work = move || {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut conn = pool.get_timeout(left).map_err(Error::unavailable)?;
            let outcome = conn.run(|conn| run_caught(work, conn));
            drop(conn);
            drop(permit);
            outcome
        };
        timeout(ANSWER_TIMEOUT, self.threads.run(work))
            .await
            .map_err(Error::unavailable)?
    }
}

/// One of `permits`, if there is one before `deadline`.
pub(in crate::db) async fn permit(
    permits: &Arc<Semaphore>,
    deadline: Instant,
) -> Result<OwnedSemaphorePermit> {
    timeout_at(deadline, Arc::clone(permits).acquire_owned())
        .await
        .map_err(Error::unavailable)?
        .map_err(Error::internal)
}
