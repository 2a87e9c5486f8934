//! The database: [`Db`] opens it and runs work on it. Its parts are the engine (connections of
//! either database), the tables (all statements), and the API keys and the revocations of tokens as
//! requests see them.

mod engine;
pub mod keys;
pub mod revocations;
mod tables;

use std::sync::Arc;

pub use engine::connection::DbConn;
pub use engine::fair::Lane;
pub use engine::in_flight::InFlightKey;
pub use engine::reader::Reader;
pub use engine::url::DatabaseUrl;
pub use tables::{api_key, audit_log, idempotency, organization, registry, stray, token};

use crate::domain::change::Change;
use crate::domain::cursor::CursorKey;
use crate::domain::ids::OrganizationRef;
use crate::domain::organization::Organization;
use crate::error::{Error, Result};

use engine::in_flight::InFlight;
use engine::migrations;
use engine::postgres::PostgresDb;
use engine::readiness::WriteHealth;
use engine::sqlite::SqliteDb;
use engine::work::{Work, once};
use tables::server_secret;

/// Database handle. Cloning is cheap, and all clones use the same database.
#[derive(Clone)]
pub struct Db {
    backend: Backend,
    in_flight: Arc<InFlight<InFlightKey>>,
    write_health: Arc<WriteHealth>,
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
    /// `Unavailable` for an unreachable database, `Internal` for a failed migration.
    pub fn open(url: &DatabaseUrl, connections: u32) -> Result<Self> {
        let mut migrated = migrations::run(url)?;
        let cursor_key = server_secret::find_or_create_cursor_key(&mut migrated)?;
        // Ends the session that holds the lock of the migrations, so that other servers can start.
        drop(migrated);
        let backend = match url {
            DatabaseUrl::Sqlite(path) => Backend::Sqlite(Arc::new(SqliteDb::open(path)?)),
            DatabaseUrl::Postgres(url) => {
                let db = PostgresDb::open(url, connections, organization::store_all)?;
                Backend::Postgres(Arc::new(db))
            }
        };
        Ok(Self {
            backend,
            in_flight: Arc::default(),
            write_health: Arc::default(),
            cursor_key,
        })
    }

    /// Runs `work`, which only reads and reads little. On SQLite it runs on the caller's thread,
    /// because a point read takes less time than a change of threads. `lane` decides whose turn it
    /// is, here and below. `work` may run twice.
    ///
    /// # Errors
    /// Errors of `work`, and `Unavailable` when all connections stayed busy.
    pub async fn read<T, W>(&self, lane: Lane, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut DbConn) -> Result<T> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite(db) => db.read(work),
            Backend::Postgres(db) => db.read(lane, Box::new(work)).await,
        }
    }

    /// Runs `work`, which only reads and may read a lot, on a thread that may block and with a few
    /// connections at most, one for each lane. `work` may run twice.
    ///
    /// # Errors
    /// Errors of [`Db::read`].
    pub fn read_list<T, W>(&self, lane: Lane, work: W) -> impl Future<Output = Result<T>>
    where
        T: Send + 'static,
        W: Fn(&mut DbConn) -> Result<T> + Send + 'static,
    {
        let work: Work<T> = Box::new(work);
        async move {
            match &self.backend {
                Backend::Sqlite(db) => db.read_list(lane, work).await,
                Backend::Postgres(db) => db.read_list(lane, work).await,
            }
        }
    }

    /// Runs `work` in one transaction that is durable when this returns. If `work` fails or panics,
    /// the transaction is rolled back. Other work may run at the same time, but not of the same
    /// lane, nor on a row that `work` has locked.
    ///
    /// # Errors
    /// Errors of `work`, and `Unavailable` when the database cannot take the write now.
    pub fn write<T, W>(&self, lane: Lane, work: W) -> impl Future<Output = Result<T>>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        self.write_work(lane, once(work))
    }

    async fn write_work<T: Send + 'static>(&self, lane: Lane, work: Work<T>) -> Result<T> {
        let written = match &self.backend {
            Backend::Sqlite(db) => db.write(lane, work).await,
            Backend::Postgres(db) => db.write(lane, (), work).await,
        };
        self.write_health.note(&written);
        written
    }

    /// Runs `work` like [`Db::write`], also on a full disk: SQLite then gets space that was held in
    /// reserve. `work` may run several times. For writes that must not wait for space.
    ///
    /// # Errors
    /// Errors of [`Db::write`].
    pub async fn write_with_reserve<T, W>(&self, lane: Lane, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut DbConn) -> Result<T> + Send + Sync + 'static,
    {
        match &self.backend {
            // Says nothing about other writes, so it is not noted.
            Backend::Sqlite(db) => db.write_with_reserve(lane, work).await,
            Backend::Postgres(_) => self.write_work(lane, Box::new(work)).await,
        }
    }

    /// Takes disk space in reserve for [`Db::write_with_reserve`]. On PostgreSQL it does nothing,
    /// because the disk belongs to the database server.
    ///
    /// # Errors
    /// `Unavailable` if the disk has less space than the reserve needs.
    pub async fn fill_reserve(&self) -> Result<()> {
        let Backend::Sqlite(db) = &self.backend else {
            return Ok(());
        };
        let db = Arc::clone(db);
        let filled = tokio::task::spawn_blocking(move || db.fill_reserve());
        filled.await.map_err(Error::internal)?
    }

    /// Stores `change` and returns the changed organization, or returns `None` if a concurrent
    /// write won. Changes of several organizations share a commit.
    ///
    /// # Errors
    /// Errors of [`Db::write`].
    pub async fn store_change(&self, change: Change) -> Result<Option<Organization>> {
        let stored = match &self.backend {
            Backend::Sqlite(db) => {
                let lane = Lane::of(&OrganizationRef::Id(change.after.id));
                let work = once(move |conn: &mut DbConn| {
                    let is_stored = organization::store(conn, &change)?;
                    Ok(is_stored.then_some(change.after))
                });
                db.write(lane, work).await
            }
            Backend::Postgres(db) => db.store_change(change).await,
        };
        // A void change was not attempted on every database.
        if !matches!(stored, Ok(None)) {
            self.write_health.note(&stored);
        }
        stored
    }

    /// Runs `work` like [`Db::write`], unless a write with the same key is in flight, on this
    /// server or another: then it returns `None` at once. `work` may run twice.
    ///
    /// # Errors
    /// Errors of [`Db::write`].
    pub async fn write_unless_in_flight<T, W>(
        &self,
        lane: Lane,
        key: InFlightKey,
        work: W,
    ) -> Result<Option<T>>
    where
        T: Send + 'static,
        W: Fn(&mut DbConn) -> Result<T> + Send + 'static,
    {
        if let Backend::Postgres(db) = &self.backend {
            db.give_up_overdue();
        }
        let Some(guard) = self.in_flight.acquire(key) else {
            return Ok(None);
        };
        let work = move |conn: &mut DbConn| {
            if key.lock_for_all_processes(conn)? {
                work(conn).map(Some)
            } else {
                Ok(None)
            }
        };
        // The work itself holds the guard, because it continues when the client disconnects.
        let written = match &self.backend {
            Backend::Sqlite(db) => {
                let work = once(move |conn: &mut DbConn| {
                    let _guard = guard;
                    work(conn)
                });
                db.write(lane, work).await
            }
            Backend::Postgres(db) => db.write(lane, guard, Box::new(work)).await,
        };
        self.write_health.note(&written);
        written
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

    /// Checks that the database can serve requests, for the readiness probe. Takes a second at
    /// most.
    ///
    /// # Errors
    /// `Unavailable` otherwise.
    pub async fn check(&self) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(db) => db.check(read_tables).await,
            Backend::Postgres(db) => db.check(read_tables).await,
        }
    }

    /// Returns whether the latest write failed because the database could not take it.
    pub fn are_writes_failing(&self) -> bool {
        self.write_health.is_failing()
    }
}

/// Reads a row of the tables that every request needs, with all columns that the program knows.
fn read_tables(conn: &mut DbConn) -> Result<()> {
    organization::read_any(conn)?;
    api_key::read_any(conn)
}
