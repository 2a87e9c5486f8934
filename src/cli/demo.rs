//! `quietline demo`: a demonstration organization with credentials and ready curl lines. Its keys
//! are derived from the JWT secret, so that they are the same at every start and never stored.

use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::jwt::{Claims, JwtKeys};
use crate::config::Config;
use crate::domain::actor::Role;
use crate::domain::api_key::{NewApiKey, PlaintextApiKey};
use crate::domain::billing_email::BillingEmail;
use crate::domain::ids::{ExternalId, OrgId, OrganizationRef};
use crate::domain::organization::{Organization, OrganizationKind, OrganizationName, Settings};
use crate::domain::registry::RegistrationStatus;
use crate::domain::scope::{Scope, ScopeSet};
use crate::error::{BoxError, Error, Result};
use crate::operator;
use crate::operator::organization::NewOrganization;
use crate::operator::session::Session;

use super::context::{Outcome, jwt_keys, jwt_secret, open};
use super::operator::OperatorArgs;
use super::output::{Output, table};

/// External id that finds the organization again. It has the form of Tether's own ids.
const EXTERNAL_ID: &str = "64656d6f64656d6f64656d6f";

const TOKEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);

const ADMIN_SCOPES: [Scope; 5] = [
    Scope::OrgRead,
    Scope::OrgAdminWrite,
    Scope::ApiKeysRead,
    Scope::ApiKeysWrite,
    Scope::AuditRead,
];

/// Output of `make run`.
struct Demo {
    organization: Organization,
    admin_key: String,
    reader_key: String,
    admin_token: String,
    superadmin_token: String,
}

pub(super) async fn run(config: &Config, operator: &OperatorArgs, out: &mut Output) -> Outcome {
    let secret = jwt_secret(config)?;
    let keys = jwt_keys(config)?;
    let session = open(config)?.session(operator);
    let organization = organization(&session).await?;
    let id = &organization.id;
    // With the secret, because a key that is derived from an id alone could be computed by others.
    let seed = |label: &str| format!("{label} of {id} by {}", secret.expose());
    let demo = Demo {
        admin_key: key(&session, id, "demo admin", &ADMIN_SCOPES, &seed("admin")).await?,
        reader_key: key(
            &session,
            id,
            "demo reader",
            &[Scope::OrgRead],
            &seed("reader"),
        )
        .await?,
        admin_token: token(&session, &keys, Role::Admin, Some(id)).await?,
        superadmin_token: token(&session, &keys, Role::Superadmin, None).await?,
        organization,
    };
    out.print(&value(&demo), &text(&demo, &base_url(&config.listen)))?;
    Ok(true)
}

async fn organization(session: &Session) -> Result<Organization, BoxError> {
    let external_id = ExternalId::parse(EXTERNAL_ID)
        .ok_or("the external id of the demonstration is not valid")?;
    let name = OrganizationRef::External(external_id.clone());
    match operator::organization::find(&session.db, name.clone()).await {
        Err(Error::NotFound(_)) => {}
        found => return Ok(found?),
    }
    let display_name =
        OrganizationName::parse("Acme Health, Inc.").map_err(|violation| violation.message)?;
    let email = BillingEmail::parse("ap@acme.example").map_err(|violation| violation.message)?;
    let new = NewOrganization {
        kind: OrganizationKind::Commercial,
        external_id: Some(external_id),
        settings: Settings::new(display_name, Some(email)),
    };
    let id = operator::organization::create(session, new).await?.id;
    let (brand, status) = ("Acme Health".to_owned(), RegistrationStatus::Active);
    operator::registry::add_brand(session, id, brand, status).await?;
    Ok(operator::organization::find(&session.db, name).await?)
}

/// Returns the first derived key that is not revoked, and creates it if needed.
async fn key(
    session: &Session,
    org_id: &OrgId,
    label: &str,
    scopes: &[Scope],
    seed: &str,
) -> Result<String> {
    // A revoked key is never valid again, so that the next key is derived instead.
    let mut attempt = 0_u32;
    loop {
        let plaintext =
            PlaintextApiKey::derive(format!("quietline demo {attempt}: {seed}").as_bytes());
        let shown = plaintext.reveal().to_owned();
        let scopes: ScopeSet = scopes.iter().copied().collect();
        let new = NewApiKey {
            label: label.to_owned(),
            scopes,
            expires_at: None,
            plaintext,
        };
        let key = operator::api_key::create(session, *org_id, new).await?;
        if key.revoked_at.is_none() {
            return Ok(shown);
        }
        attempt += 1;
    }
}

async fn token(
    session: &Session,
    keys: &JwtKeys,
    role: Role,
    org_id: Option<&OrgId>,
) -> Result<String, BoxError> {
    let claims = Claims {
        subject: format!("demo-{}", role.into_str().to_ascii_lowercase()),
        organization: org_id.map(ToString::to_string),
        role: role.into_str().to_owned(),
    };
    let signed = keys.sign(&claims, None, session.clock.now(), TOKEN_TTL)?;
    super::token::record(session, &signed, claims.subject, role, org_id.copied()).await?;
    Ok(signed.text)
}

/// Returns the URL for a client on this machine to reach a server that listens on `listen`.
fn base_url(listen: &str) -> String {
    // The unspecified address is not a destination (RFC 4291, section 2.5.2).
    let address = listen
        .replace("0.0.0.0:", "127.0.0.1:")
        .replace("[::]:", "[::1]:");
    format!("http://{address}")
}

fn value(demo: &Demo) -> Value {
    json!({
        "organization": super::organization::value(&demo.organization),
        "keys": { "admin": demo.admin_key, "reader": demo.reader_key },
        "tokens": { "admin": demo.admin_token, "superadmin": demo.superadmin_token },
    })
}

fn text(demo: &Demo, url: &str) -> String {
    let Demo {
        organization,
        admin_key,
        reader_key,
        admin_token,
        superadmin_token,
    } = demo;
    let credentials = table(&[
        ("organization", organization.id.to_string()),
        ("external id", EXTERNAL_ID.to_owned()),
        ("key: read and change", admin_key.clone()),
        ("key: read only", reader_key.clone()),
        ("token: ADMIN, 24 h", admin_token.clone()),
        ("token: SUPERADMIN, 24 h", superadmin_token.clone()),
    ]) + "\n";
    let id = &organization.id;
    let organization = format!("{url}/v1/organization");
    let missed_call = format!("{url}/api/organizations/{id}/missed-call-message");
    let change = json!({ "name": "Acme Health Group", "quiet_hours": { "enabled": true } });
    let disable = json!({ "auto_replies": { "enabled": false } });
    let answer_calls = json!({
        "missedCallMessage": "Hi {{contactName}}, we will call you back.",
        "missedCallAutoMessageEnabled": true,
    });
    let lines = [
        credentials,
        "# For the tour in README.md".to_owned(),
        format!("KEY={admin_key}\nTOKEN={admin_token}\nORGANIZATION={id}\n"),
        "# Read the organization (AgentMessage dialect)".to_owned(),
        curl("GET", &organization, reader_key, None),
        "# Change it".to_owned(),
        curl("PATCH", &organization, admin_key, Some(&change)),
        "# Disabling the STOP/HELP guardrail without an attestation is refused".to_owned(),
        curl("PATCH", &organization, admin_key, Some(&disable)),
        "# Change the missed-call message (Tether dialect)".to_owned(),
        curl("PUT", &missed_call, admin_token, Some(&answer_calls)),
    ];
    lines.join("\n")
}

/// Returns a command to paste, with an empty line after it.
fn curl(method: &str, url: &str, token: &str, body: Option<&Value>) -> String {
    let call = format!("curl -s -X {method} {url} -H 'Authorization: Bearer {token}'");
    match body {
        None => format!("{call}\n"),
        Some(body) => format!("{call} \\\n  -H 'Content-Type: application/json' -d '{body}'\n"),
    }
}
