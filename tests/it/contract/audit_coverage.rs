//! Audit entries of every operation. Goal: every change has its entry, and every entry a change.
//! Method: each request of the table runs on its own organization.

use std::collections::BTreeSet;

use actix_web::http::Method;
use quietline::domain::actor::Role;
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::audit::entry::AuditEntry;
use quietline::domain::audit::event::recorded_time;
use quietline::domain::scope::Scope;
use quietline_api::{agentmessage, tether_relay};
use quietline_api_runtime::Operation;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::app::{EXTERNAL_ID, now};
use crate::support::response::Response;

/// Request, the status of its response, and its audit entries as action, before, after.
struct Case {
    body: Value,
    /// True if the key in the path is revoked beforehand.
    is_revoked: bool,
    status: u16,
    entries: Vec<(&'static str, Value, Value)>,
}

fn changes(body: Value, entries: Vec<(&'static str, Value, Value)>) -> Case {
    Case {
        body,
        is_revoked: false,
        status: 200,
        entries,
    }
}

fn changes_nothing(body: Value) -> Case {
    changes(body, Vec::new())
}

fn is_refused(body: Value, status: u16) -> Case {
    Case {
        status,
        ..changes_nothing(body)
    }
}

/// Returns the rows of the operation. Panics if this table has none.
fn cases(operation: &Operation) -> Vec<Case> {
    match operation.id {
        "getOrganization"
        | "listApiKeys"
        | "getApiKey"
        | "listAuditLog"
        | "get_organizations_organizationId_missed_call_message" => {
            vec![changes_nothing(Value::Null)]
        }
        "createApiKey" => created_keys(),
        "rotateApiKey" => rotated_keys(),
        "deleteApiKey" => deleted_keys(),
        "patchOrganization" => [
            changes_of_the_organization(),
            changes_of_blocks(),
            vec![several_changes_at_once()],
            no_changes_of_the_organization(),
        ]
        .into_iter()
        .flatten()
        .collect(),
        "put_organizations_organizationId_missed_call_message" => missed_call_messages(),
        unknown => panic!("{unknown} has no row: add one"),
    }
}

fn changes_of_the_organization() -> Vec<Case> {
    let retention = |before, after| vec![("retention.update", before, after)];
    let organization = |before, after| vec![("organization.update", before, after)];
    vec![
        changes(
            json!({"message_retention_days": 90}),
            retention(
                json!({"message_retention_days": 60}),
                json!({"message_retention_days": 90}),
            ),
        ),
        changes(
            json!({"mms_retention_days": 365}),
            retention(
                json!({"mms_retention_days": 30}),
                json!({"mms_retention_days": 365}),
            ),
        ),
        changes(
            json!({"message_retention_days": 30, "mms_retention_days": 31}),
            retention(
                json!({"message_retention_days": 60, "mms_retention_days": 30}),
                json!({"message_retention_days": 30, "mms_retention_days": 31}),
            ),
        ),
        changes(
            json!({"name": "  Other, Inc. ", "billing_email": "ap@acme.example"}),
            organization(
                json!({"name": "Acme Health, Inc."}),
                json!({"name": "Other, Inc."}),
            ),
        ),
        changes(
            json!({"billing_email": null}),
            organization(
                json!({"billing_email": "ap@acme.example"}),
                json!({"billing_email": null}),
            ),
        ),
        changes(
            json!({"is_reseller": true}),
            vec![(
                "reseller.update",
                json!({"is_reseller": false}),
                json!({"is_reseller": true}),
            )],
        ),
    ]
}

fn changes_of_blocks() -> Vec<Case> {
    let quiet = |before, after| vec![("quiet_hours.update", before, after)];
    let replies = |before, after| vec![("auto_replies.update", before, after)];
    vec![
        changes(
            json!({"quiet_hours": {"enabled": true, "start": "21:00"}}),
            quiet(json!({"enabled": false}), json!({"enabled": true})),
        ),
        changes(
            json!({"quiet_hours": {"start": "20:30", "end": "09:00", "mode": "defer"}}),
            quiet(
                json!({"start": "21:00", "end": "08:00", "mode": "reject"}),
                json!({"start": "20:30", "end": "09:00", "mode": "defer"}),
            ),
        ),
        changes(
            json!({"auto_replies": {"help_text": "Call us.", "stop_text": null}}),
            replies(json!({"help_text": null}), json!({"help_text": "Call us."})),
        ),
        changes(
            json!({"auto_replies": {"enabled": false, "attestation": "We answer 😀."}}),
            replies(
                json!({"enabled": true}),
                json!({"enabled": false, "attestation": "We answer 😀."}),
            ),
        ),
    ]
}

fn several_changes_at_once() -> Case {
    let body = json!({
        "name": "Other, Inc.",
        "message_retention_days": 61,
        "is_reseller": true,
        "quiet_hours": {"enabled": true},
        "auto_replies": {"start_text": "Welcome back."},
    });
    let entries = vec![
        (
            "auto_replies.update",
            json!({"start_text": null}),
            json!({"start_text": "Welcome back."}),
        ),
        (
            "organization.update",
            json!({"name": "Acme Health, Inc."}),
            json!({"name": "Other, Inc."}),
        ),
        (
            "quiet_hours.update",
            json!({"enabled": false}),
            json!({"enabled": true}),
        ),
        (
            "reseller.update",
            json!({"is_reseller": false}),
            json!({"is_reseller": true}),
        ),
        (
            "retention.update",
            json!({"message_retention_days": 60}),
            json!({"message_retention_days": 61}),
        ),
    ];
    changes(body, entries)
}

fn no_changes_of_the_organization() -> Vec<Case> {
    let attestation = json!({"auto_replies": {"enabled": true, "attestation": "Unasked for."}});
    vec![
        changes_nothing(json!({})),
        changes_nothing(json!({"quiet_hours": {}, "auto_replies": {}})),
        changes_nothing(json!({"name": " Acme Health, Inc. ", "is_reseller": false})),
        changes_nothing(json!({"message_retention_days": 60.0, "mms_retention_days": 30})),
        changes_nothing(json!({"quiet_hours": {"start": "21:00", "end": "08:00"}})),
        changes_nothing(json!({"auto_replies": {"stop_text": null, "help_text": null}})),
        changes_nothing(attestation),
        is_refused(json!({"name": null, "message_retention_days": 90}), 422),
        is_refused(
            json!({"name": "Other", "auto_replies": {"enabled": false}}),
            422,
        ),
        is_refused(
            json!({"name": "Other", "quiet_hours": {"start": "08:00"}}),
            422,
        ),
        is_refused(json!([]), 400),
    ]
}

fn missed_call_messages() -> Vec<Case> {
    const ACTION: &str = "missed_call_message.update";
    let text = "Hi {{contactName}}, we call back. 😀";
    vec![
        changes(
            json!({"missedCallMessage": text}),
            vec![(
                ACTION,
                json!({"missed_call_message": null}),
                json!({"missed_call_message": text}),
            )],
        ),
        changes(
            json!({"missedCallAutoMessageEnabled": true}),
            vec![(
                ACTION,
                json!({"missed_call_auto_message_enabled": false}),
                json!({"missed_call_auto_message_enabled": true}),
            )],
        ),
        changes(
            json!({"missedCallMessage": text, "missedCallAutoMessageEnabled": true}),
            vec![(
                ACTION,
                json!({"missed_call_message": null, "missed_call_auto_message_enabled": false}),
                json!({"missed_call_message": text, "missed_call_auto_message_enabled": true}),
            )],
        ),
        changes_nothing(json!({})),
        changes_nothing(json!({"missedCallMessage": ""})),
        changes_nothing(json!({"missedCallAutoMessageEnabled": false})),
        changes_nothing(json!({"somethingElse": {"is": ["ignored"]}})),
        is_refused(
            json!({"missedCallMessage": null, "missedCallAutoMessageEnabled": true}),
            400,
        ),
        is_refused(json!({"missedCallMessage": "x".repeat(501)}), 400),
    ]
}

fn created_keys() -> Vec<Case> {
    let after = new_key("New 😀", &["org:read", "audit:read"]);
    let create = Case {
        status: 201,
        ..changes(
            json!({"label": " New 😀 ", "scopes": ["audit:read", "org:read"]}),
            vec![("api_key.create", json!({}), after)],
        )
    };
    vec![
        create,
        is_refused(json!({"label": "New", "scopes": []}), 400),
        is_refused(json!({"label": "New", "scopes": ["billing:write"]}), 403),
        is_refused(json!({"label": "", "scopes": ["org:read"]}), 422),
    ]
}

/// Returns the recorded fields of a new key, with placeholders for values that vary.
fn new_key(label: &str, scopes: &[&str]) -> Value {
    json!({
        "label": label,
        "prefix": "PREFIX",
        "scopes": scopes,
        "created_by": "CALLER",
        "created_at": recorded_time(now()),
        "hash_commitment": "COMMITMENT",
        "expires_at": null,
        "rotated_from": null,
    })
}

fn rotated_keys() -> Vec<Case> {
    let before = json!({"id": "TARGET", "prefix": "TARGET_PREFIX"});
    let mut after = new_key("test", &["org:read"]);
    after["id"] = "NEW".into();
    after["rotated_from"] = "TARGET".into();
    let rotate = Case {
        status: 201,
        ..changes(Value::Null, vec![("api_key.rotate", before, after)])
    };
    let of_revoked = Case {
        is_revoked: true,
        ..is_refused(Value::Null, 422)
    };
    vec![rotate, of_revoked]
}

fn deleted_keys() -> Vec<Case> {
    let (before, after) = (
        json!({"revoked_at": null}),
        json!({"revoked_at": recorded_time(now())}),
    );
    let delete = Case {
        status: 204,
        ..changes(Value::Null, vec![("api_key.revoke", before, after)])
    };
    let of_revoked = Case {
        is_revoked: true,
        ..is_refused(Value::Null, 204)
    };
    vec![delete, of_revoked]
}

fn operations() -> impl Iterator<Item = &'static Operation> {
    let all = [
        agentmessage::api::operations::ALL,
        tether_relay::api::operations::ALL,
    ];
    all.into_iter().flatten().copied()
}

/// Application, a caller, and a key for the path of the operation.
struct Stage {
    app: TestApp,
    token: String,
    label: String,
    target: String,
}

impl Stage {
    async fn new(operation: &Operation, case: &Case) -> Self {
        let app = TestApp::new().await;
        let target = app.api_key(&[Scope::OrgRead]).await;
        if case.is_revoked {
            app.revoke_key(app.key_id(&target).await).await;
        }
        let (token, label) = credential(&app, operation).await;
        Self {
            app,
            token,
            label,
            target,
        }
    }

    async fn call(&self, operation: &Operation, body: &Value) -> Response {
        let path = operation
            .path
            .replace("{organizationId}", &self.app.org_id.to_string())
            .replace("{id}", &self.app.key_id(&self.target).await.to_string());
        let method: Method = operation.method.parse().unwrap();
        let request = self.app.request(method, &path).bearer(&self.token);
        match body {
            Value::Null => request.send().await,
            body => request.json(body).send().await,
        }
    }

    /// Returns the content of an entry with placeholders for values that vary.
    async fn seen(&self, entry: &AuditEntry, response: &Response) -> (String, Value, Value) {
        let target = self.app.key_id(&self.target).await;
        let mut text = entry.payload.replace(&target.to_string(), "TARGET");
        text = text.replace(&self.target[..12], "TARGET_PREFIX");
        if response.status == 201 {
            text = text.replace(&response.text("/data/id"), "NEW");
            text = text.replace(&response.text("/data/prefix"), "PREFIX");
            let key = PlaintextApiKey::parse(&response.text("/data/plaintext")).unwrap();
            text = text.replace(&key.hash().commitment(), "COMMITMENT");
            text = text.replace(self.label.trim_end_matches(" (test)"), "CALLER");
        }
        let mut payload: Value = serde_json::from_str(&text).unwrap();
        let (before, after) = (payload["before"].take(), payload["after"].take());
        assert_eq!(payload.as_object().unwrap().len(), 2, "{}", entry.payload);
        (entry.action.clone(), before, after)
    }

    /// Returns the resource of an entry of `operation`.
    async fn resource(&self, operation: &Operation, response: &Response) -> (String, String) {
        match operation.path {
            "/v1/api-keys" => ("api_key".to_owned(), response.text("/data/id")),
            path if path.starts_with("/v1/api-keys/") => (
                "api_key".to_owned(),
                self.app.key_id(&self.target).await.to_string(),
            ),
            _ => ("organization".to_owned(), self.app.org_id.to_string()),
        }
    }
}

/// Returns a credential that may call `operation`, and its name in the log.
async fn credential(app: &TestApp, operation: &Operation) -> (String, String) {
    if operation.scopes.is_empty() {
        return (app.jwt(Role::Admin), "user:user-1 (ADMIN)".to_owned());
    }
    let scopes = [
        Scope::OrgRead,
        Scope::OrgAdminWrite,
        Scope::ApiKeysRead,
        Scope::ApiKeysWrite,
        Scope::AuditRead,
    ];
    let key = app.api_key(&scopes).await;
    let id = app.key_id(&key).await;
    (key, format!("api_key:{id} (test)"))
}

async fn check(operation: &Operation, case: &Case) {
    let stage = Stage::new(operation, case).await;
    let app = &stage.app;
    let before = app.whole_audit().await.len();
    let response = stage.call(operation, &case.body).await;
    let name = format!("{} {}", operation.id, case.body);
    assert_eq!(response.status, case.status, "{name}: {response:?}");
    let entries = app.whole_audit().await.split_off(before);
    let mut found = Vec::new();
    for entry in &entries {
        found.push(stage.seen(entry, &response).await);
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let expected: Vec<_> = case
        .entries
        .iter()
        .map(|(action, before, after)| ((*action).to_owned(), before.clone(), after.clone()))
        .collect();
    assert_eq!(found, expected, "{name}");
    let is_of_key = operation.path.starts_with("/v1/api-keys");
    let grown = i64::from(!entries.is_empty() && !is_of_key);
    assert_eq!(app.stored().await.version, 1 + grown, "{name}: version");
    for entry in &entries {
        assert_eq!(
            (entry.actor.kind.as_str(), &entry.actor.label),
            ("customer", &stage.label),
            "{name}"
        );
        assert_eq!(entry.request_id, response.header("x-request-id"), "{name}");
        let resource = (entry.resource_type.clone(), entry.resource_id.clone());
        assert_eq!(
            resource,
            stage.resource(operation, &response).await,
            "{name}"
        );
        assert_eq!(entry.occurred_at, now().naive_utc(), "{name}");
        assert_eq!(entry.reason, None, "{name}");
    }
}

#[actix_web::test]
async fn every_change_has_exactly_its_entries_and_other_requests_have_none() {
    for operation in operations() {
        let cases = cases(operation);
        let writes = !matches!(operation.method, "GET" | "HEAD");
        let has_changes = cases.iter().any(|case| !case.entries.is_empty());
        assert_eq!(
            writes, has_changes,
            "{} shows what it records",
            operation.id
        );
        let has_no_op = cases
            .iter()
            .any(|case| case.entries.is_empty() && case.status < 300);
        // Each POST creates a new key, so every POST is a change.
        assert_eq!(
            has_no_op,
            operation.method != "POST",
            "{} shows when it records nothing",
            operation.id
        );
        for case in &cases {
            check(operation, case).await;
        }
    }
}

#[actix_web::test]
async fn a_repeated_change_is_recorded_once() {
    for operation in operations().filter(|operation| operation.method != "POST") {
        for case in cases(operation)
            .iter()
            .filter(|case| !case.entries.is_empty())
        {
            let stage = Stage::new(operation, case).await;
            let before = stage.app.whole_audit().await.len();
            for _ in 0..3 {
                let response = stage.call(operation, &case.body).await;
                assert_eq!(response.status, case.status);
            }
            let recorded = stage.app.whole_audit().await.len() - before;
            assert_eq!(recorded, case.entries.len(), "{}", case.body);
        }
    }
}

#[actix_web::test]
async fn the_label_of_platform_staff_does_not_reveal_their_identity() {
    let app = TestApp::new().await;
    let body = json!({"missedCallMessage": "Hello"});
    let path = format!("/api/organizations/{EXTERNAL_ID}/missed-call-message");
    let token = app.jwt_of(Role::Superadmin, None);
    let response = app
        .request(Method::PUT, &path)
        .bearer(&token)
        .json(&body)
        .send()
        .await;
    assert_eq!(response.status, 200);
    let entry = app.audit().await.remove(0);
    assert_eq!(
        (entry.actor.kind.as_str(), entry.actor.label.as_str()),
        ("platform", "platform")
    );
    assert_eq!(entry.actor.identity, r#"user:[null,"user-1","SUPERADMIN"]"#);
    assert_eq!(entry.resource_id, app.org_id.to_string());
}

#[actix_web::test]
async fn ids_of_entries_are_unique_ulids() {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    for days in 61..81 {
        let body = json!({"message_retention_days": days, "mms_retention_days": days});
        assert_eq!(app.patch(&key, body).await.status, 200);
    }
    let entries = app.audit().await;
    let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    let requests: BTreeSet<&str> = entries
        .iter()
        .map(|entry| entry.request_id.as_str())
        .collect();
    assert_eq!((ids.len(), requests.len()), (20, 20));
    assert!(
        ids.iter().all(|id| ulid::Ulid::from_string(id).is_ok()),
        "{ids:?}"
    );
    assert!(ids.is_disjoint(&requests));
}
