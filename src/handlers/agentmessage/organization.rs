//! Handlers of GET and PATCH /v1/organization: conversion between the spec's types and the
//! domain's.

use quietline_api::agentmessage::api::{
    GetOrganizationParams, GetOrganizationSuccess, OrganizationApi, PatchOrganizationParams,
    PatchOrganizationSuccess, operations,
};
use quietline_api::agentmessage::models;
use quietline_api_runtime::Timestamp;

use crate::app;
use crate::app::idempotency::Outcome;
use crate::domain::access::Authorized;
use crate::domain::auto_replies::{self, AutoReplies, AutoRepliesChanges};
use crate::domain::billing_email::BillingEmail;
use crate::domain::organization::{Organization, OrganizationName, SettingsChanges};
use crate::domain::quiet_hours::{QuietHours, QuietHoursChanges, QuietHoursMode, TimeOfDay};
use crate::domain::registry::RegistrySummary;
use crate::error::{Error, Result, Violation};
use crate::handlers::failure;
use crate::handlers::idempotency::{idempotent, stored};
use crate::handlers::preconditions::entity_tag;

use super::dialect::AgentMessage;

impl OrganizationApi for AgentMessage {
    async fn get_organization(
        &self,
        caller: Authorized,
        // `If-None-Match` is in `caller.preconditions`.
        _params: GetOrganizationParams,
    ) -> failure::Result<GetOrganizationSuccess> {
        let preconditions = caller.preconditions.clone();
        let organization = app::organization::show(&self.state.db, caller).await?;
        let etag = entity_tag(&organization);
        if preconditions.is_not_modified(Some(&organization))? {
            // RFC 9110, section 15.4.5: a 304 has the `ETag` that a 200 would have.
            return Ok(GetOrganizationSuccess::NotModified { etag });
        }
        let body = organization.into();
        Ok(GetOrganizationSuccess::Ok { body, etag })
    }

    async fn patch_organization(
        &self,
        caller: Authorized,
        params: PatchOrganizationParams,
        body: models::UpdateOrganizationRequest,
    ) -> failure::Result<PatchOrganizationSuccess> {
        let PatchOrganizationParams {
            // In `caller.preconditions`.
            if_match: _,
            idempotency_key,
        } = params;
        // Before the conversion, which consumes the body that the fingerprint covers.
        let request = idempotent(
            idempotency_key.as_deref(),
            &operations::PATCH_ORGANIZATION,
            &body,
            |organization| stored(to_patched(organization).record()),
        )?;
        let changes = settings_changes(body)?;
        let outcome =
            app::organization::update_settings(&self.state, caller, changes, request).await?;
        Ok(match outcome {
            Outcome::Done(organization) => to_patched(organization),
            Outcome::Replayed(response) => PatchOrganizationSuccess::Replayed(response.into()),
        })
    }
}

fn to_patched(organization: Organization) -> PatchOrganizationSuccess {
    PatchOrganizationSuccess::Ok {
        etag: entity_tag(&organization),
        body: organization.into(),
    }
}

/// Converts the body of a PATCH. The schema has already refused nulls, lengths and ranges. Types of
/// the domain are parsed all the same, because they also have rules that a schema cannot state.
fn settings_changes(body: models::UpdateOrganizationRequest) -> Result<SettingsChanges> {
    let models::UpdateOrganizationRequest {
        name,
        billing_email,
        message_retention_days,
        mms_retention_days,
        is_reseller,
        quiet_hours,
        auto_replies,
    } = body;
    let mut violations = Vec::new();
    let changes = SettingsChanges {
        name: name.and_then(|name| note(&mut violations, OrganizationName::parse(&name))),
        billing_email: billing_email.map(|email| {
            email.and_then(|email| note(&mut violations, BillingEmail::parse(&email)))
        }),
        message_retention_days,
        mms_retention_days,
        is_reseller,
        quiet_hours: quiet_hours
            .map(|patch| quiet_hours_changes(patch, &mut violations))
            .unwrap_or_default(),
        auto_replies: auto_replies
            .map(|patch| auto_replies_changes(patch, &mut violations))
            .unwrap_or_default(),
    };
    if violations.is_empty() {
        Ok(changes)
    } else {
        Err(Error::Invalid(violations))
    }
}

/// Returns a parsed value, or notes its violation, so that all of them are reported together.
fn note<T>(violations: &mut Vec<Violation>, parsed: Result<T, Violation>) -> Option<T> {
    parsed.map_err(|violation| violations.push(violation)).ok()
}

fn quiet_hours_changes(
    patch: models::QuietHoursPatch,
    violations: &mut Vec<Violation>,
) -> QuietHoursChanges {
    let models::QuietHoursPatch {
        enabled,
        start,
        end,
        mode,
    } = patch;
    let mut time = |path: &'static str, text: Option<String>| {
        let wrong = || Violation::new(path, "must be a 24-hour time HH:MM");
        note(violations, TimeOfDay::parse(&text?).ok_or_else(wrong))
    };
    QuietHoursChanges {
        enabled,
        start: time("quiet_hours.start", start),
        end: time("quiet_hours.end", end),
        mode: mode.map(|mode| match mode {
            models::QuietHoursMode::Reject => QuietHoursMode::Reject,
            models::QuietHoursMode::Defer => QuietHoursMode::Defer,
        }),
    }
}

fn auto_replies_changes(
    patch: models::AutoRepliesPatch,
    violations: &mut Vec<Violation>,
) -> AutoRepliesChanges {
    let models::AutoRepliesPatch {
        enabled,
        stop_text,
        help_text,
        start_text,
        attestation,
    } = patch;
    let mut text = |path: &'static str, text: Option<Option<String>>| {
        text.map(|text| note(violations, auto_replies::parse_text(path, text?)))
    };
    AutoRepliesChanges {
        enabled,
        stop_text: text("auto_replies.stop_text", stop_text),
        help_text: text("auto_replies.help_text", help_text),
        start_text: text("auto_replies.start_text", start_text),
        attestation,
    }
}

impl From<Organization> for models::OrganizationResponse {
    fn from(organization: Organization) -> Self {
        let Organization {
            id,
            plan,
            throughput_tier,
            settings,
            registry,
            created_at,
            // Not part of this dialect.
            external_id: _,
            kind: _,
            missed_call: _,
            version: _,
            audit: _,
            updated_at: _,
        } = organization;
        let data = models::Organization {
            id: id.uuid(),
            name: settings.name.into_string(),
            billing_email: settings.billing_email.map(BillingEmail::into_string),
            plan,
            throughput_tier,
            message_retention_days: settings.message_retention_days,
            mms_retention_days: settings.mms_retention_days,
            is_reseller: settings.is_reseller,
            quiet_hours: settings.quiet_hours.into(),
            auto_replies: settings.auto_replies.into(),
            registration_status: registry.into(),
            created_at: Timestamp(created_at),
        };
        Self {
            success: true,
            data,
        }
    }
}

impl From<QuietHours> for models::QuietHours {
    fn from(settings: QuietHours) -> Self {
        Self {
            enabled: settings.enabled,
            start: settings.start.to_string(),
            end: settings.end.to_string(),
            mode: match settings.mode {
                QuietHoursMode::Reject => models::QuietHoursMode::Reject,
                QuietHoursMode::Defer => models::QuietHoursMode::Defer,
            },
        }
    }
}

impl From<AutoReplies> for models::AutoReplies {
    fn from(settings: AutoReplies) -> Self {
        let AutoReplies {
            enabled,
            stop_text,
            help_text,
            start_text,
        } = settings;
        Self {
            enabled,
            stop_text,
            help_text,
            start_text,
        }
    }
}

impl From<RegistrySummary> for models::RegistrationStatus {
    fn from(registry: RegistrySummary) -> Self {
        let RegistrySummary {
            brand,
            brand_count,
            campaign_count,
        } = registry;
        Self {
            brand: brand.map(|status| status.into_str().to_owned()),
            brand_count,
            campaign_count,
        }
    }
}
