//! Brands and campaigns, as far as settings depend on them. They are registered elsewhere, and the
//! command line mirrors that registry here.

use crate::error::Violation;

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
    let rule = "must be 1 to 200 characters after trimming, with no control characters";
    let name = display_text::parse(text, MAX_NAME_CHARS);
    name.map(str::to_owned)
        .ok_or_else(|| Violation::new("name", rule))
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
