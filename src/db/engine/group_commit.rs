//! Group commit on PostgreSQL: changes that wait at the same time are stored in one transaction.
//! Not here: the statement that stores them.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::domain::change::Change;
use crate::domain::ids::OrgId;
use crate::domain::organization::Organization;
use crate::error::{Error, Result, chain};

use super::connection::DbConn;
use super::fair::{FairPermits, Lane};
use super::fault::commit_error;
use super::in_flight::{InFlight, InFlightGuard};
use super::pool::BlockingPool;
use super::work::{ACQUIRE_TIMEOUT, Unresponsive};

/// Maximum number of changes in one commit.
const BATCH_LENGTH: usize = 64;

/// Time for which one thread stores batch after batch. Afterwards another caller's thread
/// continues, because work that takes long counts as hung.
const TERM: Duration = Duration::from_millis(100);

/// Stores changes of different organizations in one transaction. Returns for each whether it was
/// stored, or was void because a concurrent write won or holds the row.
pub(in crate::db) type StoreAll = fn(&mut DbConn, &[&Change]) -> Result<Vec<bool>>;

/// Result of a change: the changed organization, or `None` if the change was void.
type Stored = Result<Option<Organization>>;

/// Changes that wait, and the permits to store them.
pub(super) struct GroupCommit {
    queue: Arc<Queue>,
    organizations: Arc<InFlight<OrgId>>,
    committers: Arc<FairPermits>,
    store_all: StoreAll,
}

impl GroupCommit {
    /// Creates an empty queue, from which `committers` batches are stored at the same time.
    pub(super) fn new(committers: usize, store_all: StoreAll) -> Self {
        Self {
            queue: Arc::default(),
            organizations: Arc::default(),
            committers: FairPermits::new(committers, committers),
            store_all,
        }
    }

    /// Stores `change` on a connection of `pool`. A lone change waits for no other. Every waiting
    /// caller also waits for a permit, and the caller that gets the permit stores all waiting
    /// changes.
    pub(super) async fn store(&self, pool: &BlockingPool, change: Change) -> Stored {
        // Another change of the organization is in flight, which makes this one void.
        let Some(guard) = self.organizations.acquire(change.after.id) else {
            return Ok(None);
        };
        let (reply, mut stored) = oneshot::channel();
        let place = self.queue.push(Pending {
            change,
            reply,
            _guard: guard,
        });
        loop {
            let outcome = match select(&mut stored, pin!(self.commit(pool))).await {
                Either::Left((stored, _)) => return stored.map_err(Error::internal)?,
                Either::Right((outcome, _)) => outcome,
            };
            match outcome {
                Ok(()) if place.is_waiting() => {}
                Ok(()) => break,
                Err(error) if place.withdraw() => return Err(as_not_attempted(error)),
                // The thread that stores this change hangs.
                Err(Error::Unavailable(cause)) if cause.is::<Unresponsive>() => {
                    return Err(Error::OutcomeUnknown(cause));
                }
                Err(_) => break,
            }
        }
        // Another caller is storing the change.
        let stored = timeout(pool.response_timeout(), stored).await;
        let stored =
            stored.unwrap_or_else(|_elapsed| Ok(Err(Error::outcome_unknown(Unresponsive))));
        stored.map_err(Error::internal)?
    }

    /// Stores waiting changes, once a permit is free.
    async fn commit(&self, pool: &BlockingPool) -> Result<()> {
        let permit = pool
            .acquire(&self.committers, Lane::GROUP_COMMIT, ACQUIRE_TIMEOUT)
            .await?;
        if self.queue.lock().waiting.is_empty() {
            return Ok(());
        }
        let (queue, store_all) = (Arc::clone(&self.queue), self.store_all);
        let work = Box::new(move |conn: &mut DbConn| queue.store_batches(conn, store_all));
        pool.run(Lane::GROUP_COMMIT, permit, work).await
    }
}

/// Change that waits.
struct Pending {
    change: Change,
    reply: oneshot::Sender<Stored>,
    _guard: InFlightGuard<OrgId>,
}

/// Waiting changes in order.
#[derive(Default)]
struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next_ticket: u64,
    waiting: BTreeMap<u64, Pending>,
}

impl Queue {
    fn push(self: &Arc<Self>, pending: Pending) -> Place {
        let mut queue = self.lock();
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.waiting.insert(ticket, pending);
        Place {
            queue: Arc::clone(self),
            ticket,
        }
    }

    /// Stores batch after batch until no change waits or the term is over.
    fn store_batches(&self, conn: &mut DbConn, store_all: StoreAll) -> Result<()> {
        let started = Instant::now();
        loop {
            let batch = self.take_batch();
            if batch.is_empty() {
                return Ok(());
            }
            store_batch(conn, batch, store_all)?;
            if started.elapsed() > TERM {
                return Ok(());
            }
        }
    }

    fn take_batch(&self) -> Vec<Pending> {
        let mut queue = self.lock();
        let next = std::iter::from_fn(|| queue.waiting.pop_first());
        next.take(BATCH_LENGTH)
            .map(|(_, pending)| pending)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic elsewhere cannot leave the queue half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Place of a change in the queue. Dropping it removes the change if it still waits.
struct Place {
    queue: Arc<Queue>,
    ticket: u64,
}

impl Place {
    fn is_waiting(&self) -> bool {
        self.queue.lock().waiting.contains_key(&self.ticket)
    }

    /// Removes the change from the queue. Returns `false` if the change no longer waits.
    fn withdraw(&self) -> bool {
        let removed = self.queue.lock().waiting.remove(&self.ticket);
        removed.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Stores `batch` and completes its changes. Returns an error only if the database is unavailable,
/// because a defect of one change must not fail the others.
fn store_batch(conn: &mut DbConn, batch: Vec<Pending>, store_all: StoreAll) -> Result<()> {
    let changes: Vec<&Change> = batch.iter().map(|pending| &pending.change).collect();
    match store_all(conn, &changes).map_err(|error| commit_error(conn, error)) {
        Ok(stored) => {
            for (pending, is_stored) in batch.into_iter().zip(stored) {
                let Pending { change, reply, .. } = pending;
                complete(reply, Ok(is_stored.then_some(change.after)));
            }
            Ok(())
        }
        // Every caller needs an error of its own.
        Err(Error::Unavailable(cause)) => {
            let text = cause.to_string();
            for pending in batch {
                complete(pending.reply, Err(Error::unavailable(text.clone())));
            }
            Err(Error::Unavailable(cause))
        }
        Err(Error::OutcomeUnknown(cause)) => {
            let text = cause.to_string();
            for pending in batch {
                complete(pending.reply, Err(Error::outcome_unknown(text.clone())));
            }
            Err(Error::OutcomeUnknown(cause))
        }
        Err(_) if batch.len() > 1 => store_each(conn, batch, store_all),
        Err(error) => {
            for pending in batch {
                complete(pending.reply, Err(Error::internal(chain(&error))));
            }
            Ok(())
        }
    }
}

/// Stores the changes of `batch` one after the other. After the first fault of the database, the
/// others fail without an attempt.
fn store_each(conn: &mut DbConn, batch: Vec<Pending>, store_all: StoreAll) -> Result<()> {
    let mut outcome = Ok(());
    for pending in batch {
        match &outcome {
            Ok(()) => outcome = store_batch(conn, vec![pending], store_all),
            Err(error) => complete(pending.reply, Err(Error::unavailable(chain(error)))),
        }
    }
    outcome
}

/// Returns `error` of another change's transaction as the error of a change that was not attempted.
fn as_not_attempted(error: Error) -> Error {
    match error {
        Error::OutcomeUnknown(cause) => Error::Unavailable(cause),
        other => other,
    }
}

fn complete(reply: oneshot::Sender<Stored>, stored: Stored) {
    if reply.send(stored).is_err() {
        log::debug!("a change completed after its caller went away");
    }
}
