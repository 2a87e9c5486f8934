//! Stores which API keys were used, a moment after their requests. That they were is noted by
//! `auth`. A flood of keys is stored little by little, so that it does not hold up other writes.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::db::keys::ApiKeys;
use crate::error::chain;

/// How long uses are gathered, and how long at most until more that wait are stored.
const INTERVAL: Duration = Duration::from_secs(1);

/// While more wait, the time until the next are stored, in multiples of what the last took.
const PAUSE: u32 = 20;

/// Stores uses now and then until `stop` is heard or dropped, and then, as long as the database
/// takes them, all that are left.
pub async fn run(keys: ApiKeys, mut stop: oneshot::Receiver<()>) {
    let mut pause = INTERVAL;
    while timeout(pause, &mut stop).await.is_err() {
        let started = Instant::now();
        pause = match store(&keys).await && keys.has_uses() {
            true => INTERVAL.min(started.elapsed() * PAUSE),
            false => INTERVAL,
        };
    }
    while keys.has_uses() && store(&keys).await {}
}

/// Says whether it could.
async fn store(keys: &ApiKeys) -> bool {
    let stored = keys.store_uses().await;
    if let Err(error) = &stored {
        log::warn!("uses of API keys are not stored yet: {}", chain(error));
    }
    stored.is_ok()
}
