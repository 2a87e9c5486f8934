//! Buckets of one rate limit, one for each caller. Their number has a maximum, unlike in the stores
//! of governor.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

/// Maximum number of buckets of one limit, about 2 MiB. Sweeps remove buckets that are full again.
pub(super) const MAX_BUCKETS: usize = 65_536;

/// Bucket that callers share when all other buckets are taken, so that every request is counted.
const OVERFLOW: u64 = 0;

/// Request of a caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Take {
    /// Owner of the bucket, as a keyed hash, so that every name takes the same memory.
    pub(super) caller: u64,
    /// False leaves the bucket unchanged.
    pub(super) is_counted: bool,
}

/// Time at which each bucket is full again, counted from the limiter's start, by caller.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<u64, Nanos>>);

impl Buckets {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Nanos>> {
        // A panic cannot leave the map half changed, because every change is one call.
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
