//! Buckets of one limit: one for each caller, and never more than fit into a fixed piece of memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

/// Buckets of one limit at most, about 2 MiB. A bucket that has filled up again makes room.
pub(super) const MAX_BUCKETS: usize = 65_536;

/// Bucket that callers share when there is no room for one of their own, so that every request is
/// counted.
const OVERFLOW: u64 = 0;

/// One request of one caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Take {
    /// Owner of the bucket, as a keyed hash, so that a long name takes no more room than a short
    /// one.
    pub(super) caller: u64,
    /// False only peeks: the bucket stays as it is.
    pub(super) is_counted: bool,
}

/// Time at which each bucket is full again, since the limiter's start, by caller.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<u64, Nanos>>);

impl Buckets {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Nanos>> {
        // A panic can leave nothing half done: every change is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Buckets {
    type Key = Take;

    fn measure_and_replace<T, F, E>(&self, take: &Take, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut buckets = self.lock();
        let has_room = buckets.len() < MAX_BUCKETS || buckets.contains_key(&take.caller);
        let caller = if has_room { take.caller } else { OVERFLOW };
        let (outcome, full_at) = decide(buckets.get(&caller).copied())?;
        if take.is_counted {
            buckets.insert(caller, full_at);
        }
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<Take> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        self.lock().retain(|_, full_at| *full_at > drop_below);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}
