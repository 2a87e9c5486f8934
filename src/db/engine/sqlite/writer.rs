//! SQLite's one writer: a thread with group commit. It runs the queued writes in one transaction
//! and completes them when the transaction is durable. Not here: what the writes do.

use std::error::Error as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::error::{BoxError, Error, Result, chain};

use crate::db::engine::connection::DbConn;
use crate::db::engine::fair::{Lane, Turns};
use crate::db::engine::fault::is_locked;
use crate::db::engine::prepared::{self, Statement};
use crate::db::engine::work::{Busy, Work, run_caught};

use super::transactions::Transactions;

/// Maximum number of waiting writes of a lane. Further writes are refused. On the slowest disks
/// this is a second of work.
const MOST_WAITING: usize = 1024;

/// Maximum number of writes in one commit, so that the first of them does not wait for long.
const BATCH_LENGTH: usize = 64;

/// Timeout of the wait of a write for its transaction, including the wait for another process's
/// lock.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(4);

/// Marks the beginning of one write in the shared transaction.
const SAVEPOINT: Statement = Statement("SAVEPOINT request");
const RELEASE: Statement = Statement("RELEASE request");
const ROLLBACK_TO_SAVEPOINT: Statement = Statement("ROLLBACK TO request");

/// The writer thread and its queue. Dropping it lets the thread finish all queued writes first.
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. It calls `after_batch` between two transactions.
    pub(super) fn start(
        mut conn: DbConn,
        mut transactions: Transactions,
        mut after_batch: impl FnMut(&mut DbConn) + Send + 'static,
    ) -> Result<Self> {
        let queue = Arc::new(Queue::default());
        let waiting = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || {
                let waiting = ClosedAtEnd(waiting);
                while let Some(batch) = waiting.0.next_batch() {
                    run_batch(&mut conn, &mut transactions, batch);
                    after_batch(&mut conn);
                }
            })
            .map_err(|error| Error::internal(BoxError::from(error)))?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    /// Queues `work` and waits for its result.
    pub(super) async fn write<T: Send + 'static>(&self, lane: Lane, work: Work<T>) -> Result<T> {
        let (sender, outcome) = oneshot::channel();
        let deadline = Instant::now() + BEGIN_TIMEOUT;
        let job = Write {
            work: Some(work),
            outcome: None,
            sender,
            deadline,
        };
        self.queue.push(lane, Box::new(job))?;
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
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the SQLite writer thread panicked");
        }
    }
}

/// Writes that wait for the thread. Lanes take turns in a batch, so that a flood of one lane delays
/// another lane's write by a batch.
#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: Turns<Box<dyn Job>>,
    is_closed: bool,
}

impl Queue {
    fn push(&self, lane: Lane, job: Box<dyn Job>) -> Result<()> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(Error::internal("the writer thread has stopped"));
        }
        if state.waiting.waiting_in(lane) >= MOST_WAITING {
            // Refuses instead of waiting, because so many already are a second of work.
            return Err(Error::unavailable(Busy));
        }
        state.waiting.push(lane, job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a write and takes further queued writes. Returns `None` when the queue is closed
    /// and empty.
    fn next_batch(&self) -> Option<Vec<Box<dyn Job>>> {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |state| state.waiting.is_empty() && !state.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        let next = std::iter::from_fn(|| state.waiting.take(|_| true));
        let batch: Vec<_> = next.take(BATCH_LENGTH).map(|(_, job)| job).collect();
        (!batch.is_empty()).then_some(batch)
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // A panic elsewhere cannot leave the queue half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queue of the running thread. If a defect ends the thread, the waiting writes fail.
struct ClosedAtEnd(Arc<Queue>);

impl Drop for ClosedAtEnd {
    fn drop(&mut self) {
        self.0.close();
        let unanswered = std::mem::take(&mut self.0.lock().waiting);
        drop(unanswered);
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

    /// Completes the write. `failure` is why the whole transaction was rolled back, if it was.
    fn complete(self: Box<Self>, failure: Option<&Failure>);
}

/// Failure of a whole transaction. Every write of it gets an error of its own.
struct Failure {
    reason: String,
    into_error: fn(String) -> Error,
}

impl Failure {
    /// Failure of a transaction of which nothing was stored.
    fn unavailable(reason: String) -> Self {
        Self {
            reason,
            into_error: Error::unavailable,
        }
    }
}

struct Write<T> {
    work: Option<Work<T>>,
    outcome: Option<Result<T>>,
    sender: oneshot::Sender<Result<T>>,
    deadline: Instant,
}

impl<T: Send> Job for Write<T> {
    fn run(&mut self, conn: &mut DbConn) -> bool {
        let Some(mut work) = self.work.take() else {
            return false;
        };
        let outcome = run_caught(&mut work, conn);
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

    fn complete(self: Box<Self>, failure: Option<&Failure>) {
        let outcome = match (self.outcome, failure) {
            // The work's own error stays, because its changes were rolled back in any case.
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err((failure.into_error)(failure.reason.clone())),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::internal("a write was completed before it ran")),
        };
        if self.sender.send(outcome).is_err() {
            log::debug!("a write completed after its caller went away");
        }
    }
}

/// Runs every write of `batch` in one transaction, commits, and only then completes them.
fn run_batch(conn: &mut DbConn, transactions: &mut Transactions, batch: Vec<Box<dyn Job>>) {
    let Some(mut batch) = begin_for(conn, transactions, batch) else {
        return;
    };
    let outcome = run_all(conn, &mut batch).and_then(|()| transactions.commit(conn));
    match outcome {
        Ok(()) => complete_all(batch, None),
        Err(error) => {
            let reason = cause(&error);
            log::debug!("a transaction of {} writes failed: {reason}", batch.len());
            let into_error = if transactions.roll_back(conn) {
                Error::unavailable
            } else {
                Error::outcome_unknown
            };
            complete_all(batch, Some(&Failure { reason, into_error }));
        }
    }
}

/// Begins the transaction for the writes whose deadline is still ahead, and returns these writes.
/// Completes the stale writes.
fn begin_for(
    conn: &mut DbConn,
    transactions: &mut Transactions,
    mut batch: Vec<Box<dyn Job>>,
) -> Option<Vec<Box<dyn Job>>> {
    let mut failure = Failure::unavailable("timed out in the queue of writes".to_owned());
    loop {
        let stale;
        (stale, batch) = batch.into_iter().partition(|job| job.is_stale());
        complete_all(stale, Some(&failure));
        match transactions.begin(conn, batch.first()?.deadline()) {
            Ok(()) => return Some(batch),
            Err(error) => {
                failure = Failure::unavailable(cause(&error));
                if !is_locked(&error) {
                    log::debug!(
                        "cannot begin a transaction of {} writes: {}",
                        batch.len(),
                        failure.reason
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

fn complete_all(jobs: Vec<Box<dyn Job>>, failure: Option<&Failure>) {
    for job in jobs {
        job.complete(failure);
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
    Ok(())
}
