//! Events: recorded actions without a position in the chain. Not here: the fields of a state, which
//! each type names itself.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use super::super::ids::OrgId;

/// Recorded action (GET /v1/audit-log, `action`).
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
)]
#[strum(const_into_str)]
pub enum Action {
    #[strum(serialize = "organization.create")]
    OrganizationCreate,
    #[strum(serialize = "retention.update")]
    RetentionUpdate,
    /// Change of the name or the billing email.
    #[strum(serialize = "organization.update")]
    OrganizationUpdate,
    #[strum(serialize = "reseller.update")]
    ResellerUpdate,
    #[strum(serialize = "quiet_hours.update")]
    QuietHoursUpdate,
    #[strum(serialize = "auto_replies.update")]
    AutoRepliesUpdate,
    #[strum(serialize = "missed_call_message.update")]
    MissedCallMessageUpdate,
    #[strum(serialize = "api_key.create")]
    ApiKeyCreate,
    #[strum(serialize = "api_key.rotate")]
    ApiKeyRotate,
    #[strum(serialize = "api_key.revoke")]
    ApiKeyRevoke,
    #[strum(serialize = "brand.create")]
    BrandCreate,
    /// Deletion of a brand and its campaigns.
    #[strum(serialize = "brand.delete")]
    BrandDelete,
    #[strum(serialize = "campaign.create")]
    CampaignCreate,
    #[strum(serialize = "campaign.delete")]
    CampaignDelete,
    /// Token signed on the command line.
    #[strum(serialize = "token.issue")]
    TokenIssue,
    /// Revocation of all tokens of the organization.
    #[strum(serialize = "token.revoke")]
    TokenRevoke,
}

impl Action {
    /// Returns the name of the settings that this action changes, such as `quiet_hours`. `None` for
    /// actions that do not change settings.
    pub const fn settings(self) -> Option<&'static str> {
        match self {
            Self::RetentionUpdate => Some("retention"),
            Self::OrganizationUpdate => Some("organization"),
            Self::ResellerUpdate => Some("reseller"),
            Self::QuietHoursUpdate => Some("quiet_hours"),
            Self::AutoRepliesUpdate => Some("auto_replies"),
            Self::MissedCallMessageUpdate => Some("missed_call_message"),
            Self::OrganizationCreate
            | Self::ApiKeyCreate
            | Self::ApiKeyRotate
            | Self::ApiKeyRevoke
            | Self::BrandCreate
            | Self::BrandDelete
            | Self::CampaignCreate
            | Self::CampaignDelete
            | Self::TokenIssue
            | Self::TokenRevoke => None,
        }
    }
}

/// Fields of a state as the audit log shows them, by name.
pub type Fields = Vec<(&'static str, Value)>;

/// Returns `fields` as a JSON object.
pub fn object(fields: Fields) -> Map<String, Value> {
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Returns the fields of two states that differ, before and after. Both have the same names in the
/// same order.
pub fn difference(before: Fields, after: Fields) -> (Map<String, Value>, Map<String, Value>) {
    before
        .into_iter()
        .zip(after)
        .filter(|(old, new)| old != new)
        .map(|((name, old), (_, new))| ((name.to_owned(), old), (name.to_owned(), new)))
        .unzip()
}

/// Returns `time` as payloads show it, always with milliseconds, so that texts sort like times.
pub fn recorded_time(time: DateTime<Utc>) -> Value {
    time.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

/// Recorded action without a position in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    pub action: Action,
    /// Type of the resource acted on: `organization`, `api_key`, `brand`, `campaign` or
    /// `token`.
    pub resource_type: &'static str,
    pub resource_id: String,
    /// Changed fields before the action.
    pub before: Map<String, Value>,
    /// Changed fields after the action.
    pub after: Map<String, Value>,
}

impl AuditEvent {
    /// Compares two states of an organization, each as fields by recording action, in the same
    /// order. Returns one event for each action with a changed field.
    pub fn changes<const N: usize>(
        org_id: &OrgId,
        before: [(Action, Fields); N],
        after: [(Action, Fields); N],
    ) -> Vec<Self> {
        let mut events = Vec::new();
        for ((action, before), (_, after)) in before.into_iter().zip(after) {
            let (before, after) = difference(before, after);
            if !after.is_empty() {
                events.push(Self {
                    action,
                    resource_type: "organization",
                    resource_id: org_id.to_string(),
                    before,
                    after,
                });
            }
        }
        events
    }

    /// Returns the JSON text of the payload: `{"before":{…},"after":{…}}`, changed fields only.
    pub fn payload(&self) -> String {
        serde_json::json!({ "before": self.before, "after": self.after }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_has_the_fields_that_differ_and_an_action_without_any_has_no_event() {
        let state = |days: i32, name: &str| {
            [
                (
                    Action::RetentionUpdate,
                    vec![("a", json!(days)), ("b", json!(7))],
                ),
                (Action::OrganizationUpdate, vec![("name", json!(name))]),
            ]
        };
        let org_id = OrgId::generate();
        let events = AuditEvent::changes(&org_id, state(30, "same"), state(31, "same"));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].action, Action::RetentionUpdate);
        assert_eq!(
            events[0].payload(),
            r#"{"after":{"a":31},"before":{"a":30}}"#
        );
    }
}
