//! Stores the uses of API keys, which `auth` notes, a moment after their requests. A flood of keys
//! is stored little by little, so that it does not hold up other writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::db::keys::ApiKeys;
use crate::error::chain;
use crate::state::AppState;

/// Interval in which uses are gathered, and the longest pause while more wait.
const INTERVAL: Duration = Duration::from_secs(1);

/// Pause while more wait, in multiples of the duration of the last write.
const PAUSE: u32 = 10;

/// Stores uses now and then until the sender of `stop` is dropped, and then, as long as the
/// database takes them, all that are left.
pub(super) async fn run(state: Arc<AppState>, mut stop: watch::Receiver<()>) {
    let keys = &state.keys;
    let mut pause = INTERVAL;
    while timeout(pause, stop.changed()).await.is_err() {
        let started = Instant::now();
        pause = if store(keys).await && keys.has_uses() {
            INTERVAL.min(started.elapsed() * PAUSE)
        } else {
            INTERVAL
        };
    }
    while keys.has_uses() && store(keys).await {}
}

/// Returns whether the database took a batch of uses.
async fn store(keys: &ApiKeys) -> bool {
    let stored = keys.store_uses().await;
    if let Err(error) = &stored {
        log::warn!("uses of API keys are not stored yet: {}", chain(error));
    }
    stored.is_ok()
}
