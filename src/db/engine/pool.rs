//! Pool of connections for blocking work, with its own threads. Every wait of a caller has a
//! timeout, even the wait for a database that never responds.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{BoxError, Error, Result};

use super::connections::{Connect, Connections};
use super::fair::{FairPermits, Lane, Permit};
use super::running::Running;
use super::work::{ACQUIRE_TIMEOUT, Busy, Unresponsive, Work};

/// Interval in which a waiting caller looks for overdue work.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Sizes of a pool.
pub(super) struct Limits {
    pub(super) connections: u32,
    /// Maximum number of connections of one lane.
    pub(super) most_per_lane: u32,
    /// Time after which work is given up. Its connection and its thread are replaced, so twice as
    /// many of both as `connections` may exist. r2d2 may also open more than are in use for a while
    /// after a start or a failure.
    pub(super) response_timeout: Duration,
}

/// Pool of a fixed number of connections.
pub(super) struct BlockingPool {
    connections: Arc<Connections>,
    // Waiting for a permit costs nothing, while waiting for a connection would hold a thread.
    permits: Arc<FairPermits>,
    running: Arc<Running>,
    threads: Threads,
}

impl BlockingPool {
    /// Creates a pool. `connect` opens a connection when one is needed.
    pub(super) fn new(connect: Connect, limits: &Limits) -> Result<Self> {
        let Limits {
            connections,
            most_per_lane,
            response_timeout,
        } = *limits;
        let most = 2 * connections;
        Ok(Self {
            connections: Arc::new(Connections::new(connect, most)),
            permits: FairPermits::new(connections as usize, most_per_lane as usize),
            running: Running::new(response_timeout, connections as usize),
            threads: Threads::start(most)?,
        })
    }

    /// Runs `work` without a transaction. The work continues to its end even if the caller goes
    /// away. `held` is dropped at the end of the work, or when the work is given up.
    pub(super) async fn run<T, H>(&self, lane: Lane, held: H, work: Work<T>) -> Result<T>
    where
        T: Send + 'static,
        H: Send + 'static,
    {
        let permit = self.acquire(&self.permits, lane, ACQUIRE_TIMEOUT).await?;
        let running = self.running.begin((held, permit));
        let connections = Arc::clone(&self.connections);
        let work = move || {
            let outcome = connections.run(work);
            drop(running);
            outcome
        };
        timeout(self.response_timeout(), self.threads.run(work))
            .await
            .unwrap_or_else(|_elapsed| Err(Error::unavailable(Unresponsive)))
    }

    /// Returns one of `permits`, or [`Error::Unavailable`] if none is free for `patience`. Work of
    /// this pool that hangs meanwhile is given up.
    pub(super) async fn acquire(
        &self,
        permits: &Arc<FairPermits>,
        lane: Lane,
        patience: Duration,
    ) -> Result<Permit> {
        self.give_up_overdue();
        let deadline = Instant::now() + patience;
        let mut permit = pin!(permits.acquire(lane));
        loop {
            let look_at = deadline.min(Instant::now() + LOOK_INTERVAL);
            if let Ok(permit) = timeout_at(look_at, &mut permit).await {
                return Ok(permit);
            }
            if Instant::now() >= deadline {
                return Err(Error::unavailable(Busy));
            }
            self.give_up_overdue();
        }
    }

    /// Gives up overdue work.
    pub(super) fn give_up_overdue(&self) {
        if self.running.give_up_overdue() {
            log::warn!("the database does not respond: work was given up");
            self.connections.distrust_all();
        }
    }

    /// Time after which work is given up.
    pub(super) fn response_timeout(&self) -> Duration {
        self.running.timeout()
    }
}

/// Threads for blocking work, shared by all workers. With separate threads for each worker, some
/// would idle while those of another worker are all busy.
struct Threads(Option<Runtime>);

impl Threads {
    fn start(most: u32) -> Result<Self> {
        let mut builder = runtime::Builder::new_current_thread();
        builder
            .max_blocking_threads(most as usize)
            .thread_name("database");
        let runtime = builder.build();
        Ok(Self(Some(runtime.map_err(|error| {
            Error::internal(BoxError::from(error))
        })?)))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let runtime = self
            .0
            .as_ref()
            .expect("the runtime exists until it is dropped");
        runtime
            .spawn_blocking(work)
            .await
            .map_err(Error::internal)?
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A worker may drop this, and a worker must not block. Work that has begun continues.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use diesel::{Connection as _, SqliteConnection};

    use crate::db::engine::connection::DbConn;

    use super::*;

    /// Pool of two connections with a short timeout.
    fn pool() -> BlockingPool {
        let connect = || SqliteConnection::establish(":memory:").map(DbConn::Sqlite);
        let limits = Limits {
            connections: 2,
            most_per_lane: 2,
            response_timeout: Duration::from_millis(100),
        };
        BlockingPool::new(Box::new(connect), &limits).unwrap()
    }

    /// Returns work that hangs until the sender is dropped.
    fn hanging() -> (Work<()>, Sender<()>) {
        let (end, ended): (_, Receiver<()>) = channel();
        let work = move |_: &mut DbConn| {
            ended.recv().unwrap_or_default();
            Ok(())
        };
        (Box::new(work), end)
    }

    async fn run(pool: &BlockingPool, work: Work<()>) -> Result<()> {
        pool.run(Lane::JOBS, (), work).await
    }

    fn block_on(test: impl Future<Output = ()>) {
        let mut runtime = runtime::Builder::new_current_thread();
        runtime.enable_time().build().unwrap().block_on(test);
    }

    #[test]
    fn hung_work_is_given_up_with_what_it_holds_and_replaced() {
        block_on(async {
            let pool = pool();
            let guard = Arc::new(());
            let (work, end) = hanging();
            let outcome = pool.run(Lane::JOBS, Arc::clone(&guard), work).await;
            assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
            let (work, other_end) = hanging();
            assert!(run(&pool, work).await.is_err());
            // Both permits, threads and connections hang, and are there again.
            run(&pool, Box::new(|_| Ok(()))).await.unwrap();
            assert_eq!(Arc::strong_count(&guard), 1);
            drop((end, other_end));
        });
    }

    #[test]
    fn beyond_the_bound_hung_work_keeps_its_permits_until_it_ends() {
        block_on(async {
            let pool = pool();
            let mut ends = Vec::new();
            for _ in 0..4 {
                let (work, end) = hanging();
                ends.push(end);
                assert!(run(&pool, work).await.is_err());
            }
            let refused = run(&pool, Box::new(|_| Ok(()))).await;
            let Err(Error::Unavailable(cause)) = refused else {
                panic!("{refused:?}");
            };
            assert!(cause.is::<Busy>(), "{cause}");
            drop(ends.pop());
            run(&pool, Box::new(|_| Ok(()))).await.unwrap();
        });
    }
}
