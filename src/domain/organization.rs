//! An organization's messaging settings and the rules for changing them (PATCH /v1/organization).
//! Who may change them is decided in `access`, that a change is recorded in `audit`.

use chrono::{DateTime, Utc};

use crate::error::{Refusal, Violation};

use super::access::OrgAccess;
use super::audit::{AuditEntry, AuditEvent, ChainHead};
use super::billing_email::BillingEmail;
use super::display_text;
use super::ids::{ExternalId, OrgId};
use super::missed_call_message::MissedCall;
use super::quiet_hours::{QuietHours, QuietHoursChanges};
use super::registry::RegistrySummary;
use super::text_enum::text_enum;

text_enum!(
    /// Whether an organization is a company.
    OrganizationKind {
        /// A company.
        Commercial = "commercial",
        /// A person; may not act on behalf of other companies.
        Personal = "personal",
    }
);

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

/// The keyword auto-replies of an organization (STOP, HELP, START confirmations). Switching them
/// off never affects opt-out handling itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoReplies {
    /// Whether keywords are answered.
    pub enabled: bool,
    /// Reply to an opt-out keyword; `None` is the platform default, here and below.
    pub stop_text: Option<String>,
    /// Reply to a help keyword.
    pub help_text: Option<String>,
    /// Reply to an opt-in keyword.
    pub start_text: Option<String>,
}

impl Default for AutoReplies {
    fn default() -> Self {
        Self {
            enabled: true,
            stop_text: None,
            help_text: None,
            start_text: None,
        }
    }
}

/// A partial update of [`AutoReplies`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutoRepliesChanges {
    /// `None` keeps.
    pub enabled: Option<bool>,
    /// `None` keeps, `Some(None)` returns to the platform default, `Some(Some(v))` sets; so below.
    pub stop_text: Option<Option<String>>,
    /// See `stop_text`.
    pub help_text: Option<Option<String>>,
    /// See `stop_text`.
    pub start_text: Option<Option<String>>,
    /// The statement that the organization handles HELP and STOP itself.
    pub attestation: Option<String>,
}

impl AutoReplies {
    /// These settings with `changes` merged in field by field.
    ///
    /// # Errors
    /// Switching off needs an attestation that is not blank.
    pub fn merge(&self, changes: &AutoRepliesChanges) -> Result<Self, Refusal> {
        let enabled = changes.enabled.unwrap_or(self.enabled);
        let is_attested = changes
            .attestation
            .as_deref()
            .is_some_and(|statement| !statement.trim().is_empty());
        if self.enabled && !enabled && !is_attested {
            return Err(Refusal::AttestationRequired);
        }
        let text = |change: &Option<Option<String>>, now: &Option<String>| {
            change.clone().unwrap_or_else(|| now.clone())
        };
        Ok(Self {
            enabled,
            stop_text: text(&changes.stop_text, &self.stop_text),
            help_text: text(&changes.help_text, &self.help_text),
            start_text: text(&changes.start_text, &self.start_text),
        })
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
    /// The settings of a new organization.
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

/// A decided change: what the organization becomes, and what is recorded of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The version that was decided on. If the organization has another by now, the decision is
    /// void.
    pub from_version: i64,
    /// The length of the audit log at that time, likewise.
    pub from_audit_length: i64,
    /// The organization as it becomes.
    pub after: Organization,
    /// The new end of its audit log, in order.
    pub entries: Vec<AuditEntry>,
}

impl Change {
    /// The step from `before` to `after`, of which nothing is recorded here.
    pub fn unrecorded(before: &Organization, after: Organization, now: DateTime<Utc>) -> Self {
        // Clocks differ between replicas, and a decision may wait for its turn: time never runs
        // back.
        let updated_at = now.max(before.updated_at);
        Self {
            from_version: before.version,
            from_audit_length: before.audit.length,
            after: Organization {
                updated_at,
                ..after
            },
            entries: Vec::new(),
        }
    }

    /// The step from `before` to `after`, recorded as `events` done by `access` at `now`.
    pub fn recorded(
        before: &Organization,
        after: Organization,
        access: &OrgAccess,
        events: &[AuditEvent],
        now: DateTime<Utc>,
    ) -> Self {
        let mut change = Self::unrecorded(before, after, now);
        for event in events {
            let after = &mut change.after;
            let moment = after.updated_at;
            let entry = AuditEntry::seal(&after.id, &after.audit, access, event, moment);
            after.audit = entry.head();
            change.entries.push(entry);
        }
        change
    }
}

/// Which versions of an organization a change may start from (RFC 9110, `If-Match`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionCondition {
    /// Any version.
    Any,
    /// One of these, as [`Organization::version_name`] has them; anything else matches none.
    OneOf(Vec<String>),
}

impl VersionCondition {
    /// Whether a change may start from `organization` as it is.
    pub fn admits(&self, organization: &Organization) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(names) => names.contains(&organization.version_name()),
        }
    }
}

/// Why [`Organization::apply`] refused a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeError {
    /// A rule on several fields together is broken.
    Invalid(Violation),
    /// A business rule forbids it.
    Refused(Refusal),
}

impl Organization {
    /// What tells this version from all others, those of other organizations included: one URL has
    /// the settings of whichever organization asks.
    pub fn version_name(&self) -> String {
        format!("{}-{}", self.version, self.id.tail())
    }

    /// The settings that `changes` lead to. Rules are checked in the order of the fields in the
    /// spec.
    ///
    /// # Errors
    /// The first rule that the change breaks; none of it is then applied.
    pub fn apply(&self, changes: &SettingsChanges) -> Result<Settings, ChangeError> {
        let now = &self.settings;
        let is_reseller = changes.is_reseller.unwrap_or(now.is_reseller);
        self.check_reseller(is_reseller)
            .map_err(ChangeError::Refused)?;
        let quiet_hours = now
            .quiet_hours
            .merge(&changes.quiet_hours)
            .map_err(ChangeError::Invalid)?;
        let auto_replies = now
            .auto_replies
            .merge(&changes.auto_replies)
            .map_err(ChangeError::Refused)?;
        Ok(Settings {
            name: changes.name.clone().unwrap_or_else(|| now.name.clone()),
            billing_email: changes
                .billing_email
                .clone()
                .unwrap_or_else(|| now.billing_email.clone()),
            message_retention_days: changes
                .message_retention_days
                .unwrap_or(now.message_retention_days),
            mms_retention_days: changes.mms_retention_days.unwrap_or(now.mms_retention_days),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switching_auto_replies_off_needs_an_attestation_and_nothing_else_does() {
        let on = AutoReplies::default();
        let off = AutoReplies {
            enabled: false,
            ..on.clone()
        };
        let change = |enabled: bool, attestation: Option<&str>| AutoRepliesChanges {
            enabled: Some(enabled),
            attestation: attestation.map(Into::into),
            ..Default::default()
        };
        let refused = Err(Refusal::AttestationRequired);
        for blank in [None, Some(""), Some(" \n\u{3000}")] {
            assert_eq!(on.merge(&change(false, blank)), refused, "{blank:?}");
            assert_eq!(
                off.merge(&change(false, blank)),
                Ok(off.clone()),
                "already off"
            );
        }
        assert_eq!(
            on.merge(&change(false, Some("We answer HELP and STOP."))),
            Ok(off.clone())
        );
        assert_eq!(off.merge(&change(true, None)), Ok(on));
    }
}
