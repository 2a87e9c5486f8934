//! The database: [`Db`] opens it and runs work on it. Its parts are the engine (connections of
//! either database), the tables (all statements) and the API keys as requests see them.

mod engine;
pub mod keys;
mod tables;

use std::sync::Arc;

use tokio::time::timeout;

pub use engine::connection::DbConn;
pub use engine::in_flight::InFlightKey;
pub use engine::reader::Reader;
pub use engine::url::DatabaseUrl;
pub use tables::{api_key, audit_log, idempotency, organization, registry, stray};

use crate::domain::cursor::CursorKey;
use crate::error::{Error, Result};

use engine::in_flight::InFlight;
use engine::migrations;
use engine::postgres::PostgresDb;
use engine::sqlite::SqliteDb;
use engine::work::{ACQUIRE_TIMEOUT, Work};
use tables::server_secret;

/// Database handle. Cloning is cheap, and all clones use the same database.
#[derive(Clone)]
pub struct Db {
    backend: Backend,
    in_flight: Arc<InFlight>,
    cursor_key: CursorKey,
}

#[derive(Clone)]
enum Backend {
    Sqlite(Arc<SqliteDb>),
    Postgres(Arc<PostgresDb>),
}

impl Db {
    /// Opens the database at `url` and brings its schema up to date. `connections` is the size of
    /// the pool on PostgreSQL. SQLite has one writing connection, one reading connection for each
    /// thread, and a few connections for lists.
    ///
    /// # Errors
    /// [`Error::Unavailable`] for an unreachable database, [`Error::Internal`] for a failed
    /// migration.
    pub fn open(url: &DatabaseUrl, connections: u32) -> Result<Self> {
        let mut migrated = migrations::run(url)?;
        let cursor_key = server_secret::find_or_create_cursor_key(&mut migrated)?;
        // Ends the session that holds the lock of the migrations, so that other servers can start.
        drop(migrated);
        let backend = match url {
            DatabaseUrl::Sqlite(path) => Backend::Sqlite(Arc::new(SqliteDb::open(path)?)),
            DatabaseUrl::Postgres(url) => {
                Backend::Postgres(Arc::new(PostgresDb::open(url, connections)?))
            }
        };
        Ok(Self {
            backend,
            in_flight: Arc::default(),
            cursor_key,
        })
    }

    /// Runs `work`, which only reads and reads little. On SQLite it runs on the caller's thread,
    /// because a point read takes less time than a change of threads.
    ///
    /// # Errors
    /// Errors of `work`, and [`Error::Unavailable`] when all connections stayed busy.
    pub async fn read<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite(db) => db.read(work),
            Backend::Postgres(db) => db.run(Box::new(work)).await,
        }
    }

    /// Runs `work`, which only reads and may read a lot, on a thread that may block and with a few
    /// connections at most.
    ///
    /// # Errors
    /// Errors of [`Db::read`].
    pub fn read_list<T, W>(&self, work: W) -> impl Future<Output = Result<T>>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        let work: Work<T> = Box::new(work);
        async move {
            match &self.backend {
                Backend::Sqlite(db) => db.read_list(work).await,
                Backend::Postgres(db) => db.read_list(work).await,
            }
        }
    }

    /// Runs `work` in one transaction that is durable when this returns. If `work` fails or panics,
    /// the transaction is rolled back. Other work may run at the same time, but not on a row that
    /// `work` has locked.
    ///
    /// # Errors
    /// Errors of `work`, and [`Error::Unavailable`] when the database cannot take the write now.
    pub fn write<T, W>(&self, work: W) -> impl Future<Output = Result<T>>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        let work: Work<T> = Box::new(work);
        async move {
            match &self.backend {
                Backend::Sqlite(db) => db.write(work).await,
                Backend::Postgres(db) => db.write(work).await,
            }
        }
    }

    /// Runs `work` like [`Db::write`]. `work` changes data with one statement at most. On
    /// PostgreSQL that statement is its own transaction, which saves two round trips.
    ///
    /// # Errors
    /// Errors of [`Db::write`].
    pub fn write_statement<T, W>(&self, work: W) -> impl Future<Output = Result<T>>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        let work: Work<T> = Box::new(work);
        async move {
            match &self.backend {
                // On SQLite `work` runs two statements, an update and an insert, in a group commit.
                Backend::Sqlite(db) => db.write(work).await,
                Backend::Postgres(db) => db.run(work).await,
            }
        }
    }

    /// Runs `work` like [`Db::write`], unless a write with the same key is in flight, on this
    /// server or another: then it returns `None` at once.
    ///
    /// # Errors
    /// Errors of [`Db::write`].
    pub async fn write_unless_in_flight<T, W>(&self, key: InFlightKey, work: W) -> Result<Option<T>>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        let Some(guard) = self.in_flight.acquire(key) else {
            return Ok(None);
        };
        // The work itself holds the guard, because it continues when the client disconnects.
        self.write(move |conn| {
            if guard.lock_for_all_processes(conn)? {
                work(conn).map(Some)
            } else {
                Ok(None)
            }
        })
        .await
    }

    /// Opens a connection for long reads.
    ///
    /// # Errors
    /// [`Error::Unavailable`] for an unreachable database.
    pub fn reader(&self) -> Result<Reader> {
        let conn = match &self.backend {
            Backend::Sqlite(db) => db.connect_reader(),
            Backend::Postgres(db) => db.connect(),
        };
        Ok(Reader::new(conn?))
    }

    /// Returns the key that signs the cursors of lists.
    pub fn cursor_key(&self) -> &CursorKey {
        &self.cursor_key
    }

    /// Checks that the database responds, for the readiness probe.
    ///
    /// # Errors
    /// [`Error::Unavailable`] otherwise.
    pub async fn ping(&self) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(db) => db.ping(),
            // A probe must not wait as long as a statement may take.
            Backend::Postgres(db) => timeout(ACQUIRE_TIMEOUT, db.ping())
                .await
                .map_err(Error::unavailable)?,
        }
    }
}
