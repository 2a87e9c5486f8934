//! Removes answers that are no longer given again. Which those are is known to `app`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::app;
use crate::error::chain;
use crate::state::AppState;

/// How often records are looked at. Each was kept for a day, so that a minute matters to nobody.
const INTERVAL: Duration = Duration::from_secs(60);

/// The pause between two batches, in which others may write.
const PAUSE: Duration = Duration::from_millis(10);

/// Removes batch after batch now and then, until `stop` is heard or dropped.
pub async fn run(state: Arc<AppState>, mut stop: oneshot::Receiver<()>) {
    let mut pause = INTERVAL;
    while timeout(pause, &mut stop).await.is_err() {
        pause = match app::idempotency::sweep(&state).await {
            Ok(true) => PAUSE,
            Ok(false) => INTERVAL,
            Err(error) => {
                log::warn!("old idempotency records stay for now: {}", chain(&error));
                INTERVAL
            }
        };
    }
}
