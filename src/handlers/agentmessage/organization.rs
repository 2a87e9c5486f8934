//! GET and PATCH /v1/organization: between the spec's types and ours.

use quietline_api::agentmessage::api::{
    GetOrganizationParams, GetOrganizationSuccess, OrganizationApi, PatchOrganizationParams,
    PatchOrganizationSuccess, operations,
};
use quietline_api::agentmessage::models;

use crate::app;
use crate::app::idempotency::Outcome;
use crate::domain::access::OrgAccess;
use crate::domain::billing_email::BillingEmail;
use crate::domain::organization::{
    AutoReplies, AutoRepliesChanges, Organization, OrganizationName, SettingsChanges,
};
use crate::domain::quiet_hours::{QuietHours, QuietHoursChanges, QuietHoursMode, TimeOfDay};
use crate::domain::registry::RegistrySummary;
use crate::domain::text_enum::TextEnum;
use crate::error::{Error, Result, Violation};
use crate::handlers::once::once;

use super::{AgentMessage, entity_tag};

impl OrganizationApi for AgentMessage {
    async fn get_organization(
        &self,
        access: OrgAccess,
        params: GetOrganizationParams,
    ) -> Result<GetOrganizationSuccess> {
        let organization = app::organization::show(&self.state.db, access).await?;
        let etag = entity_tag::of(&organization);
        Ok(
            match entity_tag::is_none_match(params.if_none_match.as_deref(), &organization) {
                true => GetOrganizationSuccess::Ok {
                    body: response(organization),
                    etag,
                },
                false => GetOrganizationSuccess::NotModified { etag },
            },
        )
    }

    async fn patch_organization(
        &self,
        access: OrgAccess,
        params: PatchOrganizationParams,
        body: models::UpdateOrganizationRequest,
    ) -> Result<PatchOrganizationSuccess> {
        let PatchOrganizationParams {
            if_match,
            idempotency_key,
        } = params;
        let condition = entity_tag::if_match(if_match.as_deref());
        let once = once(
            idempotency_key.as_deref(),
            &operations::PATCH_ORGANIZATION,
            &body,
            |organization| Ok(patched(organization).record()?.into()),
        )?;
        let changes = settings_changes(body)?;
        let outcome =
            app::organization::update_settings(&self.state, access, condition, changes, once)
                .await?;
        Ok(match outcome {
            Outcome::Done(organization) => patched(organization),
            Outcome::Replayed(answer) => PatchOrganizationSuccess::Replayed(answer.into()),
        })
    }
}

fn patched(organization: Organization) -> PatchOrganizationSuccess {
    PatchOrganizationSuccess::Ok {
        etag: entity_tag::of(&organization),
        body: response(organization),
    }
}

/// The schema has refused nulls where they mean nothing, and what is too long or out of range. What
/// has a type in the domain is parsed all the same: a difference between the two would be an
/// [`Error::Invalid`] and not a wrong value.
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
    let invalid = |violation| Error::Invalid(vec![violation]);
    let name = name.map(|name| OrganizationName::parse(&name)).transpose();
    let address = |text: String| BillingEmail::parse(&text);
    let billing_email = billing_email.map(|email| email.map(address).transpose());
    Ok(SettingsChanges {
        name: name.map_err(invalid)?,
        billing_email: billing_email.transpose().map_err(invalid)?,
        message_retention_days,
        mms_retention_days,
        is_reseller,
        quiet_hours: quiet_hours
            .map(quiet_hours_changes)
            .transpose()?
            .unwrap_or_default(),
        auto_replies: auto_replies.map(auto_replies_changes).unwrap_or_default(),
    })
}

fn quiet_hours_changes(patch: models::QuietHoursPatch) -> Result<QuietHoursChanges> {
    let models::QuietHoursPatch {
        enabled,
        start,
        end,
        mode,
    } = patch;
    let time = |path: &'static str, text: Option<String>| {
        let wrong = || Error::Invalid(vec![Violation::new(path, "must be a 24-hour time HH:MM")]);
        text.map(|text| TimeOfDay::parse(&text).ok_or_else(wrong))
            .transpose()
    };
    Ok(QuietHoursChanges {
        enabled,
        start: time("quiet_hours.start", start)?,
        end: time("quiet_hours.end", end)?,
        mode: mode.map(|mode| match mode {
            models::QuietHoursMode::Reject => QuietHoursMode::Reject,
            models::QuietHoursMode::Defer => QuietHoursMode::Defer,
        }),
    })
}

fn auto_replies_changes(patch: models::AutoRepliesPatch) -> AutoRepliesChanges {
    let models::AutoRepliesPatch {
        enabled,
        stop_text,
        help_text,
        start_text,
        attestation,
    } = patch;
    AutoRepliesChanges {
        enabled,
        stop_text,
        help_text,
        start_text,
        attestation,
    }
}

fn response(organization: Organization) -> models::OrganizationResponse {
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
        quiet_hours: quiet_hours(settings.quiet_hours),
        auto_replies: auto_replies(settings.auto_replies),
        registration_status: registration_status(registry),
        created_at,
    };
    models::OrganizationResponse {
        success: true,
        data,
    }
}

fn quiet_hours(settings: QuietHours) -> models::QuietHours {
    models::QuietHours {
        enabled: settings.enabled,
        start: settings.start.to_string(),
        end: settings.end.to_string(),
        mode: match settings.mode {
            QuietHoursMode::Reject => models::QuietHoursMode::Reject,
            QuietHoursMode::Defer => models::QuietHoursMode::Defer,
        },
    }
}

fn auto_replies(settings: AutoReplies) -> models::AutoReplies {
    let AutoReplies {
        enabled,
        stop_text,
        help_text,
        start_text,
    } = settings;
    models::AutoReplies {
        enabled,
        stop_text,
        help_text,
        start_text,
    }
}

fn registration_status(registry: RegistrySummary) -> models::RegistrationStatus {
    let RegistrySummary {
        brand,
        brand_count,
        campaign_count,
    } = registry;
    models::RegistrationStatus {
        brand: brand.map(|status| status.as_str().to_owned()),
        brand_count,
        campaign_count,
    }
}
