//! Readiness: whether the database can serve requests. The check has a separate connection, so that
//! it neither waits for requests nor delays them.

use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::{Error, Result, chain};

use super::connection::DbConn;
use super::connections::Connect;
use super::fair::Lane;
use super::pool::{BlockingPool, Limits};
use super::work::{Busy, Unresponsive};

/// Time for which an outcome is reused, so that a flood of probes does not reach the database.
const REUSED_FOR: Duration = Duration::from_millis(250);

/// Longest wait of a probe.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

const LIMITS: Limits = Limits {
    connections: 1,
    most_per_lane: 1,
    response_timeout: Duration::from_secs(2),
};

/// Check on a separate connection.
pub(super) struct Readiness {
    pool: BlockingPool,
    /// Latest outcome. Locked during a check, so that concurrent probes share one query.
    latest: Mutex<Option<(Instant, Outcome)>>,
}

type Outcome = std::result::Result<(), String>;

impl Readiness {
    /// Creates a check of the database that `connect` connects to.
    pub(super) fn new(connect: Connect) -> Result<Self> {
        Ok(Self {
            pool: BlockingPool::new(connect, &LIMITS)?,
            latest: Mutex::new(None),
        })
    }

    /// Runs `read`, unless there is a recent outcome.
    pub(super) async fn check(&self, read: fn(&mut DbConn) -> Result<()>) -> Result<()> {
        let outcome = timeout(CHECK_TIMEOUT, self.check_once(read)).await;
        let outcome = outcome.unwrap_or_else(|_elapsed| Err(Unresponsive.to_string()));
        outcome.map_err(Error::unavailable)
    }

    async fn check_once(&self, read: fn(&mut DbConn) -> Result<()>) -> Outcome {
        let mut latest = self.latest.lock().await;
        if let Some((at, outcome)) = &*latest
            && at.elapsed() < REUSED_FOR
        {
            return outcome.clone();
        }
        let outcome = self.pool.run(Lane::JOBS, (), Box::new(read)).await;
        let outcome = outcome.map_err(|error| chain(error.source().unwrap_or(&error)));
        *latest = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

/// Health of writes: whether the latest attempt failed.
#[derive(Default)]
pub(in crate::db) struct WriteHealth {
    is_failing: AtomicBool,
}

impl WriteHealth {
    /// Notes the outcome of a write. Ignores a refusal before an attempt, and the error of a rule.
    pub(in crate::db) fn note<T>(&self, outcome: &Result<T>) {
        match outcome {
            Ok(_) => {
                // Reads first, because a write would contend for memory that all workers share.
                if self.is_failing() && self.is_failing.swap(false, Ordering::Relaxed) {
                    log::info!("writes succeed again");
                }
            }
            Err(error @ (Error::Unavailable(cause) | Error::OutcomeUnknown(cause)))
                if !cause.is::<Busy>() =>
            {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    log::error!("writes fail: {}", chain(error));
                }
            }
            Err(_) => {}
        }
    }

    pub(in crate::db) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use diesel::{Connection as _, SqliteConnection};
    use futures_util::future::join_all;
    use tokio::runtime;

    use super::*;

    static QUERIES: AtomicUsize = AtomicUsize::new(0);

    #[expect(clippy::unnecessary_wraps, reason = "the check takes such a function")]
    fn query(_: &mut DbConn) -> Result<()> {
        QUERIES.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    #[test]
    fn probes_at_the_same_time_share_one_query() {
        let connect = || SqliteConnection::establish(":memory:").map(DbConn::Sqlite);
        let readiness = Readiness::new(Box::new(connect)).unwrap();
        let mut runtime = runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        let probes = (0..1_000).map(|_| readiness.check(query));
        let outcomes = runtime.block_on(join_all(probes));
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(QUERIES.load(Ordering::Relaxed), 1);
    }
}
