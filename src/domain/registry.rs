//! Brands and campaigns, as far as settings depend on them. They are registered elsewhere, and the
//! command line mirrors that registry here.

use serde_json::json;

use crate::error::Violation;

use super::audit::event::{self, Action, AuditEvent, Fields};
use super::display_text;
use super::ids::{BrandId, CampaignId, OrgId};

/// Maximum length of the name of a brand or a campaign, in Unicode code points.
const MAX_NAME_CHARS: usize = 200;

/// Registration status of a brand or a campaign.
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
pub enum RegistrationStatus {
    /// Submitted, not yet approved.
    #[strum(serialize = "PENDING")]
    Pending,
    #[strum(serialize = "ACTIVE")]
    Active,
    /// Deleted. The row stays as history.
    #[strum(serialize = "DELETED")]
    Deleted,
}

/// Trims and checks the name of a brand or a campaign.
///
/// # Errors
/// [`Violation`] of `name`, with the rule as its message.
pub fn parse_name(text: &str) -> Result<String, Violation> {
    let name = display_text::parse(text, MAX_NAME_CHARS);
    name.map(str::to_owned)
        .map_err(|rule| Violation::new("name", rule))
}

/// Company on whose behalf messages are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    pub id: BrandId,
    /// Organization that registered the brand.
    pub org_id: OrgId,
    pub name: String,
    pub status: RegistrationStatus,
}

/// Use of messaging that is registered under a brand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    pub id: CampaignId,
    /// Organization that registered the campaign.
    pub org_id: OrgId,
    pub brand_id: BrandId,
    pub name: String,
    pub status: RegistrationStatus,
}

/// Summary of an organization's registry in its settings (`registration_status`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistrySummary {
    /// Status of the newest brand that is not deleted. `None` without such a brand.
    pub brand: Option<RegistrationStatus>,
    /// Number of brands that are not deleted.
    pub brand_count: i32,
    /// Number of campaigns that are not deleted.
    pub campaign_count: i32,
}

impl Brand {
    /// Returns the fields as the audit log shows them.
    pub fn recorded(&self) -> Fields {
        let Self {
            id: _,
            org_id: _,
            name,
            status,
        } = self;
        vec![("name", json!(name)), ("status", json!(status.into_str()))]
    }

    /// Returns the event of this brand's creation, which changes the organization's `summary`.
    pub fn created(&self, summary: SummaryChange) -> AuditEvent {
        let (action, id) = (Action::BrandCreate, self.id.to_string());
        summary.event(action, "brand", id, (Vec::new(), self.recorded()))
    }

    /// Returns the event of this brand's deletion, which changes the organization's `summary`.
    pub fn deleted(&self, summary: SummaryChange) -> AuditEvent {
        let (action, id) = (Action::BrandDelete, self.id.to_string());
        summary.event(action, "brand", id, deletion(self.status))
    }
}

impl Campaign {
    /// Returns the fields as the audit log shows them.
    pub fn recorded(&self) -> Fields {
        let Self {
            id: _,
            org_id: _,
            brand_id,
            name,
            status,
        } = self;
        vec![
            ("brand_id", json!(brand_id.to_string())),
            ("name", json!(name)),
            ("status", json!(status.into_str())),
        ]
    }

    /// Returns the event of this campaign's creation, which changes the organization's `summary`.
    pub fn created(&self, summary: SummaryChange) -> AuditEvent {
        let (action, id) = (Action::CampaignCreate, self.id.to_string());
        summary.event(action, "campaign", id, (Vec::new(), self.recorded()))
    }

    /// Returns the event of this campaign's deletion, which changes the organization's `summary`.
    pub fn deleted(&self, summary: SummaryChange) -> AuditEvent {
        let (action, id) = (Action::CampaignDelete, self.id.to_string());
        summary.event(action, "campaign", id, deletion(self.status))
    }
}

/// Returns the field that a deletion changes, before and after.
fn deletion(status: RegistrationStatus) -> (Fields, Fields) {
    let field = |status: RegistrationStatus| vec![("status", json!(status.into_str()))];
    (field(status), field(RegistrationStatus::Deleted))
}

impl RegistrySummary {
    /// Name of the summary in the audit log.
    pub const NAME: &str = "registration_status";

    /// Returns the fields as the audit log shows them.
    pub fn recorded(&self) -> Fields {
        let Self {
            brand,
            brand_count,
            campaign_count,
        } = self;
        vec![
            ("brand", json!(brand.map(|status| status.into_str()))),
            ("brand_count", json!(brand_count)),
            ("campaign_count", json!(campaign_count)),
        ]
    }
}

/// Summary of an organization's registry before and after a change of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SummaryChange {
    pub before: RegistrySummary,
    pub after: RegistrySummary,
}

impl SummaryChange {
    /// Returns the event of a change of a brand or a campaign, with the changed part of the
    /// summary.
    fn event(
        self,
        action: Action,
        resource_type: &'static str,
        resource_id: String,
        (before, after): (Fields, Fields),
    ) -> AuditEvent {
        let summary = event::difference(self.before.recorded(), self.after.recorded());
        let (mut before, mut after) = (event::object(before), event::object(after));
        // Also an empty difference, because the replay expects this field of every such event.
        before.insert(RegistrySummary::NAME.to_owned(), summary.0.into());
        after.insert(RegistrySummary::NAME.to_owned(), summary.1.into());
        AuditEvent {
            action,
            resource_type,
            resource_id,
            before,
            after,
        }
    }
}
