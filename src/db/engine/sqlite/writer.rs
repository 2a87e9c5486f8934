//! SQLite's one writer: a thread that runs whatever writes are waiting in one transaction and
//! answers them once it is durable. It knows nothing of what they write.

use std::error::Error as _;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::error::{BoxError, Error, Result, chain};

use crate::db::engine::connection::{DbConn, is_locked};
use crate::db::engine::prepared::{
    self, BeginImmediate, Commit, ReleaseSavepoint, Rollback, RollbackToSavepoint, Savepoint,
};
use crate::db::engine::{Work, run_caught};

/// Writes that may wait; one more is refused. At the slowest disks' rate this is a second of work.
const QUEUE_LENGTH: usize = 1024;

/// Writes that share one commit at most, so that the first of them does not wait for long.
const BATCH_LENGTH: usize = 64;

/// How long a write may wait for its turn, the file's lock that another process holds included.
const TURN_TIMEOUT: Duration = Duration::from_secs(4);

/// The pause between two attempts to get the lock.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// Hands writes to the writer thread; dropping it lets the thread finish them all first.
pub(in crate::db) struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// SQLite itself waits only this long for another process's lock, and [`begin`] asks again: its
    /// own waits grow to 100 ms, too long to catch the short moments in which a busy server lets
    /// go.
    pub(in crate::db) const PATIENCE: &str = "PRAGMA busy_timeout = 8";

    /// Starts the thread; it calls `after_batch` between two transactions.
    pub(in crate::db) fn start(
        mut conn: DbConn,
        mut after_batch: impl FnMut(&mut DbConn) + Send + 'static,
    ) -> Result<Self> {
        let (queue, waiting) = sync_channel(QUEUE_LENGTH);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || {
                while let Some(batch) = next_batch(&waiting) {
                    run_batch(&mut conn, batch);
                    after_batch(&mut conn);
                }
            })
            .map_err(|error| Error::internal(BoxError::from(error)))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    pub(in crate::db) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + TURN_TIMEOUT;
        let job = Write {
            work: Some(work),
            outcome: None,
            reply,
            deadline,
        };
        let queue = self
            .queue
            .as_ref()
            .expect("the queue is there until the writer is dropped");
        queue
            .try_send(Box::new(job))
            .map_err(|refused| match refused {
                TrySendError::Full(_) => Error::unavailable("too many writes are waiting"),
                TrySendError::Disconnected(_) => Error::internal("the writer thread has ended"),
            })?;
        answer.await.map_err(Error::internal)?
    }
}

impl Writer {
    /// Whether the thread still runs; it ends only by a defect or when the writer is dropped.
    pub(in crate::db) fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the SQLite writer thread panicked");
        }
    }
}

/// A write whose types the writer need not know.
trait Job: Send {
    /// Does the work; says whether it is to be kept.
    fn run(&mut self, conn: &mut DbConn) -> bool;

    /// Whether nobody waits for it any more, or nobody should.
    fn is_stale(&self) -> bool;

    /// When it has waited too long.
    fn deadline(&self) -> Instant;

    /// Tells the caller, with the fault that undid the work if one did.
    fn reply(self: Box<Self>, fault: Option<String>);
}

struct Write<T> {
    work: Option<Work<T>>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    deadline: Instant,
}

impl<T: Send> Job for Write<T> {
    fn run(&mut self, conn: &mut DbConn) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        let outcome = run_caught(work, conn);
        let is_kept = outcome.is_ok();
        self.outcome = Some(outcome);
        is_kept
    }

    fn is_stale(&self) -> bool {
        self.reply.is_closed() || Instant::now() > self.deadline
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn reply(self: Box<Self>, fault: Option<String>) {
        let outcome = match (self.outcome, fault) {
            // A refusal stays what it was: nothing was to be kept of it.
            (Some(Err(error)), _) => Err(error),
            (_, Some(fault)) => Err(Error::unavailable(fault)),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::internal("a write was answered before it ran")),
        };
        if self.reply.send(outcome).is_err() {
            log::debug!("the caller of a write has gone");
        }
    }
}

/// Waits for a write and takes along what else is there; `None` when there will be no more.
fn next_batch(waiting: &Receiver<Box<dyn Job>>) -> Option<Vec<Box<dyn Job>>> {
    let first = waiting.recv().ok()?;
    let others = waiting.try_iter().take(BATCH_LENGTH - 1);
    Some(std::iter::once(first).chain(others).collect())
}

/// Runs every write of `batch` in one transaction, commits, and only then answers them.
fn run_batch(conn: &mut DbConn, batch: Vec<Box<dyn Job>>) {
    let Some(mut batch) = begin_for(conn, batch) else {
        return;
    };
    match run_all(conn, &mut batch) {
        Ok(()) => answer(batch, None),
        Err(error) => {
            let fault = cause(&error);
            log::debug!("a transaction of {} writes failed: {fault}", batch.len());
            // SQLite may have rolled back already; then there is nothing to give up.
            if let Err(error) = prepared::run(conn, &Rollback) {
                log::debug!("rollback: {}", chain(&error));
            }
            answer(batch, Some(&fault));
        }
    }
}

/// Begins the transaction of those that have time left to wait for it, which are returned; all
/// others are answered.
fn begin_for(conn: &mut DbConn, mut batch: Vec<Box<dyn Job>>) -> Option<Vec<Box<dyn Job>>> {
    let mut fault = "waited too long for its turn to write".to_owned();
    loop {
        let stale;
        (stale, batch) = batch.into_iter().partition(|job| job.is_stale());
        answer(stale, Some(&fault));
        match begin(conn, batch.first()?.deadline()) {
            Ok(()) => return Some(batch),
            Err(error) => {
                fault = cause(&error);
                if !is_locked(&error) {
                    log::debug!("a transaction of {} writes not begun: {fault}", batch.len());
                    answer(batch, Some(&fault));
                    return None;
                }
            }
        }
    }
}

/// What `error` is due to: each caller is told of an error of its own.
fn cause(error: &Error) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}

fn answer(jobs: Vec<Box<dyn Job>>, fault: Option<&str>) {
    for job in jobs {
        job.reply(fault.map(str::to_owned));
    }
}

/// Takes the write lock, which another process may hold for a while, but not beyond `deadline`.
fn begin(conn: &mut DbConn, deadline: Instant) -> Result<()> {
    loop {
        match prepared::run(conn, &BeginImmediate) {
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                std::thread::sleep(LOCK_POLL);
            }
            outcome => return outcome,
        }
    }
}

fn run_all(conn: &mut DbConn, batch: &mut [Box<dyn Job>]) -> Result<()> {
    for job in batch {
        prepared::run(conn, &Savepoint)?;
        if !job.run(conn) {
            prepared::run(conn, &RollbackToSavepoint)?;
        }
        // Fails when SQLite itself gave the whole transaction up (a full disk): so does the batch.
        prepared::run(conn, &ReleaseSavepoint)?;
    }
    prepared::run(conn, &Commit)
}
