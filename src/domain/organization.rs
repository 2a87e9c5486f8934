//! An organization's messaging settings and the rules for changing them (PATCH /v1/organization).
//! Who may change them is decided in `access`.

use chrono::{DateTime, SubsecRound as _, Utc};

use serde_json::json;

use crate::error::{Error, Refusal, Violation};

use super::audit::entry::ChainHead;
use super::audit::event::{Action, AuditEvent, Fields};
use super::auto_replies::{AutoReplies, AutoRepliesChanges};
use super::billing_email::BillingEmail;
use super::display_text;
use super::ids::{ExternalId, OrgId};
use super::missed_call_message::MissedCall;
use super::quiet_hours::{QuietHours, QuietHoursChanges};
use super::registry::RegistrySummary;

/// Whether an organization is a company.
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
pub enum OrganizationKind {
    /// A company.
    #[strum(serialize = "commercial")]
    Commercial,
    /// A person; may not act on behalf of other companies.
    #[strum(serialize = "personal")]
    Personal,
}

/// A name of 1 to 200 Unicode code points without control characters or surrounding white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationName(String);

impl OrganizationName {
    /// Longest name, in Unicode code points.
    pub const MAX_CHARS: usize = 200;

    /// Trims `text` and checks it.
    ///
    /// # Errors
    /// The rule in words, for the field `name`.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let rule = "must be 1 to 200 characters after trimming, with no control characters";
        match display_text::parse(text, Self::MAX_CHARS) {
            Some(name) => Ok(Self(name.to_owned())),
            None => Err(Violation::new("name", rule)),
        }
    }

    /// A name read back from the database, where only checked ones are written.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, to keep.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Everything that is kept of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Our id.
    pub id: OrgId,
    /// The id that another system knows it by.
    pub external_id: Option<ExternalId>,
    /// Company or person.
    pub kind: OrganizationKind,
    /// Commercial plan; managed elsewhere.
    pub plan: String,
    /// Throughput tier; managed elsewhere.
    pub throughput_tier: i32,
    /// What PATCH /v1/organization changes.
    pub settings: Settings,
    /// What the Tether dialect changes.
    pub missed_call: MissedCall,
    /// Brands and campaigns in short; managed elsewhere.
    pub registry: RegistrySummary,
    /// Grows by one with every change of settings, in either dialect, and of the registry; not with
    /// API keys.
    pub version: i64,
    /// Where this organization's audit chain ends.
    pub audit: ChainHead,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, its audit log included.
    pub updated_at: DateTime<Utc>,
}

/// The settings of PATCH /v1/organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Display name.
    pub name: OrganizationName,
    /// Where invoices go.
    pub billing_email: Option<BillingEmail>,
    /// Days that message bodies are kept, 30 to 365.
    pub message_retention_days: i32,
    /// Days that media are kept, 30 to 365.
    pub mms_retention_days: i32,
    /// Whether the organization acts on behalf of other companies.
    pub is_reseller: bool,
    /// When nothing is sent.
    pub quiet_hours: QuietHours,
    /// What keywords are answered with.
    pub auto_replies: AutoReplies,
}

impl Settings {
    /// Returns the settings of a new organization.
    pub fn new(name: OrganizationName, billing_email: Option<BillingEmail>) -> Self {
        Self {
            name,
            billing_email,
            message_retention_days: 60,
            mms_retention_days: 30,
            is_reseller: false,
            quiet_hours: QuietHours::default(),
            auto_replies: AutoReplies::default(),
        }
    }

    /// Returns the fields as the audit log shows them, by the action that records their change
    /// (CONTRACT 1.5). Every field is named here, so that a new one does not compile unrecorded.
    fn recorded(&self) -> [(Action, Fields); 5] {
        let Self {
            name,
            billing_email,
            message_retention_days,
            mms_retention_days,
            is_reseller,
            quiet_hours,
            auto_replies,
        } = self;
        let billing_email = billing_email.as_ref().map(BillingEmail::as_str);
        let retention = vec![
            ("message_retention_days", json!(message_retention_days)),
            ("mms_retention_days", json!(mms_retention_days)),
        ];
        let organization = vec![
            ("name", json!(name.as_str())),
            ("billing_email", json!(billing_email)),
        ];
        let reseller = vec![("is_reseller", json!(is_reseller))];
        [
            (Action::RetentionUpdate, retention),
            (Action::OrganizationUpdate, organization),
            (Action::ResellerUpdate, reseller),
            (Action::QuietHoursUpdate, quiet_hours.recorded()),
            (Action::AutoRepliesUpdate, auto_replies.recorded()),
        ]
    }

    /// Returns the events of a change of an organization's settings to `after`, none if nothing
    /// changes. The `attestation` is kept with the event that it was required for.
    pub fn changes_to(
        &self,
        after: &Self,
        org_id: &OrgId,
        attestation: Option<&str>,
    ) -> Vec<AuditEvent> {
        let mut events = AuditEvent::changes(org_id, self.recorded(), after.recorded());
        if self.auto_replies.enabled && !after.auto_replies.enabled {
            let of_auto_replies =
                |event: &&mut AuditEvent| event.action == Action::AutoRepliesUpdate;
            if let Some(event) = events.iter_mut().find(of_auto_replies) {
                event
                    .after
                    .insert("attestation".to_owned(), json!(attestation));
            }
        }
        events
    }
}

/// A partial update of [`Settings`] whose single fields are already checked. `None` keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChanges {
    /// New name.
    pub name: Option<OrganizationName>,
    /// `None` keeps, `Some(None)` clears, `Some(Some(v))` sets.
    pub billing_email: Option<Option<BillingEmail>>,
    /// New window for message bodies, in days.
    pub message_retention_days: Option<i32>,
    /// New window for media, in days.
    pub mms_retention_days: Option<i32>,
    /// New reseller mode.
    pub is_reseller: Option<bool>,
    /// New quiet hours.
    pub quiet_hours: QuietHoursChanges,
    /// New auto replies.
    pub auto_replies: AutoRepliesChanges,
}

impl Organization {
    /// Plan of a new organization.
    const FIRST_PLAN: &str = "payg";

    /// Throughput tier of a new organization.
    const FIRST_THROUGHPUT_TIER: i32 = 1;

    /// Returns a new organization, created at `now` in whole seconds.
    pub fn new(
        kind: OrganizationKind,
        external_id: Option<ExternalId>,
        settings: Settings,
        now: DateTime<Utc>,
    ) -> Self {
        let now = now.trunc_subsecs(0);
        Self {
            id: OrgId::generate(),
            external_id,
            kind,
            plan: Self::FIRST_PLAN.to_owned(),
            throughput_tier: Self::FIRST_THROUGHPUT_TIER,
            settings,
            missed_call: MissedCall::default(),
            registry: RegistrySummary::default(),
            version: 1,
            audit: ChainHead::default(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Returns a name that no other version has, of this or of any other organization: one URL
    /// shows the settings of whichever organization asks.
    pub fn version_name(&self) -> String {
        format!("{}-{}", self.version, self.id.tail())
    }

    /// Returns the settings that `changes` lead to. Rules are checked in the order of the fields in
    /// the spec.
    ///
    /// # Errors
    /// The first broken rule, [`Error::Invalid`] or [`Error::Refused`]. None of the change is then
    /// applied.
    pub fn apply(&self, changes: &SettingsChanges) -> Result<Settings, Error> {
        let now = &self.settings;
        let SettingsChanges {
            name,
            billing_email,
            message_retention_days,
            mms_retention_days,
            is_reseller,
            quiet_hours,
            auto_replies,
        } = changes;
        let is_reseller = is_reseller.unwrap_or(now.is_reseller);
        self.check_reseller(is_reseller)?;
        let quiet_hours = now.quiet_hours.merge(quiet_hours)?;
        let auto_replies = now.auto_replies.merge(auto_replies)?;
        Ok(Settings {
            name: name.as_ref().unwrap_or(&now.name).clone(),
            billing_email: billing_email.as_ref().unwrap_or(&now.billing_email).clone(),
            message_retention_days: message_retention_days.unwrap_or(now.message_retention_days),
            mms_retention_days: mms_retention_days.unwrap_or(now.mms_retention_days),
            is_reseller,
            quiet_hours,
            auto_replies,
        })
    }

    fn check_reseller(&self, wanted: bool) -> Result<(), Refusal> {
        match (self.settings.is_reseller, wanted) {
            (false, true) if self.kind == OrganizationKind::Personal => {
                Err(Refusal::ResellerNotEligible)
            }
            (true, false) if self.registry.brand_count > 0 => Err(Refusal::ResellerHasBrands),
            _ => Ok(()),
        }
    }
}
