//! Background work of a server. A new job is one line in [`start`].

mod disk_reserve;
mod idempotency_records;
mod key_uses;
mod token_keys;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::state::AppState;

pub use idempotency_records::sweep_batch;

/// The running jobs of one server.
#[must_use = "dropped jobs are aborted without finishing their work"]
pub struct Jobs {
    stop: watch::Sender<()>,
    tasks: JoinSet<()>,
}

/// Starts every job.
pub fn start(state: &Arc<AppState>) -> Jobs {
    let (stop, stopped) = watch::channel(());
    let mut tasks = JoinSet::new();
    tasks.spawn(key_uses::run(state.clone(), stopped.clone()));
    tasks.spawn(idempotency_records::run(state.clone(), stopped.clone()));
    tasks.spawn(disk_reserve::run(state.clone(), stopped.clone()));
    tasks.spawn(token_keys::run(state.clone(), stopped));
    Jobs { stop, tasks }
}

impl Jobs {
    /// Tells every job to finish, and waits for all of them.
    ///
    /// # Errors
    /// A job panicked.
    pub async fn stop(mut self) -> Result<(), JoinError> {
        // Closing the channel is the signal.
        drop(self.stop);
        // All jobs are awaited, because a panic of one must not keep another from finishing.
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            outcome = outcome.and(ended);
        }
        outcome
    }
}
