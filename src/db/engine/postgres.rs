//! PostgreSQL: its sessions, a pool of them, and transactions.

use std::sync::Arc;

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::{Connection, ConnectionError, ConnectionResult, PgConnection};
use r2d2::Pool;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::error::{Error, Result};

use super::connection::DbConn;
use super::pool::{BlockingPool, acquire_permit};
use super::prepared::{self, Statement};
use super::work::{ACQUIRE_TIMEOUT, Work, run_caught};

/// Settings of every session. Times are in milliseconds, far above what any statement of the
/// program takes. READ COMMITTED, because a change reads a row again after locking it, and must
/// then see concurrent commits. <https://www.postgresql.org/docs/current/transaction-iso.html>
const SESSION: &str = "SET statement_timeout = 10000; SET lock_timeout = 2000; \
     SET idle_in_transaction_session_timeout = 10000; SET TIME ZONE 'UTC'; \
     SET client_min_messages = warning; SET default_transaction_isolation = 'read committed';";

/// Settings of the session that migrates. Migrations of a large table, or those of another server,
/// may take any time.
pub(super) const MIGRATION_SESSION: &str = "SET lock_timeout = 0; SET statement_timeout = 0";

/// Parameters of libpq for URLs without them. `tcp_user_timeout` is in milliseconds, the others are
/// in seconds. <https://www.postgresql.org/docs/current/libpq-connect.html>
const LIMITS: [(&str, &str); 3] = [
    ("connect_timeout", "3"),
    ("tcp_user_timeout", "10000"),
    ("keepalives_idle", "30"),
];

/// A PostgreSQL database.
pub(in crate::db) struct PostgresDb {
    url: String,
    pool: BlockingPool,
    /// Permits for lists, each of which may keep a connection busy for a while. A quarter of the
    /// connections, so that many lists do not delay all other requests.
    list_permits: Arc<Semaphore>,
}

impl PostgresDb {
    pub(in crate::db) fn open(url: &str, connections: u32) -> Result<Self> {
        let builder = Pool::builder().min_idle(Some(1));
        let server = url.to_owned();
        let connect = Box::new(move || connect(&server).map(DbConn::Postgres));
        let lists = (connections / 4).max(1);
        Ok(Self {
            url: url.to_owned(),
            pool: BlockingPool::open(builder, connect, connections)?,
            list_permits: Arc::new(Semaphore::new(lists as usize)),
        })
    }

    /// Runs `work` in a transaction.
    pub(in crate::db) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.run(Box::new(|conn| transaction(conn, work))).await
    }

    /// Runs `work` without a transaction around it.
    pub(in crate::db) async fn run<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.pool.run(work).await
    }

    /// Runs `work` like [`PostgresDb::run`], once it has a permit for lists.
    pub(in crate::db) async fn read_list<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let permit = acquire_permit(&self.list_permits, Instant::now() + ACQUIRE_TIMEOUT).await?;
        self.run(Box::new(move |conn| {
            let outcome = work(conn);
            drop(permit);
            outcome
        }))
        .await
    }

    /// Opens a connection apart from the pool.
    pub(in crate::db) fn connect(&self) -> Result<DbConn> {
        let conn = connect(&self.url).map_err(Error::unavailable)?;
        Ok(DbConn::Postgres(conn))
    }

    /// Checks that the server responds.
    pub(in crate::db) async fn ping(&self) -> Result<()> {
        self.run(Box::new(|conn| prepared::run(conn, &Statement("SELECT 1"))))
            .await
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
            // The caller gets the error of its work. The pool drops a connection that cannot roll
            // back.
            if let Err(failed) = Transactions::rollback_transaction(conn) {
                log::warn!("rollback failed: {failed}");
            }
            Err(error)
        }
    }
}
