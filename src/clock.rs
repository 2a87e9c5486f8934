//! The time of day, so that tests can hold it still. It is the only reader of the system clock.

use chrono::{DateTime, SubsecRound, Utc};

/// Where `now` comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system's clock.
    System,
    /// Always this moment.
    Fixed(DateTime<Utc>),
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
        }
    }
}
