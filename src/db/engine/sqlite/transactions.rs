//! Transactions of the writer: their beginning, their end, and the state of the files around them.
//! Not here: which writes share a transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::db::engine::connection::DbConn;
use crate::db::engine::fault::is_locked;
use crate::db::engine::prepared::{self, Statement};
use crate::error::{Result, chain};

use super::files::Files;

/// Pause between two attempts to get the lock.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// Takes the write lock at once. Otherwise a transaction that reads first fails if another process
/// has written since. <https://sqlite.org/lang_transaction.html>
const BEGIN: Statement = Statement("BEGIN IMMEDIATE");
const COMMIT: Statement = Statement("COMMIT");
const ROLLBACK: Statement = Statement("ROLLBACK");

/// Transactions of one connection.
pub(super) struct Transactions {
    files: Arc<Files>,
}

impl Transactions {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self { files }
    }

    /// Begins a transaction. Waits until `deadline` while another process holds the lock.
    pub(super) fn begin(&self, conn: &mut DbConn, deadline: Instant) -> Result<()> {
        loop {
            match prepared::run(conn, &BEGIN) {
                Err(error) if is_locked(&error) && Instant::now() < deadline => {
                    std::thread::sleep(LOCK_POLL);
                }
                outcome => return outcome,
            }
        }
    }

    /// Commits, unless the files are gone.
    pub(super) fn commit(&self, conn: &mut DbConn) -> Result<()> {
        // Here too and not only by the checkpointer, because a change must not be acknowledged
        // that a file without a name holds. Takes microseconds, a commit takes milliseconds.
        self.files.check()?;
        prepared::run(conn, &COMMIT)
    }

    /// Rolls back a transaction that failed.
    pub(super) fn roll_back(&self, conn: &mut DbConn) {
        // Fails if SQLite has already rolled back, as after some errors of the disk.
        // <https://sqlite.org/lang_transaction.html>
        if let Err(error) = prepared::run(conn, &ROLLBACK) {
            log::debug!("rollback: {}", chain(&error));
        }
    }
}
