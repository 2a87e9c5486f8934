//! Stores the uses of API keys, which `auth` notes, shortly after their requests. Many uses are
//! stored in small batches, so that they do not delay other writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::db::keys::ApiKeys;
use crate::error::chain;
use crate::state::AppState;

/// Interval between stores, and the longest pause while more uses wait.
const INTERVAL: Duration = Duration::from_secs(1);

/// Pause while more uses wait, in multiples of the duration of the last write. Leaves most of the
/// writer's time to requests.
const PAUSE: u32 = 10;

/// Stores uses periodically until the sender of `stop` is dropped. Then stores the remaining uses,
/// unless the database refuses them.
pub(super) async fn run(state: Arc<AppState>, mut stop: watch::Receiver<()>) {
    let keys = &state.keys;
    let mut pause = INTERVAL;
    while timeout(pause, stop.changed()).await.is_err() {
        let started = Instant::now();
        // The whole interval after a failure, so that retries do not press a busy database.
        pause = if store(keys).await && keys.has_uses() {
            INTERVAL.min(started.elapsed() * PAUSE)
        } else {
            INTERVAL
        };
    }
    // Ends at the first failure, so that a database that is down does not delay the shutdown.
    while keys.has_uses() && store(keys).await {}
}

/// Stores a batch of uses. Returns whether the database accepted it.
async fn store(keys: &ApiKeys) -> bool {
    let stored = keys.store_uses().await;
    if let Err(error) = &stored {
        log::warn!(
            "cannot store uses of API keys, will retry: {}",
            chain(error)
        );
    }
    stored.is_ok()
}
