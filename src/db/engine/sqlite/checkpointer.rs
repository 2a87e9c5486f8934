//! Keeps SQLite's write-ahead log (WAL) short. A thread checkpoints the WAL while writes continue.
//! The writer resets a long WAL between two of its transactions, because only the writer never
//! waits for the write lock. With all checkpoints on the writer, the p99 of W2 was 12 ms instead
//! of 5 ms. <https://sqlite.org/wal.html>

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Integer;
use diesel::{QueryResult, QueryableByName, RunQueryDsl};

use crate::db::engine::connection::DbConn;
use crate::error::{BoxError, Error, Result, chain};

use super::files::Files;
use super::open::connect;
use super::pragmas::{CHECKPOINT, CHECKPOINT_AND_RESET, CHECKPOINT_AND_TRUNCATE, OPEN_WAL, Role};
use super::reserve::Reserve;

/// Time between two checkpoints. At the highest write rates the WAL grows by some MiB meanwhile.
const INTERVAL: Duration = Duration::from_millis(100);

/// Length from which the WAL is reset, in pages of 4 KiB: 16 MiB. The file keeps its size, so that
/// the next writes need not extend it again.
const RESET_PAGES: i32 = 4096;

/// Maximum number of pages that the checkpointer may leave for the writer to copy: 4 MiB. More are
/// left only while a read, such as a backup, still needs the old pages. A reset would then
/// block the writer for 8 ms and fail.
const MAX_PAGES_LEFT: i32 = 1024;

/// Length from which a warning is logged, in pages: 64 MiB.
const WARN_PAGES: i32 = 16_384;

/// Handle of the thread that checkpoints.
pub(super) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    wants_reset: Arc<AtomicBool>,
    files: Arc<Files>,
    reserve: Arc<Reserve>,
}

impl Checkpointer {
    /// Starts the thread for the database at `path`.
    pub(super) fn start(path: &Path, reserve: Arc<Reserve>) -> Result<Self> {
        let file = File::open(path).map_err(Error::unavailable)?;
        let mut conn = connect(path, Role::Checkpointer).map_err(Error::unavailable)?;
        conn.batch_execute(OPEN_WAL)?;
        let files = Files::note(path, file).map_err(Error::unavailable)?;
        let files = Arc::new(files);
        let wants_reset = Arc::new(AtomicBool::new(false));
        let mut worker = Worker {
            conn: DbConn::Sqlite(conn),
            files: Arc::clone(&files),
            wants_reset: Arc::clone(&wants_reset),
            reserve: Arc::clone(&reserve),
            is_rescued: false,
        };
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".into())
            .spawn(move || worker.run(&stopped))
            .map_err(|error| Error::internal(BoxError::from(error)))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            wants_reset,
            files,
            reserve,
        })
    }

    /// Returns the files, which the thread checks at every checkpoint.
    pub(super) fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// Returns the function that the writer calls after each transaction. It takes space in reserve
    /// again, and resets the WAL on request.
    pub(super) fn after_batch(&self) -> impl FnMut(&mut DbConn) + Send + 'static {
        let wants_reset = Arc::clone(&self.wants_reset);
        let reserve = Arc::clone(&self.reserve);
        move |conn| {
            reserve.take_back();
            if wants_reset.swap(false, Ordering::Relaxed) {
                reset(conn);
            }
        }
    }

    /// Returns whether the thread runs. It stops only after a defect or when this is dropped.
    pub(super) fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the SQLite checkpoint thread panicked");
        }
    }
}

struct Worker {
    conn: DbConn,
    files: Arc<Files>,
    wants_reset: Arc<AtomicBool>,
    reserve: Arc<Reserve>,
    is_rescued: bool,
}

impl Worker {
    /// Checkpoints until `stopped`. Logs a problem when it begins, and not again while it lasts.
    fn run(&mut self, stopped: &Receiver<()>) {
        let mut logged = None;
        while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let problem = if self.files.check().is_ok() {
                self.checkpoint_unless_released()
            } else {
                self.rescue()
            };
            if let Some(problem) = &problem
                && logged.as_ref() != Some(problem)
            {
                log::warn!("{problem}");
            }
            logged = problem;
        }
    }

    /// Checkpoints, unless space in reserve is released. Returns a problem.
    fn checkpoint_unless_released(&mut self) -> Option<String> {
        let reserve = Arc::clone(&self.reserve);
        match reserve.unless_released(|| self.checkpoint())? {
            Ok(pages) if pages >= WARN_PAGES => Some(
                "the SQLite WAL exceeds 64 MiB: a long read or a slow disk delays checkpoints"
                    .to_owned(),
            ),
            Ok(_) => None,
            Err(error) => Some(format!(
                "SQLite checkpoint failed, will retry: {}",
                chain(&error)
            )),
        }
    }

    /// Moves the WAL into the database file and empties it, once, when the files are gone. A file
    /// that was moved away is complete then. A file that was put in its place is not destroyed by a
    /// WAL that does not belong to it. Returns a problem.
    fn rescue(&mut self) -> Option<String> {
        if self.is_rescued || !self.files.can_checkpoint() {
            return None;
        }
        let cause = match checkpoint(&mut self.conn, CHECKPOINT_AND_TRUNCATE) {
            Ok(status) if status.busy == 0 => {
                self.is_rescued = true;
                log::info!("the file that the server has open now holds all acknowledged changes");
                return None;
            }
            Ok(_) => "a read is in progress".to_owned(),
            Err(error) => error.to_string(),
        };
        Some(format!(
            "SQLite WAL not moved into the open file, will retry: {cause}"
        ))
    }

    /// Checkpoints, requests a reset if the WAL is long, and returns its length in pages.
    fn checkpoint(&mut self) -> Result<i32> {
        let mut status = checkpoint(&mut self.conn, CHECKPOINT)?;
        if status.pages >= RESET_PAGES && status.pages - status.checkpointed > MAX_PAGES_LEFT {
            // On a slow disk, writes during the first checkpoint exceeded the limit. A second
            // checkpoint is short.
            status = checkpoint(&mut self.conn, CHECKPOINT)?;
        }
        let left = status.pages - status.checkpointed;
        // A requested reset happens after the next write.
        let is_requested = self.wants_reset.load(Ordering::Relaxed);
        if status.pages >= RESET_PAGES && left <= MAX_PAGES_LEFT && !is_requested {
            // The reset syncs the file too, and blocks the writer meanwhile. Without this sync it
            // took 46 ms instead of 18 ms (300,000 rows), and 16 ms instead of 8 ms (1,000 rows).
            self.files.sync().map_err(Error::unavailable)?;
            self.wants_reset.store(true, Ordering::Relaxed);
        }
        Ok(status.pages)
    }
}

fn reset(conn: &mut DbConn) {
    match checkpoint(conn, CHECKPOINT_AND_RESET) {
        Ok(status) if status.busy == 0 => log::debug!("SQLite WAL of {} pages reset", status.pages),
        Ok(_) => log::debug!("SQLite WAL not reset, will retry: a read is in progress"),
        Err(error) => log::warn!("SQLite WAL not reset, will retry: {error}"),
    }
}

fn checkpoint(conn: &mut DbConn, pragma: &str) -> QueryResult<CheckpointStatus> {
    diesel::sql_query(pragma).get_result(conn)
}

/// Result of a checkpoint. <https://sqlite.org/pragma.html#pragma_wal_checkpoint>
#[derive(QueryableByName)]
struct CheckpointStatus {
    /// 1 if a reader or another checkpoint blocked this one.
    #[diesel(sql_type = Integer)]
    busy: i32,
    /// Pages in the WAL.
    #[diesel(sql_type = Integer, column_name = log)]
    pages: i32,
    /// Pages of the WAL that are also in the database file.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}
