//! SQLite: any number of readers, one writer thread, and a thread that checkpoints. A second
//! process (the command line) may write too. The lock of the file then orders the writes.

mod checkpointer;
mod files;
mod open;
mod pragmas;
mod reserve;
mod transactions;
mod writer;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thread_local::ThreadLocal;

use crate::error::{Error, Result, chain};

use super::connection::DbConn;
use super::connections::Connect;
use super::fair::Lane;
use super::fault::{is_full, is_unreadable};
use super::pool::{BlockingPool, Limits};
use super::readiness::Readiness;
use super::work::Work;

use checkpointer::Checkpointer;
use pragmas::Role;
use reserve::Reserve;
use transactions::Transactions;
use writer::Writer;

pub(super) use open::open;

/// Maximum number of lists that are read at the same time, of different lanes. Each may keep a
/// processor busy for a while.
const LIST_READERS: Limits = Limits {
    connections: 2,
    most_per_lane: 1,
    response_timeout: Duration::from_secs(15),
};

/// Maximum number of times that one write may release space. More than one, because another
/// process may take the space first.
const MOST_RELEASES: usize = 3;

/// A SQLite file.
pub(in crate::db) struct SqliteDb {
    path: PathBuf,
    /// One connection for each thread that serves requests, because a shared one would need a lock.
    readers: ThreadLocal<RefCell<DbConn>>,
    list_readers: BlockingPool,
    readiness: Readiness,
    reserve: Arc<Reserve>,
    // Dropped in this order, so that checkpoints continue while the writer finishes its queue.
    writer: Writer,
    checkpointer: Checkpointer,
}

impl SqliteDb {
    pub(in crate::db) fn open(path: &Path) -> Result<Self> {
        let writer = connect(path, Role::Writer)?;
        let connector = || -> Connect {
            let file = path.to_owned();
            Box::new(move || open::connect(&file, Role::ListReader).map(DbConn::Sqlite))
        };
        let reserve = Arc::new(Reserve::of(path));
        let checkpointer = Checkpointer::start(path, Arc::clone(&reserve))?;
        let transactions = Transactions::new(Arc::clone(checkpointer.files()));
        Ok(Self {
            path: path.to_owned(),
            readers: ThreadLocal::new(),
            list_readers: BlockingPool::new(connector(), &LIST_READERS)?,
            readiness: Readiness::new(connector())?,
            reserve,
            writer: Writer::start(writer, transactions, checkpointer.after_batch())?,
            checkpointer,
        })
    }

    /// Runs `work` on the caller's thread. Refuses reads of files that are gone, because what they
    /// hold is not what a restart would find.
    pub(in crate::db) fn read<T>(&self, work: impl Fn(&mut DbConn) -> Result<T>) -> Result<T> {
        self.checkpointer.files().refuse_if_gone()?;
        let conn = self
            .readers
            .get_or_try(|| connect(&self.path, Role::Reader).map(RefCell::new))?;
        let conn = &mut conn.borrow_mut();
        match work(conn) {
            // Not an error for the client if the disk failed only once.
            Err(error) if is_unreadable(&error) => {
                log::warn!("a read failed, will retry once: {}", chain(&error));
                work(conn)
            }
            outcome => outcome,
        }
    }

    /// Runs `work` on a thread that may block.
    pub(in crate::db) async fn read_list<T: Send + 'static>(
        &self,
        lane: Lane,
        work: Work<T>,
    ) -> Result<T> {
        self.checkpointer.files().refuse_if_gone()?;
        self.list_readers.run(lane, (), work).await
    }

    /// Opens a connection for long reads.
    pub(in crate::db) fn connect_reader(&self) -> Result<DbConn> {
        connect(&self.path, Role::ListReader)
    }

    /// Runs `work` on the writer's thread, in a transaction that other writes may share.
    pub(in crate::db) async fn write<T: Send + 'static>(
        &self,
        lane: Lane,
        work: Work<T>,
    ) -> Result<T> {
        self.writer.write(lane, work).await
    }

    /// Runs `work` like [`SqliteDb::write`], on a full disk with space of the reserve.
    pub(in crate::db) async fn write_with_reserve<T, W>(&self, lane: Lane, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut DbConn) -> Result<T> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        let shared = Arc::clone(&work);
        let mut written = self.write(lane, Box::new(move |conn| shared(conn))).await;
        for _ in 0..MOST_RELEASES {
            if !written.as_ref().is_err_and(is_full) {
                break;
            }
            let (work, reserve) = (Arc::clone(&work), Arc::clone(&self.reserve));
            let release_first = move |conn: &mut DbConn| {
                reserve.release();
                work(conn)
            };
            written = self.write(lane, Box::new(release_first)).await;
        }
        written
    }

    /// Takes space in reserve, as far as the disk has space.
    pub(in crate::db) fn fill_reserve(&self) -> Result<()> {
        self.reserve.fill().map_err(Error::unavailable)
    }

    /// Runs `read` on a separate connection, or returns a recent outcome. Also checks the files,
    /// and that the writer and the checkpointer run.
    pub(in crate::db) async fn check(&self, read: fn(&mut DbConn) -> Result<()>) -> Result<()> {
        if !(self.writer.is_running() && self.checkpointer.is_running()) {
            return Err(Error::unavailable(
                "the writer or the checkpointer of SQLite has stopped",
            ));
        }
        self.checkpointer.files().check()?;
        self.readiness.check(read).await
    }
}

fn connect(path: &Path, role: Role) -> Result<DbConn> {
    let conn = open::connect(path, role).map_err(Error::unavailable)?;
    Ok(DbConn::Sqlite(conn))
}
