//! One rate limit: a quota of requests of each caller in a window of time (generic cell rate
//! algorithm). A caller may use the whole quota at once, and regains it evenly over the window.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::request::RateLimit;

use super::buckets::{Buckets, Take};

/// Rounds `wait` up to whole seconds for a response, at least one second. A client that retries
/// after that time is never too early.
pub fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Rate limit with the name `policy`.
pub(super) struct Limiter {
    policy: &'static str,
    quota: NonZeroU32,
    window: Duration,
    clock: Clock,
    limiter: RateLimiter<Take, Buckets, Elapsed, StateInformationMiddleware>,
    hasher: RandomState,
}

impl Limiter {
    /// Creates a limit of `quota` requests of each caller in `window`.
    pub(super) fn new(
        policy: &'static str,
        quota: NonZeroU32,
        window: Duration,
        clock: &Clock,
    ) -> Self {
        let per_request = Quota::with_period(window / quota.get());
        let limiter = RateLimiter::new(
            per_request
                .expect("a window is longer than its quota in nanoseconds")
                .allow_burst(quota),
            Buckets::default(),
            Elapsed(clock.clone()),
        );
        Self {
            policy,
            quota,
            window,
            clock: clock.clone(),
            limiter,
            hasher: RandomState::new(),
        }
    }

    /// Counts one request of `caller`.
    ///
    /// # Errors
    /// The quota is used up. The request was not counted.
    pub(super) fn take(&self, caller: &impl Hash) -> Result<RateLimit, RateLimit> {
        self.check(caller, true)
    }

    /// Checks whether `caller` has any requests left, without counting one.
    ///
    /// # Errors
    /// The quota is used up.
    pub(super) fn peek(&self, caller: &impl Hash) -> Result<RateLimit, RateLimit> {
        self.check(caller, false)
    }

    fn check(&self, caller: &impl Hash, is_counted: bool) -> Result<RateLimit, RateLimit> {
        let now = self.clock.elapsed();
        let caller = self.hasher.hash_one(caller);
        let outcome = self.limiter.check_key(&Take { caller, is_counted });
        let limit = |remaining, wait: Duration| RateLimit {
            policy: self.policy,
            quota: self.quota.get(),
            window_secs: self.window.as_secs(),
            remaining,
            seconds: whole_seconds(wait),
        };
        match outcome {
            Ok(state) => {
                let interval = self.window / self.quota.get();
                Ok(limit(state.remaining_burst_capacity(), interval))
            }
            Err(refused) => Err(limit(0, refused.wait_time_from(now))),
        }
    }
}

/// Clock of the program as a clock of governor.
struct Elapsed(Clock);

impl governor::clock::Clock for Elapsed {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
