//! Keeps SQLite's write-ahead log short, with as little of the writer's time as can be: a thread
//! copies the log into the database file while writes go on, and the writer only starts it again.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::sql_types::Integer;
use diesel::{QueryResult, QueryableByName, RunQueryDsl, SqliteConnection};

use crate::error::{BoxError, Error, Result, chain};

use crate::db::engine::connection::{DbConn, open_sqlite};

/// How often the log is looked at; at the highest write rates it grows by some MiB in this time.
const INTERVAL: Duration = Duration::from_millis(100);

/// Pages (4 KiB) from which the log is not only copied but started again from its beginning, for
/// which the writer has to stop for some milliseconds: 16 MiB. The file keeps its size, so that the
/// next writes need not extend it again. At the highest write rates it comes to 45 MiB.
const RESTART_PAGES: i32 = 4096;

/// Pages that may be left to copy while the writer stops: 4 MiB, a few milliseconds. More are left
/// only when some reader still needs the old state; then stopping would not help either.
const MAX_PAGES_LEFT: i32 = 1024;

/// Pages from which it is said that the log grows: 64 MiB.
const WARN_PAGES: i32 = 16_384;

/// The thread that copies.
pub(in crate::db) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    wants_restart: Arc<AtomicBool>,
    // To the end: on POSIX, closing it would drop the locks that this process's connections hold.
    _file: Arc<File>,
}

impl Checkpointer {
    /// Starts it for the database at `path`, which is there.
    pub(in crate::db) fn start(path: &Path) -> Result<Self> {
        let file = Arc::new(File::open(path).map_err(Error::unavailable)?);
        let (stop, stopped) = channel();
        let wants_restart = Arc::new(AtomicBool::new(false));
        let mut worker = Worker {
            conn: open_sqlite(path).map_err(Error::unavailable)?,
            file: Arc::clone(&file),
            wants_restart: Arc::clone(&wants_restart),
            is_warned: false,
            fault: None,
        };
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".into())
            .spawn(move || worker.run(&stopped))
            .map_err(|error| Error::internal(BoxError::from(error)))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            wants_restart,
            _file: file,
        })
    }

    /// Whether the thread still runs; it ends only by a defect or when this is dropped.
    pub(in crate::db) fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// What the writer does after each of its transactions: it starts the log again if that was
    /// asked for. Another thread would have to wait for the writer, and the writer then for it.
    pub(in crate::db) fn restarter(&self) -> impl FnMut(&mut DbConn) + Send + 'static {
        let wants_restart = Arc::clone(&self.wants_restart);
        move |conn| {
            if wants_restart.swap(false, Ordering::Relaxed) {
                restart(conn);
            }
        }
    }
}

/// Starts the log again from its beginning.
fn restart(conn: &mut DbConn) {
    let started = Instant::now();
    match checkpoint(conn, "PRAGMA wal_checkpoint(RESTART)") {
        Ok(seen) if seen.busy == 0 => log::debug!(
            "SQLite log of {} pages, {} copied, started again in {:?}",
            seen.log,
            seen.checkpointed,
            started.elapsed()
        ),
        Ok(_) => log::debug!("SQLite log not started again, will try: somebody reads"),
        Err(error) => log::warn!("SQLite log not started again, will try: {error}"),
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
    conn: SqliteConnection,
    file: Arc<File>,
    wants_restart: Arc<AtomicBool>,
    is_warned: bool,
    /// What went wrong the last time.
    fault: Option<String>,
}

impl Worker {
    fn run(&mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let fault = self.keep_short().err().map(|error| chain(&error));
            if let Some(fault) = &fault
                && self.fault.as_ref() != Some(fault)
            {
                log::warn!("SQLite checkpoint failed, will try again: {fault}");
            }
            self.fault = fault;
        }
    }

    /// Copies the log as far as no reader is in the way, and asks for a new one if it is long.
    fn keep_short(&mut self) -> Result<Seen> {
        let mut seen = self.copy()?;
        // What was asked for and not done waits for the next write; until then nothing changes.
        if seen.log >= RESTART_PAGES && !self.wants_restart.load(Ordering::Relaxed) {
            // Once more what was written meanwhile, which is little: what is left then is copied
            // and made durable while the writer stops.
            self.file.sync_data().map_err(Error::unavailable)?;
            seen = self.copy()?;
            self.file.sync_data().map_err(Error::unavailable)?;
            let is_nearly_done = seen.log - seen.checkpointed <= MAX_PAGES_LEFT;
            self.wants_restart.store(is_nearly_done, Ordering::Relaxed);
        }
        let is_long = seen.log >= WARN_PAGES;
        if is_long && !self.is_warned {
            log::warn!(
                "the SQLite log has {} pages: something reads for a long time",
                seen.log
            );
        }
        self.is_warned = is_long;
        Ok(seen)
    }

    fn copy(&mut self) -> Result<Seen> {
        Ok(checkpoint(
            &mut self.conn,
            "PRAGMA wal_checkpoint(PASSIVE)",
        )?)
    }
}

/// Runs a `PRAGMA wal_checkpoint`.
pub(in crate::db) fn checkpoint<C>(conn: &mut C, pragma: &str) -> QueryResult<Seen>
where
    C: diesel::connection::LoadConnection,
    diesel::query_builder::SqlQuery: diesel::query_dsl::methods::LoadQuery<'static, C, Seen>,
{
    diesel::sql_query(pragma).get_result(conn)
}

/// What `PRAGMA wal_checkpoint` answers.
#[derive(Clone, Copy, PartialEq, Eq, QueryableByName)]
pub(in crate::db) struct Seen {
    /// 1 if somebody was in the way.
    #[diesel(sql_type = Integer)]
    pub(in crate::db) busy: i32,
    /// Pages in the log.
    #[diesel(sql_type = Integer)]
    pub(in crate::db) log: i32,
    /// How many of them are in the database file too.
    #[diesel(sql_type = Integer)]
    pub(in crate::db) checkpointed: i32,
}
