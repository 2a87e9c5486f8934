//! Every settable field of both specs, read from the spec. Goal: a field that is missing from one
//! layer fails here. Method: set each field alone. It must change the response, the stored row and
//! the audit log, each only in its own position.

use std::collections::BTreeMap;

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::scope::Scope;
use serde_json::{Map, Value, json};

use super::isolation::COLUMNS;
use crate::support::TestApp;
use crate::support::spec::{AGENT_MESSAGE, TETHER, resolve};

/// Field that a request can set.
struct Leaf {
    /// JSON pointer, the same in the request and in the resource.
    pointer: String,
    schema: &'static Value,
}

impl Leaf {
    fn name(&self) -> &str {
        self.pointer.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the request that sets this field alone.
    fn request(&self, value: &Value) -> Value {
        let names = self.pointer.split('/').skip(1).collect::<Vec<_>>();
        names
            .iter()
            .rev()
            .fold(value.clone(), |inner, name| json!({ *name: inner }))
    }

    /// Returns a valid value other than the present one. Its text must not occur in `resource`,
    /// because the two times of a window must differ.
    fn other_value(&self, present: &Value, resource: &Value) -> Value {
        let schema = self.schema;
        let types = match &schema["type"] {
            Value::Array(types) => types[0].as_str(),
            single => single.as_str(),
        };
        let candidates = match (types, &schema["enum"]) {
            (_, Value::Array(words)) => words.clone(),
            (Some("boolean"), _) => vec![json!(true), json!(false)],
            (Some("integer"), _) => vec![schema["minimum"].clone(), schema["maximum"].clone()],
            (Some("string"), _) if schema["format"] == "email" => vec![json!("other@acme.example")],
            (Some("string"), _) if schema["maxLength"] == 5 => vec![json!("13:37"), json!("14:38")],
            (Some("string"), _) => vec![json!(format!("A text for {}", self.name()))],
            other => panic!("{}: no values of {other:?}", self.pointer),
        };
        let is_used = |text: &str| resource.to_string().contains(&format!("{text:?}"));
        let other = candidates
            .into_iter()
            .find(|value| value != present && !value.as_str().is_some_and(is_used));
        other.unwrap_or_else(|| panic!("{}: no other value than {present}", self.pointer))
    }
}

/// Returns all leaves below `schema`, with objects resolved.
fn leaves(spec: &'static Value, schema: &'static Value, pointer: &str) -> Vec<Leaf> {
    let schema = resolve(spec, schema);
    let Some(properties) = schema["properties"].as_object() else {
        let pointer = pointer.to_owned();
        return vec![Leaf { pointer, schema }];
    };
    let inner = properties
        .iter()
        .flat_map(|(name, property)| leaves(spec, property, &format!("{pointer}/{name}")));
    inner.collect()
}

/// Columns that every change updates, and the id, which is not text.
const BOOKKEEPING: [&str; 5] = ["id", "version", "audit_length", "audit_head", "updated_at"];

/// Returns the stored row of the only organization, as text by column.
fn stored_row(app: &TestApp) -> BTreeMap<String, String> {
    let mut columns = app.database.columns("organizations");
    columns.retain(|column| !BOOKKEEPING.contains(&column.as_str()));
    let read = |column: String| {
        let sql =
            format!("SELECT COALESCE(CAST({column} AS TEXT), 'NULL') AS value FROM organizations");
        let value = app.database.values(&sql).concat();
        (column, value)
    };
    columns.into_iter().map(read).collect()
}

/// Sets `leaf` alone by `method` on `path` and checks all three effects. Returns the column.
async fn check(app: &TestApp, leaf: &Leaf, (method, path, token): (Method, &str, &str)) -> String {
    let resource = |body: &Value| body.get("data").unwrap_or(body).clone();
    let before = resource(&app.get(path, token).await.json());
    let present = before.pointer(&leaf.pointer);
    let present = present.unwrap_or_else(|| panic!("{} is not in {before}", leaf.pointer));
    let value = leaf.other_value(present, &before);
    let (row_before, entries_before) = (stored_row(app), app.audit().await.len());

    let request = app.request(method, path).bearer(token);
    let response = request.json(&leaf.request(&value)).send().await;
    assert_eq!(response.status, 200, "{}: {response:?}", leaf.pointer);

    let mut expected = before.clone();
    *expected.pointer_mut(&leaf.pointer).expect("a column") = value.clone();
    assert_eq!(resource(&response.json()), expected, "{}", leaf.pointer);

    let row_after = stored_row(app);
    let changed = row_after
        .iter()
        .filter(|(column, text)| row_before[*column] != **text);
    let changed: Vec<&String> = changed.map(|(column, _)| column).collect();
    assert_eq!(changed.len(), 1, "{}: {changed:?}", leaf.pointer);

    let entries = app.audit().await.split_off(entries_before);
    assert_eq!(entries.len(), 1, "{}: {entries:?}", leaf.pointer);
    let name = snake_case(leaf.name());
    let fields = |value: &Value| Value::Object(Map::from_iter([(name.clone(), value.clone())]));
    let payload: Value = serde_json::from_str(&entries[0].payload).expect("a payload is JSON");
    let recorded = json!({ "before": fields(present), "after": fields(&value) });
    assert_eq!(payload, recorded, "{}", leaf.pointer);
    changed[0].clone()
}

fn snake_case(name: &str) -> String {
    let letters = name.chars().flat_map(|letter| {
        let underscore = letter.is_ascii_uppercase().then_some('_');
        underscore.into_iter().chain([letter.to_ascii_lowercase()])
    });
    letters.collect()
}

/// Disables auto replies. That takes two fields, the switch and the attestation, and every other
/// field can be set alone afterwards.
async fn disable_auto_replies(app: &TestApp, key: &str) {
    let attestation = "We handle HELP and STOP ourselves.";
    let auto_replies = json!({ "enabled": false, "attestation": attestation });
    let response = app
        .patch(key, json!({ "auto_replies": auto_replies }))
        .await;
    assert_eq!(response.status, 200);
    let entries = app.audit().await;
    let payload: Value = serde_json::from_str(&entries[0].payload).expect("a payload is JSON");
    assert_eq!(payload["after"], auto_replies);
}

/// Returns every leaf of both requests except the attestation, which alone changes nothing.
fn every_leaf() -> (Vec<Leaf>, Vec<Leaf>) {
    let schema = &AGENT_MESSAGE["components"]["schemas"]["UpdateOrganizationRequest"];
    let mut patched = leaves(&AGENT_MESSAGE, schema, "");
    patched.retain(|leaf| leaf.pointer != "/auto_replies/attestation");
    let operation = &TETHER["paths"]["/api/organizations/{organizationId}/missed-call-message"];
    let body = resolve(&TETHER, &operation["put"]["requestBody"]);
    let put = leaves(&TETHER, &body["content"]["application/json"]["schema"], "");
    (patched, put)
}

#[test]
fn every_settable_field_is_compared_across_organizations() {
    let (patched, put) = every_leaf();
    for leaf in patched.iter().chain(&put) {
        let is_compared = COLUMNS.iter().any(|(pointer, _)| *pointer == leaf.pointer);
        assert!(
            is_compared,
            "isolation/rows.rs has no row for {}",
            leaf.pointer
        );
    }
}

#[actix_web::test]
async fn every_settable_field_changes_its_own_column_response_and_audit_entry() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgRead, Scope::OrgAdminWrite]).await;
    let token = app.jwt(Role::Admin);
    disable_auto_replies(&app, &key).await;

    let (patched, put) = every_leaf();
    let mut columns = Vec::new();
    for leaf in patched {
        let call = (Method::PATCH, "/v1/organization", key.as_str());
        columns.push(check(&app, &leaf, call).await);
    }
    let path = app.missed_call_path();
    for leaf in put {
        columns.push(check(&app, &leaf, (Method::PUT, &path, &token)).await);
    }
    let count = columns.len();
    columns.sort();
    columns.dedup();
    assert_eq!(
        columns.len(),
        count,
        "no two fields share a column: {columns:?}"
    );
    assert!(count >= 15, "the walk found the fields: {columns:?}");
}
