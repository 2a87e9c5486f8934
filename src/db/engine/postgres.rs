//! PostgreSQL: a pool of connections, and transactions on them.

use std::sync::Arc;

use diesel::Connection;
use diesel::connection::TransactionManager;
use diesel::r2d2::Pool;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::error::Result;

use crate::db::engine::connection::{DbConn, Manager};
use crate::db::engine::pool::{BlockingPool, permit};
use crate::db::engine::{ACQUIRE_TIMEOUT, Work, run_caught};

type Transactions = <DbConn as Connection>::TransactionManager;

/// A PostgreSQL database.
pub(in crate::db) struct PostgresDb {
    pool: BlockingPool,
    /// Turns for lists, each of which may keep a connection busy for a while: a quarter of them, so
    /// that no flood of lists holds up everything else.
    list_turns: Arc<Semaphore>,
}

impl PostgresDb {
    pub(in crate::db) fn open(url: &str, connections: u32) -> Result<Self> {
        let builder = Pool::builder().min_idle(Some(1));
        let manager = Manager::Postgres(url.to_owned());
        let lists = (connections / 4).max(1);
        Ok(Self {
            pool: BlockingPool::open(builder, manager, connections)?,
            list_turns: Arc::new(Semaphore::new(lists as usize)),
        })
    }

    pub(in crate::db) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.run(Box::new(|conn| transaction(conn, work))).await
    }

    /// Runs `work` without a transaction around it.
    pub(in crate::db) async fn run<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.pool.run(work).await
    }

    /// As [`PostgresDb::run`], when it is a list's turn.
    pub(in crate::db) async fn read_list<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let turn = permit(&self.list_turns, Instant::now() + ACQUIRE_TIMEOUT).await?;
        self.run(Box::new(move |conn| {
            let outcome = work(conn);
            drop(turn);
            outcome
        }))
        .await
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
