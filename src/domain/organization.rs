//! Messaging settings of an organization and the rules for changing them (PATCH /v1/organization).
//! Not here: permissions, which `access` decides.

use chrono::{DateTime, SubsecRound as _, Utc};

use serde_json::{Map, json};

use crate::error::{Error, Refusal, Violation};

use super::audit::entry::ChainHead;
use super::audit::event::{self, Action, AuditEvent, Fields, recorded_time};
use super::auto_replies::{AutoReplies, AutoRepliesChanges};
use super::billing_email::BillingEmail;
use super::display_text;
use super::ids::{ExternalId, OrgId};
use super::missed_call_message::MissedCall;
use super::quiet_hours::{QuietHours, QuietHoursChanges};
use super::registry::RegistrySummary;

/// Kind of an organization.
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
    #[strum(serialize = "commercial")]
    Commercial,
    /// A person, who may not act on behalf of other companies.
    #[strum(serialize = "personal")]
    Personal,
}

/// Name of 1 to 200 Unicode code points, as [`display_text`] allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationName(String);

impl OrganizationName {
    /// Maximum length of a name, in Unicode code points.
    pub const MAX_CHARS: usize = 200;

    /// Trims `text` and checks it.
    ///
    /// # Errors
    /// [`Violation`] of `name`, with the rule as its message.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        match display_text::parse(text, Self::MAX_CHARS) {
            Ok(name) => Ok(Self(name.to_owned())),
            Err(rule) => Err(Violation::new("name", rule)),
        }
    }

    /// Wraps a name read from the database, where only checked names are written.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

/// Organization with all its stored data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    pub id: OrgId,
    /// Id of the organization in another system.
    pub external_id: Option<ExternalId>,
    pub kind: OrganizationKind,
    /// Commercial plan, managed elsewhere.
    pub plan: String,
    /// Throughput tier, managed elsewhere.
    pub throughput_tier: i32,
    /// Settings of PATCH /v1/organization.
    pub settings: Settings,
    /// Settings of the Tether dialect.
    pub missed_call: MissedCall,
    /// Summary of brands and campaigns, managed elsewhere.
    pub registry: RegistrySummary,
    /// Version, which grows by one with every change of settings in either dialect, and of the
    /// registry. Changes of API keys do not count.
    pub version: i64,
    /// End of this organization's audit chain.
    pub audit: ChainHead,
    pub created_at: DateTime<Utc>,
    /// Time of the last change, entries of the audit log included.
    pub updated_at: DateTime<Utc>,
}

/// Settings of PATCH /v1/organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Display name.
    pub name: OrganizationName,
    pub billing_email: Option<BillingEmail>,
    /// Days for which message bodies are kept, 30 to 365.
    pub message_retention_days: i32,
    /// Days for which media are kept, 30 to 365.
    pub mms_retention_days: i32,
    /// Reseller mode: the organization acts on behalf of other companies.
    pub is_reseller: bool,
    pub quiet_hours: QuietHours,
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
    /// (CONTRACT 1.5). Names every field, so that a new field cannot compile without being
    /// recorded.
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

    /// Returns the events of a change of an organization's settings to `after`. Empty if nothing
    /// changes. The event that required an `attestation` contains it.
    pub fn changes_to(
        &self,
        after: &Self,
        org_id: &OrgId,
        attestation: Option<&str>,
    ) -> Vec<AuditEvent> {
        let mut events = AuditEvent::changes(org_id, self.recorded(), after.recorded());
        if self.auto_replies.enabled && !after.auto_replies.enabled {
            // The entry is the proof that the organization attested. No other column holds the
            // text.
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

/// Partial update of [`Settings`] whose single fields are already checked. `None` keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChanges {
    pub name: Option<OrganizationName>,
    /// `None` keeps, `Some(None)` clears, `Some(Some(v))` sets.
    pub billing_email: Option<Option<BillingEmail>>,
    /// New retention of message bodies, in days.
    pub message_retention_days: Option<i32>,
    /// New retention of media, in days.
    pub mms_retention_days: Option<i32>,
    pub is_reseller: Option<bool>,
    pub quiet_hours: QuietHoursChanges,
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

    /// Returns the event of this organization's creation.
    pub fn created(&self) -> AuditEvent {
        let groups = self.recorded().into_iter();
        AuditEvent {
            action: Action::OrganizationCreate,
            resource_type: "organization",
            resource_id: self.id.to_string(),
            before: Map::new(),
            after: groups
                .map(|(name, fields)| (name.to_owned(), event::object(fields).into()))
                .collect(),
        }
    }

    /// Returns all fields as the audit log shows them, in named groups. Names every field, so that
    /// a new field cannot compile without being recorded.
    pub fn recorded(&self) -> Vec<(&'static str, Fields)> {
        let Self {
            // The entry itself names the id.
            id: _,
            external_id,
            kind,
            plan,
            throughput_tier,
            settings,
            missed_call,
            registry,
            version: _,
            // Verified with the chain, which ends at this head.
            audit: _,
            created_at,
            updated_at: _,
        } = self;
        let external_id = external_id.as_ref().map(ExternalId::as_str);
        let account = vec![
            ("external_id", json!(external_id)),
            ("kind", json!(kind.into_str())),
            ("plan", json!(plan)),
            ("throughput_tier", json!(throughput_tier)),
            ("created_at", recorded_time(*created_at)),
        ];
        let settings = settings.recorded().into_iter();
        let settings = settings.chain(missed_call.recorded());
        let settings = settings.filter_map(|(action, fields)| Some((action.settings()?, fields)));
        [
            ("account", account),
            (RegistrySummary::NAME, registry.recorded()),
        ]
        .into_iter()
        .chain(settings)
        .collect()
    }

    /// Returns a name that is unique to this version of this organization. The version alone is not
    /// enough, because one URL shows every organization its own settings.
    pub fn version_name(&self) -> String {
        format!("{}-{}", self.version, self.id.tail())
    }

    /// Returns the settings after `changes`. Checks rules in the order of the fields in the spec.
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::Refused`] for the first broken rule. The whole change is then
    /// discarded.
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
        // Only a change is judged, so that sending the current value again never fails.
        match (self.settings.is_reseller, wanted) {
            (false, true) if self.kind == OrganizationKind::Personal => {
                Err(Refusal::ResellerNotEligible)
            }
            (true, false) if self.registry.brand_count > 0 => Err(Refusal::ResellerHasBrands),
            _ => Ok(()),
        }
    }
}
