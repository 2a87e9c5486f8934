//! The time that rules and records depend on, so that tests can hold it still and move it. Not for
//! ids and log lines, which take the system's time, and durations, which take the monotonic clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};

/// Source of the time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system's clock.
    System,
    /// Always this moment.
    Fixed(DateTime<Utc>),
    /// A start plus a shared offset in milliseconds, which tests advance.
    Moved(DateTime<Utc>, Arc<AtomicU64>),
}

impl Clock {
    /// Returns the present moment, to the millisecond: both databases and every document hold that
    /// exactly.
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

    /// Returns the time since some moment in the past. Unlike `now` it never goes back.
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
