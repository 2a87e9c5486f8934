//! Clock for rules and records, which tests can stop and advance. Not here: times of ids and log
//! lines, which come from the system clock, and durations, which come from the monotonic clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};

/// Source of the time.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    /// Clock that always shows this moment.
    Fixed(DateTime<Utc>),
    /// Start plus a shared offset in milliseconds, which tests advance.
    Moved(DateTime<Utc>, Arc<AtomicU64>),
}

impl Clock {
    /// Returns the current time, to the millisecond. Both databases and both APIs represent that
    /// precision exactly.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one reader of the system clock"
            )]
            Self::System => Utc::now().trunc_subsecs(3),
            Self::Fixed(moment) => *moment,
            Self::Moved(start, millis) => *start + moved(millis),
        }
    }

    /// Returns the time since some moment in the past. Unlike [`Clock::now`], it never decreases.
    pub fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => START.elapsed(),
            Self::Fixed(_) => Duration::ZERO,
            Self::Moved(_, millis) => moved(millis),
        }
    }
}

fn moved(millis: &AtomicU64) -> Duration {
    Duration::from_millis(millis.load(Ordering::Relaxed))
}
