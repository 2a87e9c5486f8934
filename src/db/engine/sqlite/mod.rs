//! SQLite: any number of readers, one writer thread, and a thread that checkpoints. A second
//! process (the command line) may write too; the file's lock then decides who goes first.

pub(in crate::db) mod checkpointer;
pub(in crate::db) mod writer;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::r2d2::Pool;
use diesel::{RunQueryDsl, SqliteConnection, select};
use thread_local::ThreadLocal;

use crate::error::{Error, Result};

use crate::db::engine::Work;
use crate::db::engine::connection::{DbConn, Manager, open_sqlite, open_sqlite_reader};
use crate::db::engine::pool::BlockingPool;
use crate::db::engine::sqlite::checkpointer::Checkpointer;
use crate::db::engine::sqlite::writer::Writer;

/// Before this version SQLite could corrupt a database when two connections reset the WAL at once.
const OLDEST_VERSION: [u32; 3] = [3, 51, 3];

/// Lists that are read at once. Each may keep a processor busy for a while.
const LIST_READERS: u32 = 2;

/// In KiB: point reads find the upper levels of all indexes here even with a million organizations;
/// with a few no more is used than they have.
const READER_CACHE: &str = "PRAGMA cache_size = -8192";

/// A SQLite file.
pub(in crate::db) struct SqliteDb {
    path: PathBuf,
    /// A connection of its own for each thread that serves requests: no lock is taken to get it.
    readers: ThreadLocal<RefCell<DbConn>>,
    list_readers: BlockingPool,
    // Fields drop in this order: the writer finishes what it was given while the log is still kept
    // short.
    writer: Writer,
    checkpointer: Checkpointer,
}

impl SqliteDb {
    pub(in crate::db) fn open(path: &Path) -> Result<Self> {
        let mut writer = open_sqlite(path).map_err(Error::unavailable)?;
        writer.batch_execute(Writer::PATIENCE)?;
        let builder = Pool::builder().min_idle(Some(0)).test_on_check_out(false);
        let reader = Manager::SqliteReader(path.to_owned());
        let list_readers = BlockingPool::open(builder, reader, LIST_READERS)?;
        let checkpointer = Checkpointer::start(path)?;
        Ok(Self {
            path: path.to_owned(),
            readers: ThreadLocal::new(),
            list_readers,
            writer: Writer::start(DbConn::Sqlite(writer), checkpointer.restarter())?,
            checkpointer,
        })
    }

    pub(in crate::db) fn read<T>(&self, work: impl FnOnce(&mut DbConn) -> Result<T>) -> Result<T> {
        let conn = self.readers.get_or_try(|| self.open_reader())?;
        work(&mut conn.borrow_mut())
    }

    fn open_reader(&self) -> Result<RefCell<DbConn>> {
        let mut conn = open_sqlite_reader(&self.path).map_err(Error::unavailable)?;
        conn.batch_execute(READER_CACHE)?;
        Ok(RefCell::new(DbConn::Sqlite(conn)))
    }

    /// Runs `work` on a thread that may wait.
    pub(in crate::db) async fn read_list<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.list_readers.run(work).await
    }

    /// Whether writes are still being taken, and the log is kept short.
    pub(in crate::db) fn is_writing(&self) -> bool {
        self.writer.is_running() && self.checkpointer.is_running()
    }

    pub(in crate::db) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        self.writer.write(work).await
    }
}

/// Turns the write-ahead log on, which the file then remembers.
pub(in crate::db) fn use_write_ahead_log(conn: &mut SqliteConnection) -> Result<()> {
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
pub(in crate::db) fn check_version(conn: &mut SqliteConnection) -> Result<()> {
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
