//! `quietline key`: API keys of an organization.

use serde_json::{Value, json};

use crate::domain::api_key::{ApiKey, KeyPosition, NewApiKey, PlaintextApiKey};
use crate::domain::ids::ApiKeyId;
use crate::domain::scope::ScopeSet;
use crate::error::{BoxError, Error};
use crate::operator;
use crate::operator::session::Session;

use super::args::NewApiKeyArgs;
use super::context::{Context, Outcome};
use super::organization::find;
use super::output::{Output, table};

const PAGE: i64 = 500;

pub(super) async fn create(session: &Session, args: NewApiKeyArgs, out: &mut Output) -> Outcome {
    let label = ApiKey::parse_label(&args.label).map_err(Error::from)?;
    // Trimmed, because a quoted list may have spaces after its commas.
    let scopes = args.scopes.iter().map(|name| name.trim());
    let scopes = ScopeSet::parse(scopes).map_err(Error::from)?;
    let organization = find(&session.db, &args.org).await?;
    let plaintext = PlaintextApiKey::generate();
    let shown = plaintext.reveal().to_owned();
    let new = NewApiKey {
        label,
        scopes,
        plaintext,
    };
    let key = operator::api_key::create(session, organization.id, new).await?;
    let mut value = value(&key);
    value["plaintext"] = json!(shown);
    let text = table(&[
        ("id", key.id.to_string()),
        ("label", key.label),
        ("scopes", key.scopes.to_text()),
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
    let values: Vec<Value> = keys.iter().map(value).collect();
    let lines: Vec<String> = keys.iter().map(line).collect();
    out.print(&json!(values), &lines.join("\n"))?;
    Ok(true)
}

pub(super) async fn revoke(session: &Session, id: &str, out: &mut Output) -> Outcome {
    let unknown = || BoxError::from(format!("there is no API key {id:?}"));
    let key_id = ApiKeyId::parse(id).ok_or_else(unknown)?;
    let key = match operator::api_key::revoke(session, key_id).await {
        Err(Error::NotFound(_)) => return Err(unknown()),
        revoked => revoked?,
    };
    out.print(&value(&key), &line(&key))?;
    Ok(true)
}

fn line(key: &ApiKey) -> String {
    let state = match key.revoked_at {
        Some(time) => format!("revoked {}", time.format("%F %T")),
        None => "valid".to_owned(),
    };
    format!(
        "{}  {}…  {}  {}  ({state})",
        key.id,
        key.prefix,
        key.label,
        key.scopes.to_text()
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
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    })
}
