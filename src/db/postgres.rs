//! PostgreSQL: a pool of connections, and transactions on them.

use diesel::Connection;
use diesel::connection::TransactionManager;
use diesel::r2d2::Pool;

use crate::error::Result;

use super::Work;
use super::connection::{DbConn, Manager};
use super::pool::BlockingPool;
use super::writer::run_caught;

type Transactions = <DbConn as Connection>::TransactionManager;

/// A PostgreSQL database.
pub(super) struct PostgresDb(BlockingPool);

impl PostgresDb {
    pub(super) fn open(url: &str, connections: u32) -> Result<Self> {
        let builder = Pool::builder().min_idle(Some(1));
        BlockingPool::open(builder, Manager::Postgres(url.to_owned()), connections).map(Self)
    }

    pub(super) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.run(Box::new(|conn| transaction(conn, work))).await
    }

    /// Runs `work` without a transaction around it.
    pub(super) async fn run<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.0.run(work).await
    }
}

fn transaction<T>(conn: &mut DbConn, work: Work<T>) -> Result<T> {
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
