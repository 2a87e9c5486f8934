//! The time that rules and records depend on, so that tests can hold it still and move it. Ids and
//! log lines take the system's, and how long something lasts is measured with the monotonic clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};

/// Where `now` comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system's clock.
    System,
    /// Always this moment.
    Fixed(DateTime<Utc>),
    /// This moment and so many milliseconds more; whoever holds the number moves the time.
    Moved(DateTime<Utc>, Arc<AtomicU64>),
}

impl Clock {
    /// The present moment, to the millisecond: both databases and every document hold that exactly.
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

    /// The time since some moment in the past. Unlike `now` it never goes back.
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
