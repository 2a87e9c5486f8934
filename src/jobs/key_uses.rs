//! Stores which API keys were used, a moment after their requests. That they were is noted by
//! `auth`.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::db::Db;
use crate::error::chain;

/// How long uses are gathered; a server that dies loses no more than this.
const INTERVAL: Duration = Duration::from_secs(1);

/// Stores uses now and then until `stop` is heard or dropped, and then once more.
pub async fn run(db: Db, mut stop: oneshot::Receiver<()>) {
    loop {
        let is_stopping = timeout(INTERVAL, &mut stop).await.is_ok();
        if let Err(error) = db.store_key_uses().await {
            log::warn!("uses of API keys are not stored yet: {}", chain(&error));
        }
        if is_stopping {
            return;
        }
    }
}
