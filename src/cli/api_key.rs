//! `quietline key`: API keys of an organization.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::api_key::{ApiKey, KeyPosition, NewApiKey, PlaintextApiKey};
use crate::domain::ids::{ApiKeyId, OrgId};
use crate::domain::key_selection::{KeyGroup, KeySelection};
use crate::domain::scope::ScopeSet;
use crate::error::{BoxError, Error, Result};
use crate::operator;
use crate::operator::session::Session;

use super::args::{NewApiKeyArgs, RevokeKeyArgs};
use super::context::{Context, Outcome};
use super::organization::find;
use super::output::{Output, counted, table};

const PAGE: i64 = 500;

pub(super) async fn create(session: &Session, args: NewApiKeyArgs, out: &mut Output) -> Outcome {
    let label = ApiKey::parse_label(&args.label).map_err(Error::from)?;
    // Trimmed, because a quoted list may have spaces after its commas.
    let scopes = args.scopes.iter().map(|name| name.trim());
    let scopes = ScopeSet::parse(scopes).map_err(Error::from)?;
    let now = session.clock.now();
    // A span beyond the calendar is refused like any time beyond the year 9999.
    let expires_at = args
        .expires
        .map(|moment| moment.after(now).unwrap_or(DateTime::<Utc>::MAX_UTC));
    let organization = find(&session.db, &args.org).await?;
    let plaintext = PlaintextApiKey::generate();
    let shown = plaintext.reveal().to_owned();
    let new = NewApiKey {
        label,
        scopes,
        expires_at,
        plaintext,
    };
    let key = operator::api_key::create(session, organization.id, new).await?;
    let mut value = value(&key);
    value["plaintext"] = json!(shown);
    let expiry = key.expires_at.map(|time| time.format("%F %T").to_string());
    let text = table(&[
        ("id", key.id.to_string()),
        ("label", key.label),
        ("scopes", key.scopes.to_text()),
        ("expires", expiry.unwrap_or_else(|| "never".to_owned())),
        ("key", format!("{shown}   (shown only now)")),
    ]);
    out.print(&value, &text)?;
    Ok(true)
}

pub(super) async fn list(context: &Context, org: &str, out: &mut Output) -> Outcome {
    let org_id = find(&context.db, org).await?.id;
    let mut keys = Vec::new();
    loop {
        let after = keys.last().map(KeyPosition::after);
        let page = operator::api_key::list(&context.db, org_id, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        keys.extend(page);
    }
    let now = context.clock.now();
    let values: Vec<Value> = keys.iter().map(value).collect();
    let lines: Vec<String> = keys.iter().map(|key| line(key, now)).collect();
    out.print(&json!(values), &lines.join("\n"))?;
    Ok(true)
}

pub(super) async fn revoke(session: &Session, args: RevokeKeyArgs, out: &mut Output) -> Outcome {
    if let Some(id) = &args.id
        && !args.issued
        && !args.dry_run
    {
        let revoked = operator::api_key::revoke(session, parse_id(id)?).await;
        let key = found(revoked, id)?;
        out.print(&value(&key), &line(&key, session.clock.now()))?;
        return Ok(true);
    }
    let (org_id, selection) = selection(session, &args).await?;
    // The selection names a key of the organization, or else a key that the arguments name.
    let named = args.id.or(args.issued_by).unwrap_or_default();
    let (keys, done) = if args.dry_run {
        let selected = operator::api_key::list_selected(&session.db, org_id, selection).await;
        (found(selected, &named)?, "would be revoked")
    } else {
        let revoked = operator::api_key::revoke_selected(session, org_id, selection).await;
        (found(revoked, &named)?, "revoked")
    };
    let now = session.clock.now();
    let values: Vec<Value> = keys.iter().map(value).collect();
    let mut lines: Vec<String> = keys.iter().map(|key| line(key, now)).collect();
    let count = i64::try_from(keys.len()).map_err(Error::internal)?;
    lines.push(format!("{} {done}", counted(count, "key", "keys")));
    out.print(&json!(values), &lines.join("\n"))?;
    Ok(true)
}

/// Returns the keys that the arguments select, and their organization.
async fn selection(
    session: &Session,
    args: &RevokeKeyArgs,
) -> Result<(OrgId, KeySelection), BoxError> {
    let (org_id, group) = match (&args.id, &args.org) {
        (Some(text), _) => {
            let id = parse_id(text)?;
            let key = found(operator::api_key::find(&session.db, id).await, text)?;
            let group = if args.issued {
                KeyGroup::WithIssued(id)
            } else {
                KeyGroup::Only(id)
            };
            (key.org_id, group)
        }
        (None, org) => {
            // The grammar demands one of the two.
            let org_id = find(&session.db, org.as_deref().unwrap_or_default())
                .await?
                .id;
            let issuer = args.issued_by.as_deref().map(parse_id).transpose()?;
            (org_id, issuer.map_or(KeyGroup::All, KeyGroup::IssuedBy))
        }
    };
    let now = session.clock.now();
    // A span that begins before the calendar has all keys.
    let since = args.since.and_then(|since| since.before(now));
    Ok((org_id, KeySelection { group, since }))
}

fn parse_id(text: &str) -> Result<ApiKeyId, BoxError> {
    ApiKeyId::parse(text).ok_or_else(|| unknown(text))
}

fn unknown(id: &str) -> BoxError {
    format!("there is no API key {id:?}").into()
}

fn found<T>(result: Result<T>, id: &str) -> Result<T, BoxError> {
    match result {
        Err(Error::NotFound(_)) => Err(unknown(id)),
        other => Ok(other?),
    }
}

fn line(key: &ApiKey, now: DateTime<Utc>) -> String {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(time), _) => format!("revoked {}", time.format("%F %T")),
        (None, Some(time)) if key.has_expired(now) => format!("expired {}", time.format("%F %T")),
        (None, Some(time)) => format!("valid until {}", time.format("%F %T")),
        (None, None) => "valid".to_owned(),
    };
    format!(
        "{}  {}…  {}  {}  ({state}, by {})",
        key.id,
        key.prefix,
        key.label,
        key.scopes.to_text(),
        key.created_by
    )
}

/// Returns the stored data of a key, with the names of the AgentMessage dialect.
pub(super) fn value(key: &ApiKey) -> Value {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.into_str()).collect();
    json!({
        "id": key.id.to_string(),
        "org_id": key.org_id.to_string(),
        "label": key.label,
        "prefix": key.prefix,
        "scopes": scopes,
        "created_by": key.created_by,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "expires_at": key.expires_at,
    })
}
