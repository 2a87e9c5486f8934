//! Holds disk space in reserve, so that API keys can be revoked on a full disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::chain;
use crate::state::AppState;

/// Interval between attempts to complete the reserve.
const INTERVAL: Duration = Duration::from_secs(60);

/// Completes the reserve at the start and periodically, until the sender of `stop` is dropped.
pub(super) async fn run(state: Arc<AppState>, mut stop: watch::Receiver<()>) {
    loop {
        if let Err(error) = state.db.fill_reserve().await {
            log::warn!(
                "cannot hold disk space in reserve, will retry: {}",
                chain(&error)
            );
        }
        if timeout(INTERVAL, stop.changed()).await.is_ok() {
            return;
        }
    }
}
