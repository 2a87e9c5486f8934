//! Quiet hours: the daily window in which no message is sent, and the handling of messages inside
//! the window. Not here: choosing the local time of a message, which belongs to sending.

use std::fmt;

use serde_json::json;

use crate::error::Violation;

use super::audit::event::Fields;

/// Handling of a message that falls into quiet hours.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = diesel::sql_types::Text)]
#[strum(const_into_str)]
pub enum QuietHoursMode {
    /// Refuse the send.
    #[strum(serialize = "reject")]
    Reject,
    /// Hold the message until the window ends.
    #[strum(serialize = "defer")]
    Defer,
}

/// Time of day, to the minute, written "HH:MM" on a 24-hour clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    minutes_after_midnight: u16,
}

impl TimeOfDay {
    /// Reads exactly "HH:MM", 00:00 to 23:59.
    pub fn parse(text: &str) -> Option<Self> {
        let [h1, h2, b':', m1, m2] = *text.as_bytes() else {
            return None;
        };
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
        let (hours, minutes) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
        (hours < 24 && minutes < 60).then_some(Self {
            minutes_after_midnight: hours * 60 + minutes,
        })
    }

    /// Returns the time `hours`:`minutes`. Values out of range wrap around midnight.
    pub const fn new(hours: u16, minutes: u16) -> Self {
        Self {
            minutes_after_midnight: (hours * 60 + minutes) % (24 * 60),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:02}:{:02}",
            self.minutes_after_midnight / 60,
            self.minutes_after_midnight % 60
        )
    }
}

/// Quiet hours of an organization. The window is half-open, `[start, end)`, and spans midnight when
/// `start` is later than `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    pub enabled: bool,
    /// First minute of the window.
    pub start: TimeOfDay,
    /// First minute after the window.
    pub end: TimeOfDay,
    pub mode: QuietHoursMode,
}

impl Default for QuietHours {
    fn default() -> Self {
        Self {
            enabled: false,
            start: TimeOfDay::new(21, 0),
            end: TimeOfDay::new(8, 0),
            mode: QuietHoursMode::Reject,
        }
    }
}

/// Partial update of [`QuietHours`]. `None` keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuietHoursChanges {
    pub enabled: Option<bool>,
    pub start: Option<TimeOfDay>,
    pub end: Option<TimeOfDay>,
    pub mode: Option<QuietHoursMode>,
}

impl QuietHours {
    /// Returns these settings with `changes` merged in field by field.
    ///
    /// # Errors
    /// [`Violation`] of a window whose start equals its end, because its length is undefined (PATCH
    /// /v1/organization, `quiet_hours`).
    pub fn merge(self, changes: &QuietHoursChanges) -> Result<Self, Violation> {
        let QuietHoursChanges {
            enabled,
            start,
            end,
            mode,
        } = *changes;
        let merged = Self {
            enabled: enabled.unwrap_or(self.enabled),
            start: start.unwrap_or(self.start),
            end: end.unwrap_or(self.end),
            mode: mode.unwrap_or(self.mode),
        };
        // Judge the window only when it changes, because old settings must not block other changes.
        let is_window_changed = start.is_some() || end.is_some();
        if is_window_changed && merged.start == merged.end {
            return Err(Violation::new(
                "quiet_hours.end",
                "must differ from quiet_hours.start",
            ));
        }
        Ok(merged)
    }

    /// Returns the fields as the audit log shows them.
    pub fn recorded(&self) -> Fields {
        let Self {
            enabled,
            start,
            end,
            mode,
        } = self;
        vec![
            ("enabled", json!(enabled)),
            ("start", json!(start.to_string())),
            ("end", json!(end.to_string())),
            ("mode", json!(mode.into_str())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_two_digits_colon_two_digits_below_24_hours() {
        for good in ["00:00", "09:05", "23:59"] {
            assert_eq!(
                TimeOfDay::parse(good)
                    .map(|time| time.to_string())
                    .as_deref(),
                Some(good)
            );
        }
        for bad in [
            "24:00",
            "12:60",
            "9:05",
            "09:5",
            "09:05:00",
            "",
            " 9:05",
            "09-05",
            "٠٩:٠٥",
        ] {
            assert_eq!(TimeOfDay::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn merging_keeps_absent_fields_and_refuses_an_empty_window() {
        let now = QuietHours::default();
        let on = QuietHoursChanges {
            enabled: Some(true),
            ..Default::default()
        };
        assert_eq!(
            now.merge(&on),
            Ok(QuietHours {
                enabled: true,
                ..now
            })
        );
        let empty = QuietHoursChanges {
            end: Some(now.start),
            ..Default::default()
        };
        assert_eq!(
            now.merge(&empty).map_err(|violation| violation.path),
            Err("quiet_hours.end".into())
        );
    }
}
