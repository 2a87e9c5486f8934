//! A connection to either database, and the pool's way of making and checking one.

use std::os::fd::IntoRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::r2d2::ManageConnection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{Connection, ConnectionError, ConnectionResult, PgConnection, SqliteConnection};

use crate::error::{Error, Result, chain};

use crate::db::engine::prepared;

/// A connection to the database that the configuration names.
#[derive(diesel::MultiConnection)]
pub enum DbConn {
    /// To PostgreSQL.
    Postgres(PgConnection),
    /// To the SQLite file.
    Sqlite(SqliteConnection),
}

/// Compiles `body` once for each database. The connection type above could run a query itself, but
/// would build its text anew every time, which a hot statement cannot afford.
macro_rules! on_each_backend {
    ($conn:ident => $body:expr) => {
        match $conn {
            $crate::db::engine::connection::DbConn::Postgres($conn) => $body,
            $crate::db::engine::connection::DbConn::Sqlite($conn) => $body,
        }
    };
}

pub(in crate::db) use on_each_backend;

/// What every SQLite connection is set to. `synchronous=FULL`: what was acknowledged survives a
/// power cut. Checkpoints are run by `checkpointer::Checkpointer`, and by the last connection that
/// is closed.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0;";

/// Milliseconds; a statement that takes longer is not one of ours. A change looks at a row again
/// once it has locked it, which shows what was committed meanwhile only if READ COMMITTED.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = 10000; SET lock_timeout = 2000; \
     SET idle_in_transaction_session_timeout = 10000; SET TIME ZONE 'UTC'; \
     SET client_min_messages = warning; SET default_transaction_isolation = 'read committed';";

/// What PostgreSQL says of a change in such a session.
const READ_ONLY: &str = "in a read-only transaction";

/// Makes connections of one kind.
#[derive(Debug)]
pub(in crate::db) enum Manager {
    /// Reads a SQLite file and cannot write to it.
    SqliteReader(PathBuf),
    /// Talks to PostgreSQL.
    Postgres(String),
}

/// A connection of a pool, and what is known of its health.
pub(in crate::db) struct PooledConn {
    conn: DbConn,
    used_at: Instant,
    is_suspect: bool,
    /// A session that was begun while PostgreSQL was read-only may stay so for good.
    is_read_only: bool,
}

impl PooledConn {
    /// A connection that was used so recently is taken to be alive without asking, which would be
    /// a round trip for every request. If its server is gone, one request on it fails (503).
    const TRUSTED_AFTER_USE: Duration = Duration::from_secs(1);

    /// Runs `work` on the connection and draws conclusions about its health.
    pub(in crate::db) fn run<T>(
        &mut self,
        work: impl FnOnce(&mut DbConn) -> Result<T>,
    ) -> Result<T> {
        let outcome = work(&mut self.conn);
        self.used_at = Instant::now();
        self.is_suspect = matches!(outcome, Err(Error::Unavailable(_) | Error::Internal(_)));
        self.is_read_only = matches!(&outcome, Err(error) if chain(error).contains(READ_ONLY));
        outcome
    }
}

impl ManageConnection for Manager {
    type Connection = PooledConn;
    type Error = ConnectionError;

    fn connect(&self) -> ConnectionResult<PooledConn> {
        let conn = match self {
            Self::SqliteReader(path) => DbConn::Sqlite(open_sqlite_reader(path)?),
            Self::Postgres(url) => DbConn::Postgres(open_postgres(url)?),
        };
        Ok(PooledConn {
            conn,
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
        let conn = &mut pooled.conn;
        std::thread::panicking()
            || pooled.is_read_only
            || TransactionManagerOf::is_broken_transaction_manager(conn)
    }
}

type TransactionManagerOf = <DbConn as Connection>::TransactionManager;

/// Opens the SQLite file at `path`, making it if it is not there.
pub(in crate::db) fn open_sqlite(path: &Path) -> ConnectionResult<SqliteConnection> {
    let path = path
        .to_str()
        .ok_or_else(|| ConnectionError::BadConnection("path is not UTF-8".into()))?;
    let mut conn = SqliteConnection::establish(path)?;
    conn.batch_execute(SQLITE_SETTINGS)
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// As [`open_sqlite`], but the connection cannot change anything.
pub(in crate::db) fn open_sqlite_reader(path: &Path) -> ConnectionResult<SqliteConnection> {
    let mut conn = open_sqlite(path)?;
    conn.batch_execute("PRAGMA query_only = ON")
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Makes the file if it is not there, readable by nobody else: it will hold attestations and
/// everybody's audit log. SQLite gives its other files the same mode.
pub(in crate::db) fn create_if_missing(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    match options.append(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            // Never closed: on POSIX that would drop the locks which this process's connections
            // hold on the file, and other processes would take it for one that nobody uses.
            let _kept_open = file.into_raw_fd();
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Connects to PostgreSQL; limits that the URL does not set itself are added to it.
pub(in crate::db) fn open_postgres(url: &str) -> ConnectionResult<PgConnection> {
    let limits = [
        ("connect_timeout", "3"),
        ("tcp_user_timeout", "10000"),
        ("keepalives_idle", "30"),
    ];
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    for (name, value) in limits {
        let is_set = parameters
            .iter()
            .any(|part| part.split('=').next() == Some(name));
        if !is_set {
            parameters.push(format!("{name}={value}"));
        }
    }
    let url = format!("{place}?{}", parameters.join("&"));
    let mut conn = PgConnection::establish(&url)?;
    conn.batch_execute(POSTGRES_SETTINGS)
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Asks the database for an answer, any answer; on SQLite by beginning to read.
pub(in crate::db) fn ping(conn: &mut DbConn) -> Result<()> {
    match conn {
        DbConn::Postgres(_) => prepared::run(conn, &prepared::Ping),
        DbConn::Sqlite(_) => prepared::run(conn, &prepared::TakeReadLock),
    }
}

/// What SQLite says when another connection holds the lock that is wanted.
const LOCKED: &str = "database is locked";

/// Whether `error` is that another process holds SQLite's write lock.
pub(in crate::db) fn is_locked(error: &Error) -> bool {
    chain(error).contains(LOCKED)
}

/// Whether `error` says that the database cannot be had now, and not that we did something wrong.
pub(in crate::db) fn is_passing_fault(error: &DieselError) -> bool {
    // Diesel gives SQLite's result codes, and PostgreSQL's classes 53, 55 and 57, no kind of their
    // own.
    const PASSING: [&str; 13] = [
        LOCKED,
        "database or disk is full",
        "disk I/O error",
        "unable to open database file",
        "attempt to write a readonly database",
        "canceling statement due to",
        "terminating connection",
        "the database system is",
        "could not extend file",
        "no space left on device",
        "remaining connection slots",
        "server closed the connection",
        "deadlock detected",
    ];
    match error {
        DieselError::DatabaseError(kind, info) => match kind {
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction
            | DatabaseErrorKind::UnableToSendCommand => true,
            _ => {
                let message = info.message().to_ascii_lowercase();
                PASSING
                    .iter()
                    .any(|text| message.contains(&text.to_ascii_lowercase()))
            }
        },
        DieselError::BrokenTransactionManager => true,
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_passing_fault(commit_error),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_has_no_room_or_is_locked_may_be_had_later() {
        let fault = |words: &str| {
            let words = Box::new(words.to_owned());
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, words)
        };
        for words in [
            "database or disk is full",
            "disk I/O error",
            "database is locked",
        ] {
            assert!(is_passing_fault(&fault(words)), "{words}");
        }
        for words in [
            "no such table: organizations",
            "database disk image is malformed",
        ] {
            assert!(!is_passing_fault(&fault(words)), "{words}");
        }
    }
}
