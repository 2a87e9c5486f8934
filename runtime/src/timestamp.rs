//! Times of requests and responses.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};

/// Moment of a `date-time` in a spec.
///
/// A response always has milliseconds, even if they are zero. Otherwise the texts of two moments
/// would not sort by time: `52Z` is after `52.001Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub DateTime<Utc>);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_rfc3339_opts(SecondsFormat::Millis, true);
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn a_moment_is_written_with_milliseconds_in_utc() {
        for (text, written) in [
            ("2026-01-04T12:00:00Z", "2026-01-04T12:00:00.000Z"),
            ("2026-01-04T12:00:00.07Z", "2026-01-04T12:00:00.070Z"),
            (
                "2026-01-04T13:00:00.123456+01:00",
                "2026-01-04T12:00:00.123Z",
            ),
        ] {
            let moment: Timestamp = from_value(json!(text)).expect("RFC 3339");
            assert_eq!(to_value(moment).expect("a string"), written);
        }
    }
}
