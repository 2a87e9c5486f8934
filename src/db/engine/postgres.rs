//! PostgreSQL: its sessions, a pool of them, transactions and group commit.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::{Connection, ConnectionError, ConnectionResult, PgConnection};

use crate::domain::change::Change;
use crate::domain::organization::Organization;
use crate::error::Result;

use super::connection::DbConn;
use super::connections::Connect;
use super::fair::{FairPermits, Lane};
use super::group_commit::{GroupCommit, StoreAll};
use super::pool::{BlockingPool, Limits};
use super::readiness::Readiness;
use super::work::{ACQUIRE_TIMEOUT, Work, run_caught};

/// Settings of every session. Times are milliseconds: a statement that takes longer than the
/// timeouts allow is not one of ours. READ COMMITTED, because a change reads a row again once it
/// has locked the row, and must then see what others have committed.
const SESSION: &str = "SET statement_timeout = 5000; SET lock_timeout = 2000; \
     SET idle_in_transaction_session_timeout = 5000; SET TIME ZONE 'UTC'; \
     SET client_min_messages = warning; SET default_transaction_isolation = 'read committed';";

/// Settings of the session that migrates. Another server's migrations, and those of a large table,
/// may take as long as they take.
pub(super) const MIGRATION_SESSION: &str = "SET lock_timeout = 0; SET statement_timeout = 0";

/// Time after which work is given up. PostgreSQL ends a statement sooner by itself, so a server
/// that takes longer does not respond.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(7);

/// Longest wait of a write for the writes of its lane before it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(4);

/// Batches of changes that are stored at once.
const COMMITTERS: usize = 2;

/// Parameters of libpq for URLs without them, in seconds, `tcp_user_timeout` in milliseconds. An
/// unused connection to a server that has vanished is found dead after nine seconds.
const LIMITS: [(&str, &str); 5] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "7000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "2"),
];

/// A PostgreSQL database.
pub(in crate::db) struct PostgresDb {
    pool: BlockingPool,
    /// Permits for lists, each of which may keep a connection busy for a while: a quarter of the
    /// connections, and one for each lane.
    lists: Arc<FairPermits>,
    /// Permits for transactions, one for each lane: another write of the same organization would
    /// wait for the row, and keep a connection meanwhile. With the committers they are half of the
    /// connections, so that reads go on while every write hangs.
    writes: Arc<FairPermits>,
    changes: GroupCommit,
    readiness: Readiness,
}

impl PostgresDb {
    pub(in crate::db) fn open(url: &str, connections: usize, store_all: StoreAll) -> Result<Self> {
        let connector = || -> Connect {
            let url = url.to_owned();
            Box::new(move || connect(&url).map(DbConn::Postgres))
        };
        let limits = Limits {
            connections,
            most_per_lane: connections,
            response_timeout: RESPONSE_TIMEOUT,
        };
        let writes = (connections / 2).saturating_sub(COMMITTERS).max(1);
        Ok(Self {
            pool: BlockingPool::new(connector(), &limits)?,
            lists: FairPermits::new((connections / 4).max(1), 1),
            writes: FairPermits::new(writes, 1),
            changes: GroupCommit::new(COMMITTERS, store_all),
            readiness: Readiness::new(connector())?,
        })
    }

    /// Runs `work` in a transaction. `held` is dropped at its end, or when it is given up.
    pub(in crate::db) async fn write<T, H>(&self, lane: Lane, held: H, work: Work<T>) -> Result<T>
    where
        T: Send + 'static,
        H: Send + 'static,
    {
        let permit = self.pool.acquire(&self.writes, lane, WRITE_TIMEOUT).await?;
        let work = Box::new(|conn: &mut DbConn| transaction(conn, work));
        self.pool.run(lane, (held, permit), work).await
    }

    /// Stores `change` together with the changes of other callers. Returns `None` if it was void.
    pub(in crate::db) async fn store_change(&self, change: Change) -> Result<Option<Organization>> {
        self.changes.store(&self.pool, change).await
    }

    /// Runs `work` without a transaction around it.
    pub(in crate::db) async fn read<T: Send + 'static>(
        &self,
        lane: Lane,
        work: Work<T>,
    ) -> Result<T> {
        self.pool.run(lane, (), work).await
    }

    /// Runs `work` like [`PostgresDb::read`], once it has a permit for lists.
    pub(in crate::db) async fn read_list<T: Send + 'static>(
        &self,
        lane: Lane,
        work: Work<T>,
    ) -> Result<T> {
        let permit = self
            .pool
            .acquire(&self.lists, lane, ACQUIRE_TIMEOUT)
            .await?;
        self.pool.run(lane, permit, work).await
    }

    /// Runs `read` on a connection of its own, or returns a recent outcome.
    pub(in crate::db) async fn check(&self, read: fn(&mut DbConn) -> Result<()>) -> Result<()> {
        self.readiness.check(read).await
    }

    /// Gives up work that does not end, and the guards that it holds.
    pub(in crate::db) fn give_up_overdue(&self) {
        self.pool.give_up_overdue();
    }
}

/// Opens a session. [`LIMITS`] that the URL does not set itself are added to it.
pub(super) fn connect(url: &str) -> ConnectionResult<PgConnection> {
    let (server, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    for (name, value) in LIMITS {
        let is_set = parameters
            .iter()
            .any(|part| part.split('=').next() == Some(name));
        if !is_set {
            parameters.push(format!("{name}={value}"));
        }
    }
    let url = format!("{server}?{}", parameters.join("&"));
    let mut conn = PgConnection::establish(&url)?;
    conn.batch_execute(SESSION)
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

fn transaction<T>(conn: &mut DbConn, work: Work<T>) -> Result<T> {
    type Transactions = <DbConn as Connection>::TransactionManager;
    Transactions::begin_transaction(conn)?;
    match run_caught(work, conn) {
        Ok(value) => {
            Transactions::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => {
            // The caller gets the error of its work. A connection that cannot even roll back leaves
            // the pool.
            if let Err(failed) = Transactions::rollback_transaction(conn) {
                log::warn!("rollback failed: {failed}");
            }
            Err(error)
        }
    }
}
