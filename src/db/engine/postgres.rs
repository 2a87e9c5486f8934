//! PostgreSQL: its sessions, a pool of them, transactions and group commit.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::dsl::sql;
use diesel::sql_types::{Nullable, Text};
use diesel::{Connection, ConnectionError, ConnectionResult, PgConnection, RunQueryDsl};

use crate::domain::change::Change;
use crate::domain::organization::Organization;
use crate::error::{Error, Result};

use super::connection::DbConn;
use super::connections::Connect;
use super::fair::{FairPermits, Lane};
use super::fault::commit_error;
use super::group_commit::{GroupCommit, StoreAll};
use super::pool::{BlockingPool, Limits};
use super::postgres_url::PostgresUrl;
use super::readiness::Readiness;
use super::work::{ACQUIRE_TIMEOUT, Unresponsive, Work, run_caught};

/// Settings of every session. Times are in milliseconds, far above what any statement of the
/// program takes. READ COMMITTED, because a change reads a row again after locking it, and must
/// then see concurrent commits. <https://www.postgresql.org/docs/current/transaction-iso.html>
/// English messages, which [`super::fault`] recognizes. Only some roles may set their language.
const SESSION: &str = "SET statement_timeout = 5000; SET lock_timeout = 2000; \
     SET idle_in_transaction_session_timeout = 5000; SET TIME ZONE 'UTC'; \
     SET client_min_messages = warning; SET default_transaction_isolation = 'read committed'; \
     DO $$ BEGIN SET lc_messages = 'C'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// Settings of the session that migrates. Migrations of a large table, or those of another server,
/// may take any time.
pub(super) const MIGRATION_SESSION: &str = "SET lock_timeout = 0; SET statement_timeout = 0";

/// Settings of a session for long reads, such as the verification of all logs.
const LONG_READS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";

/// Timeout of work on a connection. PostgreSQL cancels a statement sooner itself, so a server that
/// takes longer is unreachable.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(7);

/// Timeout of the wait of a write for earlier writes, most of them of the same lane.
const WRITE_TIMEOUT: Duration = Duration::from_secs(4);

/// Maximum number of batches of changes that are stored at the same time.
const COMMITTERS: usize = 2;

/// Parameters of libpq for URLs without them. `tcp_user_timeout` is in milliseconds, the others are
/// in seconds. <https://www.postgresql.org/docs/current/libpq-connect.html>
const LIMITS: [(&str, &str); 5] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "7000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "2"),
];

/// A PostgreSQL database.
pub(in crate::db) struct PostgresDb {
    url: PostgresUrl,
    pool: BlockingPool,
    /// Permits for lists, each of which may keep a connection busy for a while. A quarter of the
    /// connections, and at most one for each lane.
    lists: Arc<FairPermits>,
    /// Permits for transactions, at most one for each lane, because a second write of the same
    /// organization would keep a connection while it waits for the row. With the committers they
    /// are half of the connections, from six connections on, so that reads continue while every
    /// write hangs.
    writes: Arc<FairPermits>,
    changes: GroupCommit,
    readiness: Readiness,
}

impl PostgresDb {
    pub(in crate::db) fn open(
        url: &PostgresUrl,
        connections: u32,
        store_all: StoreAll,
    ) -> Result<Self> {
        let connector = || -> Connect {
            let url = url.clone();
            Box::new(move || connect(&url).map(DbConn::Postgres))
        };
        let limits = Limits {
            connections,
            most_per_lane: connections,
            response_timeout: RESPONSE_TIMEOUT,
        };
        let connections = connections as usize;
        let writes = (connections / 2).saturating_sub(COMMITTERS).max(1);
        Ok(Self {
            url: url.clone(),
            pool: BlockingPool::new(connector(), &limits)?,
            lists: FairPermits::new((connections / 4).max(1), 1),
            writes: FairPermits::new(writes, 1),
            changes: GroupCommit::new(COMMITTERS, store_all),
            readiness: Readiness::new(connector())?,
        })
    }

    /// Runs `work` in a transaction. `held` is dropped at the end of the work, or when the work is
    /// given up.
    pub(in crate::db) async fn write<T, H>(
        &self,
        lane: Lane,
        held: H,
        mut work: Work<T>,
    ) -> Result<T>
    where
        T: Send + 'static,
        H: Send + 'static,
    {
        let permit = self.pool.acquire(&self.writes, lane, WRITE_TIMEOUT).await?;
        let work = Box::new(move |conn: &mut DbConn| transaction(conn, &mut work));
        match self.pool.run(lane, (held, permit), work).await {
            // The work continues, and may commit, unless it still waits for its connection.
            Err(Error::Unavailable(cause)) if cause.is::<Unresponsive>() => {
                Err(Error::OutcomeUnknown(cause))
            }
            outcome => outcome,
        }
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

    /// Opens a connection apart from the pool, for reads of any length.
    pub(in crate::db) fn connect(&self) -> Result<DbConn> {
        let mut conn = connect(&self.url).map_err(Error::unavailable)?;
        conn.batch_execute(LONG_READS)?;
        Ok(DbConn::Postgres(conn))
    }

    /// Runs `read` on a separate connection, or returns a recent outcome.
    pub(in crate::db) async fn check(&self, read: fn(&mut DbConn) -> Result<()>) -> Result<()> {
        self.readiness.check(read).await
    }

    /// Gives up overdue work and releases its guards.
    pub(in crate::db) fn give_up_overdue(&self) {
        self.pool.give_up_overdue();
    }
}

/// Opens a session. [`LIMITS`] that the URL does not set itself are added to it.
pub(super) fn connect(url: &PostgresUrl) -> ConnectionResult<PgConnection> {
    let mut conn = PgConnection::establish(&url.connection_string(&LIMITS))?;
    conn.batch_execute(SESSION)
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Refuses a database that cannot hold every text, and warns if temporary errors are in a language
/// that [`super::fault`] does not know.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) fn check_database(conn: &mut PgConnection) -> Result<()> {
    let encoding = setting(conn, "server_encoding")?;
    // SQL_ASCII would take any bytes, also those of other programs that are not UTF-8.
    if encoding != "UTF8" {
        return Err(Error::unavailable(format!(
            "its encoding must be UTF8, not {encoding}: create it with ENCODING 'UTF8'"
        )));
    }
    let language = setting(conn, "lc_messages")?;
    if !is_english(&language) {
        log::warn!(
            "PostgreSQL's messages are not English (lc_messages {language:?}), so that temporary \
             errors are 500 and not 503: set lc_messages of this role to C"
        );
    }
    Ok(())
}

/// Returns whether messages of a locale are English. A server without a locale has English ones.
fn is_english(locale: &str) -> bool {
    let language = locale.split(['_', '.', '-', '@']).next();
    language.is_some_and(|language| {
        let english = ["", "C", "POSIX", "en", "English"];
        english
            .iter()
            .any(|name| name.eq_ignore_ascii_case(language))
    })
}

/// Refuses a pooler that pools transactions, on which prepared statements of other sessions run.
/// There two connections share a session at some moment, and one sees the setting of the other.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) fn check_session(conn: &mut PgConnection, url: &PostgresUrl) -> Result<()> {
    let mut other = connect(url).map_err(Error::unavailable)?;
    conn.batch_execute("SET quietline.session = 'one'")?;
    other.batch_execute("SET quietline.session = 'other'")?;
    // In this order, because a pooler may give out its sessions in turn, or the latest one first.
    let is_own = |conn, own| Ok::<_, Error>(setting(conn, "quietline.session")? == own);
    if is_own(&mut other, "other")? && is_own(conn, "one")? {
        Ok(())
    } else {
        Err(Error::unavailable(
            "a pooler in front of PostgreSQL must pool sessions, not transactions",
        ))
    }
}

/// Returns a setting of the session, empty if it is unknown.
fn setting(conn: &mut PgConnection, name: &str) -> Result<String> {
    let value = sql::<Nullable<Text>>("current_setting(")
        .bind::<Text, _>(name)
        .sql(", true)");
    let value: Option<String> = diesel::select(value).get_result(conn)?;
    Ok(value.unwrap_or_default())
}

fn transaction<T>(conn: &mut DbConn, work: &mut Work<T>) -> Result<T> {
    type Transactions = <DbConn as Connection>::TransactionManager;
    Transactions::begin_transaction(conn)?;
    match run_caught(work, conn) {
        Ok(value) => {
            let committed = Transactions::commit_transaction(conn);
            committed.map_err(|error| commit_error(conn, error.into()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_messages_are_recognized_by_their_locale() {
        for english in [
            "",
            "C",
            "POSIX",
            "C.UTF-8",
            "en_GB.UTF-8",
            "English_United States.1252",
        ] {
            assert!(is_english(english), "{english}");
        }
        for other in ["de_DE.UTF-8", "fr", "cs_CZ", "eno", "es-ES"] {
            assert!(!is_english(other), "{other}");
        }
    }
}
