//! Changes of an organization, decided but not stored. A change is void if a concurrent write won.

use chrono::{DateTime, Utc};

use super::actor::Author;
use super::audit::entry::AuditEntry;
use super::audit::event::AuditEvent;
use super::organization::Organization;

/// Decided change of an organization, with its audit entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Version before the change. If the organization has another version by now, the change is
    /// void.
    pub from_version: i64,
    /// Length of the audit log before the change, compared like the version.
    pub from_audit_length: i64,
    /// Organization after the change.
    pub after: Organization,
    /// Audit entries to append, in order.
    pub entries: Vec<AuditEntry>,
}

impl Change {
    /// Returns the creation of `organization`, whose log begins with it.
    pub fn creation(organization: Organization, author: &Author) -> Self {
        let (event, now) = (organization.created(), organization.created_at);
        Self::logged(organization, author, event, now)
    }

    /// Returns the step from `before` to `after`, recorded as `events` of `author` at `now`.
    pub fn recorded(
        before: &Organization,
        after: Organization,
        author: &Author,
        events: &[AuditEvent],
        now: DateTime<Utc>,
    ) -> Self {
        // The clocks of servers differ, and a change may wait for a lock. Time must not decrease.
        let updated_at = now.max(before.updated_at);
        let mut change = Self {
            from_version: before.version,
            from_audit_length: before.audit.length,
            after: Organization {
                updated_at,
                ..after
            },
            entries: Vec::new(),
        };
        for event in events {
            let after = &mut change.after;
            // Not `now`, so that the times of a log never decrease.
            let moment = after.updated_at;
            let entry = AuditEntry::seal(&after.id, &after.audit, author, event, moment);
            after.audit = entry.head();
            change.entries.push(entry);
        }
        change
    }

    /// Returns `organization` with `event` appended to its audit log. The version stays, because
    /// API keys are not a part of it.
    pub fn logged(
        organization: Organization,
        author: &Author,
        event: AuditEvent,
        now: DateTime<Utc>,
    ) -> Self {
        Self::logged_all(organization, author, &[event], now)
    }

    /// Returns `organization` with `events` appended to its audit log, as [`Change::logged`] does.
    pub fn logged_all(
        organization: Organization,
        author: &Author,
        events: &[AuditEvent],
        now: DateTime<Utc>,
    ) -> Self {
        let before = organization.clone();
        Self::recorded(&before, organization, author, events, now)
    }
}
