//! Filter of the list of audit entries (GET /v1/audit-log).

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

use super::super::cursor::ListName;
use super::super::ids::OrgId;
use super::entry::ActorKind;

/// Filter of audit entries. An entry must match every part that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub action: Option<String>,
    pub resource_type: Option<String>,
    /// Id of the resource, compared exactly.
    pub resource_id: Option<String>,
    pub actor_kind: Option<ActorKind>,
    /// Earliest time, inclusive.
    pub since: Option<AuditMoment>,
    /// Latest time, exclusive.
    pub until: Option<AuditMoment>,
}

/// Bound of a time range, rounded so that both databases compare it with entries in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditMoment(NaiveDateTime);

impl AuditMoment {
    /// Creates the bound at `moment`. Entries have whole milliseconds and years of four digits.
    pub fn new(moment: DateTime<Utc>) -> Self {
        let (first, last) = (
            NaiveDate::from_yo_opt(1, 1),
            NaiveDate::from_yo_opt(9999, 1),
        );
        let begin = |day: Option<NaiveDate>| day.unwrap_or_default().and_time(Default::default());
        let down = moment.trunc_subsecs(3);
        // Up, because entries of the same millisecond are before the bound.
        let up = if down == moment {
            down
        } else {
            down + TimeDelta::milliseconds(1)
        };
        Self(up.naive_utc().clamp(begin(first), begin(last)))
    }

    /// Returns the bound as a column's value.
    pub fn naive_utc(self) -> NaiveDateTime {
        self.0
    }

    fn text(self) -> String {
        let moment = self.0.and_utc();
        moment.to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

impl AuditFilter {
    /// Returns the name of the list of the entries of `org_id` that match this filter.
    pub fn list_name(&self, org_id: &OrgId) -> ListName {
        // Every filter is named, so that a new one cannot be left out of the signed name.
        let Self {
            action,
            resource_type,
            resource_id,
            actor_kind,
            since,
            until,
        } = self;
        let moment = |bound: &Option<AuditMoment>| bound.map(AuditMoment::text).unwrap_or_default();
        let parts = [
            action.as_deref().unwrap_or_default(),
            resource_type.as_deref().unwrap_or_default(),
            resource_id.as_deref().unwrap_or_default(),
            actor_kind.map_or("", |kind| kind.into_str()),
            &moment(since),
            &moment(until),
        ];
        ListName::new("audit_log", org_id, &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_the_next_whole_millisecond_of_a_year_with_four_digits() {
        for (given, kept) in [
            ("2026-01-04T12:00:00Z", "2026-01-04T12:00:00.000Z"),
            ("2026-01-04T12:00:00.5+01:00", "2026-01-04T11:00:00.500Z"),
            ("2026-01-04T12:00:00.000000001Z", "2026-01-04T12:00:00.001Z"),
            ("2026-01-04T12:00:00.999001Z", "2026-01-04T12:00:01.000Z"),
            ("0000-01-01T00:00:00+23:59", "0001-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59-23:59", "9999-01-01T00:00:00.000Z"),
        ] {
            let moment = given.parse().expect("a date-time");
            assert_eq!(AuditMoment::new(moment).text(), kept, "{given}");
        }
    }
}
