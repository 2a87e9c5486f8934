//! Every Diesel statement of the program, and the ways to run one: [`Db::read`], [`Db::write`] and
//! what is built on them. Which database it is, and which thread works on it, is known here and
//! nowhere else.

mod engine;
mod keys;
mod tables;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::timeout;

pub use engine::connection::DbConn;
pub use engine::in_flight::Claim;
pub use engine::url::DatabaseUrl;
pub use keys::cache::FoundKey;
pub use tables::{api_key, audit_log, idempotency, organization, registry};

use crate::domain::api_key::{ApiKey, HashedApiKey};
use crate::domain::cursor::CursorKey;
use crate::domain::organization::Organization;
use crate::error::{Error, Result};

use engine::in_flight::Claims;
use engine::postgres::PostgresDb;
use engine::sqlite::SqliteDb;
use engine::{ACQUIRE_TIMEOUT, Work, connection, migrations};
use keys::cache::{KeyCache, Known, LookUp, Refresh, Turn, minute_of};
use keys::uses::{self, KeyUses, USES_PER_STORE};
use tables::server_secret;

/// The database. Cloning is cheap; all clones are one database.
#[derive(Clone)]
pub struct Db {
    backend: Backend,
    keys: Arc<KeyCache>,
    claims: Arc<Claims>,
    key_uses: Arc<KeyUses>,
    cursor_key: CursorKey,
}

/// An API key, and its organization if that was read with it. Whoever comes with a key that is not
/// known yet nearly always wants that organization next.
pub struct LookedUp {
    /// The key.
    pub key: Arc<FoundKey>,
    /// The organization that it belongs to.
    pub organization: Option<Organization>,
}

#[derive(Clone)]
enum Backend {
    Sqlite(Arc<SqliteDb>),
    Postgres(Arc<PostgresDb>),
}

impl Db {
    /// Opens the database that `url` names and brings its schema up to date. `connections` bounds
    /// how many requests may work on PostgreSQL at once; SQLite has one connection that writes, one
    /// that reads for each thread, and a few that read lists.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be reached, [`Error::Internal`] when a migration
    /// fails.
    pub fn open(url: &DatabaseUrl, connections: u32) -> Result<Self> {
        let mut migrated = migrations::run(url)?;
        let cursor_key = server_secret::find_or_make_cursor_key(&mut migrated)?;
        drop(migrated);
        let (backend, refresh) = match url {
            DatabaseUrl::Sqlite(path) => {
                let db = Arc::new(SqliteDb::open(path)?);
                (Backend::Sqlite(db), Refresh::Alone)
            }
            DatabaseUrl::Postgres(url) => {
                let db = Arc::new(PostgresDb::open(url, connections)?);
                (Backend::Postgres(db), Refresh::Together)
            }
        };
        Ok(Self {
            backend,
            keys: Arc::new(KeyCache::new(refresh)),
            claims: Arc::default(),
            key_uses: Arc::default(),
            cursor_key,
        })
    }

    /// Runs `work`, which only reads and reads little: on SQLite it runs where the caller stands,
    /// because a point read takes less time than a change of threads.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Unavailable`] when no connection was free in time.
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

    /// Runs `work`, which only reads and may read a lot: away from the threads that answer
    /// requests, and with a few connections at most.
    ///
    /// # Errors
    /// As [`Db::read`].
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
    /// all that it did is undone. It may run beside other requests' work, never interleaved on a
    /// row that it has locked.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Unavailable`] when the database cannot take the write now.
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

    /// Runs `work`, which changes data with one statement at most; that statement is a transaction
    /// of its own, durable when this returns. Otherwise as [`Db::write`].
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn write_statement<T, W>(&self, work: W) -> impl Future<Output = Result<T>>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        let work: Work<T> = Box::new(work);
        async move {
            match &self.backend {
                // Here it is two statements, an update and an insert, in the batch's transaction.
                Backend::Sqlite(db) => db.write(work).await,
                Backend::Postgres(db) => db.run(work).await,
            }
        }
    }

    /// As [`Db::write`], unless another write with the same `claim` is under way, on this replica
    /// or another: then `None` at once, and nothing is done.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_claimed<T, W>(&self, claim: Claim, work: W) -> Result<Option<T>>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<T> + Send + 'static,
    {
        let Some(held) = self.claims.take(claim) else {
            return Ok(None);
        };
        // Held by the work itself: what was begun goes on when the client has left.
        self.write(move |conn| match held.extend(conn)? {
            true => work(conn).map(Some),
            false => Ok(None),
        })
        .await
    }

    /// As [`Db::write`], for `work` that may revoke an API key and says whether it has.
    /// [`Db::find_api_key`] believes nothing meanwhile, and if a key was revoked it forgets what it
    /// knew before this returns; and also when nobody waits for it any more, because a client that
    /// leaves does not stop what it has begun.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_revocation<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<(T, bool)> + Send + 'static,
    {
        let db = self.clone();
        let written = tokio::spawn(async move {
            let _in_doubt = db.keys.doubt();
            let outcome = db.write(work).await;
            match &outcome {
                // Of a fault it is not known what was stored.
                Ok((_, true)) | Err(Error::Unavailable(_) | Error::Internal(_)) => {
                    db.keys.forget_all();
                }
                Ok((_, false)) | Err(_) => {}
            }
            outcome.map(|(value, _)| value)
        });
        written.await.map_err(Error::internal)?
    }

    /// The API key with this hash, revoked or not, as it was less than a second ago.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn find_api_key(&self, hash: HashedApiKey) -> Result<Option<LookedUp>> {
        let look_up = self.keys.begin();
        let (key, organization) = match self.keys.get(&look_up, &hash) {
            Known::Now(key) => (Some(key), None),
            Known::Due(turn) => (self.refresh_keys(&look_up, turn).await?, None),
            // Of a key in use one request in a second comes here; it may not need the organization.
            Known::Before => {
                let find = move |conn: &mut DbConn| api_key::find_by_hash(conn, &hash);
                let found = self.read(find).await?;
                (found.map(|key| self.remember(&look_up, hash, key)), None)
            }
            Known::Never => {
                let find = move |conn: &mut DbConn| api_key::find_with_organization(conn, &hash);
                let (key, organization) = self.read(find).await?.unzip();
                (
                    key.map(|key| self.remember(&look_up, hash, key)),
                    organization,
                )
            }
        };
        Ok(key.map(|key| LookedUp { key, organization }))
    }

    /// Looks up all that it is the turn of and returns the first of them.
    async fn refresh_keys(
        &self,
        look_up: &LookUp,
        turn: Turn<'_>,
    ) -> Result<Option<Arc<FoundKey>>> {
        let hashes = turn.hashes.clone();
        let found = self.read(move |conn| api_key::find_by_hashes(conn, &hashes));
        let mut asked_for = None;
        for (hash, key) in found.await? {
            let key = self.remember(look_up, hash, key);
            if hash == turn.hashes[0] {
                asked_for = Some(key);
            }
        }
        Ok(asked_for)
    }

    fn remember(&self, look_up: &LookUp, hash: HashedApiKey, key: ApiKey) -> Arc<FoundKey> {
        let key = Arc::new(FoundKey::new(key));
        self.keys.remember(look_up, hash, &key);
        key
    }

    /// Notes that `key` was used at `now`; [`Db::store_key_uses`] stores it, to the minute.
    pub fn note_key_use(&self, key: &FoundKey, now: DateTime<Utc>) {
        let minute = minute_of(now);
        key.note_use(minute, |id| self.key_uses.note(id, minute));
    }

    /// Stores the oldest uses of keys that were noted and not stored, of one minute and a thousand
    /// at most; returns how many keys that changed. What cannot be stored now is kept for the next
    /// time.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn store_key_uses(&self) -> Result<usize> {
        let (minute, ids) = self.key_uses.take(USES_PER_STORE);
        if ids.is_empty() {
            return Ok(0);
        }
        let taken = ids.clone();
        let stored = self.write(move |conn| uses::store(conn, minute, &taken));
        let stored = stored.await;
        if stored.is_err() {
            self.key_uses.put_back(minute, ids);
        }
        stored
    }

    /// Whether there are uses of keys to store.
    pub fn has_key_uses(&self) -> bool {
        !self.key_uses.is_empty()
    }

    /// What the cursors of lists are signed with.
    pub fn cursor_key(&self) -> &CursorKey {
        &self.cursor_key
    }

    /// Whether the database answers, for the readiness probe.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<()> {
        if let Backend::Sqlite(db) = &self.backend
            && !db.is_writing()
        {
            return Err(Error::unavailable("a thread of the database has ended"));
        }
        let answer = self.read(connection::ping);
        let answer = timeout(ACQUIRE_TIMEOUT, answer).await;
        answer.map_err(Error::unavailable)?
    }
}

/// Faults that pass are told from faults of ours, so that a caller knows whether to try again.
impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        match connection::is_passing_fault(&error) {
            true => Self::unavailable(error),
            false => Self::internal(error),
        }
    }
}
