//! SQLite's one writer: a thread with group commit. It runs the queued writes in one transaction
//! and completes them when the transaction is durable. Not here: what the writes do.

use std::error::Error as _;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::error::{BoxError, Error, Result, chain};

use crate::db::engine::connection::DbConn;
use crate::db::engine::fault::is_locked;
use crate::db::engine::prepared::{self, Statement};
use crate::db::engine::work::{Work, run_caught};

/// Maximum length of the queue. Further writes are refused. On the slowest disks a full queue is a
/// second of work.
const QUEUE_LENGTH: usize = 1024;

/// Maximum number of writes in one commit, so that the first of them does not wait for long.
const BATCH_LENGTH: usize = 64;

/// Timeout of the wait of a write for its transaction, including the wait for another process's
/// lock.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(4);

/// Pause between two attempts to get the lock.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// Takes the write lock at once. Otherwise a transaction that reads first fails if another process
/// has written since. <https://sqlite.org/lang_transaction.html>
const BEGIN: Statement = Statement("BEGIN IMMEDIATE");
const COMMIT: Statement = Statement("COMMIT");
const ROLLBACK: Statement = Statement("ROLLBACK");

/// Marks the beginning of one write in the shared transaction.
const SAVEPOINT: Statement = Statement("SAVEPOINT request");
const RELEASE: Statement = Statement("RELEASE request");
const ROLLBACK_TO_SAVEPOINT: Statement = Statement("ROLLBACK TO request");

/// Queue of the writer thread. Dropping it lets the thread finish all queued writes first.
pub(super) struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. It calls `after_batch` between two transactions.
    pub(super) fn start(
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

    /// Queues `work` and waits for its result.
    pub(super) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let (sender, outcome) = oneshot::channel();
        let deadline = Instant::now() + BEGIN_TIMEOUT;
        let job = Write {
            work: Some(work),
            outcome: None,
            sender,
            deadline,
        };
        let queue = self
            .queue
            .as_ref()
            .expect("the queue exists until the writer is dropped");
        // Refuses instead of waiting, because a full queue already is a second of work.
        queue
            .try_send(Box::new(job))
            .map_err(|refused| match refused {
                TrySendError::Full(_) => Error::unavailable("the queue of writes is full"),
                TrySendError::Disconnected(_) => Error::internal("the writer thread has stopped"),
            })?;
        outcome.await.map_err(Error::internal)?
    }

    /// Returns whether the thread runs. It stops only after a defect or when the writer is dropped.
    pub(super) fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends when the queue is closed and empty.
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
    /// Runs the work. Returns `false` if its changes must be rolled back.
    fn run(&mut self, conn: &mut DbConn) -> bool;

    /// Returns whether the caller went away or the deadline has passed.
    fn is_stale(&self) -> bool;

    /// End of the wait for the transaction.
    fn deadline(&self) -> Instant;

    /// Completes the write. `failure` is the reason why the whole transaction was rolled back, if
    /// it was.
    fn complete(self: Box<Self>, failure: Option<String>);
}

struct Write<T> {
    work: Option<Work<T>>,
    outcome: Option<Result<T>>,
    sender: oneshot::Sender<Result<T>>,
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
        self.sender.is_closed() || Instant::now() > self.deadline
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn complete(self: Box<Self>, failure: Option<String>) {
        let outcome = match (self.outcome, failure) {
            // The work's own error stays, because its changes were rolled back in any case.
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(Error::unavailable(failure)),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::internal("a write was completed before it ran")),
        };
        if self.sender.send(outcome).is_err() {
            log::debug!("a write completed after its caller went away");
        }
    }
}

/// Waits for a write and takes further queued writes. Returns `None` when the queue is closed.
fn next_batch(waiting: &Receiver<Box<dyn Job>>) -> Option<Vec<Box<dyn Job>>> {
    let first = waiting.recv().ok()?;
    let others = waiting.try_iter().take(BATCH_LENGTH - 1);
    Some(std::iter::once(first).chain(others).collect())
}

/// Runs every write of `batch` in one transaction, commits, and only then completes them.
fn run_batch(conn: &mut DbConn, batch: Vec<Box<dyn Job>>) {
    let Some(mut batch) = begin_for(conn, batch) else {
        return;
    };
    match run_all(conn, &mut batch) {
        Ok(()) => complete_all(batch, None),
        Err(error) => {
            let failure = cause(&error);
            log::debug!("a transaction of {} writes failed: {failure}", batch.len());
            // Fails if SQLite has already rolled back, as after some errors of the disk.
            // <https://sqlite.org/lang_transaction.html>
            if let Err(error) = prepared::run(conn, &ROLLBACK) {
                log::debug!("rollback: {}", chain(&error));
            }
            complete_all(batch, Some(&failure));
        }
    }
}

/// Begins the transaction for the writes whose deadline is still ahead, and returns these writes.
/// Completes the stale writes.
fn begin_for(conn: &mut DbConn, mut batch: Vec<Box<dyn Job>>) -> Option<Vec<Box<dyn Job>>> {
    let mut failure = "timed out in the queue of writes".to_owned();
    loop {
        let stale;
        (stale, batch) = batch.into_iter().partition(|job| job.is_stale());
        complete_all(stale, Some(&failure));
        match begin(conn, batch.first()?.deadline()) {
            Ok(()) => return Some(batch),
            Err(error) => {
                failure = cause(&error);
                if !is_locked(&error) {
                    log::debug!(
                        "cannot begin a transaction of {} writes: {failure}",
                        batch.len()
                    );
                    complete_all(batch, Some(&failure));
                    return None;
                }
            }
        }
    }
}

/// Returns the source of `error` as text, because every caller needs an error of its own.
fn cause(error: &Error) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}

fn complete_all(jobs: Vec<Box<dyn Job>>, failure: Option<&str>) {
    for job in jobs {
        job.complete(failure.map(str::to_owned));
    }
}

/// Takes the write lock. Waits until `deadline` while another process holds it.
fn begin(conn: &mut DbConn, deadline: Instant) -> Result<()> {
    loop {
        match prepared::run(conn, &BEGIN) {
            Err(error) if is_locked(&error) && Instant::now() < deadline => {
                std::thread::sleep(LOCK_POLL);
            }
            outcome => return outcome,
        }
    }
}

fn run_all(conn: &mut DbConn, batch: &mut [Box<dyn Job>]) -> Result<()> {
    for job in batch {
        prepared::run(conn, &SAVEPOINT)?;
        if !job.run(conn) {
            prepared::run(conn, &ROLLBACK_TO_SAVEPOINT)?;
        }
        // Fails if SQLite itself has rolled the whole transaction back (a full disk). Then the
        // whole batch fails.
        prepared::run(conn, &RELEASE)?;
    }
    prepared::run(conn, &COMMIT)
}
