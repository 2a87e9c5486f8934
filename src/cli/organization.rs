//! `quietline org`: creates and reads organizations. Not here: changes of settings, which only the
//! APIs make.

use serde_json::{Value, json};

use crate::db::Db;
use crate::domain::audit::event::object;
use crate::domain::billing_email::BillingEmail;
use crate::domain::ids::{ExternalId, OrganizationRef};
use crate::domain::missed_call_message::MissedCall;
use crate::domain::organization::{Organization, OrganizationName, Settings};
use crate::domain::registry::RegistrySummary;
use crate::error::{BoxError, Error, Violation};
use crate::operator;
use crate::operator::organization::NewOrganization;
use crate::operator::session::Session;

use super::args::NewOrgArgs;
use super::context::{Context, Outcome};
use super::output::{Output, table};

const PAGE: i64 = 500;

pub(super) async fn create(session: &Session, args: NewOrgArgs, out: &mut Output) -> Outcome {
    let new = new_organization(args)?;
    let organization = operator::organization::create(session, new).await?;
    print(&organization, out)
}

/// Checks all arguments before it refuses any, so that the error lists every violation.
fn new_organization(args: NewOrgArgs) -> Result<NewOrganization, Error> {
    let NewOrgArgs {
        name,
        kind,
        external_id,
        billing_email,
        operator: _,
    } = args;
    let name = OrganizationName::parse(&name);
    let billing_email = billing_email
        .map(|text| BillingEmail::parse(&text))
        .transpose();
    let external_id = external_id.map(|text| parse_external_id(&text)).transpose();
    match (name, billing_email, external_id) {
        (Ok(name), Ok(billing_email), Ok(external_id)) => Ok(NewOrganization {
            kind,
            external_id,
            settings: Settings::new(name, billing_email),
        }),
        (name, billing_email, external_id) => {
            let violations = [name.err(), external_id.err(), billing_email.err()];
            Err(Error::Invalid(violations.into_iter().flatten().collect()))
        }
    }
}

fn parse_external_id(text: &str) -> Result<ExternalId, Violation> {
    let rule = "must be 1 to 128 visible ASCII characters and not a UUID";
    ExternalId::parse(text).ok_or_else(|| Violation::new("external_id", rule))
}

pub(super) async fn show(context: &Context, id: &str, out: &mut Output) -> Outcome {
    print(&find(&context.db, id).await?, out)
}

pub(super) async fn list(context: &Context, out: &mut Output) -> Outcome {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|last: &Organization| last.id);
        let page = operator::organization::list(&context.db, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let line = |organization: &Organization| {
        format!(
            "{}  {}",
            organization.id,
            organization.settings.name.as_str()
        )
    };
    let values: Vec<Value> = all.iter().map(value).collect();
    let lines: Vec<String> = all.iter().map(line).collect();
    out.print(&json!(values), &lines.join("\n"))?;
    Ok(true)
}

/// Finds the organization with the id or external id `name`.
pub(super) async fn find(db: &Db, name: &str) -> Result<Organization, BoxError> {
    let unknown = || BoxError::from(format!("there is no organization {name:?}"));
    let reference = OrganizationRef::parse(name).ok_or_else(unknown)?;
    match operator::organization::find(db, reference).await {
        Err(Error::NotFound(_)) => Err(unknown()),
        found => Ok(found?),
    }
}

fn print(organization: &Organization, out: &mut Output) -> Outcome {
    let settings = &organization.settings;
    let text = table(&[
        ("id", organization.id.to_string()),
        (
            "external id",
            external_id(organization).unwrap_or("-").to_owned(),
        ),
        ("name", settings.name.as_str().to_owned()),
        ("kind", organization.kind.into_str().to_owned()),
        (
            "billing email",
            billing_email(organization).unwrap_or("-").to_owned(),
        ),
        ("plan", organization.plan.clone()),
        (
            "retention",
            format!(
                "{} days, media {} days",
                settings.message_retention_days, settings.mms_retention_days
            ),
        ),
        ("version", organization.version.to_string()),
    ]);
    out.print(&value(organization), &text)?;
    Ok(true)
}

fn external_id(organization: &Organization) -> Option<&str> {
    organization.external_id.as_ref().map(ExternalId::as_str)
}

fn billing_email(organization: &Organization) -> Option<&str> {
    let email = organization.settings.billing_email.as_ref();
    email.map(BillingEmail::as_str)
}

/// Returns all data of an organization, with the names of the AgentMessage dialect.
pub(super) fn value(organization: &Organization) -> Value {
    // Every field is named here and below, so that a new field does not compile until it is either
    // shown or left out.
    let Organization {
        id,
        external_id: _,
        kind,
        plan,
        throughput_tier,
        settings,
        missed_call,
        registry,
        version,
        audit: _,
        created_at,
        updated_at: _,
    } = organization;
    let MissedCall { message, enabled } = missed_call;
    let RegistrySummary {
        brand,
        brand_count,
        campaign_count,
    } = registry;
    let mut value = json!({
        "id": id.to_string(),
        "external_id": external_id(organization),
        "kind": kind.into_str(),
        "plan": plan,
        "throughput_tier": throughput_tier,
        "missed_call_message": message,
        "missed_call_auto_message_enabled": enabled,
        "registration_status": {
            "brand": brand.map(|status| status.into_str()),
            "brand_count": brand_count,
            "campaign_count": campaign_count,
        },
        "version": version,
        "created_at": created_at,
    });
    for (name, setting) in settings_value(settings) {
        value[name] = setting;
    }
    value
}

fn settings_value(settings: &Settings) -> [(&'static str, Value); 7] {
    let Settings {
        name,
        billing_email,
        message_retention_days,
        mms_retention_days,
        is_reseller,
        quiet_hours,
        auto_replies,
    } = settings;
    let billing_email = billing_email.as_ref().map(BillingEmail::as_str);
    [
        ("name", json!(name.as_str())),
        ("billing_email", json!(billing_email)),
        ("message_retention_days", json!(message_retention_days)),
        ("mms_retention_days", json!(mms_retention_days)),
        ("is_reseller", json!(is_reseller)),
        ("quiet_hours", object(quiet_hours.recorded()).into()),
        ("auto_replies", object(auto_replies.recorded()).into()),
    ]
}
