//! Revocations of tokens as requests see them. They are few, so that all of them are in memory, and
//! read again when their number has changed. Rows are never deleted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::domain::token::Revocations;
use crate::error::{Error, Result};

use super::Db;
use super::engine::connection::DbConn;
use super::engine::fair::Lane;
use super::engine::work::Unresponsive;
use super::tables::token;

/// Age up to which the revocations are used without a query. The contract allows one second, as for
/// API keys.
const TTL: Duration = Duration::from_millis(900);

/// Timeout of the wait for the query of another request.
const PATIENCE: Duration = Duration::from_secs(2);

/// The revocations of a database.
pub struct TokenRevocations {
    db: Db,
    cached: ArcSwap<Option<Cached>>,
    /// Held by the request that reads them again.
    refresh: Mutex<()>,
}

#[derive(Clone)]
struct Cached {
    /// Time before the query.
    read_at: Instant,
    /// Number of rows.
    count: i64,
    revocations: Arc<Revocations>,
}

impl TokenRevocations {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            cached: ArcSwap::default(),
            refresh: Mutex::new(()),
        }
    }

    /// Returns the revocations as they were less than a second ago. While the database cannot be
    /// read, there are none that a request could use, and it fails.
    ///
    /// # Errors
    /// Errors of [`Db::read`].
    pub async fn current(&self) -> Result<Arc<Revocations>> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        // One query for all requests that wait. They give up with the first of them, because one
        // query after the other would each wait for a database that hangs.
        let waiting = timeout(PATIENCE, self.refresh.lock()).await;
        let _guard = waiting.map_err(|_elapsed| Error::unavailable(Unresponsive))?;
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let read_at = Instant::now();
        let last = self.cached.load_full();
        let known = (*last).as_ref().map(|cached| cached.count);
        let find = move |conn: &mut DbConn| {
            if known == Some(token::count_revocations(conn)?) {
                return Ok(None);
            }
            token::find_revocations(conn).map(Some)
        };
        let changed = self.db.read(Lane::JOBS, find).await?;
        let (count, revocations) = match (changed, (*last).clone()) {
            (Some((count, revocations)), _) => (count, Arc::new(revocations)),
            (None, Some(last)) => (last.count, last.revocations),
            (None, None) => (0, Arc::default()),
        };
        let cached = Cached {
            read_at,
            count,
            revocations: Arc::clone(&revocations),
        };
        self.cached.store(Arc::new(Some(cached)));
        Ok(revocations)
    }

    fn fresh(&self) -> Option<Arc<Revocations>> {
        let cached = self.cached.load();
        let cached = (**cached).as_ref()?;
        let is_fresh = cached.read_at.elapsed() < TTL;
        is_fresh.then(|| Arc::clone(&cached.revocations))
    }
}
