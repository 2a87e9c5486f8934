//! Brands and campaigns, as far as settings depend on them. They are registered elsewhere; the
//! command line mirrors that registry here.

use crate::error::Violation;

use super::display_text;
use super::ids::{BrandId, CampaignId, OrgId};

/// Longest name of a brand or a campaign, in Unicode code points.
const MAX_NAME_CHARS: usize = 200;

/// Where a brand or a campaign stands in its registration.
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
    /// Approved.
    #[strum(serialize = "ACTIVE")]
    Active,
    /// Gone; its row stays as history.
    #[strum(serialize = "DELETED")]
    Deleted,
}

/// Trims and checks the name of a brand or a campaign.
///
/// # Errors
/// The rule in words, for the field `name`.
pub fn parse_name(text: &str) -> Result<String, Violation> {
    let rule = "must be 1 to 200 characters after trimming, with no control characters";
    let name = display_text::parse(text, MAX_NAME_CHARS);
    name.map(str::to_owned)
        .ok_or_else(|| Violation::new("name", rule))
}

/// A company on whose behalf messages are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// Its id.
    pub id: BrandId,
    /// The organization that registered it.
    pub org_id: OrgId,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: RegistrationStatus,
}

/// A use of messaging that is registered under a brand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// The organization that registered it.
    pub org_id: OrgId,
    /// The brand it belongs to.
    pub brand_id: BrandId,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: RegistrationStatus,
}

/// What an organization's settings show of its registry (`registration_status`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistrySummary {
    /// Status of the newest brand that is not deleted; `None` without one.
    pub brand: Option<RegistrationStatus>,
    /// Number of brands that are not deleted.
    pub brand_count: i32,
    /// Number of campaigns that are not deleted.
    pub campaign_count: i32,
}
