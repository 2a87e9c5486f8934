//! Keeps the keys of tokens current: reads their files again when they change, and downloads the
//! JWK set periodically.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::select;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::state::AppState;

/// Interval between looks at the files, and at requests for a reload.
const INTERVAL: Duration = Duration::from_secs(1);

/// Pause before a download that follows a failure, or a token with an unknown key. Any client can
/// send such a token.
const PAUSE: Duration = Duration::from_secs(30);

/// Keeps the keys current until the sender of `stop` is dropped. The first download was at the
/// start.
pub(super) async fn run(state: Arc<AppState>, mut stop: watch::Receiver<()>) {
    // Does not wait for a download, which may take seconds.
    select(pin!(keep_current(&state)), pin!(stop.changed())).await;
}

async fn keep_current(state: &Arc<AppState>) {
    let keys = &state.jwt_keys;
    let (started, mut last, mut needs_download) = (Instant::now(), None::<Instant>, false);
    loop {
        sleep(INTERVAL).await;
        let is_requested = keys.take_reload_request();
        if keys.has_files() {
            reload_files(state, is_requested).await;
        }
        needs_download |= keys.take_missing_key();
        let Some(refresh) = keys.refresh_interval() else {
            continue;
        };
        let is_old = last.unwrap_or(started).elapsed() >= refresh;
        let is_allowed = last.is_none_or(|last| last.elapsed() >= PAUSE);
        if is_requested || is_old || needs_download && is_allowed {
            // After a failure, the set is not left as it is until the next interval.
            needs_download = !download(state).await;
            last = Some(Instant::now());
        }
    }
}

async fn reload_files(state: &Arc<AppState>, all: bool) {
    let state = Arc::clone(state);
    // A file on a network file system may block.
    let reloaded = tokio::task::spawn_blocking(move || state.jwt_keys.reload_files(all)).await;
    if let Err(error) = reloaded {
        log::error!("cannot read the files of keys: {error}");
    }
}

/// Downloads the JWK set. Returns whether it is usable.
async fn download(state: &AppState) -> bool {
    let downloaded = state.jwt_keys.download_set().await;
    if let Err(problem) = &downloaded {
        log::warn!("cannot download the JWK set, its last keys stay valid: {problem}");
    }
    downloaded.is_ok()
}
