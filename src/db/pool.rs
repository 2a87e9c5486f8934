//! A pool whose connections work on threads that may wait, with bounded waits for one.

use std::sync::Arc;

use diesel::r2d2::{Builder, Pool};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{Error, Result};

use super::connection::Manager;
use super::writer::run_caught;
use super::{ACQUIRE_TIMEOUT, Work};

/// Connections that `Manager` makes, so many at most.
pub(super) struct BlockingPool {
    pool: Pool<Manager>,
    // Waiting for a permit costs nothing; waiting for a connection would hold a thread.
    permits: Arc<Semaphore>,
}

impl BlockingPool {
    /// A pool of `connections`; what else is particular about it is in `builder`.
    pub(super) fn open(
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
        })
    }

    /// Runs `work` without a transaction around it.
    pub(super) async fn run<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let permit = timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(Error::unavailable)?
            .map_err(Error::internal)?;
        let pool = self.pool.clone();
        spawn_blocking(move || {
            let mut conn = pool.get().map_err(Error::unavailable)?;
            let outcome = conn.run(|conn| run_caught(work, conn));
            drop(conn);
            drop(permit);
            outcome
        })
        .await
        .map_err(Error::internal)?
    }
}
