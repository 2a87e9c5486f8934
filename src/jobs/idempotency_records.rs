//! Removes idempotency records that are too old to be replayed.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::db::{self, Db, DbConn, Lane};
use crate::domain::idempotency::KEPT_FOR;
use crate::error::{Result, chain};
use crate::state::AppState;

/// Interval between sweeps. Records are kept for a day, so a minute more does not matter.
const INTERVAL: Duration = Duration::from_secs(60);

/// Pause between two batches, in which other writes run.
const PAUSE: Duration = Duration::from_millis(10);

/// Maximum number of records removed in one transaction, so that other writes do not wait for long.
const BATCH: i64 = 500;

/// Removes old records in batches, until the sender of `stop` is dropped.
pub(super) async fn run(state: Arc<AppState>, mut stop: watch::Receiver<()>) {
    let mut pause = INTERVAL;
    while timeout(pause, stop.changed()).await.is_err() {
        pause = match sweep_batch(&state.db, state.clock.now()).await {
            Ok(true) => PAUSE,
            Ok(false) => INTERVAL,
            Err(error) => {
                log::warn!(
                    "cannot remove old idempotency records, will retry: {}",
                    chain(&error)
                );
                INTERVAL
            }
        };
    }
}

/// Removes a batch of records that are too old at `now`. Returns whether there may be more.
///
/// # Errors
/// Only errors of the database.
pub async fn sweep_batch(db: &Db, now: DateTime<Utc>) -> Result<bool> {
    let oldest = now - KEPT_FOR;
    let work = move |conn: &mut DbConn| db::idempotency::delete_before(conn, oldest, BATCH);
    let removed = db.write(Lane::JOBS, work).await?;
    Ok(i64::try_from(removed).is_ok_and(|removed| removed >= BATCH))
}
