//! API keys as requests see them. Lookups go through a cache whose entries live for less than a
//! second. Uses are gathered in memory and stored later.

mod cache;
mod uses;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use cache::CachedKey;

use crate::domain::api_key::{ApiKey, HashedApiKey};
use crate::domain::organization::Organization;
use crate::error::{Error, Result};

use super::Db;
use super::engine::connection::DbConn;
use super::engine::fair::Lane;
use super::tables::api_key;

use cache::{KeyCache, Lookup, LookupStart};
use uses::{KeyUses, USES_PER_STORE};

/// The API keys of a database. Cloning is cheap, and all clones share one cache.
#[derive(Clone)]
pub struct ApiKeys {
    db: Db,
    cache: Arc<KeyCache>,
    uses: Arc<KeyUses>,
}

/// API key, with its organization if the lookup read both. A request whose key is not cached nearly
/// always needs the organization next.
pub struct KeyWithOrganization {
    pub key: Arc<CachedKey>,
    /// Organization of the key. `None` unless the cache missed.
    pub organization: Option<Organization>,
}

impl ApiKeys {
    /// Creates the keys of `db`, with an empty cache.
    pub fn new(db: Db) -> Self {
        Self {
            db,
            cache: Arc::default(),
            uses: Arc::default(),
        }
    }

    /// Returns the API key with this hash, revoked or not, as it was less than a second ago. The
    /// lookup of a key that is not cached takes its turn in the lane `newcomers`.
    ///
    /// # Errors
    /// Errors of [`Db::read`].
    pub async fn find(
        &self,
        hash: HashedApiKey,
        newcomers: Lane,
    ) -> Result<Option<KeyWithOrganization>> {
        // Before the query, so that a revocation during the query invalidates its result.
        let start = self.cache.start();
        let (key, organization) = match self.cache.get(start, &hash) {
            Lookup::Fresh(key) => (key, None),
            Lookup::Stale => {
                let find = move |conn: &mut DbConn| api_key::find_by_hash(conn, &hash);
                let Some(key) = self.db.read(Lane::of_key(&hash), find).await? else {
                    return Ok(None);
                };
                (self.cached(start, hash, key), None)
            }
            Lookup::Miss => {
                let find = move |conn: &mut DbConn| api_key::find_with_organization(conn, &hash);
                let Some((key, organization)) = self.db.read(newcomers, find).await? else {
                    return Ok(None);
                };
                (self.cached(start, hash, key), Some(organization))
            }
        };
        Ok(Some(KeyWithOrganization { key, organization }))
    }

    /// Returns whether this server has seen the key with this hash in use. Says nothing about the
    /// key now.
    pub fn is_in_use(&self, hash: &HashedApiKey) -> bool {
        self.cache.has_live(hash)
    }

    fn cached(&self, start: LookupStart, hash: HashedApiKey, key: ApiKey) -> Arc<CachedKey> {
        let key = Arc::new(CachedKey::new(key));
        self.cache.insert(start, hash, &key);
        key
    }

    /// Runs `work`, a write that may revoke API keys and returns whether it did, also on a full
    /// disk ([`Db::write_with_reserve`]). When this returns, the cache holds no revoked key.
    ///
    /// # Errors
    /// Errors of [`Db::write`].
    pub async fn revoke<T, W>(&self, lane: Lane, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut DbConn) -> Result<(T, bool)> + Send + Sync + 'static,
    {
        let db = self.db.clone();
        self.invalidating(async move { db.write_with_reserve(lane, work).await })
            .await
    }

    /// Runs `work` like [`ApiKeys::revoke`], but needs space on the disk, because `work` creates a
    /// key as well.
    ///
    /// # Errors
    /// Errors of [`Db::write`].
    pub async fn rotate<T, W>(&self, lane: Lane, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut DbConn) -> Result<(T, bool)> + Send + 'static,
    {
        let db = self.db.clone();
        self.invalidating(async move { db.write(lane, work).await })
            .await
    }

    /// Runs a write that may revoke API keys. The cache is bypassed during the write, and
    /// invalidated before this returns if a key was revoked. Runs in its own task, so that a client
    /// that disconnects does not skip the invalidation.
    async fn invalidating<T: Send + 'static>(
        &self,
        write: impl Future<Output = Result<(T, bool)>> + Send + 'static,
    ) -> Result<T> {
        let cache = Arc::clone(&self.cache);
        let written = tokio::spawn(async move {
            let _bypass = cache.bypass();
            let outcome = write.await;
            match &outcome {
                // After such an error the write may be stored or not.
                Ok((_, true))
                | Err(Error::OutcomeUnknown(_) | Error::Unavailable(_) | Error::Internal(_)) => {
                    cache.invalidate_all();
                }
                Ok((_, false)) | Err(_) => {}
            }
            outcome.map(|(value, _)| value)
        });
        written.await.map_err(Error::internal)?
    }

    /// Notes that `key` was used at `now`. [`ApiKeys::store_uses`] stores it, to the minute.
    pub fn note_use(&self, key: &CachedKey, now: DateTime<Utc>) {
        let minute = cache::minute_of(now);
        key.note_use(minute, |id| self.uses.note(id, minute));
    }

    /// Stores the oldest noted uses, of one minute and [`USES_PER_STORE`] keys at most. Returns the
    /// number of changed keys. Uses that cannot be stored now are kept for the next call.
    ///
    /// # Errors
    /// Errors of [`Db::write`].
    pub async fn store_uses(&self) -> Result<usize> {
        let (minute, ids) = self.uses.take(USES_PER_STORE);
        if ids.is_empty() {
            return Ok(0);
        }
        // Kept, to put the uses back if the write fails.
        let taken = ids.clone();
        let used_at = DateTime::from_timestamp(minute * 60, 0).unwrap_or_default();
        let store = move |conn: &mut DbConn| api_key::update_last_used(conn, &taken, used_at);
        let stored = self.db.write(Lane::JOBS, store).await;
        if stored.is_err() {
            self.uses.put_back(minute, ids);
        }
        stored
    }

    /// Returns whether there are uses to store.
    pub fn has_uses(&self) -> bool {
        !self.uses.is_empty()
    }
}
