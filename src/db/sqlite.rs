//! SQLite: any number of readers, one writer thread, and a thread that checkpoints. A second
//! process (the command line) may write too; the file's lock then decides who goes first.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::r2d2::Pool;
use diesel::sql_types::Integer;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, select};
use thread_local::ThreadLocal;

use crate::error::{BoxError, Error, Result};

use super::Work;
use super::connection::{DbConn, Manager, open_sqlite, open_sqlite_reader};
use super::pool::BlockingPool;
use super::writer::Writer;

/// Before this version SQLite could corrupt a database when two connections reset the WAL at once.
const OLDEST_VERSION: [u32; 3] = [3, 51, 3];

/// Lists that are read at once. Each may keep a processor busy for a while.
const LIST_READERS: u32 = 2;

/// A SQLite file.
pub(super) struct SqliteDb {
    path: PathBuf,
    /// A connection of its own for each thread that serves requests: no lock is taken to get it.
    readers: ThreadLocal<RefCell<DbConn>>,
    list_readers: BlockingPool,
    // Fields drop in this order: the writer finishes what it was given while the log is still kept
    // short.
    writer: Writer,
    _checkpointer: Checkpointer,
}

impl SqliteDb {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut writer = open_sqlite(path).map_err(Error::unavailable)?;
        writer.batch_execute(Writer::PATIENCE)?;
        let builder = Pool::builder().min_idle(Some(0)).test_on_check_out(false);
        let reader = Manager::SqliteReader(path.to_owned());
        let list_readers = BlockingPool::open(builder, reader, LIST_READERS)?;
        Ok(Self {
            path: path.to_owned(),
            readers: ThreadLocal::new(),
            list_readers,
            writer: Writer::start(DbConn::Sqlite(writer))?,
            _checkpointer: Checkpointer::start(open_sqlite(path).map_err(Error::unavailable)?)?,
        })
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&mut DbConn) -> Result<T>) -> Result<T> {
        let open = || {
            open_sqlite_reader(&self.path)
                .map(DbConn::Sqlite)
                .map(RefCell::new)
        };
        let conn = self.readers.get_or_try(open).map_err(Error::unavailable)?;
        work(&mut conn.borrow_mut())
    }

    /// Runs `work` on a thread that may wait.
    pub(super) async fn read_list<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.list_readers.run(work).await
    }

    /// Whether writes are still being taken.
    pub(super) fn is_writing(&self) -> bool {
        self.writer.is_running()
    }

    pub(super) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.writer.write(work).await
    }
}

/// Turns the write-ahead log on, which the file then remembers.
pub(super) fn use_write_ahead_log(conn: &mut SqliteConnection) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let started = Instant::now();
    // The change of mode does not wait for other servers that make it, whatever the busy timeout.
    while let Err(error) = conn.batch_execute("PRAGMA journal_mode = WAL") {
        if started.elapsed() > PATIENCE {
            return Err(error.into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Refuses a SQLite that is known to lose data.
pub(super) fn check_version(conn: &mut SqliteConnection) -> Result<()> {
    diesel::define_sql_function! {
        fn sqlite_version() -> diesel::sql_types::Text;
    }
    let version: String = select(sqlite_version()).get_result(conn)?;
    let numbers: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    match numbers.as_slice() >= OLDEST_VERSION.as_slice() {
        true => Ok(()),
        false => Err(Error::internal(format!(
            "SQLite {version} is older than {OLDEST_VERSION:?}"
        ))),
    }
}

/// Copies the write-ahead log into the database file beside the writer, who then rarely waits for
/// it.
struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// How often the log is looked at; at the highest write rates it grows by a few MiB in this
    /// time.
    const INTERVAL: Duration = Duration::from_millis(250);

    /// Pages (4 KiB) from which the log is not only copied but started again from its beginning,
    /// for which the writer has to wait a moment: 32 MiB. The file keeps its size, so that the
    /// next writes need not extend it again.
    const RESTART_PAGES: i32 = 8192;

    /// Pages that may be left to copy while the writer waits: 4 MiB, a few milliseconds. More are
    /// left only when some reader still needs the old state; then waiting would not help either.
    const MAX_PAGES_LEFT: i32 = 1024;

    /// Pages from which it is said that the log grows: 64 MiB.
    const WARN_PAGES: i32 = 16_384;

    /// How long the writer may be kept waiting for readers to let go of the log.
    const PATIENCE: &str = "PRAGMA busy_timeout = 20";

    fn start(mut conn: SqliteConnection) -> Result<Self> {
        conn.batch_execute(Self::PATIENCE)?;
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".into())
            .spawn(move || Self::run(conn, &stopped))
            .map_err(|error| Error::internal(BoxError::from(error)))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn run(mut conn: SqliteConnection, stopped: &Receiver<()>) {
        let mut is_warned = false;
        while stopped.recv_timeout(Self::INTERVAL) == Err(RecvTimeoutError::Timeout) {
            match Self::checkpoint(&mut conn) {
                Ok(pages) if pages >= Self::WARN_PAGES && !is_warned => {
                    is_warned = true;
                    log::warn!("the SQLite log has {pages} pages: something reads for a long time");
                }
                Ok(pages) => is_warned &= pages >= Self::WARN_PAGES,
                Err(error) => log::warn!("SQLite checkpoint failed, will try again: {error}"),
            }
        }
    }

    /// Folds the log in as far as nobody is in the way; returns the pages that it had.
    fn checkpoint(conn: &mut SqliteConnection) -> diesel::QueryResult<i32> {
        let passive = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)");
        let seen: Checkpoint = passive.get_result(conn)?;
        let is_nearly_done = seen.log - seen.checkpointed <= Self::MAX_PAGES_LEFT;
        if seen.log >= Self::RESTART_PAGES && is_nearly_done {
            let restart = diesel::sql_query("PRAGMA wal_checkpoint(RESTART)");
            let _busy_or_done: Checkpoint = restart.get_result(conn)?;
        }
        Ok(seen.log)
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

/// What `PRAGMA wal_checkpoint` answers.
#[derive(QueryableByName)]
struct Checkpoint {
    /// Pages in the log.
    #[diesel(sql_type = Integer)]
    log: i32,
    /// How many of them are in the database file too.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}
