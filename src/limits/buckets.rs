//! Buckets of one rate limit, one for each caller, in a table of fixed size. The stores of governor
//! grow with every key that a client invents.

use std::sync::{Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Number of buckets of one limit. They take 1 MiB once all of them were used.
pub(super) const BUCKETS: usize = 65_536;

/// Buckets among which a caller may have its bucket. The hash of a caller chooses them.
const SET: usize = 16;

/// Request of a caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Take {
    /// Owner of the bucket, as a keyed hash, so that every name takes the same memory, and no
    /// client can choose its set.
    pub(super) caller: u64,
    /// False leaves the bucket unchanged.
    pub(super) is_counted: bool,
}

/// Caller of each bucket, and the time at which the bucket is full again, in nanoseconds from the
/// limiter's start. An unused bucket was full at the start.
///
/// A new caller takes the bucket of its set that is full first. That bucket says least, because a
/// caller without a bucket counts as one with a full bucket. So a caller that has used up its quota
/// keeps its bucket while many others come, and no caller is refused for lack of a bucket.
#[derive(Debug)]
pub(super) struct Buckets(Mutex<Vec<(u64, u64)>>);

impl Default for Buckets {
    fn default() -> Self {
        // Tuples of zeros, because the system provides zeroed memory that takes no room until used.
        Self(Mutex::new(vec![(0, 0); BUCKETS]))
    }
}

impl StateStore for Buckets {
    type Key = Take;

    fn measure_and_replace<T, F, E>(&self, take: &Take, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let first = take.caller as usize % (BUCKETS / SET) * SET;
        // A panic cannot leave a bucket half changed, because it is written in one assignment.
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let set = &mut buckets[first..first + SET];
        let own = set.iter().position(|(caller, _)| *caller == take.caller);
        let (outcome, full_at) = decide(own.map(|own| Nanos::from(set[own].1)))?;
        if take.is_counted {
            let fullest = (0..SET).min_by_key(|index| set[*index].1);
            let index = own.or(fullest).expect("a set is not empty");
            set[index] = (take.caller, full_at.into());
        }
        Ok(outcome)
    }
}
