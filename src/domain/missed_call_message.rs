//! Reply to a missed call: its template and its switch. Not here: rendering, which belongs to
//! sending.

use serde_json::json;

use super::audit::event::{Action, AuditEvent, Fields};
use super::ids::OrgId;

/// Missed-call settings of an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissedCall {
    /// Template, stored as it was sent. `None` if it was never set or was cleared.
    pub message: Option<String>,
    /// True if missed calls get a reply.
    pub enabled: bool,
}

/// Partial update of [`MissedCall`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissedCallChanges {
    /// `None` keeps, the empty string clears, other text is the new template.
    pub message: Option<String>,
    /// `None` keeps.
    pub enabled: Option<bool>,
}

impl MissedCall {
    /// Returns these settings with `changes` merged in.
    pub fn merge(&self, changes: &MissedCallChanges) -> Self {
        let MissedCallChanges { message, enabled } = changes;
        let message = match message {
            None => self.message.clone(),
            Some(text) => (!text.is_empty()).then(|| text.clone()),
        };
        Self {
            message,
            enabled: enabled.unwrap_or(self.enabled),
        }
    }

    /// Returns the events of a change of an organization's missed-call settings to `after`. Empty
    /// if nothing changes.
    pub fn changes_to(&self, after: &Self, org_id: &OrgId) -> Vec<AuditEvent> {
        AuditEvent::changes(org_id, self.recorded(), after.recorded())
    }

    /// Returns the fields as the audit log shows them, by the action that records their change.
    pub fn recorded(&self) -> [(Action, Fields); 1] {
        let Self { message, enabled } = self;
        let fields = vec![
            ("missed_call_message", json!(message)),
            ("missed_call_auto_message_enabled", json!(enabled)),
        ];
        [(Action::MissedCallMessageUpdate, fields)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_keeps_empty_clears_and_text_sets() {
        let now = MissedCall {
            message: Some("Hi".into()),
            enabled: true,
        };
        let table = [
            (None, Some("Hi")),
            (Some(""), None),
            (Some(" "), Some(" ")),
            (Some("Yo"), Some("Yo")),
        ];
        for (sent, stored) in table {
            let changes = MissedCallChanges {
                message: sent.map(Into::into),
                enabled: None,
            };
            assert_eq!(now.merge(&changes).message.as_deref(), stored);
        }
    }
}
