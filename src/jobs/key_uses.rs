//! Stores which API keys were used, a moment after their requests. That they were is noted by
//! `auth`. A flood of keys is stored little by little, so that it does not hold up other writes.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::db::Db;
use crate::error::chain;

/// How long uses are gathered; a server that dies loses no more than this.
const INTERVAL: Duration = Duration::from_secs(1);

/// Stores uses now and then until `stop` is heard or dropped, and then all that are left.
pub async fn run(db: Db, mut stop: oneshot::Receiver<()>) {
    while timeout(INTERVAL, &mut stop).await.is_err() {
        store(&db).await;
    }
    while db.has_key_uses() && store(&db).await {}
}

/// Says whether it could.
async fn store(db: &Db) -> bool {
    let stored = db.store_key_uses().await;
    if let Err(error) = &stored {
        log::warn!("uses of API keys are not stored yet: {}", chain(error));
    }
    stored.is_ok()
}
