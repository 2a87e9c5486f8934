//! Moments in arguments: a time, or a span from now.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Moment that an argument names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Time(DateTime<Utc>),
    /// Span between now and the moment, in the direction that the argument implies.
    Span(TimeDelta),
}

impl Moment {
    /// Returns the moment if a span begins at `now`. `None` if the calendar ends before.
    pub(super) fn after(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Time(time) => Some(time),
            Self::Span(span) => now.checked_add_signed(span),
        }
    }

    /// Returns the moment if a span ends at `now`. `None` if the calendar begins after.
    pub(super) fn before(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Time(time) => Some(time),
            Self::Span(span) => now.checked_sub_signed(span),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Time(time.to_utc()));
        }
        let span: Option<Duration> = humantime::parse_duration(text).ok();
        let span = span.and_then(|span| TimeDelta::from_std(span).ok());
        span.map(Self::Span).ok_or_else(|| {
            "must be RFC 3339, such as 2027-01-31T00:00:00Z, or a span such as 90d".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_span_in_either_direction() {
        let now: DateTime<Utc> = "2026-01-04T12:00:00Z".parse().expect("a time");
        let read = |text: &str| text.parse::<Moment>();
        let span = read("1day 2h").expect("a span");
        let expected = ["2026-01-05T14:00:00+00:00", "2026-01-03T10:00:00+00:00"];
        let moments = [span.after(now), span.before(now)];
        assert_eq!(
            moments.map(|moment| moment.expect("a moment").to_rfc3339()),
            expected
        );
        let time = read("2026-01-04T13:00:00+01:00").expect("a time");
        assert_eq!((time.after(now), time.before(now)), (Some(now), Some(now)));
        let long = read("1000000years").expect("a span");
        assert_eq!((long.after(now), long.before(now)), (None, None));
        for bad in ["", "tomorrow", "-1d", "2026-01-04", "99999999999999999999y"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
