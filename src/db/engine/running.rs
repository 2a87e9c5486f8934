//! Work in progress and the guards that it holds. Overdue work is given up: its guards are
//! released, although its thread may still wait for the database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Guards and permits, which release what they hold when dropped.
type Held = Box<dyn Send>;

/// Work in progress.
pub(super) struct Running {
    /// Time after which work is given up.
    timeout: Duration,
    /// Maximum number of given-up pieces of work that still hang. Further work keeps its guards,
    /// because each piece occupies a thread and a connection.
    most_hanging: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    /// Work in the order of its beginning.
    works: BTreeMap<u64, (Instant, Held)>,
    hanging: usize,
}

impl Running {
    pub(super) fn new(timeout: Duration, most_hanging: usize) -> Arc<Self> {
        Arc::new(Self {
            timeout,
            most_hanging,
            state: Mutex::default(),
        })
    }

    /// Time after which work is given up.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Notes that work begins. The work holds `held` until it ends or is given up.
    pub(super) fn begin(self: &Arc<Self>, held: impl Send + 'static) -> RunningWork {
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.works.insert(id, (Instant::now(), Box::new(held)));
        RunningWork {
            running: Arc::clone(self),
            id,
        }
    }

    /// Gives up overdue work and returns whether there was any.
    pub(super) fn give_up_overdue(&self) -> bool {
        let mut released = Vec::new();
        let mut state = self.lock();
        while state.hanging < self.most_hanging
            && let Some(oldest) = state.works.first_entry()
            && oldest.get().0.elapsed() >= self.timeout
        {
            released.push(oldest.remove());
            state.hanging += 1;
        }
        drop(state);
        !released.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work in progress. Dropping it notes the end.
pub(super) struct RunningWork {
    running: Arc<Running>,
    id: u64,
}

impl Drop for RunningWork {
    fn drop(&mut self) {
        let mut state = self.running.lock();
        let held = state.works.remove(&self.id);
        if held.is_none() {
            state.hanging -= 1;
        }
        // Guards take locks of their own.
        drop(state);
        drop(held);
    }
}
