//! One limit: so many requests of each caller in a minute (generic cell rate algorithm). A caller
//! may use all of it at once, and gets it back evenly over the minute.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::request::{LIMIT_WINDOW_SECS, RateLimit};

use super::buckets::{Buckets, Take};

/// Interval between sweeps of full buckets.
const SWEEP_INTERVAL_SECS: u64 = 10;

/// Rounds up a wait that clients are told: never too short, and at least a second.
pub fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The limit `policy`.
pub(super) struct Limiter {
    policy: &'static str,
    quota: NonZeroU32,
    clock: Clock,
    limiter: RateLimiter<Take, Buckets, Elapsed, StateInformationMiddleware>,
    hasher: RandomState,
    next_sweep_secs: AtomicU64,
}

impl Limiter {
    /// Lets each caller do something `quota` times a minute.
    pub(super) fn new(policy: &'static str, quota: NonZeroU32, clock: &Clock) -> Self {
        let limiter = RateLimiter::new(
            Quota::per_minute(quota),
            Buckets::default(),
            Elapsed(clock.clone()),
        );
        Self {
            policy,
            quota,
            clock: clock.clone(),
            limiter,
            hasher: RandomState::new(),
            next_sweep_secs: AtomicU64::new(0),
        }
    }

    /// Counts one request of `caller`.
    ///
    /// # Errors
    /// There is nothing left, and nothing was counted.
    pub(super) fn take(&self, caller: &impl Hash) -> Result<RateLimit, RateLimit> {
        self.check(caller, true)
    }

    /// Finds out whether `caller` has anything left, and counts nothing.
    ///
    /// # Errors
    /// There is nothing left.
    pub(super) fn peek(&self, caller: &impl Hash) -> Result<RateLimit, RateLimit> {
        self.check(caller, false)
    }

    fn check(&self, caller: &impl Hash, is_counted: bool) -> Result<RateLimit, RateLimit> {
        let now = self.clock.elapsed();
        self.sweep_if_due(now.as_secs());
        let caller = self.hasher.hash_one(caller);
        let outcome = self.limiter.check_key(&Take { caller, is_counted });
        let limit = |remaining, wait: Duration| RateLimit {
            policy: self.policy,
            quota: self.quota.get(),
            remaining,
            seconds: whole_seconds(wait),
        };
        match outcome {
            Ok(state) => {
                let interval = Duration::from_secs(LIMIT_WINDOW_SECS) / self.quota.get();
                Ok(limit(state.remaining_burst_capacity(), interval))
            }
            Err(refused) => Err(limit(0, refused.wait_time_from(now))),
        }
    }

    /// Drops full buckets. One thread sweeps while the others go on.
    fn sweep_if_due(&self, now_secs: u64) {
        let due = self.next_sweep_secs.load(Ordering::Relaxed);
        let next = now_secs + SWEEP_INTERVAL_SECS;
        if now_secs >= due
            && self
                .next_sweep_secs
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.limiter.retain_recent();
        }
    }

    /// Returns the number of buckets in memory.
    #[cfg(test)]
    pub(super) fn bucket_count(&self) -> usize {
        self.limiter.len()
    }
}

/// The program's clock, as the limiter reads it.
struct Elapsed(Clock);

impl governor::clock::Clock for Elapsed {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
