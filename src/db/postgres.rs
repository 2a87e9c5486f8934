//! PostgreSQL: a pool whose connections work on threads of their own, and bounded waits for one.

use std::sync::Arc;

use diesel::Connection;
use diesel::connection::TransactionManager;
use diesel::r2d2::Pool;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{Error, Result};

use super::ACQUIRE_TIMEOUT;
use super::connection::{DbConn, Manager};
use super::writer::run_caught;

type Transactions = <DbConn as Connection>::TransactionManager;

/// A PostgreSQL database.
pub(super) struct PostgresDb {
    pool: Pool<Manager>,
    // Waiting for a permit costs nothing; waiting for a connection would hold a thread.
    permits: Arc<Semaphore>,
}

impl PostgresDb {
    pub(super) fn open(url: &str, connections: u32) -> Result<Self> {
        let pool = Pool::builder()
            .max_size(connections)
            .min_idle(Some(1))
            .connection_timeout(ACQUIRE_TIMEOUT)
            .build(Manager::Postgres(url.to_owned()))
            .map_err(Error::unavailable)?;
        Ok(Self {
            pool,
            permits: Arc::new(Semaphore::new(connections as usize)),
        })
    }

    pub(super) async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        self.run(|conn| transaction(conn, work)).await
    }

    /// Runs `work` without a transaction around it.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
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

fn transaction<T>(conn: &mut DbConn, work: impl FnOnce(&mut DbConn) -> Result<T>) -> Result<T> {
    Transactions::begin_transaction(conn)?;
    match run_caught(work, conn) {
        Ok(value) => {
            Transactions::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => {
            // The refusal is the answer; a connection that cannot even roll back leaves the pool.
            if let Err(failed) = Transactions::rollback_transaction(conn) {
                log::warn!("rollback failed: {failed}");
            }
            Err(error)
        }
    }
}
