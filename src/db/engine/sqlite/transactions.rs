//! Transactions of the writer: their beginning, their end, and the state of the files around them.
//! Not here: which writes share a transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;

use crate::db::engine::connection::DbConn;
use crate::db::engine::fault::{is_full, is_locked};
use crate::db::engine::prepared::{self, Statement};
use crate::error::{Result, chain};

use super::files::Files;
use super::pragmas::WRITE_ONE_PAGE;

/// Pause between two attempts to get the lock.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// Takes the write lock at once. Otherwise a transaction that reads first fails if another process
/// has written since. <https://sqlite.org/lang_transaction.html>
const BEGIN: Statement = Statement("BEGIN IMMEDIATE");
const COMMIT: Statement = Statement("COMMIT");
const ROLLBACK: Statement = Statement("ROLLBACK");

/// Maximum time for which the lock of another process delays the erasure of a failed commit.
const ERASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Transactions of one connection.
pub(super) struct Transactions {
    files: Arc<Files>,
    /// True after a failed commit whose frames may be whole in the WAL. If the process were killed
    /// then, the next start would take them for a commit.
    has_remains: bool,
}

impl Transactions {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self {
            files,
            has_remains: false,
        }
    }

    /// Begins a transaction. Waits until `deadline` while another process holds the lock.
    pub(super) fn begin(&mut self, conn: &mut DbConn, deadline: Instant) -> Result<()> {
        self.erase_remains(conn, deadline)?;
        retry_while_locked(deadline, || prepared::run(conn, &BEGIN))
    }

    /// Commits, unless the files are gone.
    pub(super) fn commit(&mut self, conn: &mut DbConn) -> Result<()> {
        // Here too and not only by the checkpointer, because a change must not be acknowledged
        // that a file without a name holds. Takes microseconds, a commit takes milliseconds.
        self.files.check()?;
        let committed = prepared::run(conn, &COMMIT);
        // Without space, the last frame and its commit mark are not whole.
        self.has_remains = committed.as_ref().is_err_and(|error| !is_full(error));
        committed
    }

    /// Rolls back a transaction that failed. Returns `false` if the transaction may return after a
    /// crash, because its remains in the WAL cannot be erased.
    pub(super) fn roll_back(&mut self, conn: &mut DbConn) -> bool {
        // Fails if SQLite has already rolled back, as after some errors of the disk.
        // <https://sqlite.org/lang_transaction.html>
        if let Err(error) = prepared::run(conn, &ROLLBACK) {
            log::debug!("rollback: {}", chain(&error));
        }
        if let Err(error) = self.erase_remains(conn, Instant::now() + ERASE_TIMEOUT) {
            log::error!(
                "a refused change may return if the process ends now, writes are refused: {}",
                chain(&error)
            );
        }
        !self.has_remains
    }

    /// Overwrites the first frame of a failed commit. The frames after it are invalid then, because
    /// the checksum of a frame includes all frames before it.
    /// <https://sqlite.org/fileformat2.html#walformat>
    fn erase_remains(&mut self, conn: &mut DbConn, deadline: Instant) -> Result<()> {
        if self.has_remains {
            retry_while_locked(deadline, || Ok(conn.batch_execute(WRITE_ONE_PAGE)?))?;
            self.has_remains = false;
        }
        Ok(())
    }
}

fn retry_while_locked(deadline: Instant, mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    loop {
        match attempt() {
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                std::thread::sleep(LOCK_POLL);
            }
            outcome => return outcome,
        }
    }
}
